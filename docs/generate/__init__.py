"""The parts of the site that are not typed: filled in when Sphinx reads a page.

A comment `<!-- generated: NAME [ARGUMENT] -->` on a line of its own is replaced by what the function NAME of
MAKERS returns. In papers/<paper>.md the placeholders of measured numbers, such as {fig3b.variance_ratio}, are
filled in from the published reference set, by the rules of sgdiffusion.config.texts.
"""

import re
from collections.abc import Callable

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from generate import claims, interface, measured, published, settings
from sgdiffusion.gallery.fill import fill
from sgdiffusion.papers import PAPERS

MARK = re.compile(r"^<!-- generated: (?P<name>[a-z_0-9]+)(?: (?P<argument>[\w.-]+))? -->$", flags=re.M)
MAKERS: dict[str, Callable[..., str]] = {
    "headlines": published.headlines,
    "counts": published.counts,
    "verdicts": published.verdicts,
    "claims": claims.claim_map,
    "configuration": settings.configuration,
    "messages": settings.messages,
    "diagnoses": interface.diagnoses,
    "labels": interface.labels,
    "reference": interface.reference,
    "table1": measured.table1,
}


def made(text: str) -> str:
    """A page with its generated parts."""

    def part(match: re.Match[str]) -> str:
        if match["name"] not in MAKERS:
            raise ExtensionError(f"nothing makes {match['name']!r}; there are {', '.join(MAKERS)}")
        maker = MAKERS[match["name"]]
        return maker(match["argument"]) if match["argument"] else maker()

    return MARK.sub(part, text)


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """Sphinx's event source-read."""
    folder, _, page = name.rpartition("/")
    if folder == "papers" and page in PAPERS:
        source[0] = fill(source[0], published.quantities(page))
    source[0] = made(source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("env-get-outdated", lambda app, env, *_: env.found_docs)  # what they show lies elsewhere
    app.connect("build-finished", published.copy_gallery)
    return {"parallel_read_safe": True}
