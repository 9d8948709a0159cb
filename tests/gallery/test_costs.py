"""Costs of a run: sums by rule, the longest chain of jobs, one commit."""

import json
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from sgdiffusion.cli import main
from sgdiffusion.gallery import costs, publish


def step(job: str, wall: float, *after: str, commit: str = "a" * 40) -> dict:
    """What a record tells of a job."""
    known = {"job": job, "rule": job.split()[0], "output": job, "after": list(after)}
    cost = {"wall_s": wall, "cpu_s": 2 * wall, "peak_mb": 500.0, "declared_mb": 600}
    return {**known, **cost, "git": {"commit": commit, "dirty": False}}


#  a1 (5) ─┐            a2 (7) ── c1 (1)
#  a2 (7) ─┴─ b1 (2)    b1 waits for both
STEPS = [step("a 1", 5), step("a 2", 7), step("b 3", 2, "a 1", "a 2"), step("c 4", 1, "a 2")]


def test_sums_by_rule():
    table = costs.by_rule(STEPS).set_index("rule")
    assert list(table["jobs"][["a", "b", "c"]]) == [2, 1, 1]
    assert table.loc["a", "wall_h"] == pytest.approx(12 / 3600, abs=1e-4)
    assert table.loc["a", "cpu_h"] == pytest.approx(24 / 3600, abs=1e-4)
    assert table.loc["b", "declared_over_peak"] == pytest.approx(1.2)


def test_the_longest_chain_follows_what_jobs_wait_for():
    assert costs.critical_path(STEPS) == (9, ["a", "b"])


def test_sums_by_paper():
    """Two papers, data for both; one training of two threads, and what waits for CIFAR."""
    prepared = step("a 1", 36) | {"output": "data/prepared/cifar10/full"}
    trained = step("b 2", 360, "a 1") | {"output": "results/full/one/net/checkpoints", "threads": 2}
    theory = step("c 3", 180) | {"output": "results/full/one/theory/numbers"}
    figure = step("d 4", 18, "b 2", "c 3") | {"output": "figures/full/two/fig1"}
    verdicts = step("e 5", 72, "c 3") | {"output": "figures/full/verdicts"}
    table = costs.by_paper([prepared, trained, theory, figure, verdicts]).set_index("paper")
    assert list(table.index) == ["all papers", "one", "two"]
    assert list(table["jobs"]) == [2, 2, 1]
    assert list(table["core_h"]) == pytest.approx([0.03, 0.25, 0.005])
    assert list(table["core_h_cifar"]) == pytest.approx([0.01, 0.2, 0.005])
    assert list(table["cpu_h"]) == pytest.approx([0.06, 0.3, 0.01])
    assert list(table["longest_chain_h"]) == pytest.approx([0.02, 0.1, 0.005])


def test_records_without_jobs_have_no_chain():
    assert costs.critical_path([{"rule": "old", "output": "x", "wall_s": 3}]) == (0.0, [])


def test_files_and_picture(tmp_path: Path):
    record = {**STEPS[2], "upstream": STEPS[:2]}
    assert costs.write([record, {**STEPS[3], "upstream": STEPS[1:2]}], tmp_path) == [
        "costs.csv", "costs-papers.csv", "costs.md", "costs.png"]  # fmt: skip
    assert len(pd.read_csv(tmp_path / "costs.csv")) == 3
    text = (tmp_path / "costs.md").read_text()
    assert "4 jobs of 3 rules" in text
    assert "First job began 1, last 4" in text
    with Image.open(tmp_path / "costs.png") as picture:
        assert picture.width > 1000


def test_a_set_of_two_commits_is_not_published(tmp_path: Path):
    record = {**step("b 2", 1, "a 1", commit="b" * 40), "upstream": [step("a 1", 1)]}
    (tmp_path / "fig.json").write_text(json.dumps(record))
    found = publish.problems(tmp_path, ["fig.json"], [record])
    assert found == ["made at 2 commits: aaaaaaaaaa, bbbbbbbbbb"]
    record["upstream"] = [step("a 1", 1, commit="b" * 40)]
    (tmp_path / "fig.json").write_text(json.dumps(record))
    assert publish.problems(tmp_path, ["fig.json"], [record]) == []


def test_the_command_reads_a_run_finished_or_not(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["artifact", "costs", "--preset", "demo"]) == 1
    assert "figures/demo has no records" in capsys.readouterr().err
    (tmp_path / "figures/demo").mkdir(parents=True)
    (tmp_path / "figures/demo/fig.json").write_text(json.dumps(STEPS[0]))
    (tmp_path / "figures/demo/items.json").write_text("{}")
    assert main(["artifact", "costs", "--preset", "demo"]) == 0
    assert "1 jobs of 1 rules" in capsys.readouterr().out


def test_an_earlier_step_from_uncommitted_code_is_not_published(tmp_path: Path):
    """A figure made again after a commit from a training that was not."""
    early = step("a 1", 1) | {"git": {"commit": "a" * 40, "dirty": True}}
    record = {**step("b 2", 1, "a 1"), "upstream": [early]}
    (tmp_path / "fig.json").write_text(json.dumps(record))
    (found,) = publish.problems(tmp_path, ["fig.json"], [record])
    assert found.startswith("made from uncommitted code: ")
