"""Configuration: what is accepted, and that each mistake gives one message with file, key, found, allowed."""

import shutil
from pathlib import Path

import pytest
import yaml

from sgdiffusion.config import Configuration, load_claims, parse_settings
from sgdiffusion.config.load import config_digest
from sgdiffusion.config.models import Region, Training, Variants
from sgdiffusion.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def edit(path: Path, change) -> None:
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def test_shipped_configuration_is_valid_and_has_its_presets():
    configuration = Configuration(ROOT / "config")
    assert set(configuration.presets()) == {"full", "demo", "smoke", "table1-small"}
    for paper in configuration.papers():
        assert load_claims(ROOT / "config", paper)


def test_full_preset_changes_nothing():
    configuration = Configuration(ROOT / "config")
    assert configuration.preset("full").substitute == {}
    assert configuration.preset("full").overrides == []


SCALE_FIELDS = {  # what a shipped preset may change: amounts, never the science
    "data_sets",
    "epochs", "seeds", "data.n_train", "data.n_test", "chains", "steps", "span", "records", "draws",
    "linear_records", "regression_records", "repeats", "snapshots", "autocorrelations", "potential_records",
    "training.nets", "training.steps", "training.late_nets", "training.late_snapshots",
    "coefficients.chains", "coefficients.draws", "coefficients.burn_in", "coefficients.batch_size",
    "coefficients.every",
    "along.draws", "along.burn_in",
    *(f"posteriors.{p}.{k}" for p in ("local", "global") for k in ("starts", "draws", "burn_in", "every")),
    "descents.steps", "laws.resamples", "training.lengths",
    "readings_nets", "readings_every", "readings_chains",
    "choices", "combinations", "values",  # of a design of readings: how many
    "only", "n_train",  # of the variants of a training: which, on how many images
    "networks", "context", "training.batch_size",
    "design.widths", "design.depths", "design.batch_sizes", "design.rates_per_cell",
}  # fmt: skip


def test_shipped_presets_change_scale_only():
    configuration = Configuration(ROOT / "config")
    changed = {
        key for name in configuration.presets() for o in configuration.preset(name).overrides for key in o.set
    }
    not_scale = {k for k in changed if k not in SCALE_FIELDS and not k.split(".")[-1].startswith("n_")}
    assert not not_scale, "an amount that no other run has: name it in SCALE_FIELDS"


def test_override_applies_to_its_preset_alone(folder: Path):
    configuration = Configuration(folder)
    full, smoke = (configuration.run(p, "chaudhari2018", "small-fc") for p in ("full", "smoke"))
    assert isinstance(full, Training)
    assert smoke.epochs < full.epochs
    assert smoke.schedule == full.schedule


def test_substitutes_stand_in_for_real_sets():
    configuration = Configuration(ROOT / "config")
    run = configuration.run("full", "chaudhari2018", "small-fc")
    assert configuration.prepared("full", run) == "data/prepared/mnist/pool7.npz"
    assert configuration.prepared("demo", run) == "data/prepared/digits/pool7.npz"


def test_readers_substitutes_join_the_presets_own():
    configuration = Configuration(ROOT / "config", {"cifar100": "textures100"})
    run = configuration.run("full", "chaudhari2018", "small-allcnn-cifar100")
    assert configuration.prepared("full", run) == "data/prepared/textures100/gcn-zca.npz"
    assert configuration.preset("full").substitute == {"cifar100": "textures100"}
    assert configuration.source_set("full", "cifar10") == "cifar10"
    assert configuration.source_set("demo", "cifar10") == "textures10"


def bad_override(**override):
    return lambda c: c["overrides"].append({"run": "chaudhari2018/small-fc", "reason": "r", **override})


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"].update(epochz=5),
            [
                "chaudhari2018/experiments.yaml",
                "runs.small-fc",
                "epochz: unknown key",
                "5",
                "epochs",
                "batch_size",
            ],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"].update(epochs="many"),
            ["runs.small-fc", "epochs: found 'many'", "integer"],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"].update(kind="trainings"),
            ["runs.small-fc", "'training'"],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"]["network"].update(width=3),
            ["network.width: unknown key", "allowed here: dropout, init, name"],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"].pop("batch_size"),
            ["runs.small-fc", "batch_size: required"],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"]["schedule"][0].update(rat=1.0),
            ["schedule.0.rat: unknown key", "allowed here: rate, to, until"],
        ),
        (
            "chaudhari2018/experiments.yaml",
            lambda c: c["runs"]["small-fc"].update(checkpoints=[0.4, 0.2, 1.0]),
            ["checkpoints must increase"],
        ),
        (
            "presets/demo.yaml",
            lambda c: c.update(substitution={}),
            ["presets/demo.yaml", "substitution: unknown key", "substitute"],
        ),
        (
            "presets/demo.yaml",
            lambda c: c["substitute"].update(mnist="fashion"),
            ["substitute.mnist", "'fashion'", "digits"],
        ),
        (
            "presets/demo.yaml",
            lambda c: c["overrides"][0].update(run="chaudhari2018/small-fx"),
            ["overrides.0.run", "small-fx", "chaudhari2018/small-fc"],
        ),
        (
            "presets/demo.yaml",
            bad_override(set={"epochz": 3}),
            ["presets/demo.yaml: overrides.", "epochz: unknown key", "epochs"],
        ),
        (
            "presets/demo.yaml",
            bad_override(set={"epochs.deep": 3}),
            ["overrides.", "epochs is not a section"],
        ),
    ],
)
def test_mistakes_are_named(folder: Path, file: str, change, expected: list[str]):
    edit(folder / file, change)
    with pytest.raises(ConfigError) as error:
        Configuration(folder)
    for part in expected:
        assert part in str(error.value)


