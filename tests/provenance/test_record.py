"""Records: what upstream jobs did is joined, and data status and git state are told truly."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from sgdiffusion.provenance import Job, Record, read_record, substitute_note, write_record
from sgdiffusion.provenance.record import DataUse, compose, data_status, git_state, versions

MNIST = DataUse("mnist", "pool7", True, "d1")
DIGITS = DataUse("digits", "pool7", False, "d2")


def made(folder: Path, name: str, inputs: list[str] = (), **facts):
    own = Record(preset="demo", rule=f"make_{name}", **facts)
    cost = {"began": f"at {name}", "wall_s": 2.0, "cpu_s": 3.0, "peak_mb": 10.0}
    content = compose(folder / name, own, cost, [folder / i for i in inputs], folder)
    write_record(folder / name, content)
    return content


def test_upstream_is_joined_once(tmp_path: Path):
    made(tmp_path, "a.pt", runs=["a"], seeds=[0], data=[DIGITS], device="cuda")
    made(tmp_path, "b.pt", runs=["b"], seeds=[0, 1], data=[DIGITS])
    made(tmp_path, "m.parquet", inputs=["a.pt", "b.pt"])
    final = made(tmp_path, "fig.pdf", inputs=["m.parquet", "a.pt", "no-record.csv"])
    assert final["runs"] == ["a", "b"]
    assert final["seeds"] == [0, 1]
    assert final["data"] == [vars(DIGITS)]
    assert [u["rule"] for u in final["upstream"]] == ["make_a.pt", "make_b.pt", "make_m.parquet"]
    assert final["upstream"][0]["device"] == "cuda"
    assert final["total_wall_s"] == 8.0
    assert final["upstream"][2]["after"] == ["make_a.pt at a.pt", "make_b.pt at b.pt"]
    assert final["after"] == ["make_a.pt at a.pt", "make_m.parquet at m.parquet"]
    assert read_record(tmp_path / "fig.pdf") == final


def test_a_job_knows_when_it_began_and_what_it_cost():
    job = Job()
    before = job.cost()
    sum(i * i for i in range(300_000))
    cost = job.cost()
    assert cost["began"] == before["began"]
    assert datetime.fromisoformat(cost["began"]).tzinfo is UTC
    assert cost["cpu_s"] > before["cpu_s"] > 0
    assert cost["peak_mb"] > 10


def test_a_json_that_is_no_record_is_not_read(tmp_path: Path):
    (tmp_path / "x.json").write_text("[1, 2]")
    assert read_record(tmp_path / "x.csv") is None


def test_data_status_and_note():
    real, embedded = vars(MNIST), vars(DIGITS)
    assert data_status([]) == "none"
    assert data_status([real]) == "real"
    assert data_status([embedded]) == "embedded"
    assert data_status([real, embedded]) == "mixed"
    assert substitute_note({"data": [real], "preset": "full"}) == ""
    assert substitute_note({"data": [], "preset": "demo"}) == "preset demo: reduced scale"
    assert substitute_note({"data": [embedded], "preset": "demo"}).startswith("substitute data: digits")


def test_git_state_of_a_checkout_and_of_none(tmp_path: Path):
    assert git_state(tmp_path) == {"commit": None, "dirty": None}

    def git(*words: str):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "f").write_text("1")
    git("add", "f")
    git("commit", "-m", "one")
    assert git_state(tmp_path)["dirty"] is False
    (tmp_path / "f").write_text("2")
    assert git_state(tmp_path)["dirty"] is True
    assert len(git_state(tmp_path)["commit"]) == 40


def test_git_missing(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert git_state(tmp_path) == {"commit": None, "dirty": None}


def test_cost_and_versions():
    cost = Job().cost()
    assert cost["wall_s"] >= 0
    assert cost["peak_mb"] > 10  # the interpreter alone is larger
    assert {"python", "torch", "numpy"} <= versions().keys()
