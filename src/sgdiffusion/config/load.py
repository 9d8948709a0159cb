"""Reads config/: settings, presets, experiments resolved at a preset, and claims."""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from sgdiffusion.config.messages import config_error
from sgdiffusion.config.models import Claim, Preset, Settings, Strict, Substitutes, Training, Variants
from sgdiffusion.config.readings import Choice, ChoicesFile, Reading, Readings, put
from sgdiffusion.config.runs import experiments_of
from sgdiffusion.errors import ConfigError
from sgdiffusion.papers import PAPERS

Model = TypeVar("Model", bound=BaseModel)
MOST_VALUES, MOST_DEPTH = 200_000, 50  # of a file of configuration
SAFE = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's where it is, ten times as fast


class Claims(Strict):
    """config/<paper>/claims.yaml."""

    claims: list[Claim]


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, with a ConfigError where it is missing or malformed."""
    try:
        return _bounded(yaml.load(path.read_text(encoding="utf-8"), Loader=SAFE))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration file") from None
    except Exception as error:  # PyYAML has no one class for what a tag, a date or a number can be
        reason = " ".join(str(error).split())[:500] or type(error).__name__
        raise ConfigError(f"{path}: not valid YAML: {reason}") from None


def _bounded(content: Any) -> Any:
    """The content, unless aliases make it endless or far larger than it is written."""
    waiting, left = [(content, 0)], MOST_VALUES
    while waiting:
        part, depth = waiting.pop()
        left -= 1
        if left < 0 or depth > MOST_DEPTH:
            raise ValueError(f"more than {MOST_VALUES:,} values, aliases included, or {MOST_DEPTH} levels")
        if isinstance(part, str):
            part.encode()  # half a surrogate pair is no text, and makes pydantic panic
        inner = (*part, *part.values()) if isinstance(part, dict) else part if isinstance(part, list) else ()
        waiting += [(value, depth + 1) for value in inner]
    return content


def parse(model: type[Model], content: Any, source: str) -> Model:
    """`content` as `model`, or a ConfigError naming source and key path."""
    try:
        return model.model_validate(content if content is not None else {})
    except ValidationError as error:
        raise config_error(source, model, error) from None


def doubled(names: Iterable[str]) -> str:
    """The names that come more than once, in a sentence; empty if there are none."""
    return ", ".join(name for name, count in sorted(Counter(names).items()) if count > 1)


def unique_ids(entries: Iterable[Any], section: str) -> None:
    """A ConfigError where two entries of a section have the same id."""
    if names := doubled(entry.id for entry in entries):
        raise ConfigError(f"{section}.id: used more than once: {names}")


def parse_settings(content: dict[str, Any], source: str = "config/config.yaml (or --config)") -> Settings:
    return parse(Settings, content, source)


def load_claims(folder: Path, paper: str) -> list[Claim]:
    """The claims of one paper; ids must be unique, and the choices they depend on known."""
    path = folder / paper / "claims.yaml"
    claims = parse(Claims, read_yaml(path), str(path)).claims
    unique_ids(claims, f"{path}: claims")
    known = load_choices(folder, paper)
    for claim in claims:
        if unknown := sorted(set(claim.choices) - set(known)):
            there = ", ".join(known) or "none"
            raise ConfigError(
                f"{path}: {claim.id}.choices: found {unknown[0]!r}; choices of readings.yaml: {there}"
            )
    return claims


def load_choices(folder: Path, paper: str) -> dict[str, Choice]:
    """What a paper leaves open, by the choice's id; nothing where it has no readings.yaml."""
    path = folder / paper / "readings.yaml"
    return parse(ChoicesFile, read_yaml(path), str(path)).choices if path.exists() else {}


