"""The reference set: whole or not at all, from commits alone, with what is missing named; and the README."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from faults.kills import everywhere
from tiny_preset import items, png, record

from sgdiffusion.cli import main
from sgdiffusion.config.texts import texts_of_papers
from sgdiffusion.errors import DataError
from sgdiffusion.gallery import publish, readme
from sgdiffusion.verdicts import Verdict

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(folder: Path, page: Path, tmp_path: Path) -> Path:
    """A finished run of the small preset: what the gallery read, and the files beside it."""
    here = tmp_path / "figures" / "tiny"
    shutil.copytree(folder, here)
    own = items()
    papers = {p: {"figures": own.figures[p], "tables": own.tables[p]} for p in own.figures}
    listed = {"preset": "tiny", "papers": papers, "across": own.across, "left_out": own.left_out}
    (here / "items.json").write_text(json.dumps(listed))
    for name in publish.expected(listed):
        if not (here / name).exists():
            text = json.dumps(record(name)) if name.endswith(".json") else name
            (here / name).write_bytes(png() if name.endswith(".png") else text.encode())
    verdicts = (here / "chaudhari2018/verdicts.csv").read_text().splitlines()
    lines = [f"chaudhari2018,{line}" for line in verdicts[1:]]
    (here / "verdicts.csv").write_text("\n".join([f"paper,{verdicts[0]}", *lines]))
    return here


def damaged(reference: Path) -> list[str]:
    """Files that are missing or not as the manifest has them, and files that it does not name."""
    manifest = json.loads((reference / "published.json").read_text())["files"]
    there = {p.relative_to(reference).as_posix(): p for p in reference.rglob("*") if p.is_file()}
    there.pop("published.json")
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}
    return sorted({name for name, _ in found.items() ^ manifest.items()})


def test_a_finished_run_is_published_whole(run: Path):
    target = run.parent / "reference"
    names = publish.publish(run, target)
    there = {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}
    assert there == {*names, "published.json"}
    assert {"chaudhari2018/fig1.png", "chaudhari2018/table_a.tex", "numbers.tex", "index.html"} <= there
    assert {"chaudhari2018/fig1.pdf", "report.pdf"} <= there  # the page links to its figures
    assert damaged(target) == []


def test_records_are_read_once_for_the_refusal_and_the_costs(run: Path, monkeypatch):
    calls = []
    whole = publish.records_of
    monkeypatch.setattr(publish, "records_of", lambda *given: calls.append(given) or whole(*given))
    publish.publish(run, run.parent / "reference")
    assert len(calls) == 1


def test_killed_at_any_time_it_leaves_the_old_set_or_the_new_one(run: Path):
    target, former = run.parent / "reference", run.parent / "reference.former"
    publish.publish(run, target)
    kills = 0
    for when in everywhere(lambda: publish.publish(run, target), 3000, step=6):
        kills += 1
        # between two renames the old set has its other name, and the next call gives it back
        assert damaged(target if target.exists() else former) == [], when
    assert kills > 20
    publish.publish(run, target)
    assert damaged(target) == []
    assert {path.name for path in run.parent.iterdir()} == {"tiny", "reference"}


def test_what_is_missing_or_substituted_is_named_with_its_reason(run: Path):
    publish.publish(run, run.parent / "reference")
    text = (run.parent / "reference/missing.md").read_text()
    assert "| ziyin2025/fig2 | no time |" in text
    assert "| chaudhari2018/fig1 | substitute data: digits · preset tiny: reduced scale |" in text
    assert "| chaudhari2018/claims/fig2-far | substitute data: needs the real mnist |" in text
    assert "claims/fig2-open" not in text  # it was tested, and stays undecided


def change(run: Path, name: str, **git) -> None:
    (run / name).write_text(json.dumps({**record(name), "git": {"commit": "f", "dirty": False, **git}}))


def test_a_partial_or_dirty_run_is_refused_with_one_message(run: Path):
    (run / "chaudhari2018/fig2.png").unlink()
    change(run, "chaudhari2018/fig1.json", dirty=True)
    change(run, "composite.json", commit=None)
    with pytest.raises(DataError) as caught:
        publish.publish(run, run.parent / "reference")
    text = str(caught.value)
    assert "missing: chaudhari2018/fig2.png" in text
    assert "made from uncommitted code: chaudhari2018/fig1.json (" in text
    assert "made outside of a checkout: composite" in text
    assert sorted(p.name for p in run.parent.iterdir()) == ["tiny"]


def test_an_unfinished_run_is_refused(run: Path):
    (run / "items.json").unlink()
    with pytest.raises(DataError, match=r"items\.json: no such file; run the preset tiny to its end"):
        publish.publish(run, run.parent / "reference")


def test_a_large_run_is_refused(run: Path, monkeypatch):
    monkeypatch.setattr(publish, "MOST_MB", 1e-3)
    with pytest.raises(DataError, match=r"too large: .* at most 0\.001"):
        publish.publish(run, run.parent / "reference")
    assert [p.name for p in run.parent.iterdir()] == ["tiny"]


def test_one_record_is_kept_of_all_curves_of_a_paper(run: Path):
    """One job draws them; each record names every job behind them, as long as all the rest of a set."""
    listed = json.loads((run / "items.json").read_text())
    listed["papers"]["chaudhari2018"]["curves"] = ["fig1-fails", "fig1-other"]
    (run / "items.json").write_text(json.dumps(listed))
    for claim in "fig1-fails", "fig1-other":
        (run / f"chaudhari2018/readings/{claim}.png").write_bytes(png())
        name = f"chaudhari2018/readings/{claim}.json"
        (run / name).write_text(json.dumps(record(name)))
    names = publish.publish(run, run.parent / "reference")
    assert {n for n in names if "readings" in n and n.startswith("chaudhari2018")} == {
        "chaudhari2018/readings.csv",
        "chaudhari2018/readings.json",
        "chaudhari2018/readings/fig1-fails.png",
        "chaudhari2018/readings/fig1-other.png",
    }
    kept = json.loads((run.parent / "reference/chaudhari2018/readings.json").read_text())
    assert kept["rule"] == record("x")["rule"]


def test_a_second_publication_replaces_the_first(run: Path):
    target = run.parent / "reference"
    publish.publish(run, target)
    (target / "old.txt").write_text("left from before")
    (target / "numbers.tex").write_text("edited by hand")
    assert damaged(target) == ["numbers.tex", "old.txt"]
    publish.publish(run, target)
    assert damaged(target) == []
    assert sorted(p.name for p in run.parent.iterdir()) == ["reference", "tiny"]


MARKED = "<!-- {0}: begin (generated by make readme) -->\nold\n<!-- {0}: end -->\n"
TEXT = "before\n" + "between\n".join(MARKED.format(name) for name in readme.BLOCKS) + "after\n"


def test_readme_shows_the_published_verdicts(run: Path, monkeypatch, capsys):
    root = run.parents[1]
    (root / "README.md").write_text(TEXT)
    monkeypatch.chdir(root)
    assert main(["artifact", "readme"]) == 0
    text = (root / "README.md").read_text()
    assert readme.UNPUBLISHED in text
    assert readme.UNKNOWN_COST in text
    assert main(["artifact", "publish", "--preset", "tiny"]) == 0
    assert "files" in capsys.readouterr().out
    assert main(["artifact", "readme"]) == 0
    text = (root / "README.md").read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| chaudhari2018 | 4 | 1 | 1 | 1 | 1 |" in text
    assert "| Fails | Undecided | Not tested |\n" in text
    assert "](figures/reference/composite.png)" in text
    assert "figures/reference/missing.md" in text
    assert "| on two cores |" in text.partition("between")[2]


def test_what_a_run_cost_is_told_by_paper(tmp_path: Path):
    """Core hours are shared by two cores; what needs no CIFAR has a dash."""
    (tmp_path / "costs-papers.csv").write_text(
        "paper,jobs,core_h,core_h_cifar,cpu_h,longest_chain_h,peak_mb\nall papers,3,0.1,0.0,0.1,0.05,600.0\n"
        "hennick2025,9,2.0,0.0,2.0,0.5,900.0\ncross,3,0.4,0.0,0.1,0.05,700.0\nziyin2025,9,3.0,1.0,2.5,0.5,2040.0\n"
    )
    text = readme.spent(tmp_path, texts_of_papers(ROOT / "config"))
    assert "| across the papers | 15 min 0 s | – | 0.7 GB |" in text
    assert "| Hennick & De Baerdemacker 2025 | 1 h 0 min | – | 0.9 GB |" in text
    assert "| Ziyin, Li & Ueda 2025 | 1 h 30 min | 30 min 0 s | 2.0 GB |" in text
    assert "Together 2 h 45 min" in text


def test_what_rests_on_substitutes_is_told_apart_from_what_was_not_run(tmp_path: Path):
    (tmp_path / "missing.csv").write_text(
        "item,reason\np/fig1,substitute data: digits\n"
        "p/claims/a,needs the real mnist; this preset uses substitute data\n"
        "p/claims/b,optional: the target t measures it when asked for\n"
    )
    assert "[2 items and claims rest on substitute data, 1 were not run](" in readme.unlike(tmp_path)


def test_a_run_of_an_earlier_version_must_be_judged_again(run: Path):
    path = run / "verdicts.csv"
    path.write_text(path.read_text().replace(Verdict.FAILS, "not reproduced"))
    with pytest.raises(DataError, match=r"earlier version, judge again: not reproduced; the verdicts are"):
        publish.publish(run, run.parent / "reference")


def test_readme_without_markers_is_an_error():
    with pytest.raises(DataError, match="once each"):
        readme.renewed("no markers", {"costs": "x"})


def test_the_repositorys_readme_and_reference_are_current():
    """What the README shows is what the committed reference set gives, and nobody edited that by hand."""
    text, reference = (ROOT / "README.md").read_text(), ROOT / "figures/reference"
    shown = {
        name: content.replace(reference.as_posix(), "figures/reference")
        for name, content in readme.contents(reference, texts_of_papers(ROOT / "config")).items()
    }
    assert readme.renewed(text, shown) == text, "run `make readme`"
    if reference.exists():
        assert damaged(reference) == []
        assert sum(p.stat().st_size for p in reference.rglob("*") if p.is_file()) < 1e6 * publish.MOST_MB
