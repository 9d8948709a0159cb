"""Numbers as text, in JSON and in LaTeX: read back, and safe where they are put."""

import io
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sgdiffusion.config.models import Region
from sgdiffusion.errors import DataError, MeasureError
from sgdiffusion.figures.style import new_figure, save
from sgdiffusion.gallery import numbers
from sgdiffusion.gallery.files import read_csv
from sgdiffusion.gallery.fill import fill
from sgdiffusion.gallery.images import web_image
from sgdiffusion.gallery.marks import interval_mark, verdict_bar
from sgdiffusion.gallery.sources import duration
from sgdiffusion.verdicts import Measured, Verdict

Q = {
    "a.b": Measured(0.1234, 0.1, 0.15, 3, "", "seeds"),
    "tiny": Measured(1.874e-5, 1.874e-5, 1.874e-5, 1, "λ", "exact"),
}


def test_placeholders():
    assert fill("{a.b}", Q) == "0.123 [0.1, 0.15]"
    assert fill("{a.b|value} and {tiny|value}", Q) == "0.123 and 1.87·10⁻⁵"
    assert fill("{a.b|percent}", Q) == "12.3\N{NO-BREAK SPACE}%"
    assert fill("{none}", Q) == "(not run)"


def test_macros_are_letters_alone():
    assert numbers.macro("chaudhari2018", "fig4c.limit_cycles") == "chaudhariFigFourcLimitCycles"
    assert numbers.macro("chaudhari2018", "app-a.variance_b60000").isalpha()


def write(folder: Path, name: str, quantity: str = "a.b") -> Path:
    row = {
        "quantity": quantity,
        "value": 1e-5,
        "low": 0.9e-5,
        "high": 1.1e-5,
        "n": 3,
        "unit": "",
        "over": "seeds",
    }
    path = folder / f"{name}.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    data = [{"set": "digits", "preparation": "full", "real": False, "digest": "d"}]
    record = {"rule": "measure", "runs": ["net", "unknown"], "data": data}
    path.with_suffix(".json").write_text(json.dumps(record))
    return path


def test_numbers_name_their_runs_and_data_and_are_read_back(tmp_path: Path):
    runs = {"p2018/net": {"epochs": 3, "seeds": 5, "assumptions": []}}
    content = numbers.collect("tiny", "a note", {"p2018": [write(tmp_path, "x")]}, runs)
    entry = content["papers"]["p2018"]["a.b"]
    assert (entry["runs"], entry["data"]) == (["p2018/net"], ["digits/full"])
    assert content["data"]["digits/full"] == {"real": False, "digest": "d"}
    again = json.loads(json.dumps(content))
    assert numbers.measured(again, "p2018")["a.b"] == Measured(1e-5, 0.9e-5, 1.1e-5, 3, "", "seeds")
    assert numbers.measured(again, "other") == {}


def test_a_run_is_the_same_run_with_more_seeds_and_not_with_more_epochs():
    base = numbers.run_digest({"epochs": 3, "seeds": 5, "assumptions": ["x"]})
    assert numbers.run_digest({"epochs": 3, "seeds": 50}) == base
    assert numbers.run_digest({"epochs": 3, "data_sets": 2}) == base
    assert numbers.run_digest({"epochs": 4, "seeds": 5}) != base


def test_latex_has_one_command_per_number(tmp_path: Path):
    content = numbers.collect("tiny", "a note", {"p2018": [write(tmp_path, "x")]}, {})
    text = numbers.tex(content)
    assert "% a note" in text
    commands = dict(re.findall(r"\\newcommand\{\\([A-Za-z]+)\}\{(.*)\} ?%?", text))
    assert commands["pAB"] == r"\ensuremath{1\times 10^{-5}}"
    assert r"\newcommand{\pABInterval}{[\ensuremath{9\times 10^{-6}}" in text


def test_a_name_used_twice_is_an_error(tmp_path: Path):
    same = [write(tmp_path, "x"), write(tmp_path, "y")]
    with pytest.raises(MeasureError, match="measured twice"):
        numbers.collect("tiny", "", {"p2018": same}, {})
    alike = [write(tmp_path, "x"), write(tmp_path, "y", "a_b")]
    with pytest.raises(MeasureError, match="same LaTeX name: pAB"):
        numbers.collect("tiny", "", {"p2018": alike}, {})


