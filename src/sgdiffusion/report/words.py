"""Words for the template: plain strings, and lists of parts where some are lowered or raised.

A template gets no markup, so that a `#`, `$`, `*` or `<` of a text is what it is.
"""

import re
from html.parser import HTMLParser
from typing import Any

from sgdiffusion.gallery.content import formula

Words = str | list[Any]  # strings and {"sub": Words} or {"super": Words}

_ELEMENTS = {"sub": "sub", "sup": "super"}
_SPACE = "\N{NO-BREAK SPACE}"
_TYPOGRAPHY = (
    (re.compile(r"(?<=[\d\]]) (?=%)"), _SPACE),
    (re.compile(r"\b(Figs?|Tables?|[Ee]qs?\.?|App\.|Theorem|Lemma|Remarks?) (?=[A-Z\d])"), rf"\1{_SPACE}"),
    (re.compile(r'"([^"]*)"'), r"“\1”"),
    (re.compile(r"(?<=\w)'"), "’"),
)


class _Parts(HTMLParser):
    """The strings of a formula with their places."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[list[Any]] = [[]]

    def handle_data(self, data: str) -> None:
        self.open[-1].append(data)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append([])

    def handle_endtag(self, tag: str) -> None:
        self.open[-2].append({_ELEMENTS[tag]: _plain(self.open.pop())})


def _plain(parts: list[Any]) -> Words:
    return parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts


def words(text: str) -> Words:
    """A text with lowered and raised parts, typographic quotes, and figures that keep their numbers."""
    for pattern, replacement in _TYPOGRAPHY:
        text = pattern.sub(replacement, text)
    reader = _Parts()
    reader.feed(formula(text))
    reader.close()
    return _plain(reader.open[0]) if reader.open[0] else ""


def breakable(name: str) -> str:
    """The name of a quantity, which a line may end within."""
    return re.sub(r"(?<=[._])(?=[^\W\d])", "\N{ZERO WIDTH SPACE}", name)
