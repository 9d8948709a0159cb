"""Open choices and the designs that sample them."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from sgdiffusion.config import Configuration
from sgdiffusion.config.load import load_claims, parse
from sgdiffusion.config.readings import Choice, Readings, changed_choices
from sgdiffusion.errors import ConfigError

CHOICES = {
    name: Choice.model_validate(
        {
            "open": "what",
            "base": "a",
            "values": {
                "a": {"ground": "usual"},
                "b": {"ground": "default", "set": {f"part.{name}": 2}},
                "c": {"ground": "rare", "set": {f"part.{name}": 3}},
            },
        }
    )
    for name in ("rate", "window")
}


def design(**changes) -> Readings:
    content = {"kind": "readings", "of": ["run"], "choices": ["rate", "window"], **changes}
    return Readings.model_validate(content)


def test_each_choice_is_changed_alone_after_the_base():
    names = [r.name for r in design().sampled(CHOICES)]
    assert names == ["base", "rate=b", "rate=c", "window=b", "window=c"]


def test_combinations_are_balanced_repeatable_and_not_repeated():
    found = design(combinations=30).sampled(CHOICES)
    assert found == design(combinations=30).sampled(CHOICES)
    names = [r.name for r in found]
    assert len(set(names)) == len(names) == 9  # all of 3 × 3
    drawn = list(design(combinations=30)._combined({"rate": ["a", "b", "c"], "window": ["a", "b"]}))
    assert set(Counter(d["rate"] for d in drawn).values()) == {10}
    assert set(Counter(d["window"] for d in drawn).values()) == {15}


def test_a_preset_may_sample_fewer_values():
    names = [r.name for r in design(values={"rate": ["b"], "window": ["a"]}).sampled(CHOICES)]
    assert names == ["base", "rate=b"]


def test_a_reading_changes_settings_in_place_of_none_else():
    settings = {"part": {"rate": 1, "window": 1}, "other": 5}
    reading = next(r for r in design().sampled(CHOICES) if r.name == "rate=c")
    assert reading.applied(settings) == {"part": {"rate": 3, "window": 1}, "other": 5}
    assert settings["part"]["rate"] == 1
    assert changed_choices("rate=c;window=b") == {"rate": "c", "window": "b"}
    assert changed_choices("base") == {}


def test_unknown_names_are_errors():
    with pytest.raises(ConfigError, match=r"no choice 'speed'.* rate, window"):
        design(choices=["speed"]).sampled(CHOICES)
    with pytest.raises(ConfigError, match="no value 'z'; it has: a, b, c"):
        design(values={"rate": ["z"]}).sampled(CHOICES)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"base": "z"}, "none of the values"), ({"base": "b"}, "changes settings")],
)
def test_the_base_is_a_value_that_changes_nothing(change, message):
    with pytest.raises(ValidationError, match=message):
        Choice.model_validate({**CHOICES["rate"].model_dump(), **change})


def test_a_claim_names_known_choices_only(tmp_path: Path):
    folder = tmp_path / "paper"
    folder.mkdir()
    accept = [{"quantity": "q", "low": 0.0}]
    entry = {"id": "c", "source": "s", "statement": "s", "kind": "law", "published": "p", "accept": accept,
             "reason": "r", "choices": ["rate"]}  # fmt: skip
    (folder / "claims.yaml").write_text(yaml.safe_dump({"claims": [entry]}))
    with pytest.raises(ConfigError, match=r"c.choices: found 'rate'; choices of readings.yaml: none"):
        load_claims(tmp_path, "paper")
    value = {"ground": "g"}
    choice = {"open": "o", "base": "a", "values": {"a": value, "b": value}}
    (folder / "readings.yaml").write_text(yaml.safe_dump({"choices": {"rate": choice}}))
    assert load_claims(tmp_path, "paper")[0].choices == ["rate"]


def test_assumptions_name_known_choices_and_claims_say_one_thing():
    folder = Path(__file__).resolve().parents[2] / "config"
    configuration = Configuration(folder)
    for paper, _, assumption in configuration.assumptions("full"):
        assert assumption.varied is None or assumption.varied in configuration.choices(paper)
    for paper in configuration.papers():
        for claim in load_claims(folder, paper):
            assert not (claim.choices and claim.no_choices), claim.id


def test_a_design_is_checked_like_every_run():
    with pytest.raises(ConfigError, match="combinations"):
        parse(Readings, {"kind": "readings", "of": ["run"], "choices": ["rate"], "combinations": -1}, "file")
