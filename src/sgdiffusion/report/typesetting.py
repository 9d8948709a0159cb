"""The report as a PDF: the template filled by Typst, with fonts that come with the packages."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import typst

TEMPLATE = Path(__file__).parent / "template" / "report.typ"


def fonts() -> typst.Fonts:
    """Typst's own fonts, and matplotlib's for signs that those lack; none of the machine's."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return typst.Fonts(include_system_fonts=False, font_paths=[str(folder)])


def figures_of(content: Any) -> list[dict[str, Any]]:
    """Every figure within the content."""
    if isinstance(content, Mapping):
        inner = [one for part in content.values() for one in figures_of(part)]
        return [*([dict(content)] if "path" in content else []), *inner]
    return [one for part in content for one in figures_of(part)] if isinstance(content, list) else []


@contextmanager
def laid_out(content: Mapping[str, Any]) -> Iterator[Path]:
    """A folder with the template, its content and the figures; Typst reads nothing outside of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copyfile(TEMPLATE, folder / TEMPLATE.name)
        for one in figures_of(content):
            shutil.copyfile(one["path"], folder / one["file"])
        (folder / "content.json").write_text(json.dumps(content), encoding="utf-8")
        yield folder


def typeset(content: Mapping[str, Any]) -> bytes:
    """The PDF; the same content gives the same bytes."""
    with laid_out(content) as folder:
        return typst.compile(folder / TEMPLATE.name, root=folder, font_paths=fonts(), format="pdf")
