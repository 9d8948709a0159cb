"""The registries: every entry names what exists, inputs and outputs fit together, all is documented."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.config.texts import load_captions, load_texts
from sgdiffusion.papers import PAPERS
from sgdiffusion.papers.items import CROSS, Plan, located, record_of, registries, rule_name
from sgdiffusion.papers.task import Task
from sgdiffusion.provenance import Code

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
REGISTRIES = registries()
STUDIES = [(p, n) for p, registry in REGISTRIES.items() for n in registry.studies]
CODE = Code(ROOT / "src")
ITEMS = [
    (p, kind, n)
    for p, registry in REGISTRIES.items()
    for kind in ("figures", "tables", "optional")
    for n in getattr(registry, kind)
]


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return Configuration(CONFIG)


def plan(configuration: Configuration, paper: str, **wildcards: str) -> Plan:
    claims = {p: load_claims(CONFIG, p) for p in PAPERS}
    return Plan(paper, "smoke", {"preset": "smoke", **wildcards}, configuration, claims, lambda item: True)


def named(paper: str, entry: str, room: str = ""):
    prefix = "" if entry.startswith("sgdiffusion.") else f"sgdiffusion.papers.{paper}.{room}"
    module, name = (prefix + entry).split(":")
    return getattr(import_module(module), name)


TRAINERS = {
    ("sgdiffusion.dynamics.ensembles.ensemble", "train"),
    ("sgdiffusion.dynamics.training.trainer", "train"),
    ("sgdiffusion.dynamics.training.fused_fc", "train"),
    ("sgdiffusion.dynamics.training.finetuning", "finetune"),
}


@pytest.mark.parametrize(("paper", "name"), STUDIES)
def test_networks_are_trained_by_jobs_that_only_train(paper: str, name: str):
    """So an edit of what measures never trains anew, and an edit of what trains is seen by its name."""
    study = REGISTRIES[paper].studies[name]
    room = "" if study.function.startswith("sgdiffusion.") else f"sgdiffusion.papers.{paper}."
    trains = bool(CODE.closure(room + study.function) & TRAINERS)
    assert trains == (study.verb == "train")


@pytest.mark.parametrize(("paper", "name"), STUDIES)
def test_a_study_is_a_function_of_what_it_is_given(paper: str, name: str):
    study = REGISTRIES[paper].studies[name]
    function = named(paper, study.function)
    if study.model:
        model = named(paper, study.model)
        names = set(model.model_fields) - model.apart
        inspect.signature(function).bind(**dict.fromkeys([*names, "seed", "threads"]))
        return
    hints = get_type_hints(function)
    assert hints["task"] is Task
    assert set(study.settings) <= set(hints)
    inputs = [] if callable(study.inputs) else list(study.inputs)
    if not callable(study.inputs):
        inspect.signature(function).bind(None, **dict.fromkeys([*study.settings, *inputs]))


@pytest.mark.parametrize(("paper", "kind", "name"), ITEMS)
def test_an_item_is_a_function_of_its_tables(configuration, paper: str, kind: str, name: str):
    item = getattr(REGISTRIES[paper], kind)[name]
    function = named(paper, item.function, "figures." if kind == "figures" else "")
    asked = plan(configuration, paper)
    tables = dict(item.tables(asked)) if callable(item.tables) else item.tables
    inspect.signature(function).bind(**dict.fromkeys([*tables, *item.arguments(asked)]))


def matches(path: str, registry_of: str, study) -> bool:
    """Whether a study of a registry makes the file."""
    for pattern in study.outputs.values():
        known = {w: rf"(?P<{w}>{rule})" for w, rule in {"preset": "[a-z]+", **study.where}.items()}
        parts = re.split(r"\{(\w+)\}", located(pattern, registry_of))
        seen: set[str] = set()
        regular = ""
        for i, part in enumerate(parts):
            if i % 2 == 0:
                regular += re.escape(part)
            elif part in seen:
                regular += f"(?P={part})"
            else:
                regular += known.get(part, rf"(?P<{part}>[a-z0-9.-]+)")
                seen.add(part)
        if re.fullmatch(regular, path):
            return True
    return False


@pytest.mark.parametrize(
    ("run", "study"),
    [
        ("tiny-fc", "train-trajectory"),
        ("tiny-fc-variants.batch-32", "train-trajectory-variant"),
        ("tiny-fc-wide", "train-network"),
        ("small-fc-variants.batch-32", "train-network"),
    ],
)
def test_each_run_has_one_study_that_trains_it(run: str, study: str):
    path = f"results/smoke/chaudhari2018/{run}/seed-0/metrics.csv"
    studies = REGISTRIES["chaudhari2018"].studies
    assert [
        name for name, s in studies.items() if s.verb == "train" and matches(path, "chaudhari2018", s)
    ] == [study]


@pytest.mark.parametrize(("paper", "kind", "name"), ITEMS)
def test_exactly_one_study_makes_each_table_that_is_shown(configuration, paper: str, kind: str, name: str):
    item = getattr(REGISTRIES[paper], kind)[name]
    for given in plan(configuration, paper).files(item.tables).values():
        for path in [given] if isinstance(given, str) else given:
            makers = [
                (p, n) for p, r in REGISTRIES.items() for n, s in r.studies.items() if matches(path, p, s)
            ]
            assert len(makers) == 1, (path, makers)


@pytest.mark.parametrize("paper", REGISTRIES)
def test_each_table_of_quantities_is_made_by_one_study(paper: str):
    registry = REGISTRIES[paper]
    for name in registry.quantities:
        path = f"results/smoke/{paper}/quantities/{name}.csv"
        assert sum(matches(path, paper, s) for s in registry.studies.values()) == 1, name


def test_every_run_is_carried_out_by_a_study_or_varies_a_training(configuration):
    for paper in PAPERS:
        studies = REGISTRIES[paper].studies.values()
        carried = {study.run for study in studies}
        patterns = [study.where["run"] for study in studies if study.run == "{run}"]
        for run_id, run in configuration.runs("full", paper).items():
            matched = any(re.fullmatch(pattern, run_id) for pattern in patterns)
            assert matched or run_id in carried or run.kind in ("variants", "minibatch-noise", "readings"), (
                run_id
            )


@pytest.mark.parametrize(("paper", "name"), STUDIES)
def test_outputs_do_not_share_a_record(paper: str, name: str):
    records = [record_of(path) for path in REGISTRIES[paper].studies[name].outputs.values()]
    kept = [record for record in records if record]
    assert len(kept) == len(set(kept))


@pytest.mark.parametrize("paper", REGISTRIES)
def test_every_figure_and_table_has_its_words(paper: str):
    registry = REGISTRIES[paper]
    texts = load_captions(CONFIG) if paper == CROSS else load_texts(CONFIG, paper)
    assert set(texts.figures) == set(registry.figures)
    assert set(texts.tables) == {*registry.tables}


def test_the_gpu_profile_names_the_studies_that_gain_from_one():
    profile = yaml.safe_load((ROOT / "profiles/gpu/config.yaml").read_text())
    gaining = {rule_name(p, n, s) for p, r in REGISTRIES.items() for n, s in r.studies.items() if s.gpu}
    assert set(profile["set-resources"]) == gaining
