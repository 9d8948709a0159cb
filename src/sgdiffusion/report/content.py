"""What the report says: a preset's files joined with claims and texts, as plain values for the template."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sgdiffusion.config.models import Claim
from sgdiffusion.config.report import Report
from sgdiffusion.config.texts import Argument, Captions, Headline, Texts
from sgdiffusion.gallery import numbers
from sgdiffusion.gallery.content import SHOWN, caption, sentence
from sgdiffusion.gallery.files import read_csv, read_json, read_verdicts, verdicts_on
from sgdiffusion.gallery.fill import fill, measured_all
from sgdiffusion.gallery.publish import not_as_published
from sgdiffusion.report.claims import claim_row
from sgdiffusion.report.costs import costs, data_sets, records_shown, sources
from sgdiffusion.report.facts import across, facts, published
from sgdiffusion.report.figures import Figure, curves, figure, rows
from sgdiffusion.report.words import Words, breakable, words
from sgdiffusion.verdicts import Quantities, Verdict
from sgdiffusion.verdicts.quantities import carries
from sgdiffusion.verdicts.words import bounds

FEW = 8  # items of one reason that are named; more are counted
UNWRITTEN = 4  # figures of a paper for which the report has no words

Table = list[dict[str, Any]]


def filled(texts: Sequence[str], quantities: Quantities) -> list[Words]:
    """Paragraphs with their numbers."""
    return [words(fill(text, quantities)) for text in texts]


def plain(table: pd.DataFrame) -> list[dict[str, str]]:
    """The rows of a table of text."""
    return [{str(k): str(v) for k, v in row.items()} for row in table.to_dict("records")]


class PaperReader:
    """One paper's part of the article."""

    def __init__(self, folder: Path, paper: str, texts: Texts, claims: Sequence[Claim], written: Report):
        self.folder, self.paper, self.texts = folder / paper, paper, texts
        self.claims, self.written = claims, written.papers.get(paper)
        self.verdicts = verdicts_on(claims, self.folder / "verdicts.csv")

    def part(
        self, quantities: Quantities, run: Quantities, findings: Table, listed: Sequence[str]
    ) -> dict[str, Any]:
        heading, written = self.texts.paper, self.written
        known = {**quantities, **published(self.claims), **run}
        shown = self._figures(listed)
        judged = [(c, claim_row(c, self.verdicts[c.id], quantities)) for c in self.claims]
        return {
            **{k: words(getattr(heading, k)) for k in ("title", "short", "authors", "venue", "subject")},
            "arxiv": heading.arxiv,
            "headlines": [
                self._headline(h, findings, quantities)
                for h in self.texts.headlines
                if measured_all(h.text, quantities)
            ],
            "says": filled(written.says if written else [heading.subject], known),
            "equations": [e.model_dump() for e in written.equations] if written else [],
            "methods": filled(written.methods if written else [], known),
            "results": filled(written.results if written else [], known),
            "figures": rows(shown),
            "curves": rows(curves(self.folder, self.claims, self.verdicts, heading.short)),
            "findings": [self._finding(row, {f["name"]: f["key"] for f in shown}) for row in findings],
            "arguments": [self._argument(a, quantities) for a in self.texts.arguments],
            "counts": self._counts(),
            "claims": [row for claim, row in judged if claim.nature == "claim"],
            "apart": [{**row, "detail": claim.nature} for claim, row in judged if claim.nature != "claim"],
        }

    def _figures(self, listed: Sequence[str]) -> list[Figure]:
        names = self.written.figures if self.written else (self.texts.composite or list(listed))[:UNWRITTEN]
        return [
            figure(self.folder, n, caption(self.texts, n, f"{n} of {self.paper}"), self.texts.paper.short)
            for n in names
            if n in listed
        ]

    def _headline(self, led: Headline, findings: Table, quantities: Quantities) -> dict[str, Any]:
        """A sentence of the summary, with what this run says of the claim or finding that it is about."""
        shown = {row["finding"]: row["demonstrated"] for row in findings}
        verdict = Verdict(self.verdicts[led.claim]["verdict"]) if led.claim else None
        return {
            "text": words(fill(led.text, quantities)),
            "slug": verdict.slug if verdict else "",
            "label": str(verdict or ""),
            "demonstrated": shown.get(led.finding, "no") if led.finding else "yes",
        }

    def _finding(self, row: Mapping[str, str], figures: Mapping[str, str]) -> dict[str, Any]:
        return {
            "source": words(sentence(row["source"])),
            "kind": row["kind"],
            "statement": words(row["statement"]),
            "demonstrated": row["demonstrated"],
            "figures": [figures[name] for name in row["shown in"].split(", ") if name in figures],
        }

    def _argument(self, argument: Argument, quantities: Quantities) -> dict[str, Any]:
        return {
            "title": words(argument.title),
            "paragraphs": filled(argument.paragraphs, quantities),
            "doubtful": [
                f"{breakable(r.quantity)} ({bounds(r)})"
                for r in argument.rests_on
                if not carries(quantities, r)
            ],
        }

    def _counts(self) -> dict[str, int]:
        own = [self.verdicts[c.id]["verdict"] for c in self.claims if c.nature == "claim"]
        return {verdict.slug: own.count(verdict) for verdict in Verdict}


