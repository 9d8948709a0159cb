"""Tables, correlations and quantities of designed runs whose slopes and coefficients are known."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.statistics.bootstrap import spearman
from sgdiffusion.papers.hennick2025 import runs as study
from sgdiffusion.papers.hennick2025 import tables
from sgdiffusion.papers.hennick2025.design import Group, design
from sgdiffusion.papers.hennick2025.settings import MlpDesign
from sgdiffusion.verdicts import read_quantities

PLAN = MlpDesign(
    widths=[4, 8], depths=[1], batch_sizes=[4, 16], rates_per_cell=5, lowest_rate=0.003, highest_rate=0.3
)
STEPS = log_steps(1000)
WINDOW = (0.1, 1.0)
TABLES = {o: design(o, PLAN, root_seed=0) for o in ("sgd", "adam")}  # type: ignore[arg-type]


def walks(table: pd.DataFrame, slopes) -> list[Group]:
    """R = 2 t^slope, in groups as they are trained."""
    groups = []
    for _, part in table.groupby(["width", "depth", "batch_size"]):
        curves = 2.0 * STEPS[None] ** np.asarray(slopes)[part["run"]][:, None]
        kept = np.zeros((len(part), 3, 5), np.float32)
        steps = np.array([100, 500, 1000])
        groups.append(Group(part["run"].to_numpy(), 4, 1, STEPS, curves, steps, kept))
    return groups


def coefficients(table: pd.DataFrame, llc) -> pd.DataFrame:
    """λ̂ rising by a tenth in the second half, four chains, a half width of t·0.1."""
    parts = []
    half = stats.t.ppf(0.975, 3) * 0.1
    for step, factor in ((100, 1.0), (500, 1.0), (1000, 1.1)):
        value = np.asarray(llc)[table["run"]] * factor
        parts.append(
            pd.DataFrame(
                {"run": table["run"], "step": step, "llc": value, "low": value - half, "high": value + half}
            )
        )
    return pd.concat(parts).assign(chains=4, diagnoses="")


def evaluations(table: pd.DataFrame, displacement) -> pd.DataFrame:
    accuracy = 0.9 + 0.001 * table["run"]
    return pd.DataFrame(
        {
            "run": table["run"],
            "train_loss": 0.1,
            "test_accuracy": accuracy,
            "displacement": displacement,
            "diverged": False,
        }
    )


def runs_of(optimiser: str, slopes, llc) -> pd.DataFrame:
    table = TABLES[optimiser]
    groups = walks(table, slopes)
    displacement = 2.0 * 1000 ** np.asarray(slopes)
    return study.run_table(
        table, groups, coefficients(table, llc), evaluations(table, displacement), window=WINDOW
    )


N = len(TABLES["sgd"])
SLOPES = np.linspace(0.2, 0.6, N)
LLC = np.linspace(2.0, 4.0, N)


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return pd.concat(
        [runs_of("sgd", SLOPES, LLC), runs_of("adam", SLOPES[::-1], 0.5 * LLC)], ignore_index=True
    )


def test_a_run_has_its_slope_average_and_dimension(runs: pd.DataFrame):
    sgd = runs[runs["optimiser"] == "sgd"]
    assert_allclose(sgd["slope"], SLOPES, atol=1e-9)
    # λ is constant to step 500 and rises linearly by a tenth to 1000: the average is 1 + 0.05/2
    assert_allclose(sgd["mean_llc"], 1.025 * LLC, rtol=1e-9)
    assert_allclose(sgd["spectral_dimension"], 2 * SLOPES * 1.025 * LLC, rtol=1e-9)
    assert_allclose(sgd["late_change"], 0.1 / 1.025, rtol=1e-9)
    weights = np.array([100 + 200, 200 + 250, 250]) / 1000  # of the three steps in the average
    assert_allclose(sgd["mean_llc_error"], 0.1 * np.sqrt((weights**2).sum()), rtol=1e-9)
    assert (sgd["marks"] == "").all()
    # batch sizes 4 and 16 have the median 10
    assert_array_equal(sgd["quiet"], (sgd["batch_size"] == 16) & (sgd["rate"] <= np.median(sgd["rate"])))
    assert 0 < sgd["quiet"].sum() < N / 2


def test_diverged_runs_keep_a_marked_row():
    table = TABLES["sgd"]
    groups = walks(table, SLOPES)
    groups[0].displacements[0] = np.nan
    lost = groups[0].runs[0]
    found = coefficients(table, LLC)
    runs = study.run_table(table, groups, found[found["run"] != lost], evaluations(table, 1.0), window=WINDOW)
    row = runs.set_index("run").loc[lost]
    assert row["marks"] == "diverged"
    assert np.isnan(row["slope"])
    assert len(study.usable(runs)) == N - 1
    assert study.run_quantities(runs, study.compare_models(groups, window=WINDOW), "x").set_index(
        "quantity"
    ).loc["x.usable", "value"] == pytest.approx((N - 1) / N)


def test_diagnoses_along_a_run_are_joined():
    found = coefficients(TABLES["sgd"], LLC)
    found["diagnoses"] = np.where(
        found["step"] == 100, "short, drifting", np.where(found["step"] == 500, "short", "")
    )
    table = TABLES["sgd"]
    runs = study.run_table(table, walks(table, SLOPES), found, evaluations(table, 1.0), window=WINDOW)
    assert set(runs["marks"]) == {"drifting, short"}


def test_correlations_are_spearmans(runs: pd.DataFrame):
    table = study.correlations(runs).set_index(["optimiser", "subset", "x", "y"])
    sgd = runs[runs["optimiser"] == "sgd"]
    for x in ("rate", "batch_size", "displacement"):
        expected = stats.spearmanr(sgd[x], sgd["mean_llc"]).statistic
        assert table.loc[("sgd", "all", x, "mean_llc"), "rho"] == pytest.approx(expected)
    quiet = sgd[sgd["quiet"]]
    expected = spearman(quiet["displacement"], quiet["llc"]).value
    assert table.loc[("sgd", "large-batch-low-rate", "displacement", "llc"), "rho"] == pytest.approx(expected)
    names = study.correlation_quantities(table.reset_index())["quantity"]
    assert "mlps-sgd.rho.mean_llc.displacement.quiet" in set(names)
    # depth is 1 everywhere: no correlation, and not a number is not a quantity
    assert not names.str.contains("depth").any()


def test_table_4_has_the_published_values_beside(runs: pd.DataFrame):
    table = tables.table4(runs)
    assert len(table) == 6
    row = table[(table["optimiser"] == "sgd") & (table["quantity"] == "final λ")].iloc[0]
    assert (row["published_mean"], row["published_sd"]) == ("12.5270", "11.8393")
    final = 1.1 * LLC
    assert_allclose(
        [row["mean"], row["sd"], row["median"]], [final.mean(), final.std(ddof=1), np.median(final)]
    )
    half = stats.t.ppf(0.975, N - 1) * final.std(ddof=1) / np.sqrt(N)
    assert_allclose([row["low"], row["high"]], [final.mean() - half, final.mean() + half])
    assert len(tables.table4(runs[runs["optimiser"] == "sgd"])) == 3


def test_quantities_say_what_is_forced(runs: pd.DataFrame):
    sgd = runs[runs["optimiser"] == "sgd"]
    comparison = study.compare_models(walks(TABLES["sgd"], SLOPES), window=WINDOW)
    found = read_quantities([study.run_quantities(sgd, comparison, "mlps-sgd")])
    assert found["mlps-sgd.below_line"].value == pytest.approx((SLOPES <= 0.5).mean())
    assert found["mlps-sgd.forced"].value == 1
    order = np.argsort(TABLES["sgd"]["rate"].to_numpy())
    third = (N - 1) // 3 + 1
    for name, chosen in (("low", order[:third]), ("other", order[third:])):
        expected = (SLOPES[chosen] <= 0.5).mean()
        assert found[f"mlps-sgd.below_line.{name}_rates"].value == pytest.approx(expected)
    assert found["mlps-sgd.best_power"].value == 1
    assert found["mlps-sgd.final_llc_mean"].value == pytest.approx(1.1 * LLC.mean())
    assert found["mlps-sgd.test_accuracy"].unit == "%"


def test_contrasts_have_the_sign_of_what_was_built_in(runs: pd.DataFrame):
    found = read_quantities([study.contrast_quantities(runs, "mlps")])
    assert found["mlps.llc_sgd_over_adam"].low > 0
    # λ̄ rises with the run's number in both, displacement rises for SGD and falls for Adam: |ρ| = 1 in both
    assert found["mlps.displacement_sgd_over_adam"].value == pytest.approx(0, abs=1e-12)
    # accuracy rises with the run's number, as λ̄ does, without a tie
    sgd = runs[runs["optimiser"] == "sgd"]
    by = [
        abs(stats.spearmanr(sgd["test_accuracy"], sgd[y]).statistic)
        for y in ("mean_llc", "spectral_dimension")
    ]
    assert found["mlps.accuracy_sgd"].value == pytest.approx(by[0] - by[1])
    batch, rate = (abs(stats.spearmanr(sgd["mean_llc"], sgd[x]).statistic) for x in ("batch_size", "rate"))
    assert found["mlps.batch_over_rate.mean_llc"].value == pytest.approx(batch - rate)


def test_models_of_both_kinds_of_run_in_one_table():
    comparison = study.compare_models(walks(TABLES["sgd"], SLOPES), window=WINDOW)
    summary = study.model_summary(comparison, "adam")
    assert summary["best"].sum() == pytest.approx(1)
    assert summary.iloc[0]["model"] == "power"
    both = tables.models_table(comparison, summary)
    assert both.groupby("runs")["optimiser"].first().to_dict() == {"MNIST design": "adam", "moons": "sgd"}


def test_windows_name_runs():
    table = study.window_table(walks(TABLES["sgd"], SLOPES), [(0.1, 1.0), (0.3, 1.0)])
    for _, part in table.groupby("begin"):
        assert_allclose(part.sort_values("run")["slope"], SLOPES, atol=1e-9)


def test_runs_recorded_at_different_steps_are_refused():
    groups = walks(TABLES["sgd"], SLOPES)
    other = Group(**{**groups[0].__dict__, "steps": STEPS[:-1]})
    with pytest.raises(MeasureError, match="need the same recorded steps"):
        study.compare_models([groups[1], other], window=WINDOW)
