"""Where a measurement lies with respect to a region, and that nothing damaged is read as one."""

import math

import pandas as pd
import pytest

from sgdiffusion.config.models import Region
from sgdiffusion.errors import MeasureError
from sgdiffusion.verdicts import Measured, read_quantities, standing
from sgdiffusion.verdicts.quantities import carries


def lies(from_: float, to: float, **ends: float) -> str:
    """The standing of an interval to the region with these ends."""
    measured = Measured((from_ + to) / 2, from_, to, 5, "", "seeds")
    return standing({"q": measured}, Region(quantity="q", **ends))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.2, 0.8, "inside"), (0.0, 1.0, "inside"), (1.1, 2.0, "outside"), (-3, -1, "outside"),
     (0.5, 1.5, "open"), (-1.0, 2.0, "open"), (1.0, 2.0, "open")],
)  # fmt: skip
def test_standing(low: float, high: float, expected: str):
    assert lies(low, high, low=0.0, high=1.0) == expected


def test_one_sided_regions():
    assert lies(5, 9, low=1.0) == "inside"
    assert lies(5, 9, high=1.0) == "outside"


def test_what_was_not_measured_is_not_run_and_carries_nothing():
    assert standing({}, Region(quantity="q", low=0.0)) == "not run"
    assert not carries({}, Region(quantity="q", low=0.0))


def test_an_estimate_carries_words_whatever_its_interval():
    wide = {"q": Measured(0.5, -9.0, 10.0, 2, "", "seeds")}
    assert carries(wide, Region(quantity="q", low=0.0, high=1.0))
    assert not carries(wide, Region(quantity="q", low=0.6))


def quantities(**changes) -> pd.DataFrame:
    row = {"quantity": "q", "value": 0.5, "low": 0.4, "high": 0.6, "n": 3, "unit": "", "over": "seeds"}
    return pd.DataFrame([{**row, **changes}])


def test_read_quantities_refuses_damaged_tables():
    assert read_quantities([quantities()])["q"] == Measured(0.5, 0.4, 0.6, 3, "", "seeds")
    with pytest.raises(MeasureError, match="lacks the columns over"):
        read_quantities([quantities().drop(columns="over")])
    with pytest.raises(MeasureError, match="measured twice"):
        read_quantities([quantities(), quantities()])
    with pytest.raises(MeasureError, match="not a number"):
        read_quantities([quantities(low=math.nan)])