def label(verdict: Verdict, report: Report) -> dict[str, str]:
    """A verdict with its sign and what it means."""
    sign, meaning = SHOWN[verdict][0], report.verdicts.meaning(verdict.slug)
    return {"slug": verdict.slug, "label": str(verdict), "sign": sign, "meaning": meaning}


def omissions(folder: Path, listing: Mapping[str, Any]) -> Table:
    """What was left out, rests on substitutes or was not tested, by the first words of the reason."""
    table = not_as_published(folder, listing)
    kinds = table["reason"].str.split(": ").str[0]
    rows = []
    for kind, items in table["item"].groupby(kinds, sort=False):
        claims = int(items.str.contains("/claims/").sum())
        counted = {"claims": claims, "figures and tables": len(items) - claims}
        rows.append(
            {
                "reason": words(sentence(str(kind))),
                "count": ", ".join(f"{count} {name}" for name, count in counted.items() if count),
                "items": breakable(", ".join(items)) if len(items) <= FEW else "",
            }
        )
    return rows


def choices_table(table: pd.DataFrame, papers: Mapping[str, Texts]) -> Table:
    """The open choices whose effect is known."""
    known = table[table["sensitivity"] != "not measured"]
    return [
        {
            "paper": papers[row["paper"]].paper.short,
            **{key: words(row[key]) for key in ("topic", "sensitivity")},
        }
        for row in plain(known)
    ]


def content(
    folder: Path,
    texts: Mapping[str, Texts],
    claims: Mapping[str, Sequence[Claim]],
    captions: Captions,
    report: Report,
    description: str,
) -> dict[str, Any]:
    """Everything the template prints, from the files of figures/<preset>/."""
    listing, found = read_json(folder / "items.json"), numbers.read(folder / "numbers.json")
    findings, choices = read_csv(folder / "findings.csv"), read_csv(folder / "assumptions.csv")
    verdicts = read_verdicts(folder / "verdicts.csv")
    run = facts(found, verdicts, findings, choices)
    cross = listing.get("across") or {"figures": [], "tables": []}
    seen: dict[str, Any] = dict(run)
    for name in cross["tables"]:
        seen |= across(read_csv(folder / "cross" / f"{name}.csv"))
    records = records_shown(folder, listing)
    shorts = {paper: words_of.paper.short for paper, words_of in texts.items()}
    return {
        "title": report.title,
        "authors": report.authors,
        "note": found["note"],
        "preset": listing["preset"],
        "description": description,
        "labels": [label(verdict, report) for verdict in Verdict],
        **{
            part: filled(getattr(report, part), run)
            for part in ("summary", "workflow", "judging", "limits", "choices", "cost", "provenance")
        },
        "papers": [
            PaperReader(folder, paper, texts[paper], claims[paper], report).part(
                numbers.measured(found, paper),
                run,
                plain(findings[findings["paper"] == paper]),
                listing["papers"][paper]["figures"],
            )
            for paper in listing["papers"]
        ],
        "glossary": [{"term": words(t), "meaning": words(m)} for t, m in captions.glossary.items()],
        "across": filled(report.across, seen),
        "cross": rows(figure(folder / "cross", n, caption(captions, n, n), "") for n in cross["figures"]),
        "data": data_sets(records),
        "costs": costs(records, shorts),
        "sources": words(sources(records)),
        "omissions": omissions(folder, listing),
        "open": choices_table(choices, texts),
        "references": [words(text) for text in report.references],
    }
