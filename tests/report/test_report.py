"""The report: filled from the run's files alone, nothing read as markup, the same bytes each time."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tiny_preset import NOTE, PAPERS
from tiny_report import HOSTILE, said, shown

from sgdiffusion.config import load_claims
from sgdiffusion.config.models import Claim, Region
from sgdiffusion.config.report import load_report
from sgdiffusion.config.texts import Argument, Finding, load_texts
from sgdiffusion.errors import ConfigError, DataError
from sgdiffusion.gallery.fill import PLACEHOLDER
from sgdiffusion.papers import PAPERS as ALL_PAPERS
from sgdiffusion.report.typesetting import typeset

ROOT = Path(__file__).resolve().parents[2]


def flat(part: object) -> str:
    """All that a part of the content says."""
    if isinstance(part, dict):
        return " ".join(flat(p) for p in part.values())
    return " ".join(flat(p) for p in part) if isinstance(part, list) else str(part)


def test_it_is_a_pdf_that_the_same_inputs_give_again(preset: Path):
    first = typeset(said(preset))
    assert first.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", first)) >= 2
    assert typeset(said(preset)) == first


def test_no_text_is_read_as_markup(preset: Path):
    """Typst would stop at the first sign of HOSTILE if it read one of these as its own."""
    content = said(preset)
    assert HOSTILE in flat(content["summary"])
    (part, *_), hostile = content["papers"], HOSTILE
    for row in (part, part["claims"][0], part["findings"][0], part["arguments"][0], content["omissions"][0]):
        row |= {
            key: hostile
            for key, text in row.items()
            if isinstance(text, str) and key not in ("slug", "label")
        }
    part["figures"][0][0] |= {"title": hostile, "text": hostile, "alt": hostile}
    assert typeset(content).startswith(b"%PDF-")


def test_it_says_what_data_and_scale_it_rests_on(preset: Path):
    assert said(preset)["note"] == NOTE
    numbers = json.loads((preset / "numbers.json").read_text())
    (preset / "numbers.json").write_text(json.dumps({**numbers, "note": ""}))
    assert typeset(said(preset)) != typeset({**said(preset), "note": NOTE})


def test_every_measured_number_follows_the_runs_numbers(preset: Path):
    """All values of numbers.json change by a factor, and no value of before is left on any page."""
    before = said(preset)
    content = json.loads((preset / "numbers.json").read_text())
    for quantities in content["papers"].values():
        for entry in quantities.values():
            entry |= {key: 1.37 * entry[key] for key in ("value", "low", "high")}
    (preset / "numbers.json").write_text(json.dumps(content))
    after = said(preset)
    assert typeset(before) != typeset(after)
    assert "9 [8, 10], printed 1; (not run)" in flat(before["papers"][0]["results"])
    assert "12.3 [11, 13.7], printed 1; (not run)" in flat(after["papers"][0]["results"])
    assert before["papers"][0]["claims"][1]["measured"] == ["9 [8, 10]"]
    assert after["papers"][0]["claims"][1]["measured"] == ["12.3 [11, 13.7]"]
    assert "12.3" in shown(after)
    assert "12.3" not in shown(before)
    for old in ("[0.9,", "1.1]", "9 [8"):
        assert old not in flat(after["papers"][0]["claims"])


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (
            "chaudhari2018/verdicts.csv",
            {"verdict": "Fails"},
            lambda c: c["papers"][0]["counts"]["fails"] == 4,
        ),
        ("findings.csv", {"statement": "It is 77."}, lambda c: "77" in flat(c["papers"][0]["findings"])),
        (
            "findings.csv",
            {"demonstrated": "no"},
            lambda c: c["papers"][0]["headlines"][1]["demonstrated"] == "no",
        ),
        ("assumptions.csv", {"sensitivity": "then 78"}, lambda c: "78" in flat(c["open"])),
    ],
    ids=["verdicts", "findings", "demonstrated", "assumptions"],
)
def test_every_table_of_the_run_is_read(preset: Path, file: str, change: dict, expected):
    assert not expected(said(preset))
    pd.read_csv(preset / file, keep_default_na=False).assign(**change).to_csv(preset / file, index=False)
    assert expected(said(preset))


def test_the_template_types_no_number(preset: Path):
    """With every digit of the content replaced by a letter, and counters in letters, the pages show none."""
    kept = ("path", "file", "name", "key", "math", "width", "height", "figures", "slug")

    def lettered(part: object, name: str = "") -> object:
        if isinstance(part, dict):
            return {k: lettered(v, k) for k, v in part.items()}
        if isinstance(part, list):
            return [lettered(p, name) for p in part]
        return re.sub(r"\d", "x", part) if isinstance(part, str) and name not in kept else part

    content = said(preset)
    for paper in content["papers"]:
        paper["counts"] = dict.fromkeys(paper["counts"], 0)
    assert len(shown(content, counters="a")) > 30
    assert set(shown(lettered(content), counters="a")) <= {"0"}


ALLOWED = [  # digits in the report's words: parts of the papers, a data set, the level of intervals
    r"(Figs?|Table|Theorem|Lemma|Eq\.|Definition|Section) \d+(\.\d+)?[a-z]?(( and |, | to )\d+[a-z]?)*",
    r"CIFAR-10\b",
    r"interval of 95 %",
]
COUNTS = r"\b(two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|twice|half)\b"
WORDS = ("three papers", "two moons", "two layers", "two-layer", "one half")


def prose() -> list[str]:
    """Every sentence of config/cross/report.yaml; references and formulas have digits of their own."""
    report = yaml.safe_load((ROOT / "config/cross/report.yaml").read_text(encoding="utf-8"))
    report.pop("references")
    for words in report["papers"].values():
        words.pop("figures")
        words["equations"] = [e["source"] for e in words["equations"]]

    def sentences(part: object) -> list[str]:
        if isinstance(part, str):
            return [part]
        return [s for p in (part.values() if isinstance(part, dict) else part) for s in sentences(p)]

    return sentences(report)


@pytest.mark.parametrize("text", prose(), ids=lambda text: text[:30])
def test_no_number_is_typed_in_the_words(text: str):
    plain = PLACEHOLDER.sub("", text)
    for allowed in ALLOWED:
        plain = re.sub(allowed, "", plain)
    assert not re.search(r"[\d{}]", plain), plain
    for allowed in WORDS:
        plain = re.sub(allowed, "", plain, flags=re.IGNORECASE)
    assert not re.search(COUNTS, plain, flags=re.IGNORECASE), plain


@pytest.mark.parametrize("paper", ALL_PAPERS)
def test_every_number_of_the_words_is_one_that_a_claim_finding_or_argument_names(paper: str):
    """So that it is measured, and judged or argued; {published.…} is printed in a claim."""
    texts = {name: load_texts(ROOT / "config", name) for name in ALL_PAPERS}
    own, claims = texts[paper], load_claims(ROOT / "config", paper)
    regions = [r for part in (claims, own.findings, own.arguments) for one in part for r in regions_of(one)]
    sentences = [f.statement for f in own.findings] + [p for a in own.arguments for p in a.paragraphs]
    there = {r.quantity for r in regions} | {m[1] for s in sentences for m in PLACEHOLDER.finditer(s)}
    there |= {f"published.{r.quantity}" for r in regions if r.published is not None}
    words = load_report(ROOT / "config", texts).papers[paper]
    named = {m[1] for s in (*words.says, *words.methods, *words.results) for m in PLACEHOLDER.finditer(s)}
    assert named
    assert named <= there, named - there


def regions_of(one: Claim | Finding | Argument) -> list[Region]:
    return getattr(one, "accept", None) or getattr(one, "demonstrated_by", None) or one.rests_on


def test_a_paper_without_words_shows_its_texts(preset: Path):
    part = said(preset)["papers"][1]
    assert part["results"] == part["equations"] == []
    assert flat(part["says"]) == "It says."
    assert [one["name"] for row in part["figures"] for one in row] == ["fig1"]


def test_words_that_name_what_is_not_there_are_refused(tmp_path: Path):
    texts = {paper: load_texts(ROOT / "config", paper) for paper in ALL_PAPERS}
    assert set(load_report(ROOT / "config", texts).papers) == set(ALL_PAPERS)
    written = (ROOT / "config/cross/report.yaml").read_text(encoding="utf-8")
    (tmp_path / "cross").mkdir()
    for old, new, expected in (
        ("figures: [fig1b", "figures: [fig9", r"figures: found 'fig9'"),
        ("  ziyin2025:", "  ziyin2026:", r"papers: found 'ziyin2026'"),
    ):
        (tmp_path / "cross/report.yaml").write_text(written.replace(old, new), encoding="utf-8")
        with pytest.raises(ConfigError, match=expected):
            load_report(tmp_path, texts)


def test_a_missing_figure_is_named_with_what_to_do(preset: Path):
    (preset / PAPERS[0] / "fig1.png").unlink()
    with pytest.raises(DataError, match=r"fig1\.png: no such file; build the preset's figures first"):
        said(preset)