class Configuration:
    """Everything under config/, each file read once; runs resolved at a preset.

    `substitute` adds embedded sets to those the presets put in the place of real ones.
    `run("demo", "chaudhari2018", "small-fc")` is the experiment's entry with the preset's overrides.
    """

    def __init__(self, folder: Path, substitute: Substitutes | None = None):
        self.folder, self._substitute = folder, substitute or {}
        self._raw = {p: self._experiments(p) for p in self.papers()}
        self._presets = {p.stem: self._preset(p) for p in sorted((folder / "presets").glob("*.yaml"))}
        self._runs = {(n, p): self._resolve(n, p) for n in self._presets for p in self._raw}
        self._variants: dict[tuple[str, str, str], dict[str, Training]] = {}
        self._choices = {p: load_choices(folder, p) for p in self._raw}

    def papers(self) -> list[str]:
        return [p for p in PAPERS if (self.folder / p / "experiments.yaml").exists()]

    def presets(self) -> list[str]:
        return list(self._presets)

    def preset(self, name: str) -> Preset:
        if name not in self._presets:
            allowed = ", ".join(self._presets)
            raise ConfigError(
                f"preset: found {name!r}; allowed: {allowed} (one file each in {self.folder}/presets)"
            )
        return self._presets[name]

    def runs(self, preset: str, paper: str) -> dict[str, Any]:
        """All runs of one paper at a preset, by run id."""
        self.preset(preset)
        return self._runs[preset, paper]

    def run(self, preset: str, paper: str, run_id: str) -> Any:
        """A run's settings; <run>.<variant> is a variant of the training that the run varies."""
        runs = self.runs(preset, paper)
        family, _, variant = run_id.partition(".")
        if variant:
            varied = self.variants(preset, paper, family)
            runs = {f"{family}.{name}": t for name, t in varied.items()} or runs
        if run_id not in runs:
            raise ConfigError(f"{paper} has no run {run_id!r}; it has: {', '.join(runs)}")
        return runs[run_id]

    def variants(self, preset: str, paper: str, run_id: str) -> dict[str, Training]:
        """The trainings of a run that varies another, by the variant's name; none of any other run."""
        key = preset, paper, run_id
        if key not in self._variants:
            runs = self.runs(preset, paper)
            run = runs.get(run_id)
            self._variants[key] = _varied(f"{paper}/{run_id}", run, runs) if isinstance(run, Variants) else {}
        return self._variants[key]

    def choices(self, paper: str) -> dict[str, Choice]:
        """What a paper leaves open."""
        return self._choices[paper]

    def readings(self, preset: str, paper: str, run_id: str) -> list[Reading]:
        """The readings that a run of kind `readings` samples, the base first."""
        design = self.run(preset, paper, run_id)
        if not isinstance(design, Readings):
            raise ConfigError(f"{paper}/{run_id} is no design of readings but of kind {design.kind}")
        return design.sampled(self._choices[paper])

    def assumptions(self, preset: str) -> list[tuple[str, str, Any]]:
        """Every choice the papers leave open, as (paper, run, Assumption)."""
        return [
            (paper, run, assumption)
            for paper in self.papers()
            for run, settings in self.runs(preset, paper).items()
            for assumption in settings.assumptions
        ]

    def source_set(self, preset: str, name: str) -> str:
        """The set that stands for `name` at this preset: itself, or an embedded substitute."""
        return dict(self.preset(preset).substitute).get(name, name)  # type: ignore[call-overload]

    def prepared(self, preset: str, run: Training) -> str:
        """Path of the prepared arrays a training uses."""
        return f"data/prepared/{self.source_set(preset, run.data.set)}/{run.data.preparation}.npz"

    def _experiments(self, paper: str) -> dict[str, Any]:
        """The file as it is written, checked."""
        path = self.folder / paper / "experiments.yaml"
        content = read_yaml(path)
        parse(experiments_of(paper), content, str(path))
        return dict(content)

    def _preset(self, path: Path) -> Preset:
        preset = parse(Preset, read_yaml(path), str(path))
        for i, override in enumerate(preset.overrides):
            paper, run_id = override.run.split("/")
            if run_id not in self._raw.get(paper, {"runs": {}})["runs"]:
                names = ", ".join(f"{p}/{r}" for p in self._raw for r in self._raw[p]["runs"])
                raise ConfigError(f"{path}: overrides.{i}.run: found {override.run!r}; allowed: {names}")
        return preset.model_copy(update={"substitute": {**self._substitute, **preset.substitute}})

    def _resolve(self, preset: str, paper: str) -> dict[str, Any]:
        content = copy.deepcopy(self._raw[paper])
        source = str(self.folder / paper / "experiments.yaml")
        for i, override in enumerate(self.preset(preset).overrides):
            of_paper, run_id = override.run.split("/")
            if of_paper != paper:
                continue
            source = f"{self.folder / 'presets' / preset}.yaml: overrides.{i}"
            for dotted, value in override.set.items():
                put(content["runs"][run_id], dotted, value, source)
            parse(experiments_of(paper), content, source)
        return dict(parse(experiments_of(paper), content, source).runs)  # type: ignore[attr-defined]


def _varied(name: str, run: Variants, runs: Mapping[str, Any]) -> dict[str, Training]:
    """The trainings of a run that varies another."""
    varied = runs.get(run.of)
    if not isinstance(varied, Training):
        trainings = ", ".join(n for n, r in runs.items() if isinstance(r, Training))
        raise ConfigError(f"{name}.of: found {run.of!r}; the trainings are: {trainings}")
    try:
        return run.trainings(varied)
    except ValidationError as error:
        raise config_error(f"{name}.changes", Training, error) from None
    except (LookupError, TypeError) as error:
        raise ConfigError(f"{name}.changes: a training has no section {error}") from None


def config_digest(*parts: Any) -> str:
    """sha256 of settings (models or plain values), blind to key order."""

    def plain(part: Any) -> Any:
        if isinstance(part, BaseModel):
            return part.model_dump(mode="json")
        raise TypeError(f"settings hold no {type(part).__name__}")

    text = json.dumps(parts, sort_keys=True, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()
