"""The reference set in the repository: a finished preset's images, tables, numbers, page, report, records.

Nothing is published unless everything is there, made from a known commit, and small enough. What rests on
substitute data or was left out is named in a table with the reason.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sgdiffusion.errors import DataError
from sgdiffusion.gallery import costs
from sgdiffusion.gallery.files import read_json, read_verdicts
from sgdiffusion.gallery.images import web_image
from sgdiffusion.gallery.sources import steps
from sgdiffusion.provenance import read_record, substitute_note
from sgdiffusion.verdicts import markdown

MOST_MB = 20.0  # a set of figures as PDF and PNG, page, report, and a record of hundreds of jobs beside each
WHOLE = ("verdicts", "findings", "assumptions")  # tables of all papers
TABLE_ENDINGS = ("csv", "md", "tex", "json")
SINGLE = (
    "numbers.json",
    "numbers.tex",
    "items.json",
    "index.html",
    "index.json",
    "report.pdf",
    "report.json",
    "composite.png",
    "composite.json",
)


def folders(items: Mapping[str, Any]) -> dict[str, Any]:
    """Figures and tables by folder: those of each paper, and of none alone."""
    across = {"cross": items["across"]} if items.get("across") else {}
    return {**items["papers"], **across}


def expected(items: Mapping[str, Any]) -> Iterator[str]:
    """Every file of a published set, relative to the preset's folder."""
    yield from SINGLE
    yield from (f"{name}.{ending}" for name in WHOLE for ending in TABLE_ENDINGS)
    for paper, names in folders(items).items():
        endings = ("png", "pdf", "json")
        yield from (f"{paper}/{figure}.{ending}" for figure in names["figures"] for ending in endings)
        tables = [*names["tables"], *(["verdicts"] if paper in items["papers"] else [])]
        yield from (f"{paper}/{table}.{ending}" for table in tables for ending in TABLE_ENDINGS)
        curves = names.get("curves", [])
        yield from (f"{paper}/readings/{claim}.{ending}" for claim in curves for ending in ("png", "json"))
        if paper in items["papers"]:
            yield f"{paper}/readings.csv"


def records_of(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The records among the files of a set, by name."""
    read = {name: read_record(folder / name) for name in names if name.endswith(".json")}
    return {name: record for name, record in read.items() if record is not None}


def problems(folder: Path, names: list[str], records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What keeps a preset from being published: missing files, other code than one commit's."""
    found = [f"missing: {name}" for name in names if not (folder / name).is_file()]
    made = [step for step in steps(records) if "git" in step]
    for step in made:
        if step["git"]["commit"] is None:
            found.append(f"made outside of a checkout: {step['output']}")
        elif step["git"]["dirty"]:
            found.append(f"made from uncommitted code: {step['output']} (commit, make it again)")
    commits = {step["git"]["commit"] for step in made} - {None}
    if len(commits) > 1:
        found.append(f"made at {len(commits)} commits: {', '.join(sorted(c[:10] for c in commits))}")
    return found


def not_as_published(folder: Path, items: Mapping[str, Any]) -> pd.DataFrame:
    """Items left out, items that rest on substitute data or a smaller scale, claims that were not tested."""
    rows = [(entry["item"], entry["reason"]) for entry in items["left_out"]]
    for paper, names in folders(items).items():
        for name in (*names["figures"], *names["tables"]):
            record = read_record(folder / paper / f"{name}.json")
            if record is not None and (note := substitute_note(record)):
                rows.append((f"{paper}/{name}", note))
    claims = read_verdicts(folder / "verdicts.csv")
    untested = claims[claims["untested"] != ""]
    rows += [(f"{c['paper']}/claims/{c['claim']}", c["untested"]) for c in untested.to_dict("records")]
    return pd.DataFrame(rows, columns=["item", "reason"])


def publish(folder: Path, target: Path) -> list[str]:
    """Copies the set of figures/<preset>/ to `target`, whole or not at all; the names of its files."""
    partial, former = (target.with_name(target.name + ending) for ending in (".part", ".former"))
    if former.exists() and not target.exists():  # killed between the two renames below
        former.rename(target)
    items = read_json(folder / "items.json")
    names = sorted(expected(items))
    records = records_of(folder, names)
    if found := problems(folder, names, records.values()):
        raise DataError(f"{folder} cannot be published:\n  " + "\n  ".join(found))
    for left in (partial, former):
        shutil.rmtree(left, ignore_errors=True)
    names = copied(folder, partial, names)
    table = not_as_published(folder, items)
    table.to_csv(partial / "missing.csv", index=False)
    (partial / "missing.md").write_text(markdown(table), encoding="utf-8")
    names += ["missing.csv", "missing.md", *costs.write(records.values(), partial)]
    size = sum((partial / name).stat().st_size for name in names) / 1e6
    if size > MOST_MB:
        shutil.rmtree(partial)
        raise DataError(f"{folder} is too large: {size:.1f} MB, at most {MOST_MB:g} are published")
    manifest = {"preset": items["preset"], "files": {name: digest(partial / name) for name in names}}
    (partial / "published.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    if target.exists():
        target.rename(former)
    partial.rename(target)
    shutil.rmtree(former, ignore_errors=True)
    return names


def copied(folder: Path, target: Path, names: Iterable[str]) -> list[str]:
    """Copies the files, images for the screen, and gives the names that they have then.

    One job draws all specification curves of a paper: of their records, which tell the same, one is kept,
    as readings.json.
    """
    there = {}
    for name in names:
        there[re.sub(r"/readings/[^/]+\.json$", "/readings.json", name)] = name
    for kept, name in there.items():
        (target / kept).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            (target / kept).write_bytes(web_image(folder / name)[0])
        else:
            shutil.copyfile(folder / name, target / kept)
    return list(there)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
