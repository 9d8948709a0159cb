"""The numbers behind the claims on Fig. 3 of Chaudhari & Soatto (2018), from the tables of each seed.

Bands of the spectrum: *drift*, fewer than ten cycles in the whole trajectory; *slow*, from there to a
hundredth of a cycle per snapshot; *fast*, from a quarter of a cycle per snapshot on.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdiffusion.config.models import Strict
from sgdiffusion.errors import MeasureError
from sgdiffusion.measures.noise.gradient_norms import Mode
from sgdiffusion.measures.statistics.intervals import geometric_mean_interval, mean_interval
from sgdiffusion.measures.trajectories.drift import growth_exponent
from sgdiffusion.papers.chaudhari2018.motion import BROWNIAN, LESS_TREND, ONE_SCALE, OU, SGD, WHITE
from sgdiffusion.papers.tables import QUANTITY_COLUMNS, estimated

Array = NDArray[Any]
Numbers = dict[str, tuple[float, str]]
LEVEL = 0.01  # of the tests, as the paper's bands are of 99 %
DRIFT_CYCLES = 10


class Fig3Reading(Strict):
    """How Fig 3 is read where its caption is silent; the defaults are the base."""

    one_scale: bool = False  # Fourier amplitudes as they are, not each weight in its own unit
    mode: Mode = "evaluation"  # of batch-norm in ∇f(x_k)
    lags: list[float] = [0.1, 0.5]  # which are very large, in shares of the path


AS_BASE = Fig3Reading()


class Tables(NamedTuple):
    """Everything that Figs 3a, 3b and their tests need, of one seed."""

    spectrum: pd.DataFrame
    autocorrelation: pd.DataFrame
    weights: pd.DataFrame
    displacement: pd.DataFrame
    circulation: pd.DataFrame


def quantities(
    tables: Sequence[Tables],
    gradients: pd.DataFrame,
    *,
    burn_in: int,
    name: str = "fig3",
    reading: Fig3Reading = AS_BASE,
) -> pd.DataFrame:
    """The numbers behind Fig. 3's claims: each seed's value, then mean and t interval over seeds."""
    if reading.mode != AS_BASE.mode:
        gradients = gradients[gradients["mode"] == reading.mode].assign(mode=AS_BASE.mode)
    per_seed = [
        _spectrum_numbers(t.spectrum, ONE_SCALE if reading.one_scale else "")
        | _autocorrelation_numbers(t.autocorrelation, reading.lags)
        | _weight_numbers(t.weights)
        | _displacement_numbers(t.displacement)
        | _circulation_numbers(t.circulation)
        for t in tables
    ]
    falls = [_falls(part, burn_in) for _, part in gradients.groupby("seed")]
    rows = []
    for numbers, mean in ((per_seed, mean_interval), (falls, geometric_mean_interval)):
        for key, (_, unit) in numbers[0].items():
            rows.append(estimated(f"{name}{key}", mean([n[key][0] for n in numbers]), unit=unit))
    return pd.DataFrame(rows, columns=QUANTITY_COLUMNS)


SUFFIXES = {SGD: "", WHITE: "_white_noise", OU: "_ornstein_uhlenbeck"}
SUFFIXES |= {SGD + LESS_TREND: "_detrended", WHITE + LESS_TREND: "_white_noise_detrended"}


def _spectrum_numbers(spectrum: pd.DataFrame, scale: str = "") -> Numbers:
    out: Numbers = {}
    for series, suffix in SUFFIXES.items():
        wanted = series + (scale if series.startswith(SGD) else "")
        part = spectrum[spectrum["series"] == wanted]
        f, power = part["frequency"].to_numpy(), part["power"].to_numpy()
        cycles, share = f / f.min(), f / f.max()
        bands = {
            "drift": cycles < DRIFT_CYCLES,
            "slow": (cycles >= DRIFT_CYCLES) & (share <= 0.02),
            "fast": share >= 0.5,
        }
        for band, inside in bands.items():
            if not inside.any():
                raise MeasureError(
                    f"the trajectory is too short for Fig. 3: {round(1 / f.min())} epochs after the burn-in "
                    f"hold no frequency of the {band} band; train for more epochs"
                )
            out[f"a.{band}_power{suffix}"] = (float(power[inside].mean()), "white noise = 1")
        out[f"a.slope_high{suffix}"] = (_slope(0.5 * share, power), "d log A / d log f")
        out[f"a.sd_over_mean{suffix}"] = (float((part["sd"] / part["mean"]).median()), "s.d. / mean")
    return out


def _slope(f: Array, power: Array) -> float:
    """Slope of log amplitude on log frequency for f ≥ 0.1 of the binned spectrum, bins weighted equally."""
    inside = f >= 0.1
    return float(np.polyfit(np.log10(f[inside]), 0.5 * np.log10(power[inside]), 1)[0])


def _autocorrelation_numbers(table: pd.DataFrame, shares: Sequence[float] = AS_BASE.lags) -> Numbers:
    by = {name: part.set_index("lag") for name, part in table.groupby("series")}
    sgd = by[SGD]
    longest = float(sgd.index.max())
    first, last = (share * longest for share in shares)  # the paper speaks of very large lags
    lags = sgd.index[(sgd.index >= first) & (sgd.index <= last)]
    mean = sgd["mean"].loc[lags]
    out: Numbers = {
        "b.outside_white_band": (float((mean.abs() > sgd["band"].loc[lags]).mean()), "share of lags")
    }
    null = by[BROWNIAN].loc[lags]
    outside = (mean < null["low"]) | (mean > null["high"])
    out["b.outside_brownian"] = (float(outside.mean()), "share of lags")
    for series, suffix in ((BROWNIAN, "brownian"), (OU, "ornstein_uhlenbeck")):
        beyond = by[series].loc[lags, "mean"].abs() > by[series].loc[lags, "band"]
        out[f"b.outside_white_band_{suffix}"] = (float(beyond.mean()), "share of lags")
    return out


def _weight_numbers(weights: pd.DataFrame) -> Numbers:
    share = "share of moving weights"
    out: Numbers = {
        "a.trend_line": (float(weights["line"].median()), "share of a weight's variance"),
        "a.trend_cubic": (float(weights["cubic"].median()), "share of a weight's variance"),
        "b.not_brownian_weights": (float((weights["ratio_p_holm"] < LEVEL).mean()), share),
        "b.variance_ratio": (float(weights["ratio"].median()), "Brownian motion = 1"),
        "b.variance_ratio_tenth": (float(weights["ratio_tenth"].median()), "Brownian motion = 1"),
        "b.decorrelation": (float(weights["decorrelation"].median()), "epochs"),
        "b.moving_weights": (float(len(weights)), "weights"),
    }
    first = weights["parameter"] == weights["parameter"].iloc[0]
    for name, part in (("first_layer", weights[first]), ("other_weights", weights[~first])):
        if len(part):
            out[f"a.drift_power_{name}"] = (float(part["drift_power"].mean()), "white noise = 1")
    return out


def _displacement_numbers(table: pd.DataFrame) -> Numbers:
    """How D grows between a hundredth and a tenth of the path; whether it, or any start, ever comes back."""
    path = 3 * float(table["lag"].max())
    out: Numbers = {}
    for series, suffix in ((SGD, ""), (BROWNIAN, "_brownian"), (OU, "_ornstein_uhlenbeck")):
        part = table[table["series"] == series]
        lags, moved = part["lag"].to_numpy(), part["displacement"].to_numpy()
        exponent = growth_exponent(lags, moved, path / 100, path / 10)
        out[f"a.displacement_exponent{suffix}"] = (exponent, "d log D / d log lag")
        out[f"a.return_fall{suffix}"] = (float(part["fall"].max()), "share of D")
    sgd = table[(table["series"] == SGD) & (table["lag"] >= path / 10)].iloc[0]
    out["a.least_displacement"] = (float(sgd["smallest"] / sgd["displacement"]), "share of D")
    return out


def _circulation_numbers(table: pd.DataFrame) -> Numbers:
    return {
        "a.circulation": (float(table["correlation"].max()), "correlation of segments"),
        "a.circulation_reversible": (float(table["high"].max()), "correlation of segments"),
        "a.circulation_p": (float(table["p_value"].iloc[0]), "p"),
        "a.rotating_planes": (float(table["planes"].max()), "planes"),
        "a.leading_rotation": (float(table["leading"].max()), "share of the plane's variance"),
    }


def _falls(gradients: pd.DataFrame, burn_in: int) -> Numbers:
    """Falls of ‖∇f‖/√d between geometric means: first three epochs, octave after the burn-in, last octave."""
    out: Numbers = {}
    for mode, part in gradients.groupby("mode"):
        epoch, norm = part["epoch"].to_numpy(), part["norm"].to_numpy()
        windows = {
            "start": epoch <= max(3, epoch.min()),
            "burnt": (epoch >= burn_in) & (epoch <= 2 * burn_in),
            "end": epoch >= epoch.max() / 2,
        }
        level = {
            key: math.exp(np.log(norm[inside]).mean()) for key, inside in windows.items() if inside.any()
        }
        out[f"c.fall_{mode}"] = (level["start"] / level["end"], "factor")
        if "burnt" in level:
            out[f"c.fall_after_burn_in_{mode}"] = (level["burnt"] / level["end"], "factor")
        out[f"c.norm_end_{mode}"] = (level["end"], "‖∇f‖/√d")
    return out
