"""A figure as SVG: what a script needs to read values back, in few bytes."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from sgdiffusion.figures import style
from sgdiffusion.figures.vector import svg

X = np.array([1.0, 10.0, 100.0])
Y = np.array([3.0, 5.0, 4.0])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ET.Element]:
    folder = tmp_path_factory.mktemp("drawn")
    figure, (left, right) = style.new_figure(2, height=2.0, ncols=2, sharey=True)
    left.errorbar(X, Y, yerr=0.5, fmt="o", label="measured $x_{k}$")
    left.axhline(4.5, label="published")
    left.set(xscale="log", xlabel="steps", ylabel=r"$\hat{\lambda}$")
    right.scatter([0, 1, 2], Y, label="runs")
    right.set_xticks([0, 1, 2], ["one", "two", "three"])
    figure.legend(loc="outside lower center")
    style.save(figure, folder / "f.pdf", folder / "f.png")
    text = svg(figure)
    return text, ET.fromstring(text)


def axes(root: ET.Element) -> list[dict]:
    return json.loads(root.get("data-axes"))


def series(root: ET.Element) -> dict[str, ET.Element]:
    return {e.get("data-label", ""): e for e in root.iter() if e.get("data-in") is not None}


def test_places_on_the_drawing_give_the_values_back(drawn):
    _, root = drawn
    first = axes(root)[0]
    left, top, right, bottom = first["frame"]
    marks = [m for m in series(root)["measured x_k"].iter() if m.tag.endswith("use")]
    x = np.array([float(m.get("x")) for m in marks])
    y = np.array([float(m.get("y")) for m in marks])
    low, high = first["x"]["low"], first["x"]["high"]
    # a hundredth of a point of a frame of about 200, of a few decades; frames are known to a tenth
    np.testing.assert_allclose(low * (high / low) ** ((x - left) / (right - left)), X, rtol=5e-3)
    span = first["y"]["high"] - first["y"]["low"]
    np.testing.assert_allclose(first["y"]["low"] + span * (bottom - y) / (bottom - top), Y, rtol=5e-3)


def test_series_in_data_coordinates_are_named_and_no_others(drawn):
    assert set(series(drawn[1])) >= {"measured x_k", "runs"}
    assert "published" not in series(drawn[1])


def test_axes_tell_scale_names_and_whether_they_stand_alone(drawn):
    first, second = axes(drawn[1])
    assert (first["x"]["scale"], first["x"]["name"], first["y"]["name"]) == ("log", "steps", "λ")
    assert second["x"]["names"] == {"0": "one", "1": "two", "2": "three"}
    assert (first["alone"], second["alone"]) == (True, False)
    (legend,) = json.loads(drawn[1].get("data-more"))
    assert legend[1] > first["frame"][3]  # below the axes


def test_text_stays_text_and_letters_of_a_formula_are_one_run(drawn):
    words = ["".join(t.itertext()).strip() for t in drawn[1].iter() if t.tag.endswith("text")]
    assert {"steps", "one", "published"} <= set(words)
    assert any("measured" in w for w in words)


def test_ids_are_few_and_it_is_the_same_at_every_call(drawn):
    text, root = drawn
    ids = {e.get("id") for e in root.iter() if e.get("id")}
    assert all(f"#{name}" in text for name in ids)
    assert len(text) < 40_000
    assert "<metadata" not in text
