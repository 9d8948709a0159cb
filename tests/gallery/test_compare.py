"""Comparison with the reference: the share of false marks, power, and what is not to be compared."""

import copy
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from sgdiffusion.cli import main
from sgdiffusion.gallery.compare import compare, difference, report
from sgdiffusion.verdicts import Measured

SEED = 20260401


@cache
def quantile(n: int) -> float:
    return float(stats.t.ppf(0.975, n - 1))


def estimate(draws: np.ndarray, logarithmic: bool = False) -> dict:
    """Mean with its Student interval, as the measures give it; geometric on a logarithmic axis."""
    x = np.log(draws) if logarithmic else draws
    half = quantile(len(x)) * x.std(ddof=1) / math.sqrt(len(x))
    ends = [x.mean(), x.mean() - half, x.mean() + half]
    value, low, high = np.exp(ends) if logarithmic else ends
    fixed = {"n": len(x), "unit": "", "over": "seeds"}
    return {"value": float(value), "low": float(low), "high": float(high), **fixed}


def run(entries: dict[str, dict], digest: str = "d", settings: str = "s") -> dict:
    full = {name: {"macro": "m", "runs": ["p/net"], "data": ["set/full"], **e} for name, e in entries.items()}
    data = {"set/full": {"real": True, "digest": digest}}
    return {"preset": "full", "note": "", "runs": {"p/net": settings}, "data": data, "papers": {"p": full}}


def simulated(generator: np.random.Generator, count: int, n: int, logarithmic: bool) -> dict:
    """`count` numbers of one run with `n` seeds, each with its own scale."""
    scales = np.random.default_rng(SEED).uniform(0.1, 2.0, count)  # of the system, not of the run
    draws = [scale * generator.normal(size=n) for scale in scales]
    values = [np.exp(d) if logarithmic else d for d in draws]
    return run({f"q{i}": estimate(v, logarithmic) for i, v in enumerate(values)})


@pytest.mark.parametrize(("n", "logarithmic"), [(5, False), (5, True), (30, False)])
def test_other_seeds_mark_one_number_in_a_hundred(n: int, logarithmic: bool):
    generator, count = np.random.default_rng(SEED + n + logarithmic), 4000
    rows = compare(*(simulated(generator, count, n, logarithmic) for _ in "ab"))
    marked = sum(r.outcome == "differs" for r in rows)
    # binomial: 40 expected, standard deviation 6.3; three of them
    assert 21 <= marked <= 59
    assert sum(r.alarm for r in rows) <= 1


def test_two_seeds_do_not_mark_more():
    generator = np.random.default_rng(SEED + 2)
    rows = compare(*(simulated(generator, 4000, 2, False) for _ in "ab"))
    assert sum(r.outcome == "differs" for r in rows) <= 59


def test_alarms_are_rare_over_whole_comparisons():
    generator = np.random.default_rng(SEED + 7)
    alarms = sum(
        any(r.alarm for r in compare(*(simulated(generator, 20, 5, False) for _ in "ab"))) for _ in range(300)
    )
    # at most 1 % of 300 expected, standard deviation 1.7; three of them above
    assert alarms <= 8


def test_a_real_difference_raises_an_alarm():
    generator = np.random.default_rng(SEED)
    mine, reference = (simulated(generator, 50, 5, False) for _ in "ab")
    entry = reference["papers"]["p"]["q3"]
    shift = 20 * (entry["high"] - entry["low"])
    entry.update({k: entry[k] + shift for k in ("value", "low", "high")})
    found = {r.quantity: r for r in compare(mine, reference)}
    assert found["q3"].alarm
    assert sum(r.alarm for r in found.values()) == 1
    assert "! p q3" in report(list(found.values()), "it")


def test_welch_is_scipys():
    generator = np.random.default_rng(SEED)
    x, y = generator.normal(size=6), generator.normal(1.0, 3.0, size=9)
    p = difference(*(Measured(**estimate(v)) for v in (x, y)))
    assert p == pytest.approx(stats.ttest_ind(x, y, equal_var=False).pvalue, rel=1e-9)


def exact(value: float) -> Measured:
    return Measured(value, value, value, 1, "", "exact")


def test_exact_numbers_agree_up_to_rounding():
    assert difference(exact(1.0), exact(1.0 + 1e-9)) == 1.0
    assert difference(exact(1.0), exact(1.001)) == 0.0
    assert difference(exact(1e-17), exact(-3e-18)) == 1.0


def test_single_observations_are_not_compared():
    one = {"value": 1.0, "low": 1.0, "high": 1.0, "n": 1, "unit": "", "over": "seeds"}
    rows = compare(run({"q": one}), run({"q": {**one, "value": 5.0, "low": 5.0, "high": 5.0}}))
    assert [r.outcome for r in rows] == ["no interval"]


def test_other_data_and_other_settings_are_said_and_raise_no_alarm():
    entry = {"value": 1.0, "low": 0.9, "high": 1.1, "n": 5, "unit": "", "over": "seeds"}
    far = {**entry, "value": 9.0, "low": 8.9, "high": 9.1}
    reference = run({"q": entry})
    for mine, words in (
        (run({"q": far}, digest="e"), "1 come from other data"),
        (run({"q": far}, settings="t"), "1 come from runs with other settings"),
    ):
        rows = compare(mine, reference)
        assert not any(r.alarm for r in rows)
        assert words in report(rows, "it")
        assert "0 numbers of 1 can be compared" in report(rows, "it")


def test_numbers_of_one_run_alone_are_counted():
    entry = {"value": 1.0, "low": 0.9, "high": 1.1, "n": 5, "unit": "", "over": "seeds"}
    rows = compare(run({"a": entry, "b": entry}), run({"b": entry, "c": entry}))
    assert {r.quantity: r.outcome for r in rows} == {"a": "only here", "b": "agrees", "c": "only there"}


def test_command_says_what_differs_and_exits_with_one(tmp_path: Path, monkeypatch, capsys):
    entry = {"value": 1.0, "low": 0.9, "high": 1.1, "n": 5, "unit": "", "over": "seeds"}
    reference = run({"q": entry})
    changed = copy.deepcopy(reference)
    changed["papers"]["p"]["q"].update(value=9.0, low=8.9, high=9.1)
    for name, content in (("reference", reference), ("same", reference), ("far", changed)):
        (tmp_path / "figures" / name).mkdir(parents=True)
        (tmp_path / "figures" / name / "numbers.json").write_text(json.dumps(content))
    monkeypatch.chdir(tmp_path)
    assert main(["artifact", "compare", "--preset", "same"]) == 0
    assert main(["artifact", "compare", "--preset", "far"]) == 1
    assert "9 [8.9, 9.1] here, 1 [0.9, 1.1] in the reference" in capsys.readouterr().out
    assert main(["artifact", "compare", "--preset", "none"]) == 1
    assert "figures/none/numbers.json: no such file" in capsys.readouterr().err
