"""Tables, correlations and quantities of designed runs whose slopes and coefficients are known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sgdiffusion.dynamics.ensembles.ensemble import log_steps
from sgdiffusion.measures.statistics.bootstrap import spearman
from sgdiffusion.papers.hennick2025 import contrasts, tables
from sgdiffusion.papers.hennick2025 import runs as study
from sgdiffusion.papers.hennick2025.design import Group, design
from sgdiffusion.papers.hennick2025.published import TABLE4
from sgdiffusion.papers.hennick2025.settings import MlpDesign, MlpRuns
from sgdiffusion.verdicts import read_quantities

PLAN = MlpDesign(
    widths=[4, 8], depths=[1], batch_sizes=[4, 16], rates_per_cell=5, lowest_rate=0.003, highest_rate=0.3
)
STEPS = log_steps(1000)
WINDOW = (0.1, 1.0)


def settings(optimiser: str = "sgd", **changes) -> MlpRuns:
    chains = {"chains": 2, "draws": 8, "burn_in": 0, "temperature": 1.0, "localisation": 1.0, "share": 0.3}
    entry = {
        "kind": "mlp-design", "optimiser": optimiser, "data": {"set": "mnist", "preparation": "full"},
        "design": PLAN.model_dump(), "length": "steps", "ranges": {"own": None, "low": [0.003, 0.03]},
        "training": {"lengths": {"steps": {"steps": 1000}}, "checkpoints": [0.1, 0.5, 1.0]},
        "rates": "own", "runs": "all", "points": "all", "window": [0.1, 1.0],
        "windows": [[0.1, 1.0], [0.3, 1.0]], "lambda_of_ds": "average", "correlation": "spearman",
        "large_batch": "median", "coefficients": chains, "readings_every": 2,
    }  # fmt: skip
    return MlpRuns.model_validate(entry | changes)


TABLES = {o: design(o, PLAN, root_seed=0) for o in ("sgd", "adam")}  # type: ignore[arg-type]


def walks(table: pd.DataFrame, slopes) -> list[Group]:
    """R = 2 t^slope, in groups as they are trained."""
    groups = []
    for _, part in table.groupby(["width", "depth", "batch_size"]):
        curves = 2.0 * STEPS[None] ** np.asarray(slopes)[part["run"]][:, None]
        kept = np.zeros((len(part), 3, 5), np.float32)
        steps = np.array([100, 500, 1000])
        groups.append(Group(part["run"].to_numpy(), 4, 1, STEPS, curves, steps, kept, {"steps": 1000}))
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
            "length": "steps",
            "accuracy_gain": 0.001 * table["run"],
        }
    )


def runs_of(optimiser: str, slopes, llc, **changes) -> pd.DataFrame:
    table = TABLES[optimiser]
    groups = walks(table, slopes)
    displacement = 2.0 * 1000 ** np.asarray(slopes)
    return study.run_table(
        table, groups, coefficients(table, llc), evaluations(table, displacement), settings(**changes)
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
    assert_allclose(sgd["late_drift"], 0.1 / 1.025, rtol=1e-9)
    assert_allclose(sgd["slope_change"], 0, atol=1e-9)
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
    found = found[found["run"] != lost]
    runs = study.run_table(table, groups, found, evaluations(table, 1.0), settings())
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
    runs = study.run_table(table, walks(table, SLOPES), found, evaluations(table, 1.0), settings())
    assert set(runs["marks"]) == {"drifting, short"}


def test_correlations_are_spearmans(runs: pd.DataFrame):
    table = contrasts.correlation_table(runs).set_index(["optimiser", "subset", "x", "y"])
    sgd = runs[runs["optimiser"] == "sgd"]
    for x in ("rate", "batch_size", "displacement"):
        expected = stats.spearmanr(sgd[x], sgd["mean_llc"]).statistic
        assert table.loc[("sgd", "all", x, "mean_llc"), "rho"] == pytest.approx(expected)
    quiet = sgd[sgd["quiet"]]
    expected = spearman(quiet["displacement"], quiet["llc"]).value
    assert table.loc[("sgd", "large-batch-low-rate", "displacement", "llc"), "rho"] == pytest.approx(expected)
    names = contrasts.correlation_quantities(table.reset_index())["quantity"]
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
    found = read_quantities([contrasts.contrast_quantities(runs, "mlps")])
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


def test_runs_of_different_clocks_are_fitted_apart():
    """A run of twice the steps has the window of its own length, and its row beside the others."""
    groups = walks(TABLES["sgd"], SLOPES)
    longer = 2 * STEPS
    first = groups[0]
    curves = 2.0 * longer[None] ** SLOPES[first.runs][:, None]
    steps = 2 * first.kept_steps
    groups[0] = replace(first, steps=longer, displacements=curves, kept_steps=steps)
    found = coefficients(TABLES["sgd"], LLC)
    own = found["run"].isin(first.runs)
    found.loc[own, "step"] *= 2
    ends = evaluations(TABLES["sgd"], 1.0)
    runs = study.run_table(TABLES["sgd"], groups, found, ends, settings()).sort_values("run")
    assert_allclose(runs["slope"], SLOPES, atol=1e-9)
    assert_allclose(runs["mean_llc"], 1.025 * LLC, rtol=1e-9)
    assert len(list(study.clocks(groups))) == 2


def test_settings_say_which_runs_count():
    rates = TABLES["sgd"]["rate"].to_numpy()
    low = runs_of("sgd", SLOPES, LLC, rates="low")
    assert_array_equal(low["run"], np.flatnonzero((rates >= 0.003) & (rates <= 0.03)))
    assert_array_equal(runs_of("sgd", SLOPES, LLC, runs="converged")["run"], range(5))  # gains of 0.001 × run
    largest = runs_of("sgd", SLOPES, LLC, large_batch="largest")
    assert_array_equal(largest["quiet"], (largest["batch_size"] == 16) & (rates <= np.median(rates)))
    found = coefficients(TABLES["sgd"], LLC)
    found.loc[found["run"] == 3, "diagnoses"] = "short"
    ends = evaluations(TABLES["sgd"], 1.0)
    clean = settings(points="unflagged")
    runs = study.run_table(TABLES["sgd"], walks(TABLES["sgd"], SLOPES), found, ends, clean)
    assert 3 not in set(runs["run"])
    assert len(runs) == N - 1


def test_ds_from_the_last_coefficient():
    runs = runs_of("sgd", SLOPES, LLC, lambda_of_ds="end")
    assert_allclose(runs["spectral_dimension"], 2 * SLOPES * 1.1 * LLC, rtol=1e-9)


def test_table_4_as_a_whole_is_as_far_as_its_worst_number():
    """Both optimisers at exactly the printed means and deviations but for Adam's λ, three times too large."""
    rng = np.random.default_rng(0)
    parts = []
    for (optimiser, name), (mean, sd) in TABLE4.items():
        if sd:
            z = rng.standard_normal(50)
            z = (z - z.mean()) / z.std(ddof=1)
            factor = 3 if (optimiser, name) == ("adam", "final λ") else 1
            parts.append((optimiser, name, factor * (float(mean) + float(sd) * z)))
    columns = {"d_s": "spectral_dimension", "final λ": "llc"}
    both = [
        pd.DataFrame({columns[n]: v for o, n, v in parts if o == optimiser}) for optimiser in ("sgd", "adam")
    ]
    found = contrasts._table4_factor(*both, seed=0)
    assert found.value == pytest.approx(3)
    assert found.low <= 3 <= found.high


def test_exponent_of_means_leaves_the_level_of_lambda_alone():
    ends = [runs_of("sgd", SLOPES, factor * LLC) for factor in (1, 10)]
    comparison = study.compare_models(walks(TABLES["sgd"], SLOPES), window=WINDOW)
    one, ten = (
        read_quantities([study.run_quantities(runs, comparison, "x")])["x.exponent"].value for runs in ends
    )
    assert one == pytest.approx(ten)
    expected = (2 * SLOPES * 1.025 * LLC).mean() / (2 * 1.1 * LLC.mean())
    assert one == pytest.approx(expected)


def test_pearson_where_it_is_asked_for(runs: pd.DataFrame):
    table = contrasts.correlation_table(runs, "pearson").set_index(["optimiser", "subset", "x", "y"])
    sgd = runs[runs["optimiser"] == "sgd"]
    expected = stats.pearsonr(sgd["displacement"], sgd["mean_llc"]).statistic
    assert table.loc[("sgd", "all", "displacement", "mean_llc"), "rho"] == pytest.approx(expected)
    quantities = read_quantities([contrasts.correlation_quantities(table.reset_index())])
    assert quantities["mlps-sgd.strength.mean_llc.displacement"].value == pytest.approx(abs(expected))