def test_malformed_and_missing_files(folder: Path):
    (folder / "presets/demo.yaml").write_text("a: [1")
    with pytest.raises(ConfigError, match=r"demo\.yaml: not valid YAML"):
        Configuration(folder)
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_claims(folder, "nobody2030")


def test_unknown_names_list_what_is_there():
    configuration = Configuration(ROOT / "config")
    with pytest.raises(ConfigError, match=r"found 'huge'; allowed: demo, full, smoke"):
        configuration.preset("huge")
    with pytest.raises(ConfigError, match=r"no run 'nothing'; it has: .*small-fc"):
        configuration.run("full", "chaudhari2018", "nothing")


def test_settings_refuse_unknown_keys():
    with pytest.raises(
        ConfigError, match=r"mirrors: unknown key .*: left_out, mirror, preset, root_seed, sub"
    ):
        parse_settings({"mirrors": "/data"})
    assert parse_settings({}).preset == "full"


def claim(**changes):
    region = {"quantity": "q", "low": 0.0, "high": 1.0}
    base = {"id": "a", "source": "Fig 1", "statement": "s", "kind": "number", "published": "1", "reason": "r"}
    return {**base, "accept": [region], **changes}


def test_claims_need_unique_ids_and_a_bound(folder: Path):
    path = folder / "chaudhari2018/claims.yaml"
    path.write_text(yaml.safe_dump({"claims": [claim(), claim()]}))
    with pytest.raises(ConfigError, match="used more than once: a"):
        load_claims(folder, "chaudhari2018")
    with pytest.raises(ValueError, match="accepts everything"):
        Region(quantity="q")
    with pytest.raises(ValueError, match=r"low 2\.0 is above high 1\.0"):
        Region(quantity="q", low=2.0, high=1.0)


def test_config_digest_sees_values_not_order():
    assert config_digest({"a": 1, "b": 2}) == config_digest({"b": 2, "a": 1})
    assert config_digest({"a": 1}) != config_digest({"a": 2})


def test_variants_of_the_trajectory_keep_its_burn_in():
    runs = Configuration(ROOT / "config").runs("full", "chaudhari2018")
    trainings = runs["tiny-fc-variants"].trainings(runs["tiny-fc"])
    assert len(trainings) == 7
    assert {t.burn_in for t in (runs["tiny-fc"], *trainings.values())} == {1000}


@pytest.mark.parametrize("name", ["tiny-fc", "small-fc"])
def test_variants_differ_in_one_setting_each(name: str):
    runs = Configuration(ROOT / "config").runs("full", "chaudhari2018")
    trainings = runs[f"{name}-variants"].trainings(runs[name])
    unchanged = trainings.pop("unchanged")
    assert unchanged.batch_size == runs[name].batch_size
    assert len(trainings) > 4
    for training in trainings.values():
        assert len([k for k, v in training if v != getattr(unchanged, k)]) == 1


def test_variants_of_a_run_without_own_length_keep_the_runs():
    runs = Configuration(ROOT / "config").runs("full", "chaudhari2018")
    unchanged = runs["small-fc-variants"].trainings(runs["small-fc"])["unchanged"]
    kept = {"seeds", "assumptions"}
    assert unchanged.model_dump(exclude=kept) == runs["small-fc"].model_dump(exclude=kept)


def variants(**changes) -> Variants:
    content = {"kind": "variants", "of": "small-fc", "seeds": 2, "changes": {"decay": {}}, **changes}
    return Variants.model_validate(content)


def test_variants_change_a_section_field_by_field_on_as_many_images_as_are_asked_for():
    run = Configuration(ROOT / "config").run("full", "chaudhari2018", "small-fc")
    changes = {"decay": {"optimiser": {"weight_decay": 0.1}}, "grey": {"data": {"preparation": "full"}}}
    found = variants(n_train=500, changes=changes).trainings(run)
    assert list(found) == ["unchanged", "decay", "grey"]
    assert found["decay"].optimiser.momentum == run.optimiser.momentum
    assert found["decay"].optimiser.weight_decay == 0.1
    assert found["grey"].data.model_dump() == {
        "set": "mnist",
        "preparation": "full",
        "n_train": 500,
        "n_test": None,
    }
    assert found["unchanged"].data.n_train == 500


def test_only_the_named_variants_are_trained():
    run = Configuration(ROOT / "config").run("full", "chaudhari2018", "small-fc")
    assert list(variants(only=["decay"]).trainings(run)) == ["decay"]
    with pytest.raises(ValueError, match="no variant 'rate'; there are unchanged, decay"):
        variants(only=["rate"])
