"""Fig 4 of Ziyin, Li & Ueda (2025): the transition located by simulation, and a check inside every regime."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from sgdiffusion.dynamics.chains.diagonal import balanced, run_sgd
from sgdiffusion.dynamics.chains.sde_diagonal import run_effective
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.laws.tails import hill
from sgdiffusion.measures.statistics.intervals import Estimate, share
from sgdiffusion.papers.tables import documented, estimated, quantity
from sgdiffusion.papers.ziyin2025.common import NORMAL, Array, Linear, law_named, named_seed, plain
from sgdiffusion.papers.ziyin2025.densities import COLLAPSE_TIME, RELAXATIONS, relaxation_rate
from sgdiffusion.papers.ziyin2025.theory import discrete, phases
from sgdiffusion.papers.ziyin2025.theory.laws import depth_one

START = 1e-100  # of v: so small that a chain cannot grow to order one during the measurement
COLLAPSED = 1e-3  # share of v* below which a chain counts as collapsed

_SIMULATOR = "sde; sgd: discrete SGD with batch size `batch`, η = TS"
GROWTH_COLUMNS = {
    "law": "name of the data law",
    "simulator": _SIMULATOR,
    "batch": "S; 0 for the SDE",
    "decay": "γ in ℓ + γ‖θ‖²",
    "temperature": "T = η/S",
    "growth": "d⟨log v⟩/dt near v = 0, per unit of time (η steps); negative: v = 0 attracts",
    "error": "its standard error over chains",
}
LOCATION_COLUMNS = {
    "law": GROWTH_COLUMNS["law"],
    "k": "slope of the data",
    "simulator": _SIMULATOR,
    "batch": GROWTH_COLUMNS["batch"],
    "decay": GROWTH_COLUMNS["decay"],
    "located": "T at which the growth of ⟨log v⟩ is zero",
    "low": "lower end of its 95 % interval (bootstrap over chains' errors)",
    "high": "upper end",
    "first_order": "(β₂ − γ)/α₃",
    "second_order": "β₂/(α₃ + Sβ₂²) (S = 1 for the SDE)",
    "exact": "zero of E log|1 + 2η mean(xy)| for discrete SGD; β₂/α₃ for the SDE",
}
SCAN_COLUMNS = {
    "k": "slope of the data",
    "noise": "σ",
    "batch": "S",
    "exact": "T_c of discrete SGD (zero of E log|1 + 2η mean(xy)|) over β₂/α₃; NaN: it has none",
    "second": "β₂/(α₃ + Sβ₂²) over β₂/α₃",
    "printed": "β₂/(α₃ + β₂²) over β₂/α₃",
}
COLLAPSE_COLUMNS = {
    "law": GROWTH_COLUMNS["law"],
    "temperature": "T = η/S, S = 1",
    "horizon": "time since the start at v*, in units of η steps",
    "collapsed": f"share of chains with |v| < {COLLAPSED:g} v*",
    "low": "lower end of the 95 % interval",
    "high": "upper end",
}
REGIME_COLUMNS = {
    "regime": "Ia … III, from theory",
    "k": "slope of the data",
    "noise": "σ",
    "temperature": "T",
    "quantity": "collapsed: share with v < 1e-3 v* at the end; origin: a of p ~ v^a at v → 0; maximum: "
    "density at the "
    "predicted maximum over that at the predicted minimum (at v* and v*/4 where there is none)",
    "value": "measured",
    "low": "lower end of the 95 % interval",
    "high": "upper end",
    "theory": "predicted value (1 for a collapse, whose share grows to 1 with time)",
}

# One point inside every regime of y = x + ε: (σ, T). T_c = 1/(2 + σ²).
POINTS = {"Ia": (1.0, 0.5), "Ib": (0.5, 0.6), "IIa": (1.0, 0.23), "IIb": (1.0, 0.15), "III": (1.0, 0.05)}


def _growth_of(values: Array, duration: float) -> tuple[float, float]:
    change = (np.log(np.abs(values[:, 1])) - np.log(np.abs(values[:, 0]))) / duration
    if not np.isfinite(change).all():
        raise MeasureError("a chain left the neighbourhood of v = 0 while its growth was measured")
    return float(change.mean()), float(change.std() / np.sqrt(change.size))


def growth(
    law: Linear,
    batch: int,
    temperature: float,
    *,
    chains: int,
    duration: float,
    seed: int,
    threads: int = 1,
    decay: float = 0.0,
) -> tuple[float, float]:
    """Growth of ⟨log v⟩ near v = 0 with its standard error; batch 0 is the SDE. A quarter of the time is
    warm-up.
    """
    start = np.full(chains, START)
    if batch == 0:
        times = [duration / 4, duration]
        paths = run_effective(
            start, plain(law.constants), temperature, times, decay=decay, seed=seed, threads=threads
        )
    else:
        rate = temperature * batch
        steps = max(4, round(duration / rate))
        paths = run_sgd(
            balanced(start, 1), law.data, rate, [steps // 4, steps], batch=batch, weight_decay=decay,
            seed=seed, threads=threads,
        )  # fmt: skip
    return _growth_of(paths.v, float(paths.times[1] - paths.times[0]))


def locate(temperatures: Array, values: Array, errors: Array, generator: np.random.Generator) -> Estimate:
    """The zero of a weighted parabola through growth against T, with the spread of 400 noisy copies of it."""

    def zero(y: Array) -> float:
        roots = np.roots(np.polyfit(temperatures, y, min(2, y.size - 1), w=1 / errors))
        real = roots.real[np.abs(roots.imag) < 1e-9]
        inside = real[(real > temperatures[0]) & (real < temperatures[-1])]
        return float(inside[0]) if inside.size else np.nan

    best = zero(values)
    copies = [zero(values + errors * generator.standard_normal(errors.size)) for _ in range(400)]
    if not np.isfinite(best) or np.isnan(copies).any():
        raise MeasureError(
            f"the growth of log v does not change sign clearly between T = {temperatures[0]:.4g} and "
            f"{temperatures[-1]:.4g}: widen the scan or use more chains"
        )
    low, high = np.quantile(copies, [0.025, 0.975])
    return Estimate(best, float(low), float(high), errors.size)


class Case(NamedTuple):
    """One located transition: its data law, batch size (0: the SDE) and weight decay."""

    law: str
    data: Linear
    batch: int
    decay: float = 0.0

    @property
    def name(self) -> str:
        """`sde`, `sgd<S>`; the signal k where it is not the run's own, the decay."""
        process = f"sgd{self.batch}" if self.batch else "sde"
        signal = f".{self.law}" if self.law.startswith("k") else ""
        return f"tc.{process}{signal}" + (".decay" if self.decay else "")