def positions(mark: str, kind: str) -> list[float]:
    found = re.search(rf'class="{kind}"[^>]*(?:cx="([\d.]+)"|d="M([\d.]+))', mark)
    assert found
    return [float(g) for g in found.groups() if g]


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_mark_puts_numbers_in_order(scale: float):
    region = Region(quantity="q", published=3 * scale, low=2 * scale, high=4 * scale)
    mark = interval_mark(region, Measured(6 * scale, 5 * scale, 7 * scale, 3, "", "seeds"))
    (published,), (measured,) = positions(mark, "published"), positions(mark, "measured")
    assert 0 < published < measured < 220


def test_mark_of_an_unbounded_region_over_decades():
    mark = interval_mark(Region(quantity="q", low=1.0), Measured(1000.0, 100.0, 10000.0, 3, "", "seeds"))
    (measured,) = positions(mark, "measured")
    # log axis from 1 to 10⁴: 1000 lies at three quarters of the unpadded range
    assert measured == pytest.approx(8 + 204 * (0.12 + 0.75) / 1.24, abs=0.1)


def test_mark_of_a_single_number():
    assert "circle" in interval_mark(Region(quantity="q", high=0.0), Measured(0.0, 0.0, 0.0, 1, "", "exact"))


def test_bar_has_the_parts_that_are_not_empty():
    bar = verdict_bar({Verdict.HOLDS: 3, Verdict.FAILS: 1, Verdict.NOT_TESTED: 0})
    assert re.findall(r'class="(\w+)" x="([\d.]+)"', bar) == [("holds", "0.00"), ("fails", "75.00")]


def test_durations():
    assert [duration(s) for s in (2.44, 303, 11520)] == ["2.4 s", "5 min 3 s", "3 h 12 min"]


def test_missing_or_broken_files_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"x\.png: no such file; build the preset's figures"):
        web_image(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"x\.png: not an image"):
        web_image(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"x\.csv: no such file; build the preset's tables"):
        read_csv(tmp_path / "x.csv")


def test_web_images_show_the_same_in_fewer_bytes(tmp_path: Path):
    figure, axes = new_figure(columns=2, ncols=2)
    for ax, map_ in zip(axes, ("cividis", "PuOr"), strict=True):
        ax.imshow(np.add.outer(np.arange(30), np.arange(40) ** 1.5), cmap=map_, aspect="auto")
        ax.plot(np.arange(40), 15 + 14 * np.sin(np.arange(40)), label="a line")
        ax.legend()
    save(figure, tmp_path / "x.pdf", tmp_path / "x.png")
    content, width, height = web_image(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as image:
        assert (width, height) == image.size
        drawn = np.asarray(image.convert("RGB"), float)
    assert len(content) < 0.7 * (tmp_path / "x.png").stat().st_size
    shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    # a difference of 2 % of the range in one channel is about what an eye can tell
    assert np.abs(shown - drawn).mean() < 0.02 * 255


def test_a_wider_image_is_brought_to_the_widest(tmp_path: Path):
    Image.new("RGB", (2800, 100), "navy").save(tmp_path / "x.png")
    assert web_image(tmp_path / "x.png")[1:] == (1400, 50)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0.0, 1.0, ["0", "0.5", "1"]), (1.0, 1e4, ["1", "100", "10000"]), (-3e-6, 5e-6, None)],
)
def test_a_mark_has_numbered_ticks_that_do_not_touch(low: float, high: float, ticks: list[str] | None):
    region = Region(quantity="q", low=low, high=high)
    mark = interval_mark(region, Measured((low + high) / 2, low, high, 3, "", "seeds"))
    found = re.findall(r'<text class="tick" x="([\d.]+)"[^>]*>([^<]+)</text>', mark)
    places = [float(x) for x, _ in found]
    assert len(found) >= 2
    assert all(after - before >= 40 for before, after in pairwise(places))
    if ticks is not None:
        assert [text for _, text in found] == ticks
