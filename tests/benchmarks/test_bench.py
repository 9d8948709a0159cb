"""The harness that times us beside peers: no times without equal numbers, and a table that hides nothing."""

import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import floors
import growth
import harness
import matrix_works
import numpy as np
import pandas as pd
import path_works
import peer_works
import pytest
import targets
import training_works

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def busy(seconds: float, value: float):
    """A side that needs so much processor time."""

    def run() -> float:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        return value

    return run


def work(ours, theirs, modules: tuple[str, ...] = (), tolerance: float = 0.1) -> harness.Work:
    return harness.Work(
        work="a number",
        ours="`ours`",
        peer="fake",
        theirs="`theirs`",
        modules=modules,
        sides=lambda: (ours, theirs),
        distance=lambda a, b: abs(a - b),
        tolerance=tolerance,
        unit="of one",
    )


def test_equal_results_are_timed_alternately():
    calls = []
    sides = [lambda: calls.append("ours") or 1.0, lambda: calls.append("theirs") or 1.05]
    row = harness.compare(work(*sides), rounds=3)
    assert calls == ["ours", "theirs"] * 4  # the comparison, three rounds
    assert row["outcome"] == harness.EQUAL
    assert row["difference"] == pytest.approx(0.05)


def test_median_range_and_ratio(monkeypatch: pytest.MonkeyPatch):
    times = iter([1, 4, 2, 6, 9, 18])
    monkeypatch.setattr(harness, "seconds", lambda run, clock: float(next(times)))
    row = harness.compare(work(lambda: 0, lambda: 0), rounds=3)
    assert (row["ours_low_s"], row["ours_s"], row["ours_high_s"]) == (1, 2, 9)
    assert (row["theirs_low_s"], row["theirs_s"], row["theirs_high_s"]) == (4, 6, 18)
    assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (2, 3, 4)


def test_without_rounds_nothing_is_timed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harness, "seconds", None)
    row = harness.compare(work(lambda: 1.0, lambda: 1.0), rounds=0)
    assert row["outcome"] == harness.EQUAL
    assert "ratio" not in row


def test_the_floor_is_beside_our_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(harness, "seconds", lambda run, clock: 4.0)
    monkeypatch.setattr(harness, "measured", lambda: floors.Floors(products=50.0, copied=1.0, normals=1.0))
    one = replace(work(lambda: 1.0, lambda: 1.0), floor=lambda f: 100 / f.products)
    found = harness.table([harness.compare(one, rounds=1)])
    assert found[["floor_s", "floor_share"]].to_numpy().tolist() == [[2.0, 0.5]]
    assert "4 s (floor 50 %)" in harness.markdown(found, {})


def test_floors_are_those_of_this_machine():
    """A product of 1,024² takes between a tenth of a millisecond and ten seconds anywhere."""
    found = floors.measured()
    assert 1e8 < found.products < 1e13
    assert 1e8 < found.copied < 1e12
    assert 1e5 < found.normals < 1e10
    assert 0 < floors.eigenvalues(30) < 1


