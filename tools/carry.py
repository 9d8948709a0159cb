"""A run in progress as one file, to go on with it in another checkout: on another machine, or after this one.

    python tools/carry.py pack full run.tar.xz       in the checkout that holds the run
    python tools/carry.py unpack run.tar.xz          in a fresh one, at the same commit

The file holds what finished jobs have left in results/ and figures/, what trainings have saved, and what
Snakemake knows of them, times included. Data sets are not in it: `unpack` fetches and prepares them. With
--most, results above so many megabytes stay behind; what only finished jobs have read is not missed, and what
others read is computed again with all that rests on it, unless it is made in the fresh checkout before
`unpack`, to the same bytes. What was made by other code is computed again, as ever: records hold its digest.
"""

import argparse
import io
import json
import lzma
import math
import os
import subprocess
import sys
import tarfile
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterator
from pathlib import Path

from sgdiffusion.errors import DataError, UserError
from sgdiffusion.gallery.publish import digest

RECORDS, OPEN = Path(".snakemake/metadata"), Path(".snakemake/incomplete")
LEFT = "left-behind.json"


def made(records: Path) -> dict[str, Path]:
    """Snakemake's record of each output, by the output; a long name is cut into folders that begin with @."""
    names = {
        "".join(part.removeprefix("@") for part in path.relative_to(records).parts): path
        for path in sorted(records.rglob("*"))
        if path.is_file()
    }
    return {urlsafe_b64decode(name).decode(): path for name, path in names.items()}


def finished(root: Path, preset: str, at_work: Collection[Path]) -> Iterator[Path]:
    """The files in results/ and figures/, without the outputs of jobs at work."""
    for room in ("results", "figures"):
        for path in sorted(p for p in (root / room / preset).rglob("*") if p.is_file()):
            if not any(place in at_work for place in (path, *path.parents)):
                yield path


def records(root: Path, at_work: Collection[Path]) -> Iterator[Path]:
    """What Snakemake knows of the outputs that are there."""
    for output, record in made(root / RECORDS).items():
        if (root / output).exists() and root / output not in at_work:
            yield record


def data(root: Path) -> list[Path]:
    """What `fetch` and `prepare` have made."""
    return [*(root / "data/raw").glob("*/manifest.json"), *(root / "data/prepared").glob("*/*.*")]


def pack(root: Path, preset: str, target: Path, most: float) -> int:
    """Writes the file, whole or not at all; how many files it holds."""
    at_work = {root / output for output in made(root / OPEN)}
    there = list(finished(root, preset, at_work))
    if not there:
        raise DataError(f"{root}: no job of preset {preset} has finished here yet")
    large = {p for p in there if p.is_relative_to(root / "results") and p.stat().st_size > most * 1e6}
    carried = [path for path in (*there, *records(root, at_work)) if path not in large]
    left = {
        "times": {p.relative_to(root).as_posix(): p.stat().st_mtime_ns for p in (*data(root), *large)},
        "digests": {p.relative_to(root).as_posix(): digest(p) for p in large},
    }
    partial = target.with_name(target.name + ".part")
    with tarfile.open(partial, "w:xz") as archive:
        listed = json.dumps(left, indent=1).encode()
        info = tarfile.TarInfo(LEFT)
        info.size = len(listed)
        archive.addfile(info, io.BytesIO(listed))
        for path in carried:
            archive.add(path, path.relative_to(root).as_posix())
    partial.replace(target)
    return len(carried)


def unpack(root: Path, source: Path) -> int:
    """Lays the run out; how many files it holds. The data come first: Snakemake would date them as new."""
    try:
        with tarfile.open(source) as archive:
            left = json.load(archive.extractfile(LEFT) or io.BytesIO())
            members = [member for member in archive.getmembers() if member.name != LEFT]
            prepare(root, sorted(left["times"].keys() - left["digests"].keys()))
            for member in members:
                refuse_another(root, archive, member)
            archive.extractall(root, members, filter="data")
    except OSError as error:  # no such file, no right to write, no room
        raise DataError(f"{source}: cannot be laid out in {root} ({error})") from error
    except (tarfile.TarError, lzma.LZMAError, KeyError, ValueError, EOFError) as error:
        why = str(error).splitlines()[0]
        raise DataError(f"{source}: not a run that this tool packed ({why})") from error
    # data were verified when they were fetched; of results that were made again the bytes must be the same
    for name, sum_ in left["digests"].items():
        if (root / name).exists() and digest(root / name) != sum_:
            raise DataError(f"{name}: not the one that the run was made from")
    for name, time in left["times"].items():
        if (root / name).exists():
            os.utime(root / name, ns=(time, time))
    return len(members)


def refuse_another(root: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    """Tables and arrays of another run are not overwritten; records, which hold times, are."""
    path, found = root / member.name, archive.extractfile(member)
    computed = path.suffix in (".csv", ".parquet", ".npz", ".pt") and path.name != "metrics.csv"
    inside = member.name.startswith("results/")
    if inside and computed and path.exists() and found is not None and path.read_bytes() != found.read():
        raise DataError(f"{path} is of another run: unpack in a fresh checkout")


def prepare(root: Path, names: list[str]) -> None:
    """Has Snakemake fetch and prepare what is not there."""
    if missing := [name for name in names if not (root / name).exists()]:
        call = [sys.executable, "-m", "snakemake", "--cores", "all", *missing]
        if subprocess.run(call, cwd=root).returncode:
            raise DataError("the data could not be prepared (see above)")


def main() -> int:
    shown = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shown)
    verbs = parser.add_subparsers(required=True, dest="verb")
    packing = verbs.add_parser("pack")
    packing.add_argument("preset")
    packing.add_argument("file", type=Path)
    packing.add_argument("--most", type=float, default=math.inf, help="megabytes a result (default: any)")
    verbs.add_parser("unpack").add_argument("file", type=Path)
    words, root = parser.parse_args(), Path.cwd()
    try:
        if words.verb == "pack":
            count = pack(root, words.preset, words.file, words.most)
        else:
            count = unpack(root, words.file)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{words.file}: {count} files, {words.file.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
