"""What each preset plans, and that a bad configuration stops before any job."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sgdiffusion.config import Configuration

ROOT = Path(__file__).resolve().parents[2]


def seeds(checkout: Path, preset: str, run: str) -> int:
    return Configuration(checkout / "config").run(preset, "chaudhari2018", run).seeds


@pytest.mark.parametrize("preset", ["full", "demo", "smoke"])
def test_presets_plan_their_jobs(dag, checkout: Path, preset: str):
    done = dag.run(checkout, "-n", preset)
    assert done.returncode == 0, done.text
    jobs = done.jobs()
    assert jobs["judge_claims"] >= 1
    assert {f"chaudhari2018/fig4{panel}" for panel in "abc"} <= done.figures()
    assert jobs["train_chaudhari2018_network"] >= seeds(checkout, preset, "small-fc")
    designs = Configuration(checkout / "config").runs(preset, "hennick2025")
    parts = sum(designs[f"mlps-{optimiser}"].design.parts for optimiser in ("sgd", "adam"))
    assert jobs["train_hennick2025_mlps"] == jobs["measure_hennick2025_mlps"] == parts
    assert jobs["measure_hennick2025_mlps_chains"] == parts
    assert jobs["measure_hennick2025_moons_coefficients"] == 2 * designs["moons"].data_sets
    assert jobs["measure_hennick2025_posterior"] == 2 * designs["moons"].data_sets
    assert ("fetch" in jobs) == (preset == "full")


def test_all_is_the_default_preset(dag, checkout: Path):
    assert dag.run(checkout, "-n").jobs()["fetch"] >= 1
    chosen = dag.run(checkout, "-n", "--config", "preset=demo").jobs()
    named = dag.run(checkout, "-n", "demo").jobs()
    assert {k: v for k, v in chosen.items() if k != "all"} == {k: v for k, v in named.items() if k != "demo"}


def test_a_set_that_cannot_be_had_may_be_substituted(dag, checkout: Path):
    done = dag.run(checkout, "-n", "full", "--config", "substitute={cifar100: textures100}")
    assert done.returncode == 0, done.text
    assert "data/prepared/textures100/gcn-zca.npz" in done.text
    assert "data/prepared/cifar100/" not in done.text
    refused = dag.run(checkout, "-n", "full", "--config", "substitute={cifar100: letters}")
    assert refused.returncode != 0
    assert "substitute.cifar100" in refused.text
    assert "'letters'" in refused.text


def test_every_figure_and_table_has_a_target_by_name(dag, checkout: Path):
    listed = dag.run(checkout, "--list-target-rules").text
    for target in (
        "chaudhari2018_fig1b",
        "chaudhari2018_fig4a",
        "chaudhari2018_table_spectra",
        "chaudhari2018",
    ):
        assert re.search(rf"\b{target}\b", listed)


def test_a_paper_is_a_target_that_plans_nothing_of_the_others(dag, checkout: Path):
    jobs = dag.run(checkout, "-n", "ziyin2025", "--config", "preset=smoke").jobs()
    assert jobs["judge_claims"] == 1
    assert jobs["measure_ziyin2025_depth_scaling"] == 1
    assert jobs["prepare"] == 2  # whole images of Fig 5c, pooled ones of the real networks
    runs = Configuration(checkout / "config").runs("smoke", "ziyin2025")
    assert sum(rule.startswith("measure_ziyin2025_") for rule in jobs) == len(runs)
    trained = {f"train_ziyin2025_{run}" for run in ("two_layer", "depth_scaling", "real_networks")}
    readings = {f"train_ziyin2025_readings_{run}" for run in ("two_layer", "depth_scaling")}
    assert {rule for rule in jobs if "train" in rule} == trained | readings
    assert not any("chaudhari" in rule for rule in jobs)


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("chaudhari2018/experiments.yaml", "epochs:", "epoch:", ["runs.small-lenet", "unknown key"]),
        ("presets/demo.yaml", "mnist: digits", "mnist: letters", ["substitute.mnist", "'letters'", "digits"]),
        ("config.yaml", "preset: full", "preset: huge", ["found 'huge'", "allowed: demo, full, smoke"]),
        ("config.yaml", "root_seed: 0", "root_seed: zero", ["root_seed", "'zero'", "integer"]),
        ("chaudhari2018/claims.yaml", "kind: number", "kind: nice", ["kind", "'nice'", "'number'"]),
    ],
)  # fmt: skip
def test_bad_configuration_stops_before_any_job(dag, tmp_path: Path, file: str, old: str, new: str, expected):
    folder = dag.copy(tmp_path)
    path = folder / "config" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    done = dag.run(folder, "--cores", "1", "smoke")
    assert done.returncode != 0
    for part in expected if file == "config.yaml" else [file, *expected]:
        assert part in done.text
    assert "Traceback" not in done.text
    assert not (folder / "results").exists()


def test_table_one_is_planned_only_when_asked_for(dag, checkout: Path):
    own = {"prepare_hennick2025_text", "collect_hennick2025_table1"}
    plain = dag.run(checkout, "-n", "full").jobs()
    assert not [rule for rule in plain if rule in own or "larger" in rule]
    assert plain["fetch"] == 3, "MNIST, CIFAR-10 and CIFAR-100 alone"
    asked = dag.run(checkout, "-n", "hennick2025_table1").jobs()
    runs = Configuration(checkout / "config").runs("full", "hennick2025")
    vision = sum(len(runs[r].networks) * len(runs[r].sets) for r in ("table1-vision", "table1-cifar"))
    language = len(runs["table1-language"].models)
    assert asked["train_hennick2025_larger"] == asked["measure_hennick2025_larger"] == vision + language == 12
    assert asked["prepare_hennick2025_text"] == language == 3
    assert own <= set(asked)
    assert asked["fetch"] == 5 + 2, "its own, and CIFAR-10 and CIFAR-100 for table1-cifar"
    assert "judge_claims" not in asked
    part = dag.run(checkout, "-n", "hennick2025_table1_vision", "--config", "preset=demo").jobs()
    assert part["train_hennick2025_larger"] == 3
    assert part["prepare"] == 1
    assert not any("fetch" in rule for rule in part)


def test_workflow_lints_and_is_formatted(dag, checkout: Path):
    lint = dag.run(checkout, "--lint")
    assert lint.returncode == 0, lint.text
    command = [Path(sys.executable).with_name("snakefmt"), "--check", "Snakefile", "workflow"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