def test_the_picture_shows_the_ratios():
    rows = [harness.compare(work(busy(0.001, 1.0), busy(0.004, 1.0)), rounds=1)]
    (ax,) = harness.picture(harness.table(rows)).axes
    assert ax.lines[1].get_xdata()[0] == pytest.approx(rows[0]["ratio"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["1. a number; fake"]


@pytest.mark.parametrize("other", [1.2, math.nan])
def test_different_results_have_no_times(other: float):
    row = harness.compare(work(lambda: 1.0, lambda: other), rounds=3)
    assert row["outcome"] == harness.DIFFERENT
    assert not [name for name in row if name.endswith("_s") or name.startswith("ratio")]
    found = harness.table([row])
    assert not harness.sound(found)
    assert harness.DIFFERENT in harness.markdown(found, {})


def test_a_missing_peer_is_a_row_that_says_so():
    row = harness.compare(work(None, None, modules=("no_such_peer",)), rounds=3)
    assert row["outcome"] == harness.MISSING
    assert "no_such_peer" in row["note"]
    assert harness.sound(harness.table([row]))


def test_each_row_has_its_clock():
    """Waiting takes no time of the processor; the table says whose seconds its times are."""

    def waiting() -> float:
        time.sleep(0.05)
        return 1.0

    rows = [harness.compare(replace(work(waiting, waiting), clock=c), rounds=1) for c in harness.CLOCKS]
    assert rows[0]["ours_s"] < 0.05 <= rows[1]["ours_s"]
    found = harness.table(rows)
    assert "Times are processor seconds (seconds of the clock in row 2)," in harness.markdown(found, {})
    assert "Times are processor seconds," in harness.markdown(found[:1], {})
    assert "Times are seconds of the clock," in harness.markdown(found[1:], {})


def test_what_compiles_for_minutes_is_left_out_where_nothing_is_timed():
    one = replace(work(lambda: 1.0, lambda: 1.0), compiles=True)
    assert harness.compare(one, 0)["outcome"] == harness.SKIPPED
    assert harness.compare(one, 1)["outcome"] == harness.EQUAL
    assert harness.sound(harness.table([harness.compare(one, 0)]))


def test_processor_time_counts_and_the_faster_peer_is_named():
    slow, quick = busy(0.05, 1.0), busy(0.005, 1.0)
    rows = [harness.compare(work(*sides), rounds=1) for sides in ((quick, slow), (slow, quick))]
    assert rows[0]["ratio"] > 2 > 0.5 > rows[1]["ratio"]
    found = harness.table([*rows, harness.compare(harness.Alone("all", "`ours`", "fake", "why not"), 1)])
    text = harness.markdown(found, {"load": "0.1"})
    assert re.findall(r"times as fast as `ours` in row (\d)", text) == ["2"]
    assert "why not" in text
    assert "- load: 0.1" in text
    assert "In none of the 1 timed rows" in harness.markdown(found[:1], {})


def test_rows_run_on_what_is_always_there():
    """Our gradients against torch.func's, as the benchmark compares them."""
    (gradients,) = [w for w in peer_works.gradient_works(examples=30) if w.peer == "torch"]
    assert harness.compare(gradients, 1)["outcome"] == harness.EQUAL
    ours, theirs = (side() for side in gradients.sides())
    assert gradients.distance([1.01 * block for block in ours], theirs) > gradients.tolerance


def test_laws_that_differ_are_seen():
    """The medians of two samples of one law, and of two laws."""
    first, second = np.random.default_rng(0).standard_normal((2, 20_000))
    assert path_works.median_errors(first, second) < path_works.ERRORS
    assert path_works.median_errors(first, second + 0.1) > path_works.ERRORS


def test_the_plain_loop_takes_the_steps_of_the_trainer():
    """The peers' loop, on its own net and files, beside ours; another net is seen."""
    ours = training_works.epochs_of(training_works.trainer.train, epochs=1)()
    theirs = training_works.epochs_of(training_works.written(training_works.as_it_is), epochs=1)
    assert harness.largest_share(ours, theirs()) < 1e-6
    assert harness.largest_share(ours, theirs()) < 1e-6  # the net that is held starts anew
    other = training_works.epochs_of(training_works.trainer.train, epochs=1, seed=1)()
    assert harness.largest_share(ours, other) > 0.1


def test_gradients_of_parts_are_those_of_the_whole():
    """And of the weights that are differentiated alone."""
    _, net, data = matrix_works.lenet()
    few = data[0][:30], data[1][:30]
    rows = matrix_works.all_rows(peer_works.by_vmap, net, few)()
    assert rows.shape == (30, matrix_works.trained_weights(net))
    ours = next(iter(matrix_works.PerExampleGradients(net, few)))
    assert harness.largest_share(ours - ours.mean(0), rows) < 1e-4


@pytest.mark.slow
def test_all_paths_give_the_numbers_of_their_peers():
    call = [sys.executable, "-W", "ignore", str(BENCHMARKS / "bench.py"), "--rounds", "0", "paths"]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(path_works.works())
    timed = [w for w in rows if isinstance(w, harness.Work) and not w.compiles]
    assert done.stdout.count(f": {harness.EQUAL}") == sum(not harness.absent(w.modules) for w in timed)


def test_every_peer_is_pinned_and_in_the_table_of_the_docs():
    pinned = re.findall(r"^([\w-]+)==", (BENCHMARKS / "requirements-peers.txt").read_text(), re.M)
    always = {"torch", "numpy", "scipy", "itself", "all of them"}
    for name, works in (("peers", peer_works.works), ("paths", path_works.works)):
        found = pd.read_csv(BENCHMARKS / f"{name}.csv")
        rows = [(w.work, w.peer) for w in works()]
        assert {peer for _, peer in rows} - always <= set(pinned)
        assert list(zip(found["work"], found["peer"], strict=True)) == rows


@pytest.mark.parametrize("name", ["peers", "paths"])
def test_the_table_of_the_docs_is_the_one_that_was_measured(name: str):
    found = pd.read_csv(BENCHMARKS / f"{name}.csv")
    text = (BENCHMARKS / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(harness.markdown(found, {}).rstrip())
    assert harness.sound(found)
    timed = found[found["outcome"] == harness.EQUAL]
    assert (timed["difference"] <= timed["tolerance"]).all()
    assert (timed["rounds"] >= 3).all()
    for needed in ("processor", "load", "versions"):
        assert f"\n- {needed}: " in text


def test_targets_are_those_of_the_tables():
    tables = targets.read()
    assert (BENCHMARKS / "targets.md").read_text(encoding="utf-8") == targets.markdown(tables)
    for target in targets.TARGETS:
        assert np.isfinite(target.found(tables[target.table])), target.path


def test_a_target_takes_the_best_peer_and_says_why_it_is_missed():
    rows = pd.DataFrame({"work": "a", "peer": ["x", "y", "z"], "theirs": "", "outcome": harness.EQUAL})
    rows["ratio"] = [3.0, 2.0, 1.0]
    one = targets.Target("a", "paths", "^a \\| [xy]", 2.5, "because")
    assert one.found(rows) == 2.0
    assert not one.met(2.0)
    assert one.met(2.5)
    assert replace(one, most=True).met(2.0)
    assert not replace(one, elsewhere=True).met(9.0)


def test_growth_is_measured_over_a_decade_and_its_exponent_is_that_of_a_power_law():
    sizes = np.array([1.0, 3.0, 10.0, 30.0])
    assert growth.exponent(sizes, 2 * sizes**1.5) == pytest.approx(1.5)
    found = pd.read_csv(BENCHMARKS / "growth.csv")
    text = (BENCHMARKS / "growth.md").read_text(encoding="utf-8")
    for path in growth.paths():
        part = found[found["work"] == path.work]
        assert part["size"].max() >= 10 * part["size"].min()
        (line,) = [line for line in text.splitlines() if path.work in line]
        slope = growth.exponent(part["size"].to_numpy(), part["seconds"].to_numpy())
        assert f"| {slope:.2f} |" in line
