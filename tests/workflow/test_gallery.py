"""What the built preset's gallery, findings and numbers hold, and that omissions are stated."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.config.texts import load_texts
from sgdiffusion.gallery.fill import PLACEHOLDER

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gallery"))

from static_page import Page, loaded_from_outside


@pytest.fixture(scope="module")
def built(smoked) -> Path:
    folder, done = smoked
    assert done.returncode == 0, done.text[-10000:]
    return folder


@pytest.fixture(scope="module")
def listed(built: Path) -> dict:
    return json.loads((built / "figures/smoke/items.json").read_text())["papers"]


@pytest.fixture(scope="module")
def numbers(built: Path) -> dict:
    return json.loads((built / "figures/smoke/numbers.json").read_text())["papers"]


def test_gallery_shows_every_figure_and_table(built: Path, listed: dict):
    html = (built / "figures/smoke/index.html").read_text()
    assert loaded_from_outside(html) == []
    ids = [a["id"] for _, a in Page(html).tags if "id" in a]
    assert len(ids) == len(set(ids))
    for paper, items in listed.items():
        assert {f"{paper}-{name}" for name in (*items["figures"], *items["tables"])} <= set(ids)
    assert "substitute data" in html
    assert len(html.encode()) <= 4e6


def test_links_of_the_gallery_resolve(built: Path):
    page = Page((built / "figures/smoke/index.html").read_text())
    ids = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:].split("?")[0] for a in page.of("a") if a["href"].startswith("#")} <= ids
    for href in {a["href"] for a in page.of("a")}:
        if not href.startswith(("#", "https://")):
            assert (built / "figures/smoke" / href).is_file(), href


def test_every_number_that_the_texts_name_is_measured(built: Path, numbers: dict, listed: dict):
    configuration = Configuration(built / "config")
    for paper in configuration.papers():
        texts = load_texts(built / "config", paper)
        words = [f.statement for f in texts.findings] + [p for a in texts.arguments for p in a.paragraphs]
        words += [h.text for h in texts.headlines]
        words += [a.sensitivity or "" for p, _, a in configuration.assumptions("smoke") if p == paper]
        named = {match[1] for text in words for match in PLACEHOLDER.finditer(text)}
        named |= {r.quantity for f in texts.findings for r in f.demonstrated_by}
        named |= {r.quantity for a in texts.arguments for r in a.rests_on}
        # a number that needs several seeds is not measured at this scale; claims name those that exist
        # nor is what varies with depth or width, of which the smallest design has one
        named = {name for name in named if not name.endswith((".depth", ".width"))}
        # nor are the variants of a training that this preset leaves out
        named = {name for name in named if not name.startswith(left_out_variants(configuration, paper))}
        judged = {r.quantity for c in load_claims(built / "config", paper) for r in c.accept}
        assert named <= set(numbers[paper]) | judged, named - set(numbers[paper])
        items = {*listed[paper]["figures"], *listed[paper]["tables"]}
        assert {n for f in texts.findings for n in f.shown_in} <= items
        assert {*texts.figures, *texts.tables} <= items


def left_out_variants(configuration: Configuration, paper: str) -> tuple[str, ...]:
    """<network>.<variant>. of each variant that smoke trains none of, and full does."""
    kept, there = (
        {
            f"{run_id.removesuffix('-variants')}.{variant}."
            for run_id in configuration.runs(preset, paper)
            if run_id.endswith("-variants")
            for variant in configuration.variants(preset, paper, run_id)
        }
        for preset in ("smoke", "full")
    )
    return tuple(sorted(there - kept))


def test_findings_and_assumptions_are_published(built: Path):
    findings = pd.read_csv(built / "figures/smoke/findings.csv")
    assert set(findings["demonstrated"]) <= {"yes", "no", "undecided", "not tested"}
    assert not any(PLACEHOLDER.search(text) for text in findings["statement"])
    exact = findings.set_index("finding")["demonstrated"]
    assert exact["appendix-a2-factor"] == exact["one-reading-is-impossible"] == "yes"
    for ending in ("md", "tex", "json"):
        assert (built / f"figures/smoke/assumptions.{ending}").stat().st_size > 1000
    assert not pd.read_csv(built / "figures/smoke/assumptions.csv")["sensitivity"].str.contains("[{}]").any()


def test_a_number_names_the_run_that_it_comes_from(numbers: dict):
    for paper, name, run in (
        ("chaudhari2018", "small-fc.mean", "small-fc"),
        ("chaudhari2018", "small-fc.test_error_percent", "small-fc"),
        ("chaudhari2018", "fig4b.displacement", "double-well"),
        ("ziyin2025", "fig5c.sound_cuts", "depth-scaling"),
        ("ziyin2025", "fig1.sgd.remaining", "plane"),
        ("hennick2025", "moons.exponent.early", "moons"),
    ):
        assert numbers[paper][name]["runs"] == [f"{paper}/{run}"]


def test_latex_numbers_are_defined_once(built: Path):
    lines = (built / "figures/smoke/numbers.tex").read_text().splitlines()
    commands = [line.split("}")[0] for line in lines if line.startswith(r"\newcommand")]
    assert len(commands) > 100
    assert len(commands) == len(set(commands))


def test_what_is_left_out_is_not_planned(dag, built: Path, tmp_path: Path):
    left = tmp_path / "left.yaml"
    items = ["chaudhari2018/fig2b", "chaudhari2018/quantities/*cifar100*", "chaudhari2018/claims/fig2b-*"]
    left.write_text(json.dumps({"left_out": [{"items": items, "reason": "CIFAR-100 was not at hand"}]}))
    done = dag.run(built, "-n", "full", "--config", f"left_out={left}")
    assert done.returncode == 0, done.text
    whole = dag.run(built, "-n", "full")
    trained = "train_chaudhari2018_network"
    seeds = Configuration(built / "config").run("full", "chaudhari2018", "small-allcnn-cifar100").seeds
    assert done.jobs()[trained] == whole.jobs()[trained] - seeds
    assert whole.figures() - done.figures() == {"chaudhari2018/fig2b"}


def test_an_omission_that_fits_nothing_stops_before_any_job(dag, checkout: Path, tmp_path: Path):
    left = tmp_path / "left.yaml"
    left.write_text(json.dumps({"left_out": [{"items": ["chaudhari2018/fig9"], "reason": "none"}]}))
    done = dag.run(checkout, "-n", "full", "--config", f"left_out={left}")
    assert done.returncode != 0
    assert "'chaudhari2018/fig9' fits nothing" in done.text
