"""What the page shows: the files of a preset joined with claims and texts, as plain values for the template.

A paper shows whatever the lists of its figures and tables name; captions that nobody wrote are left out.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from sgdiffusion.config.models import Claim, Region
from sgdiffusion.config.texts import Argument, Caption, Captions, Heading, Headline, Texts
from sgdiffusion.gallery import drawings, numbers
from sgdiffusion.gallery.curves import curve
from sgdiffusion.gallery.files import read_csv, verdicts_on
from sgdiffusion.gallery.fill import fill
from sgdiffusion.gallery.headlines import carried
from sgdiffusion.gallery.marks import interval_mark, verdict_bar
from sgdiffusion.gallery.origins import Origin, Origins
from sgdiffusion.gallery.sources import Provenance, provenance
from sgdiffusion.provenance import read_record, substitute_note
from sgdiffusion.verdicts import Standing, Verdict
from sgdiffusion.verdicts.quantities import carries
from sgdiffusion.verdicts.words import bounds, cell, interval, number

SHOWN = {  # the verdict's sign, and the verb after a number of claims
    Verdict.HOLDS: ("✓", "hold"),
    Verdict.IN_PART: ("◐", "hold in part"),
    Verdict.FAILS: ("✗", "fail"),
    Verdict.DEPENDS: ("±", "depend on the reading"),
    Verdict.UNDECIDED: ("?", "stay undecided"),
    Verdict.NOT_COMPARABLE: ("≈", "cannot be compared"),
    Verdict.NOT_TESTED: ("–", "are not tested"),
}


@dataclass(frozen=True)
class Part:
    """One measured number of a claim: what is accepted, what was found."""

    quantity: str
    accepted: str
    published: str
    value: str
    unit: str
    interval: str
    mark: Markup


@dataclass(frozen=True)
class JudgedClaim:
    """A row of the table of claims."""

    claim: Claim
    anchor: str
    verdict: Verdict
    untested: str  # why, if it was not tested
    parts: list[Part]
    figures: list[tuple[str, str]]  # anchor, title
    at_base: str  # the verdict under the base reading alone
    readings: str  # in how many readings it holds and fails, or why no choice matters
    nearest: str  # reading nearest to the published number
    decides: str  # choice that moves the number most
    curve: str  # the numbers of its specification curve; empty without any
    picture: str  # path of that curve as a static figure
    origins: list[Origin]  # configuration, rules and functions that its numbers come from

    @property
    def counted(self) -> bool:
        """Whether it is the paper's own claim."""
        return self.claim.nature == "claim"


@dataclass(frozen=True)
class Plate:
    """A figure or table with its caption and provenance."""

    name: str
    anchor: str
    caption: Caption
    claims: list[JudgedClaim]
    provenance: Provenance
    command: str
    path: str  # of its files without their endings, as the page links to them
    note: str  # what its data and scale are, if not the paper's own
    origins: list[Origin]  # configuration, rule and function
    drawing: str = ""  # as SVG
    width: float = 0.0  # of the drawing, in points
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True)
class Argued:
    """An argument with its numbers filled in, and the numbers of this run that do not carry it."""

    argument: Argument
    anchor: str
    paragraphs: list[str]
    doubtful: list[tuple[str, str, str]]  # quantity, where it must lie, value


