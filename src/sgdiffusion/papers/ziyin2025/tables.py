"""Tables of Ziyin, Li & Ueda (2025) as they are published."""

import pandas as pd


def distances_table(distances: pd.DataFrame) -> pd.DataFrame:
    """Distances of simulated v to the laws of the SDE, with what is rejected at 1 %."""
    shown = ["law", "temperature", "depth", "simulator", "n", "escaped", "collapsed", "distance", "critical"]
    return distances[[*shown, "p_value", "median", "spread"]]


def transition_table(located: pd.DataFrame) -> pd.DataFrame:
    """The located transition temperatures beside first order, second order and the exact ones."""
    return located


def table_one_table(laws: pd.DataFrame) -> pd.DataFrame:
    """Table 1 in the derived forms, each with what simulation says of it and of the printed form."""
    names = {
        "distance": "distance (KS; share > 1 % away for δ)",
        "printed": "distance to the printed form",
        "critical": "rejected at 1 %",
    }
    shown = laws.drop(columns=["row"])
    return shown.set_axis([names.get(c, c) for c in shown.columns], axis=1)


def weights_table(distances: pd.DataFrame) -> pd.DataFrame:
    """Distances of v under the SDE of all weights to the laws, over depths, widths, decay and data."""
    return distances


def ends_table(ends: pd.DataFrame) -> pd.DataFrame:
    """Where chains end above T_c under interpolation, beside the scale function's shares."""
    return ends


def findings_table(findings: pd.DataFrame) -> pd.DataFrame:
    """Printed formulas that fail their own equations, with the number that shows it for either form."""
    return findings


def tails_table(exponents: pd.DataFrame) -> pd.DataFrame:
    """Measured tail exponents beside the predicted ones."""
    return exponents.assign(difference=exponents["exponent"] - exponents["theory"])