def transition(
    *,
    law: str = "weak",
    batches: Sequence[int] = (0, 1, 4),
    signals: Sequence[float] = (0.05, 0.15),
    decay: float = 0.03,
    span: Sequence[float] = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2),
    chains: int = 100_000,
    duration: float = 20.0,
    horizons: Sequence[float] = (50.0, 200.0, 800.0),
    seed: int = 0,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """T_c from the growth of log v near zero, for the SDE (batch 0) and SGD; the collapse in finite time.

    Besides, at S = 1, for other signals k; for the SDE with weight decay; and exactly over k and S.
    """
    data = law_named(law)
    cases = [Case(law, data, batch) for batch in batches]
    cases += [Case(f"k{k:g}", Linear(k, data.noise), 1) for k in signals] + [Case(law, data, 0, decay)]
    rows, located, quantities = [], [], []
    for case in cases:
        found, row = _located(case, np.array(span), chains, duration, seed, threads)
        rows += found
        located.append(row)
        value, low, high, first, second, exact = row[5:]
        at = Estimate(value, low, high, chains)
        quantities += _location_quantities(case.name, at, first, second, exact, chains)
    scan, of_scan = transition_scan(data.noise)
    return {
        "growth": documented(rows, GROWTH_COLUMNS),
        "located": documented(located, LOCATION_COLUMNS),
        "collapse": _collapse(law, data, span, horizons, max(1, chains // 5), seed, threads),
        "scan": scan,
        "quantities": pd.DataFrame(quantities + of_scan),
    }


def _located(
    case: Case, span: Array, chains: int, duration: float, seed: int, threads: int
) -> tuple[list[tuple[Any, ...]], tuple[Any, ...]]:
    """Rows of growth against T, and the row of its zero."""
    constants, name = case.data.constants, "sgd" if case.batch else "sde"
    first = phases.critical_temperature(constants, case.decay)
    found = np.array(
        [
            growth(
                case.data, case.batch, float(t), chains=chains, duration=duration, threads=threads,
                seed=named_seed(seed, "growth", case.law, case.batch, f"{case.decay:g}", f"{t:.6g}"),
                decay=case.decay,
            )
            for t in first * span
        ]
    )  # fmt: skip
    generator = np.random.default_rng(named_seed(seed, "growth", case.name, "bootstrap"))
    at = locate(first * span, found[:, 0], found[:, 1], generator)
    second = phases.second_order_critical_temperature(constants, max(1, case.batch))
    exact = discrete.critical_temperature(case.data.k, case.data.noise, case.batch) if case.batch else first
    common = (case.law, name, case.batch, case.decay)
    rows = [(*common, t, g, e) for t, (g, e) in zip(first * span, found, strict=True)]
    known = (case.law, case.data.k, *common[1:])
    return rows, (*known, at.value, at.low, at.high, first, second, exact)


def _exact(k: float, noise: float, batch: int) -> float:
    """T_c of discrete SGD; NaN where it has none."""
    try:
        return discrete.critical_temperature(k, noise, batch)
    except MeasureError:
        return np.nan


def transition_scan(
    noise: float,
    signals: Sequence[float] = (0.02, 0.03, 0.05, 0.07, 0.1, 0.12, 0.15),
    batches: Sequence[int] = (1, 2, 4),
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """T_c of discrete SGD over k and S, exactly; its limit k → 0 and the coefficient of k²/σ² there.

    Strong signals have no transition, at the larger S the sooner.
    """
    rows, quantities = [], []
    for batch in batches:
        for k in signals:
            c = Linear(k, noise).constants
            first, second = phases.critical_temperature(c), phases.second_order_critical_temperature(c, batch)
            exact = _exact(k, noise, batch)
            printed = phases.second_order_critical_temperature(c)
            rows.append((k, noise, batch, exact / first, second / first, printed / first))
        ratio = np.array([[r[0] / r[1], r[3], r[5]] for r in rows[-len(signals) :]])[:2]
        # the ratio is 1 + a k²/σ² + O(k⁴): a line in k² through the two weakest signals
        slope, limit = np.polyfit(ratio[:, 0] ** 2, ratio[:, 1], 1)
        explained = np.polyfit(ratio[:, 0] ** 2, ratio[:, 2], 1)[0] / slope
        quantities += [
            quantity(f"tc.limit.s{batch}.over_first_order", limit),
            quantity(f"tc.limit.s{batch}.shift", slope),
            quantity(f"tc.limit.s{batch}.explained", explained),
        ]
        exists = [(r[0], abs(r[3] - 1)) for r in rows[-len(signals) :] if np.isfinite(r[3])]
        quantities.append(quantity(f"tc.scan.s{batch}.largest_shift", max(shift for _, shift in exists)))
        quantities.append(quantity(f"tc.scan.s{batch}.strongest_signal", max(k for k, _ in exists)))
    return documented(rows, SCAN_COLUMNS), quantities


def _location_quantities(
    name: str, at: Estimate, first: float, second: float, exact: float, chains: int
) -> list[dict[str, Any]]:
    def over(reference: float) -> Estimate:
        return Estimate(at.value / reference, at.low / reference, at.high / reference, chains)

    # |T − second|/|T − first| is monotone in T on either side of both, so that ends give ends.
    value, *rest = (abs(x - second) / abs(x - first) for x in at[:3])
    errors = (value, min(value, *rest), max(value, *rest))
    return [
        estimated(f"{name}.located", Estimate(*at[:3], chains), unit="T", over="chains"),
        estimated(f"{name}.over_first_order", over(first), over="chains"),
        estimated(f"{name}.over_second_order", over(second), over="chains"),
        estimated(f"{name}.over_exact", over(exact), over="chains"),
        estimated(f"{name}.second_over_first_error", Estimate(*errors, chains), over="chains"),
    ]


def _collapse(
    name: str,
    law: Linear,
    span: Sequence[float],
    horizons: Sequence[float],
    chains: int,
    seed: int,
    threads: int,
) -> pd.DataFrame:
    """Share of collapsed chains of discrete SGD, S = 1, against T at growing times: it sharpens at T_c."""
    rows = []
    first = phases.critical_temperature(law.constants)
    for t in first * np.array(span):
        steps = np.maximum(1, np.round(np.array(horizons) / t)).astype(int)
        paths = run_sgd(
            balanced(np.full(chains, law.k), 1), law.data, float(t), steps,
            seed=named_seed(seed, "collapse", name, f"{t:.6g}"), threads=threads,
        )  # fmt: skip
        low = np.abs(paths.v) < COLLAPSED * law.k
        for horizon, count in zip(horizons, low.sum(0), strict=True):
            rows.append((name, t, horizon, *share(int(count), chains)[:3]))
    return documented(rows, COLLAPSE_COLUMNS)


def _density_ratio(v: Array, top: float, bottom: float) -> tuple[float, float]:
    """p(top)/p(bottom) from counts within ± 10 %, with its standard error."""
    counts = [int(((v > 0.9 * at) & (v < 1.1 * at)).sum()) for at in (top, bottom)]
    if min(counts) == 0:
        raise MeasureError(f"no draws within 10 % of v = {top:.3g} or {bottom:.3g}: use more chains")
    ratio = counts[0] / counts[1] * bottom / top
    return ratio, ratio * float(np.sqrt(1 / counts[0] + 1 / counts[1]))


def _extrema(law: Linear, temperature: float) -> tuple[float, float]:
    """(maximum, minimum) of eq. 15 at positive v; v* and v*/4 stand in where there is none."""
    c = law.constants
    if not phases.has_maximum(c, temperature):
        return c.minimiser, c.minimiser / 4
    top = phases.maximiser(c, temperature)
    bottom = (
        (3 * c.alpha3 * temperature - c.beta2) / (7 * c.alpha1 * temperature) / top
    )  # product of the roots
    return top, bottom if bottom > 0 else c.minimiser / 4


def _ratio_theory(law: Linear, temperature: float, top: float, bottom: float) -> float:
    """The same counts' ratio under eq. 15."""
    p = depth_one(law.constants, temperature)
    mass = [float(np.subtract(*p.cdf(np.array([1.1, 0.9]) * at))) for at in (top, bottom)]
    return mass[0] / mass[1] * bottom / top


def regimes(
    *, k: float = 1.0, chains: int = 20_000, seed: int = 0, threads: int = 1
) -> dict[str, pd.DataFrame]:
    """In every regime of Fig 4: collapse above T_c; below, the exponent at v → 0 and the maximum."""
    rows = []
    for name, (noise, temperature) in POINTS.items():
        law = Linear(k, noise)
        if phases.regime(law.constants, temperature) != name:
            raise MeasureError(
                f"the point (σ, T) = ({noise}, {temperature}) at k = {k} is not in regime {name}"
            )
        duration = COLLAPSE_TIME
        if temperature < phases.critical_temperature(law.constants):
            duration = RELAXATIONS / relaxation_rate(law.constants, temperature, 1)
        v = run_effective(
            np.full(chains, k), plain(law.constants), temperature, [duration],
            seed=named_seed(seed, "regimes", name), threads=threads,
        ).require_bounded().v[:, 0]  # fmt: skip
        point = (name, k, noise, temperature)
        if name.startswith("I") and not name.startswith("II"):
            found = share(int((v < COLLAPSED * k).sum()), chains)
            rows.append((*point, "collapsed", *found[:3], 1.0))
            continue
        # Near zero V^{-1} has a power-law tail: its exponent is a + 2.
        fit = hill(1 / v, max(100, chains // 100))
        theory = law.constants.beta2 / (2 * law.constants.alpha3 * temperature) - 1.5
        rows.append((*point, "origin", fit.exponent - 2, fit.low - 2, fit.high - 2, theory))
        top, bottom = _extrema(law, temperature)
        ratio, error = _density_ratio(v, top, bottom)
        expected = _ratio_theory(law, temperature, top, bottom)
        rows.append((*point, "maximum", ratio, ratio - NORMAL * error, ratio + NORMAL * error, expected))
    table = documented(rows, REGIME_COLUMNS)
    quantities = [row for r in table.to_dict("records") for row in _regime_quantities(r, chains)]
    return {"regimes": table, "quantities": pd.DataFrame(quantities)}


def _regime_quantities(row: dict[Any, Any], chains: int) -> list[dict[str, Any]]:
    """A check as measured, and compared with its prediction: exponents by difference, the rest by ratio."""
    name, theory = f"fig4.{row['regime']}.{row['quantity']}", row["theory"]
    ends = (row["value"], row["low"], row["high"])
    suffix = "minus_theory" if row["quantity"] == "origin" else "over_theory"
    if suffix == "minus_theory":
        value, low, high = (x - theory for x in ends)
    else:
        value, low, high = (x / theory for x in ends)
    return [
        estimated(name, Estimate(*ends, chains), over="draws"),
        estimated(f"{name}_{suffix}", Estimate(value, low, high, chains), over="draws"),
    ]