@dataclass(frozen=True)
class Led:
    """A headline with its numbers filled in."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Chapter:
    """One paper."""

    name: str
    heading: Heading
    headlines: list[Led]
    counts: dict[Verdict, int]
    bar: Markup
    claims: list[JudgedClaim]
    figures: list[Plate]
    tables: list[Plate]
    arguments: list[Argued]
    findings: list[dict[str, str]]
    assumptions: list[dict[str, str]]
    provenance: Provenance


def sentence(text: str) -> str:
    """With a capital letter at its start, unless that is part of a formula or a name such as small-fc."""
    first = text.split(" ")[0]
    plain = first.isascii() and first.isalpha() and first.islower() and (len(first) > 1 or first == "a")
    return text[0].upper() + text[1:] if plain else text


_SUB = re.compile(r"(?<![\w.-])(∇|∇?[^\W\d_][\u0300-\u036f]?)_(max|ss|[a-z0-9ξ])(?!\w)")
_SUP = re.compile(r"\^(?:\{([^{}]*)\}|\(((?:[^()]|\([^()]*\))*)\)|(ss|[a-z0-9])(?!\w))")


def formula(text: str) -> Markup:
    """Text as HTML, its d_s, λ_max, e^(−Φ) and v^{−3/2} with subscripts and superscripts; names stay."""
    lowered = _SUB.sub(r"\1<sub>\2</sub>", str(escape(text)))
    return Markup(_SUP.sub(lambda m: f"<sup>{m[1] or m[2] or m[3] or ''}</sup>", lowered))


def caption(texts: Captions, name: str, otherwise: str) -> Caption:
    """The caption that was written, or a plain one."""
    written = texts.figures.get(name) or texts.tables.get(name)
    return written or Caption(title=name, text=f"{otherwise}.", alt=otherwise)


def records(folder: Path, names: Sequence[str]) -> list[dict[str, Any]]:
    """The records beside figures and tables."""
    found = [read_record(folder / f"{name}.json") for name in names]
    return [record for record in found if record is not None]


def plate(
    folder: Path,
    name: str,
    words: Caption,
    preset: str,
    origins: Origins,
    command: str,
    claims: Sequence[JudgedClaim] = (),
) -> Plate:
    """A figure, or a table if there is one of that name; the anchor begins with the folder's name."""
    csv = folder / f"{name}.csv"
    target = csv if csv.is_file() else csv.with_suffix(".pdf")
    found = records(folder, [name])
    made = Plate(
        name=name,
        anchor=f"{folder.name}-{name}",
        caption=words,
        claims=list(claims),
        provenance=provenance(found, preset),
        command=command.format(target=target.as_posix()),
        path=f"{folder.name}/{name}",
        note=" · ".join(note for r in found if (note := substitute_note(r))),
        origins=[origin for r in found for origin in origins.of_item(folder.name, name, r)],
    )
    if not csv.is_file():
        drawing = drawings.inline(csv.with_suffix(".svg"), made.anchor, words.alt)
        return replace(made, drawing=drawing, width=drawings.width(drawing))
    table = read_csv(csv)
    rows = [[cell(str(v)) for v in row] for row in table.to_numpy()]
    return replace(made, header=[str(c) for c in table.columns], rows=rows)


