"""What a run leaves out on purpose, each with its reason: a file that the setting `left_out` names.

    left_out:
      - items: [chaudhari2018/fig2b, chaudhari2018/quantities/*cifar100*, chaudhari2018/claims/fig2b-*]
        reason: CIFAR-100 was not at hand

An item is a figure or table, <paper>/<name> or cross/<name>; a table of quantities,
<paper>/quantities/<name>; or a claim, <paper>/claims/<id>. Patterns as in file names.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from sgdiffusion.config.load import parse, read_yaml
from sgdiffusion.config.models import Strict, Text
from sgdiffusion.errors import ConfigError


class Omission(Strict):
    """Items left out for one reason."""

    items: list[Text] = Field(min_length=1, description="patterns of items")
    reason: Text


class LeftOut(Strict):
    """The file's content."""

    left_out: list[Omission] = []

    def reason(self, item: str) -> str | None:
        """Why the item is left out; None if it is not."""
        return next((o.reason for o in self.left_out if any(fnmatchcase(item, p) for p in o.items)), None)

    def keep(self, prefix: str, names: Iterable[str]) -> list[str]:
        """The names that are not left out."""
        return [name for name in names if self.reason(f"{prefix}/{name}") is None]


def load_left_out(path: str | None, known: Iterable[str]) -> LeftOut:
    """The omissions of a file, none without one; a pattern that fits no known item is an error."""
    if path is None:
        return LeftOut()
    content = parse(LeftOut, read_yaml(Path(path)), path)
    everything = list(known)
    for omission in content.left_out:
        for pattern in omission.items:
            if not any(fnmatchcase(item, pattern) for item in everything):
                raise ConfigError(f"{path}: left_out.items: {pattern!r} fits nothing")
    return content
