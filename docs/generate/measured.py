"""What was measured outside of the reference set: Table 1 of Hennick & De Baerdemacker, docs/measured."""

import json
from pathlib import Path

import pandas as pd

from generate.text import table
from sgdiffusion.papers.hennick2025.published import TABLE1
from sgdiffusion.verdicts.words import number

MEASURED = Path(__file__).resolve().parents[1] / "measured"
HEADER = ("network", "scale", "α", "r²", "since SGD began", "λ̄", "d_s", "diagnoses of λ̂", "commit, device")


def table1() -> str:
    """The rows of Table 1 that were run, each below the printed one."""
    rows: list[tuple[str, ...]] = []
    for model, (llc, d_s, alpha, r2) in TABLE1.items():
        found = sorted(MEASURED.glob(f"table1-{model}-*.csv"))
        rows += [(model, "printed", alpha, r2, "", llc, d_s, "", "")] * bool(found)
        rows += [_row(path) for path in found]
    return table(HEADER, rows)


def _row(path: Path) -> tuple[str, ...]:
    row = pd.read_csv(path, keep_default_na=False).iloc[0]
    record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    interval = f"{number(row['slope_low'])} to {number(row['slope_high'])}"
    return (
        "",
        f"`{record['preset']}`",
        f"{number(row['slope'])} ({interval})",
        number(row["r2"]),
        number(row["slope_last_leg"]),
        number(row["mean_llc"]),
        number(row["spectral_dimension"]),
        str(row["marks"]) or "none",
        f"`{record['git']['commit'][:7]}`, {record['device']}",
    )
