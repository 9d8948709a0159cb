"""The map from every claim to what shows it, the studies behind that and their functions."""

import functools
import re
from collections.abc import Iterator, Mapping

from generate.published import CONFIG, ROOT, anchor, gallery_link, ids_of_gallery, quantities, verdict
from generate.text import escaped
from sgdiffusion.config import Configuration, load_claims
from sgdiffusion.config.models import Claim
from sgdiffusion.config.texts import Texts, load_texts
from sgdiffusion.papers import PAPERS
from sgdiffusion.papers.items import Plan, Registry, Study, located, registries, rule_name
from sgdiffusion.verdicts.words import bounds, with_interval

PRESET = "full"
NATURES = {
    "construction": "true by construction",
    "implementation": "a check of our code",
    "project": "stated by this project",
}


@functools.cache
def papers() -> dict[str, Registry]:
    return registries()


@functools.cache
def configuration() -> Configuration:
    return Configuration(CONFIG)


@functools.cache
def all_claims() -> dict[str, list[Claim]]:
    return {p: load_claims(CONFIG, p) for p in PAPERS}


@functools.cache
def texts_of(paper: str) -> Texts:
    return load_texts(CONFIG, paper)


@functools.cache
def plan(paper: str, wildcards: tuple[tuple[str, str], ...] = ()) -> Plan:
    """What the entries of a registry may ask of the configuration, at full scale."""
    given = {"preset": PRESET, **dict(wildcards)}
    return Plan(paper, PRESET, given, configuration(), all_claims(), lambda item: True)


def pattern(output: str, paper: str, where: Mapping[str, str]) -> str:
    """The regular expression of an output's path, a group for each wildcard."""
    seen: set[str] = set()
    regular = ""
    for i, part in enumerate(re.split(r"\{(\w+)\}", located(output, paper))):
        if i % 2 == 0:
            regular += re.escape(part)
        elif part in seen:
            regular += f"(?P={part})"
        else:
            seen.add(part)
            regular += f"(?P<{part}>{where.get(part, '[a-z0-9.-]+')})"
    return regular


@functools.cache
def maker(path: str) -> tuple[str, str, Study, dict[str, str]] | None:
    """Paper, name and study that makes a file of results, with its wildcards; None of prepared data."""
    for paper, registry in papers().items():
        for name, study in registry.studies.items():
            for output in study.outputs.values():
                if found := re.fullmatch(pattern(output, paper, study.where), path):
                    return paper, name, study, found.groupdict()
    return None


def studies(path: str) -> Iterator[tuple[str, str]]:
    """Rule and function of every study that a file needs, the last one first."""
    if (found := maker(path)) is None:
        return
    paper, name, study, wildcards = found
    yield rule_name(paper, name, study), whole(paper, study.function)
    files = plan(paper, tuple(sorted(wildcards.items()))).files(study.inputs)
    for given in files.values():
        for needed in [given] if isinstance(given, str) else given[:1]:  # of all seeds one is enough
            yield from studies(needed)


def shown_in(paper: str, claim: Claim) -> dict[str, str]:
    """Figures and tables that bear on a claim, each with the function that makes it."""
    texts, registry = texts_of(paper), papers()[paper]
    told = {n: c.claims for n, c in {**texts.figures, **texts.tables}.items()}
    entries = {**registry.figures, **registry.tables, **registry.optional}
    bears = [n for n in entries if claim.id.startswith(f"{n}-") or claim.id in told.get(n, ())]
    rooms = {n: "figures." if n in registry.figures else "" for n in bears}
    return {n: f"{registry.package}.{rooms[n]}{entries[n].function}" for n in bears}


def behind(paper: str, items: Mapping[str, str], claim: Claim) -> dict[str, str]:
    """Studies behind a claim, rule → function: those of what shows it and of its own runs."""
    registry = papers()[paper]
    found: dict[str, str] = {}
    entries = {**registry.figures, **registry.tables, **registry.optional}
    for name in items:
        for given in plan(paper).files(entries[name].tables).values():
            for path in [given] if isinstance(given, str) else given[:1]:
                found |= dict(studies(path))
    return found or dict(_of_quantities(paper, claim))


def _of_quantities(paper: str, claim: Claim) -> Iterator[tuple[str, str]]:
    """Of a claim that nothing shows: studies whose table, or whose module, has its numbers' first name."""
    first = {region.quantity.split(".")[0] for region in claim.accept}
    for study in papers()[paper].studies.values():
        for output in study.outputs.values():
            if not output.startswith("quantities/") or "{" in output:  # "{": one table for each run
                continue
            table = output.removeprefix("quantities/").removesuffix(".csv")
            if any(f.startswith(table) or f'"{f}.' in source(paper, study) for f in first):
                yield from studies(f"results/{PRESET}/{paper}/{output}")


@functools.cache
def sources(module: str) -> str:
    """The text of a module of the package."""
    return (ROOT / "src" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def source(paper: str, study: Study) -> str:
    """The text of the module that a study's function is in."""
    return sources(whole(paper, study.function).partition(":")[0])


def whole(paper: str, function: str) -> str:
    """A function of the registry as "package.module:function"."""
    return function if function.startswith("sgdiffusion.") else f"{papers()[paper].package}.{function}"


def source_link(function: str) -> str:
    """A function's module, as a path of the repository."""
    module, _, name = function.partition(":")
    return f"`{name}` in `{'src/' + module.replace('.', '/')}.py`"


def entry(paper: str, claim: Claim) -> str:
    """What is known of one claim."""
    measured, items = quantities(paper), shown_in(paper, claim)
    aside = f" ({NATURES[claim.nature]}: not counted)" if claim.nature in NATURES else ""
    lines = [
        f"({anchor(paper, claim.id)})=\n\n## {claim.id}\n",
        f"**{verdict(paper, claim.id)}**{aside}. {escaped(claim.source)}: {escaped(claim.statement)}.\n",
        f"- Published: {escaped(claim.published)}",
    ]
    for region in claim.accept:
        value = (
            escaped(with_interval(measured[region.quantity]))
            if region.quantity in measured
            else "not in the reference set"
        )
        lines.append(f"- Measured: `{region.quantity}` = {value}, accepted {bounds(region)}")
    lines.append(f"- Why this region: {escaped(claim.reason)}")
    if claim.choices:
        lines.append(f"- Open choices: {escaped(', '.join(claim.choices))}")
    links = ids_of_gallery()
    for name, function in items.items():
        shown = gallery_link(name, f"{paper}-{name}") if f"{paper}-{name}" in links else name
        lines.append(f"- Shown in {shown}: {source_link(function)}")
    lines += [f"- Study `{rule}`: {source_link(f)}" for rule, f in behind(paper, items, claim).items()]
    return "\n".join(lines)


def claim_map(paper: str) -> str:
    """Every claim of a paper, from config/<paper>/claims.yaml to the functions behind it."""
    return "\n\n".join(entry(paper, claim) for claim in all_claims()[paper])
