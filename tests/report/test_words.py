"""Words for the template: formulas as parts, everything else as it is."""

from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTFont
from tiny_report import HOSTILE

from sgdiffusion.report.claims import distinct
from sgdiffusion.report.words import words

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("d_s ≤ λ̄", ["d", {"sub": "s"}, " ≤ λ̄"]),
        ("e^(−Φ) stays", ["e", {"super": "−Φ"}, " stays"]),
        ("x^(λ_max)", ["x", {"super": ["λ", {"sub": "max"}]}]),
        ("‖∇_u L‖", ["‖∇", {"sub": "u"}, " L‖"]),
        ("small-fc_x & <b>", "small-fc_x & <b>"),
        (HOSTILE, HOSTILE),
        ('a "b" of SGD\'s', "a “b” of SGD’s"),
        ("95 % of Fig 4c", "95\u00a0% of Fig\u00a04c"),
    ],
)
def test_only_formulas_become_parts(text: str, expected: object):
    assert words(text) == expected


def test_names_of_numbers_keep_what_tells_them_apart():
    assert distinct(["net.mean", "net.sd"]) == ["mean", "sd"]
    assert distinct(["a.variance_with_b1", "a.variance_with_b128"]) == ["b1", "b128"]
    assert distinct(["x.from-0.05.ratio", "x.from-0.2.ratio"]) == ["from-0.05", "from-0.2"]
    assert distinct(["a.outside_brownian", "a.outside_white_brownian"]) == ["brownian", "white_brownian"]
    assert distinct(["a.x", "a.x.low"]) == ["a.x", "a.x.low"]


def test_every_sign_of_the_texts_is_in_a_font_of_the_packages():
    """Both stand last in the template's list of fonts, so that nothing is left as an empty box."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    known = {c for n in ("DejaVuSans", "STIXGeneral") for c in TTFont(folder / f"{n}.ttf").getBestCmap()}
    for path in sorted((ROOT / "config").rglob("*.yaml")):
        missing = {c for c in path.read_text(encoding="utf-8") if c.isprintable() and ord(c) not in known}
        assert not missing, f"{path}: {missing}"
    template = (ROOT / "src/sgdiffusion/report/template/report.typ").read_text(encoding="utf-8")
    assert '"DejaVu Sans", "STIXGeneral")' in template
