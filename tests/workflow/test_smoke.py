"""The preset smoke builds everything, a second call nothing; edits make stale what depends on them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from sgdiffusion.config import Configuration, load_claims

CARRY = Path(__file__).resolve().parents[2] / "tools/carry.py"


@pytest.fixture
def built(smoked) -> Path:
    folder, done = smoked
    assert done.returncode == 0, done.text[-10000:]
    return folder


@pytest.fixture
def stale(dag, built: Path):
    """What a call would do now."""

    def plan() -> dict[str, int]:
        done = dag.run(built, "-n", "smoke")
        assert done.returncode == 0, done.text
        return done.jobs()

    return plan


def test_builds_every_target(built: Path):
    figures = sorted(p for p in (built / "figures/smoke").rglob("*.pdf") if p.name != "report.pdf")
    assert len(figures) >= 4
    for pdf in figures:
        # a specification curve may say that nothing was measured
        assert pdf.with_suffix(".png").stat().st_size > (2000 if pdf.parent.name == "readings" else 5000)
        record = json.loads(pdf.with_suffix(".json").read_text())
        assert record["preset"] == "smoke"
        assert record["code_digest"]
        assert record["data_status"] in ("none", "embedded")


def test_record_of_a_figure_reaches_back_to_its_trainings(built: Path):
    record = json.loads((built / "figures/smoke/chaudhari2018/fig1b.json").read_text())
    assert record["runs"] == ["small-fc"]
    assert record["seeds"] == [0, 1]
    assert [d["set"] for d in record["data"]] == ["digits"]
    assert {"train_chaudhari2018_network", "measure_chaudhari2018_spectra"} <= {
        u["rule"] for u in record["upstream"]
    }
    assert all(u["wall_s"] > 0 for u in record["upstream"])


def test_verdicts_never_decide_on_substitute_data(built: Path):
    table = pd.read_csv(built / "figures/smoke/verdicts.csv")
    assert len(table) >= 5
    about_mnist = table[table["claim"].str.startswith("fig1b")]
    assert set(about_mnist["verdict"]) == {"Not tested"}
    assert set(about_mnist["obstacle"]) == {"substitute data"}
    assert "substitute data" in (built / "figures/smoke/chaudhari2018/verdicts.md").read_text()


def test_second_call_has_nothing_to_do(dag, built: Path):
    done = dag.run(built, "--cores", "2", "smoke")
    assert done.returncode == 0
    assert "Nothing to be done" in done.text


def carry(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Calls tools/carry.py in a checkout."""
    command = [sys.executable, str(CARRY), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.fixture
def carried(dag, built: Path, tmp_path: Path) -> Path:
    """A fresh copy of the checkout with the run in it, unfinished: the composite is missing."""
    image, aside = built / "figures/smoke/composite.png", tmp_path / "aside.png"
    image.rename(aside)
    try:
        packed = carry(built, "pack", "smoke", str(tmp_path / "run.tar.xz"), "--most", "0.05")
    finally:
        aside.rename(image)
    assert packed.returncode == 0, packed.stderr
    folder = dag.copy(tmp_path / "copy")
    unpacked = carry(folder, "unpack", str(tmp_path / "run.tar.xz"))
    assert unpacked.returncode == 0, unpacked.stdout + unpacked.stderr
    return folder


def test_a_carried_run_goes_on_where_it_was_and_not_over_another(dag, carried: Path, tmp_path: Path):
    done = dag.run(carried, "-n", "smoke")
    assert done.returncode == 0, done.text
    assert "compose_figures" in done.jobs()
    assert set(done.jobs()) <= {"compose_figures", "build_gallery", "typeset_report", "smoke"}
    # too large to be carried, and read by finished jobs alone
    assert not (carried / "results/smoke/chaudhari2018/small-fc/seed-0/checkpoints.pt").exists()

    run = tmp_path / "run.tar.xz"
    assert carry(carried, "unpack", str(run)).returncode == 0  # the same once more
    table = next((carried / "results/smoke/chaudhari2018/quantities").glob("*.csv"))
    table.write_text(table.read_text() + "\n")
    again = carry(carried, "unpack", str(run))
    assert again.returncode == 1
    assert "is of another run" in again.stderr
    (tmp_path / "torn.tar.xz").write_bytes(run.read_bytes()[:5000])
    torn = carry(tmp_path, "unpack", str(tmp_path / "torn.tar.xz"))
    assert torn.returncode == 1
    assert "not a run that this tool packed" in torn.stderr
    assert len(torn.stderr.splitlines()) == 1


def test_touching_makes_nothing_stale(built: Path, stale):
    for pattern in ("Snakefile", "src/**/*.py", "workflow/**/*", "config/**/*"):
        for path in built.glob(pattern):
            os.utime(path, (time.time() + 5, time.time() + 5))
    assert stale() == {}


@pytest.fixture
def edited(built: Path, stale):
    """What an edit makes stale; the edit is taken back."""

    def edit(name: str, old: str, new: str) -> dict[str, int]:
        path = built / name
        text = path.read_text()
        assert old in text, f"{name} no longer has {old!r}"
        path.write_text(text.replace(old, new, 1))
        try:
            return stale()
        finally:
            path.write_text(text)

    return edit


def test_comment_makes_nothing_stale(edited):
    assert edited("src/sgdiffusion/streams.py", "import hashlib", "# a word\nimport hashlib") == {}


def test_edit_of_a_figure_redraws_that_figure_alone(edited):
    jobs = edited(
        "src/sgdiffusion/papers/chaudhari2018/figures/spectra.py",
        "def spectrum_figure(",
        "@(lambda f: f)\ndef spectrum_figure(",
    )
    assert set(jobs) == {"plot", "build_gallery", "typeset_report", "smoke"}


def test_edit_of_the_trainer_retrains_but_leaves_the_double_well(built: Path, edited):
    jobs = edited("src/sgdiffusion/dynamics/training/trainer.py", "_CHECK_EVERY = 200", "_CHECK_EVERY = 201")
    runs = Configuration(built / "config").runs("smoke", "chaudhari2018").values()
    trained = sum(r.seeds for r in runs if r.kind == "training" and r.trainer == "torch")
    config = Configuration(built / "config")
    families = [
        config.variants("smoke", "chaudhari2018", run) for run in config.runs("smoke", "chaudhari2018")
    ]
    variants = [t for family in families for t in family.values() if t.trainer == "torch"]
    assert jobs["train_chaudhari2018_network"] == trained + sum(t.seeds for t in variants)
    assert {"measure_chaudhari2018_spectra", "plot", "judge_claims"} <= set(jobs)
    assert not any("double_well" in rule for rule in jobs)


def test_edit_of_the_fused_kernel_leaves_what_the_torch_trainer_made(edited):
    jobs = edited("src/sgdiffusion/dynamics/training/fused_fc.py", "def train(", "@(lambda f: f)\ndef train(")
    assert jobs["train_chaudhari2018_trajectory"] == 1
    assert "train_chaudhari2018_network" not in jobs


def test_edit_of_a_simulation_study_leaves_its_neighbours(edited):
    jobs = edited(
        "src/sgdiffusion/papers/ziyin2025/tanh.py", "def excess_loss(", "@(lambda f: f)\ndef excess_loss("
    )
    assert {"measure_ziyin2025_inversion", "plot", "judge_claims"} <= set(jobs)
    measured = {rule for rule in jobs if rule.startswith("measure_")}
    assert measured == {"measure_ziyin2025_inversion", "measure_ziyin2025_readings_inversion"}
    assert jobs["judge_claims"] == 1


def test_a_setting_makes_its_run_stale_and_no_other(edited):
    jobs = edited("config/presets/smoke.yaml", "steps: 1500", "steps: 1501")
    assert "measure_chaudhari2018_double_well" in jobs
    assert "train_chaudhari2018_network" not in jobs


def test_an_added_seed_trains_only_that_seed(edited):
    jobs = edited("config/presets/smoke.yaml", "epochs: 5, seeds: 2", "epochs: 5, seeds: 3")
    assert jobs["train_chaudhari2018_network"] == 1


def test_a_missing_target_is_planned_whatever_is_stale_before_it(built: Path, edited):
    table = built / "figures/smoke/verdicts.csv"
    text = table.read_text()
    table.unlink()
    try:
        jobs = edited("src/sgdiffusion/data/preparation.py", "def pool7(", "@(lambda f: f)\ndef pool7(")
    finally:
        table.write_text(text)
    assert {"prepare", "train_chaudhari2018_network", "tabulate_verdicts"} <= set(jobs)


def test_edit_of_the_laws_samples_no_posterior_again(edited):
    jobs = edited(
        "src/sgdiffusion/papers/hennick2025/laws.py", "def scan_table(", "@(lambda f: f)\ndef scan_table("
    )
    assert {"measure_hennick2025_laws", "plot", "judge_claims"} <= set(jobs)
    assert not {rule for rule in jobs if rule.startswith("train_") or rule.endswith(("_moons", "_posterior"))}


def test_what_claims_name_is_measured(built: Path):
    tables = (built / "results/smoke/hennick2025/quantities").glob("*.csv")
    measured = set(pd.concat([pd.read_csv(t) for t in tables])["quantity"])
    claims = load_claims(built / "config", "hennick2025")
    missing = {r.quantity for c in claims for r in c.accept} - measured
    # not run at all (Table 1), or impossible with so few runs
    rare = {"mlps-sgd.strength.mean_llc.displacement.quiet"}
    assert {m for m in missing if not m.startswith("table1.")} <= rare