class Reader:
    """Reads one paper's files and joins them."""

    def __init__(
        self,
        folder: Path,
        preset: str,
        paper: str,
        texts: Texts,
        claims: Sequence[Claim],
        entries: Mapping[str, Any],
        origins: Origins,
        command: str,
    ):
        self.folder, self.preset, self.paper = folder / paper, preset, paper
        self.texts, self.origins, self.command = texts, origins, command
        self.entries, self.quantities = entries, numbers.of_entries(entries)
        self.claims = {c.id: c for c in claims}
        self.verdicts = verdicts_on(claims, self.folder / "verdicts.csv")
        self.judged = read_record(self.folder / "verdicts.csv") or {}
        self.readings = read_csv(self.folder / "readings.csv")

    def chapter(
        self, figures: Sequence[str], tables: Sequence[str], findings: pd.DataFrame, choices: pd.DataFrame
    ) -> Chapter:
        judged = {i: self._judged(self.claims[i], figures) for i in self.verdicts}
        counts = {v: sum(j.verdict is v and j.counted for j in judged.values()) for v in Verdict}
        plates = {n: self._plate(n, judged) for n in (*figures, *tables)}
        return Chapter(
            name=self.paper,
            heading=self.texts.paper,
            headlines=[self._led(h) for h in self._carried(findings)],
            counts=counts,
            bar=verdict_bar(counts),
            claims=list(judged.values()),
            figures=[plates[n] for n in figures],
            tables=[plates[n] for n in tables],
            arguments=[self._argued(a) for a in self.texts.arguments],
            findings=self._of_paper(findings),
            assumptions=self._of_paper(choices),
            provenance=provenance(records(self.folder, [*figures, *tables]), self.preset),
        )

    def anchor(self, name: str, kind: str = "") -> str:
        return "-".join(part for part in (self.paper, kind, name) if part)

    def _of_paper(self, table: pd.DataFrame) -> list[dict[str, str]]:
        rows = table[table["paper"] == self.paper].to_dict("records")
        return [{str(k): str(v) for k, v in row.items()} for row in rows]

    def _caption(self, name: str) -> Caption:
        return caption(self.texts, name, f"{name} of {self.paper}")

    def _bears_on(self, name: str, claim: str) -> bool:
        return claim.startswith(f"{name}-") or claim in self._caption(name).claims

    def _judged(self, claim: Claim, figures: Sequence[str]) -> JudgedClaim:
        row = self.verdicts[claim.id]
        shown = [f for f in figures if self._bears_on(f, claim.id)]
        return JudgedClaim(
            claim=claim,
            anchor=self.anchor(claim.id, "claim"),
            verdict=Verdict(row["verdict"]),
            untested=row["untested"],
            parts=[self._part(r) for r in claim.accept if r.quantity in self.quantities],
            figures=[(self.anchor(f), f) for f in shown],
            at_base=row["at base"],
            readings=row["readings"],
            nearest=row["nearest"],
            decides=row["decides"],
            curve=curve(self.readings, claim) if claim.choices else "",
            picture=f"{self.paper}/readings/{claim.id}.png" if claim.choices else "",
            origins=self._origins(claim),
        )

    def _origins(self, claim: Claim) -> list[Origin]:
        entries = [self.entries[r.quantity] for r in claim.accept if r.quantity in self.entries]
        return self.origins.of_numbers(entries, self.paper, self.judged)

    def _part(self, region: Region) -> Part:
        measured = self.quantities[region.quantity]
        return Part(
            quantity=region.quantity,
            accepted=bounds(region),
            published="" if region.published is None else number(region.published),
            value=number(measured.value),
            unit=measured.unit,
            interval=interval(measured),
            mark=interval_mark(region, measured),
        )

    def _plate(self, name: str, judged: Mapping[str, JudgedClaim]) -> Plate:
        claims = [j for i, j in judged.items() if self._bears_on(name, i)]
        words = self._caption(name)
        return plate(self.folder, name, words, self.preset, self.origins, self.command, claims)

    def _value(self, quantity: str) -> str:
        found = self.quantities.get(quantity)
        return str(Standing.NOT_RUN) if found is None else number(found.value)

    def _carried(self, findings: pd.DataFrame) -> list[Headline]:
        verdicts = {name: row["verdict"] for name, row in self.verdicts.items()}
        ours = findings[findings["paper"] == self.paper]
        return carried(self.texts.headlines, self.quantities, verdicts, ours)

    def _led(self, headline: Headline) -> Led:
        kind = "finding" if headline.finding else "claim"
        anchor = self.anchor(headline.finding or headline.claim or "", kind)
        return Led(fill(headline.text, self.quantities), anchor)

    def _argued(self, argument: Argument) -> Argued:
        doubtful = [r for r in argument.rests_on if not carries(self.quantities, r)]
        return Argued(
            argument=argument,
            anchor=self.anchor(argument.id, "argument"),
            paragraphs=[fill(p, self.quantities) for p in argument.paragraphs],
            doubtful=[(r.quantity, bounds(r), self._value(r.quantity)) for r in doubtful],
        )
