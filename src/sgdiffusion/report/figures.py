"""The figures of the article, in rows of a page's width."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from sgdiffusion.config.models import Claim
from sgdiffusion.config.texts import Caption
from sgdiffusion.gallery.files import existing
from sgdiffusion.report.words import words
from sgdiffusion.verdicts import Verdict

DPI = 200  # of the figures' PNG files
NARROW = 3.6  # inches: two figures of at most this width stand side by side
CURVES = 1  # specification curves per paper: all of them stand on the page of the gallery

Figure = dict[str, Any]


def figure(folder: Path, name: str, caption: Caption, short: str) -> Figure:
    """A figure with its caption; drawn from the PDF where there is one, sized by the PNG."""
    png = existing(folder / f"{name}.png", "build the preset's figures first")
    chosen = pdf if (pdf := png.with_suffix(".pdf")).is_file() else png
    with Image.open(png) as image:
        width, height = image.size
    return {
        "path": str(chosen),
        "file": f"{folder.parent.name}-{folder.name}-{chosen.name}",
        "width": width / DPI,
        "height": height / DPI,
        "name": name,
        "key": f"{folder.parent.name}-{folder.name}-{name}",
        "title": words(". ".join(part for part in (place(name, short), caption.title) if part)),
        "text": words(caption.text),
        "alt": caption.alt or caption.title,
    }


def place(name: str, short: str) -> str:
    """fig4c -> Fig 4c of the paper; nothing of a figure that the paper does not have."""
    number = re.fullmatch(r"fig(\d+[a-z]?)", name)
    return f"Fig {number[1]} of {short}" if number else ""


def rows(figures: Iterable[Figure]) -> list[list[Figure]]:
    """Figures in their order, narrow ones in pairs."""
    found: list[list[Figure]] = []
    for one in figures:
        last = found[-1] if found else []
        if len(last) == 1 and max(one["width"], last[0]["width"]) <= NARROW:
            last.append(one)
        else:
            found.append([one])
    return found


def curve(folder: Path, claim: Claim, verdict: Mapping[str, str], short: str) -> Figure:
    """A specification curve with what it says."""
    text = f"{verdict['verdict']}: {verdict['readings']}."
    if verdict["decides"]:
        text += f" What moves the number most: {verdict['decides']}."
    if verdict["nearest"]:
        text += f" Nearest reading: {verdict['nearest']}."
    title = f"{claim.source} of {short} under its readings: {claim.statement}"
    caption = Caption(title=title, text=text, alt=f"Specification curve of the claim: {claim.statement}")
    return figure(folder / "readings", claim.id, caption, "")


def curves(
    folder: Path, claims: Iterable[Claim], verdicts: Mapping[str, Mapping[str, str]], short: str
) -> list[Figure]:
    """The curves of a few claims, those first whose verdict depends on the reading."""
    varied = [c for c in claims if c.choices and verdicts[c.id]["readings"]]
    ordered = sorted(varied, key=lambda c: verdicts[c.id]["verdict"] != Verdict.DEPENDS)
    return [curve(folder, c, verdicts[c.id], short) for c in ordered[:CURVES]]
