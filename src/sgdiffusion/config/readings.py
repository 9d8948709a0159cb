"""Readings of a paper: the admissible values of each choice it leaves open, and a design that samples them.

config/<paper>/readings.yaml names every open choice, its base value and the others, each with its ground. A
run of kind `readings` says which choices are varied together; a reading is one assignment of values to them.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sgdiffusion.config.models import Assumption, Strict, Text
from sgdiffusion.errors import ConfigError
from sgdiffusion.streams import generator

BASE = "base"  # the name of the reading that changes nothing
ChoiceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
ValueName = Annotated[str, Field(pattern=r"^[^=;\s]+$")]


class Value(Strict):
    """One admissible value of a choice."""

    ground: Text = Field(description="why it is admissible: the text, the authors' other papers, practice")
    set: dict[str, Any] = Field(
        default={}, description="dotted fields of the runs' settings and their values"
    )


class Choice(Strict):
    """Something that the paper leaves open."""

    open: Text = Field(description="what the paper does not say")
    base: ValueName = Field(description="the value at which everything else is measured")
    values: dict[ValueName, Value] = Field(min_length=2)

    @model_validator(mode="after")
    def _based(self) -> "Choice":
        if self.base not in self.values:
            raise ValueError(f"base {self.base!r} is none of the values {', '.join(self.values)}")
        if self.values[self.base].set:
            raise ValueError(f"the base value {self.base!r} changes settings: make them the run's own")
        return self


class ChoicesFile(Strict):
    """config/<paper>/readings.yaml."""

    choices: dict[ChoiceId, Choice] = {}


class Reading(Strict):
    """One assignment of values to choices; `name` is "base" or "choice=value;choice=value"."""

    name: Text
    values: dict[str, str] = Field(description="value of every choice of the design")
    set: dict[str, Any] = Field(description="what that changes in the settings of a run")

    def applied(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a run under this reading."""
        changed = copy.deepcopy(dict(settings))
        for dotted, value in self.set.items():
            put(changed, dotted, value, f"reading {self.name}")
        return changed


class Readings(Strict):
    """A design of readings: each choice changed alone, and combinations in which values are balanced."""

    kind: Literal["readings"]
    of: list[Text] = Field(min_length=1, description="the runs that are varied")
    choices: list[ChoiceId] = Field(min_length=1)
    combinations: Annotated[int, Field(ge=0)] = Field(
        0, description="readings that draw every choice at random, each value equally often"
    )
    values: dict[ChoiceId, list[ValueName]] = Field(
        default={}, description="choices of which only some values are sampled"
    )
    assumptions: list[Assumption] = []

    def sampled(self, choices: Mapping[str, Choice]) -> list[Reading]:
        """The readings of the design, the base first, none twice."""
        admitted = {c: self._admitted(c, choices) for c in self.choices}
        base = {c: choices[c].base for c in self.choices}
        alone = [{**base, c: v} for c in self.choices for v in admitted[c] if v != base[c]]
        found = {reading_name(a, base): a for a in [base, *alone, *self._combined(admitted)]}
        return [Reading(name=n, values=a, set=_changes(a, choices)) for n, a in found.items()]

    def _admitted(self, choice: str, choices: Mapping[str, Choice]) -> list[str]:
        if choice not in choices:
            raise ConfigError(f"no choice {choice!r} in readings.yaml; there are: {', '.join(choices)}")
        known, chosen = list(choices[choice].values), self.values.get(choice)
        if chosen and (unknown := sorted(set(chosen) - set(known))):
            raise ConfigError(f"choice {choice} has no value {unknown[0]!r}; it has: {', '.join(known)}")
        return [v for v in known if chosen is None or v in chosen]

    def _combined(self, admitted: Mapping[str, list[str]]) -> Iterable[dict[str, str]]:
        """A balanced random design: each column holds its values equally often, in an order of its own."""
        columns = {}
        for choice, values in admitted.items():
            column = [values[i % len(values)] for i in range(self.combinations)]
            columns[choice] = generator(0, "readings", choice).permutation(column)
        return [{c: str(columns[c][i]) for c in admitted} for i in range(self.combinations)]


def reading_name(values: Mapping[str, str], base: Mapping[str, str]) -> str:
    """ "base", or the choices that differ from it."""
    return ";".join(f"{c}={v}" for c, v in values.items() if v != base[c]) or BASE


def changed_choices(name: str) -> dict[str, str]:
    """The choices that a reading changes and their values, from its name."""
    return {} if name == BASE else dict(part.split("=", 1) for part in name.split(";"))


def _changes(values: Mapping[str, str], choices: Mapping[str, Choice]) -> dict[str, Any]:
    return {k: v for c, name in values.items() for k, v in choices[c].values[name].set.items()}


def put(entry: dict[str, Any], dotted: str, value: Any, source: str) -> None:
    """entry["a"]["b"] = value for dotted = "a.b"; the keys must be there or be checked later."""
    *parents, last = dotted.split(".")
    for part in parents:
        entry = entry.setdefault(part, {})
        if not isinstance(entry, dict):
            raise ConfigError(f"{source}: set.{dotted}: {part} is not a section of the run")
    entry[last] = value
