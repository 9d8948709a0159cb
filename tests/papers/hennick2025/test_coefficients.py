"""λ̂ with the settings of a run, on linear regression, where it is known in closed form."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sgdiffusion.dynamics.ensembles.batched_mlp import batched
from sgdiffusion.dynamics.examples import Examples
from sgdiffusion.errors import ConfigError, MeasureError
from sgdiffusion.papers.hennick2025 import coefficients as study
from sgdiffusion.papers.hennick2025.settings import Langevin

N = 50
NET = batched(nn.Sequential(nn.Linear(3, 1, bias=False)), loss="squared")
RNG = np.random.default_rng(5)
X = RNG.standard_normal((N, 3)) * [1.0, 2.0, 0.5]
TARGETS = X @ [[1.0], [-2.0], [0.5]] + 0.1 * RNG.standard_normal((N, 1))
DATA = Examples(torch.tensor(X), torch.tensor(TARGETS))
BEST = torch.tensor(np.linalg.lstsq(X, TARGETS, rcond=None)[0].T)
PLAN = Langevin(
    chains=4, draws=1500, burn_in=100, every=4, temperature="examples", localisation=5.0, share=0.2
)


def truth(n_beta: float, gamma: float) -> float:
    """½ Σ nβ a/(nβ a + γ) over the curvatures a."""
    a = np.linalg.eigvalsh(X.T @ X / N)
    return float(0.5 * (n_beta * a / (n_beta * a + gamma)).sum())


def close(row: pd.Series, expected: float) -> bool:
    """Within four standard errors of chains and draws, and the 2 % that ε leaves at this share."""
    spread = np.sqrt(expected / row["ess"])  # λ̂'s draws are ½χ² of 2λ directions at most
    return abs(row["llc"] - expected) < 4 * spread + 0.02 * expected


@pytest.mark.parametrize(
    ("rule", "batch", "expected"),
    [
        ("examples", None, N / np.log(N)),
        ("examples", 10, N / np.log(N)),
        ("batch", 10, 10 / np.log(10)),
        ("batch", None, N / np.log(N)),
        ("posterior", 10, N),
        (7.5, None, 7.5),
    ],
)
def test_temperatures(rule, batch, expected: float):
    assert study.n_beta(rule, N, batch) == pytest.approx(expected)


def test_a_misspelt_temperature_is_refused():
    with pytest.raises(ConfigError, match=r"temperature must be 'batch' or .*, found 'bacth'"):
        study.n_beta("bacth", N, 10)


def test_regular_model_has_its_closed_form():
    (row,) = study.coefficient_table(NET, DATA, BEST, PLAN, seed=3).iloc
    assert row["n_beta"] == pytest.approx(N / np.log(N))
    assert row["diagnoses"] == ""
    assert close(row, truth(row["n_beta"], 5.0))
    assert abs(truth(row["n_beta"], 5.0) - truth(row["n_beta"], 50.0)) > 0.2  # so that γ is seen


def test_a_changed_setting_changes_what_it_should():
    def measured(**changes) -> pd.Series:
        plan = Langevin.model_validate({**PLAN.model_dump(), **changes})
        return study.coefficient_table(NET, DATA, BEST, plan, seed=3).iloc[0]

    base, weaker, smaller = measured(), measured(localisation=50.0), measured(step_factor=0.5)
    assert close(weaker, truth(base["n_beta"], 50.0))
    assert close(smaller, truth(base["n_beta"], 5.0))
    assert smaller["step_size"] == pytest.approx(base["step_size"] / 2)


def test_a_fixed_step_is_not_calibrated_and_euler_inflates():
    plan = {**PLAN.model_dump(), "step_size": 0.02, "localisation": 0.0}
    euler, averaged = (
        study.coefficient_table(
            NET, DATA, BEST, Langevin.model_validate({**plan, "integrator": name}), seed=3
        ).iloc[0]
        for name in ("euler", "averaged")
    )
    assert euler["step_size"] == averaged["step_size"] == pytest.approx(0.02)
    h = averaged["n_beta"] * np.linalg.eigvalsh(X.T @ X / N)
    # a direction of stiffness h has its variance times 1/(1 − εh/4)
    assert close(euler, float(0.5 * (1 / (1 - 0.02 * h / 4)).sum()))
    assert close(averaged, 1.5)


def test_a_baseline_over_all_examples_is_the_loss_of_all():
    plan = Langevin.model_validate({**PLAN.model_dump(), "baseline": "full", "batch_size": 10, "draws": 20})
    (row,) = study.coefficient_table(NET, DATA, BEST, plan, seed=3).iloc
    loss = 0.5 * float(((X @ BEST.numpy().T - TARGETS) ** 2).mean())
    assert row["baseline"] == pytest.approx(loss)


def test_steps_far_too_large_are_flagged_and_kept():
    plan = Langevin.model_validate({**PLAN.model_dump(), "step_factor": 1e3})
    table = study.coefficient_table(NET, DATA, BEST, plan, seed=3)
    assert "diverged" in table["diagnoses"].iloc[0]
    assert np.isnan(table["llc"].iloc[0])


def summary_input(points: int) -> pd.DataFrame:
    base = np.linspace(1, 2, points)
    parts = [
        pd.DataFrame({"variation": v, "point": range(points), "llc": values, "diagnoses": marks})
        for v, values, marks in (
            ("base", base, ""),
            ("c=two", 2 * base, "short"),
            ("c=other", 1 / base, ""),
        )
    ]
    return pd.concat(parts, ignore_index=True)


def test_summary_separates_level_and_order():
    summary = study.sensitivity_summary(summary_input(20)).set_index("variation")
    assert_allclose(summary.loc["c=two", ["ratio", "ratio_low", "ratio_high"]].astype(float), 2, rtol=1e-12)
    assert_allclose(summary.loc[["base", "c=two", "c=other"], "rho"].astype(float), [1, 1, -1], atol=1e-12)
    assert summary.loc["c=two", "marked"] == 1
    rows = study.sensitivity_quantities(summary.reset_index(), "moons")
    assert set(rows["quantity"]) == {
        f"moons.sensitivity.c.{v}.{k}" for v in ("two", "other") for k in ("ratio", "rho")
    }


def test_summary_needs_points_and_uses_only_finite_ones():
    table = summary_input(6)
    table.loc[table["point"] == 0, "llc"] = np.nan
    assert set(study.sensitivity_summary(table)["n"]) == {5}
    with pytest.raises(MeasureError, match="at least four points"):
        study.sensitivity_summary(summary_input(3))
