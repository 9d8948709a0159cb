"""Colours of drawings on a dark page: the style's stay, ink and ground change places, shades are mirrored."""

import pytest
from static_page import contrast

from sgdiffusion.figures.style import BLACK, CYCLE, YELLOW, instants_palette
from sgdiffusion.gallery.drawings import KEPT, in_the_dark, inline

GROUND = "#1d2125"


def test_the_colours_of_the_style_stay_and_show():
    assert set(KEPT) == {c[1:].lower() for c in (*CYCLE, YELLOW) if c != BLACK}
    for colour in KEPT:
        assert in_the_dark(colour) == f"#{colour}"
        assert contrast(f"#{colour}", GROUND) >= 3


def test_ink_and_ground_change_places():
    assert in_the_dark("000000") == "#e6e4df"
    assert in_the_dark("ffffff") == GROUND
    assert contrast(in_the_dark("707070"), GROUND) >= 4.5  # the published marks


def test_what_stands_out_on_white_stands_out_on_dark():
    shades = [c[1:] for c in instants_palette(4)]
    on_white = [contrast(f"#{c}", "#ffffff") for c in shades]
    on_dark = [contrast(in_the_dark(c), GROUND) for c in shades]
    assert on_white == sorted(on_white)
    assert on_dark == sorted(on_dark)
    assert on_dark[-1] > 7


def test_an_image_keeps_its_colours():
    assert in_the_dark("08306b", mirrored=False) == "#08306b"


@pytest.mark.parametrize(("image", "kind"), [("", "c"), ("<image/>", "k")])
def test_a_drawing_inside_the_page_has_its_own_ids_and_variables(tmp_path, image: str, kind: str):
    path = tmp_path / "x.svg"
    path.write_text(
        '<svg viewBox="0 0 504 100" xmlns="http://www.w3.org/2000/svg"><path id="m1" style="fill:#08306B"/>'
        f'<use href="#m1"/>{image}</svg>'
    )
    made = inline(path, "paper-fig1", 'so "wide"')
    assert made.startswith(
        '<svg viewBox="0 0 504 100" class="drawing" role="img" aria-label="so &#34;wide&#34;">'
    )
    assert f'<path id="paper-fig1-m1" style="fill:var(--{kind}08306b)"/><use href="#paper-fig1-m1"/>' in made
    assert made.count("<svg") == made.count("</svg>") == 1
