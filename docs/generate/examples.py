"""Runs the examples of a page and writes what they print, and the pictures they draw, into the page.

    python docs/generate/examples.py docs/tutorials/resnet18.md

A block ```python is an example; the block ```text after it, where there is one, is what it prints. The blocks
of a page run one after the other in one scope, in a folder of their own; the pictures that the page shows
from images/ are those that they save there.
"""

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

EXAMPLE = re.compile(r"```python\n(?P<code>.*?)```(?:\n\n```text\n(?P<printed>.*?)```)?", flags=re.S)
PICTURE = re.compile(r"!\[[^\]]*\]\((?P<path>[^)]*images/(?P<name>[^)/]+))\)")


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The working directory for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def printed(text: str, name: str, folder: Path) -> list[str]:
    """Runs the examples of a page in a folder and returns what each prints."""
    scope: dict[str, object] = {"__name__": "example"}
    outputs = []
    with inside(folder):
        for match in EXAMPLE.finditer(text):
            with contextlib.redirect_stdout(io.StringIO()) as stream:
                exec(compile(match["code"], name, "exec"), scope)
            outputs.append(stream.getvalue())
    return outputs


def renewed(text: str, outputs: list[str]) -> str:
    """The page with these outputs in the place of its own."""
    left = iter(outputs)

    def example(match: re.Match[str]) -> str:
        output = next(left)
        if match["printed"] is None:
            return match[0]
        lines = [line.rstrip() for line in output.rstrip().splitlines()]
        return f"```python\n{match['code']}```\n\n```text\n" + "\n".join(lines) + "\n```"

    return EXAMPLE.sub(example, text)


def renew(page: Path) -> None:
    """Writes outputs and pictures of a page."""
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        outputs = printed(text, str(page), Path(folder))
        for match in PICTURE.finditer(text):
            if (made := Path(folder) / match["name"]).is_file():
                shutil.copyfile(made, page.parent / match["path"])
    page.write_text(renewed(text, outputs), encoding="utf-8")


if __name__ == "__main__":
    for word in sys.argv[1:]:
        renew(Path(word))
