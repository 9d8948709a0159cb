"""The page, without a browser: complete, self-contained, linked, labelled and readable."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from static_page import Page, contrast, loaded_from_outside, palettes
from tiny_preset import html as build_html

from sgdiffusion.errors import DataError
from sgdiffusion.gallery.content import formula, sentence
from sgdiffusion.gallery.page import Items


@pytest.fixture(scope="module")
def html(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(html: str) -> Page:
    return Page(html)


def test_it_loads_nothing_from_outside(html: str):
    assert loaded_from_outside(html) == []
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(", html)


def test_what_would_load_is_seen():
    assert loaded_from_outside('<img src="https://a.org/x.png">') == ["https://a.org/x.png"]
    assert loaded_from_outside('<link rel="stylesheet" href="x.css">') == ["x.css"]
    assert len(loaded_from_outside("<style>@import 'x.css'; a {background: url(y.png)}</style>")) == 2


def test_ids_are_unique_and_links_inside_resolve(parsed: Page):
    ids = [a["id"] for _, a in parsed.tags if "id" in a]
    assert len(ids) == len(set(ids))
    inside = [a["href"][1:].split("?")[0] for a in parsed.of("a") if a["href"].startswith("#")]
    assert len(inside) > 20
    assert set(inside) <= set(ids)


def test_links_to_outside_are_to_the_papers_alone(parsed: Page):
    outside = {a["href"] for a in parsed.of("a") if "://" in a["href"]}
    assert outside == {"https://arxiv.org/abs/1710.11029"}


def test_links_to_files_lead_to_files_beside_the_page(parsed: Page, folder: Path):
    files = {a["href"] for a in parsed.of("a") if not a["href"].startswith("#") and "://" not in a["href"]}
    made = {"chaudhari2018/table_a.csv", "chaudhari2018/verdicts.csv", "numbers.json", "cross/cross.json"}
    assert made <= files
    for name in made:
        assert (folder / name).is_file()


def test_drawings_have_an_alternative_text(parsed: Page):
    drawings = [a for a in parsed.of("svg") if a.get("role") == "img"]
    assert len(drawings) == 4
    assert all(a["aria-label"] for a in drawings)
    assert drawings[0]["aria-label"] == "A grey field."
    assert parsed.of("img") == []


def test_a_specification_curve_has_its_numbers_beside_the_claim(parsed: Page):
    (first, second) = [json.loads(a["data-curve"]) for _, a in parsed.tags if "data-curve" in a]
    assert first == second  # of both papers
    assert first["readings"] == ["batch=20", "base"]
    assert first["verdicts"] == ["Fails", "Fails"]
    (number,) = first["numbers"]
    assert (number["name"], number["accepted"], number["published"]) == ("bad", [0.5, 2.0], 1.0)
    assert number["rows"] == [[7.5, 8.0, 10.0, None], [9.0, 8.0, 10.0, None]]


def test_every_colour_of_the_drawings_has_a_value_for_both_schemes(html: str):
    used = set(re.findall(r"var\(--([ck][0-9a-f]{6})\)", html))
    rule = re.search(
        r"\.drawing\{(.*?)\}@media screen and \(prefers-color-scheme:dark\)\{\.drawing\{(.*?)\}", html
    )
    for part in (1, 2):
        assert set(re.findall(r"--([ck][0-9a-f]{6}):", rule[part])) == used
    assert {"c0072b2", "cffffff"} <= used


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_has_the_contrast_of_wcag_aa(html: str, scheme: str):
    colour = palettes(html)[scheme]
    pairs = [(text, ground) for text in ("ink", "soft", "link") for ground in ("paper", "raised")]
    pairs += [(k, f"{k}-back") for k in ("holds", "in-part", "fails", "undecided", "not-tested", "banner")]
    for text, ground in pairs:
        assert contrast(colour[text], colour[ground]) >= 4.5, (scheme, text, ground)
    # marks are not text: 3 is enough against what they lie on
    for mark in ("dot", "mark"):
        assert contrast(colour[mark], colour["accepted"]) >= 3, (scheme, mark)


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_every_claim_has_its_verdict_with_number_and_interval(parsed: Page):
    rows = {a["id"]: a["data-verdict"] for a in parsed.of("tr") if "data-verdict" in a}
    assert rows["chaudhari2018-claim-fig1-holds"] == "holds"
    assert rows["chaudhari2018-claim-fig1-fails"] == "fails"
    assert rows["chaudhari2018-claim-fig2-open"] == "undecided"
    assert rows["chaudhari2018-claim-fig2-far"] == "not-tested"
    assert len(rows) == 8
    words = parsed.words()
    assert "[8, 10] over 5 seeds" in words
    assert "Substitute data: needs the real mnist." in words
    assert "8 claims of 2 papers: 2 hold, 2 fail, 2 stay undecided, 2 are not tested." in words
    papers = [a["data-paper"] for a in parsed.of("tr") if "data-paper" in a]
    assert papers == ["chaudhari2018"] * 4 + ["ziyin2025"] * 4


def test_findings_come_first(parsed: Page):
    words = parsed.words()
    first, second = words.index("A 2018 It is 1. See why"), words.index("A 2018 It slips. See why")
    assert first < second < words.index("8 claims of 2 papers")
    targets = [a["href"] for a in parsed.of("a") if a["href"].startswith("#chaudhari2018-")]
    assert targets[:2] == ["#chaudhari2018-claim-fig1-holds", "#chaudhari2018-finding-slip"]


def test_words_are_explained_and_a_citation_is_offered(parsed: Page):
    assert "λ̂ an estimate" in parsed.words()
    assert any("@software{sgdiffusion" in a.get("data-copy", "") for a in parsed.of("button"))


def test_text_of_claims_is_escaped(html: str):
    assert "&lt;b&gt;good&lt;/b&gt; number lies &amp; stays" in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [("the law", "The law"), ("a law", "A law"), ("small-fc has", "small-fc has"), ("d/dt u", "d/dt u"),
     ("v lies", "v lies"), ("uᵀC₁u", "uᵀC₁u"), ("SGD moves", "SGD moves")],
)  # fmt: skip
def test_sentences_begin_with_a_capital_but_formulas_do_not(text: str, shown: str):
    assert sentence(text) == shown


def test_numbers_are_filled_in(parsed: Page):
    words = parsed.words()
    assert "It is 1 [0.9, 1.1], not (not run)." in words
    assert "then 1" in words  # the sensitivity of the assumption


def test_an_argument_says_when_the_numbers_do_not_carry_it(parsed: Page):
    assert (
        "Written for other numbers. In this run bad is 9, where the words need it at most 2."
        in parsed.words()
    )


def test_provenance_and_command_stand_with_each_figure(parsed: Page):
    words = parsed.words()
    assert words.count("digits, prepared full, substitute (content aaaaaaaa)") >= 3
    assert "cpu, cuda" in words
    assert "trainings 0, 1; random streams from root seed 7" in words
    assert "1 min 31 s in 2 jobs, at most 0.9 GB of memory" in words
    assert re.search(r"rebuild \S*figures/tiny/chaudhari2018/fig1\.pdf", words)


def test_what_is_left_out_is_named_with_its_reason(parsed: Page):
    assert "ziyin2025/fig2 no time" in parsed.words()


def test_items_are_read_as_the_workflow_lists_them():
    papers = {"p": {"figures": ["fig1"], "tables": []}}
    found = Items.of({"preset": "tiny", "papers": papers, "left_out": []})
    assert (found.preset, found.figures, found.tables) == ("tiny", {"p": ["fig1"]}, {"p": []})


def test_what_belongs_to_no_paper_is_shown(parsed: Page):
    assert "cross-cross" in {a["id"] for a in parsed.of("figure")}
    assert "Across the papers" in parsed.words()


def test_banner_is_there_if_and_only_if_there_is_a_note(parsed: Page, without_note: str):
    assert parsed.of("aside")[0]["class"] == "banner"
    assert "substitute data: digits" in parsed.words()
    assert Page(without_note).of("aside") == []


def test_each_figure_and_table_says_what_it_shows(parsed: Page):
    # figures of two papers, one across, one table
    assert parsed.words().count("Shows substitute data: digits · preset tiny: reduced scale.") == 5


def test_headings_descend_one_by_one(parsed: Page):
    levels = [int(tag[1]) for tag, _ in parsed.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_verdicts_on_other_claims_are_refused(folder: Path, tmp_path: Path):
    copy = tmp_path / "tiny"
    shutil.copytree(folder, copy)
    path = copy / "chaudhari2018/verdicts.csv"
    path.write_text(path.read_text().replace("fig2-far", "fig2-old"))
    with pytest.raises(DataError, match=r"verdicts\.csv: judge again.*fig2-far, fig2-old"):
        build_html(copy)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("d_s ≤ λ̄ < 2", "d<sub>s</sub> ≤ λ̄ &lt; 2"),
        ("λ_max·d·ε, T_c/3, ∇f_b", "λ<sub>max</sub>·d·ε, T<sub>c</sub>/3, ∇f<sub>b</sub>"),
        ("e^(−Φ), J^ss", "e<sup>−Φ</sup>, J<sup>ss</sup>"),
        ("v^(β₂/(2α₃T)) and |v|^{−3/2+e}", "v<sup>β₂/(2α₃T)</sup> and |v|<sup>−3/2+e</sup>"),
        ("p_s^{m D_ξ}", "p<sub>s</sub><sup>m D<sub>ξ</sub></sup>"),
        ("moons.best_xi, eq15.ks_p, table_cross, n_s_x", "moons.best_xi, eq15.ks_p, table_cross, n_s_x"),
        ("<b>x_i</b>", "&lt;b&gt;x<sub>i</sub>&lt;/b&gt;"),
    ],
)
def test_formulas_have_subscripts_and_names_do_not(text: str, shown: str):
    assert str(formula(text)) == shown
