"""How often the 95 % interval of the recommended recipe holds what it should: closed forms, Gibbs sampling.

`exact` is E[nβ K] at the temperature and localisation of the chains: what λ̂ estimates. `limit` is λ itself,
which a singular model reaches from below as nβ grows: λ̂'s interval does not claim to hold it.

    python -m pytest -m slow -s tests/measures/coefficients/test_coverage.py    # prints the table
"""

import math

import numpy as np
import pandas as pd
import pytest
from oracles import closed_forms

from sgdiffusion.measures.coefficients.learning_coefficient import recipe
from sgdiffusion.measures.coefficients.self_calibrated import self_calibrated

DEEP = [((2, 2, 2, 2), 0), ((2, 3, 2, 2), 1), ((3, 2, 2, 2, 3), 2), ((3, 3, 3), 1), ((4, 3, 4), 2)]


def estimates(problem, seed):
    """The recipe, as the library runs it."""
    data, batch_size = problem.data, problem.batch_size
    chain = recipe(problem.examples, batch_size=batch_size, localisation=problem.localisation)
    table = self_calibrated(problem.net, data, problem.points, chain, seed=seed).coefficients.table
    return table.assign(family=problem.family, exact=problem.exact, limit=problem.limit)


def coverage(tables):
    table = pd.concat(tables, ignore_index=True)
    rows = {}
    for family, part in [*table.groupby("family", sort=False), ("all", table)]:
        inside = {k: (part["low"] <= part[k]) & (part[k] <= part["high"]) for k in ("exact", "limit")}
        rows[family] = {
            "cases": len(part),
            "covered": inside["exact"].mean(),
            "of λ": inside["limit"].mean(),
            "mean error": (part["llc"] / part["exact"] - 1).mean(),
            "step_bias": (part["step_bias"] / part["exact"]).mean(),
            "half-width": ((part["high"] - part["low"]) / 2 / part["exact"]).median(),
            "flagged": (part["diagnoses"] != "").mean(),
        }
    found = pd.DataFrame(rows).T
    print("\n" + found.round(3).to_string())
    return found


def least(cases):
    """95 % less three standard errors of a share of so many."""
    return 0.95 - 3 * math.sqrt(0.95 * 0.05 / cases)


def test_coverage_of_the_recipe():
    """40 cases, d = 1 … 20, half of them by mini-batches of a tenth of the examples."""
    rng = np.random.default_rng(1)
    problems = [closed_forms.quadratics(20, rng), closed_forms.regressions(20, rng)]
    found = coverage([estimates(p, seed=i) for i, p in enumerate(problems)])
    assert found.loc["all", "covered"] >= least(40)
    assert found.loc["all", "half-width"] < 0.25  # wider ones would prove nothing


@pytest.mark.slow
def test_coverage_of_the_recipe_in_many_cases():
    """240 cases: at least 90 % in all, and in no family below what chance allows."""
    rng, problems = np.random.default_rng(2), []
    for _ in range(2):
        problems += [closed_forms.quadratics(30, rng), closed_forms.regressions(30, rng)]
        problems += [closed_forms.reduced_ranks(20, rng), closed_forms.crossings(20, rng)]
    problems += [closed_forms.deep_linear(widths, rank, 8, rng) for widths, rank in DEEP]
    found = coverage([estimates(p, seed=i) for i, p in enumerate(problems)])
    assert found.loc["all", "cases"] == 240
    assert found.loc["all", "covered"] >= 0.9
    for family, row in found.iterrows():
        assert row["covered"] >= least(row["cases"]), family
    assert found.loc["all", "half-width"] < 0.25
