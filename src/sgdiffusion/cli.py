"""The command `sgdiffusion`: measurements of a network of one's own, and the replication's (`artifact`).

Exit status: 0 done, 1 an error of the user, in one line, 2 a wrong call, 3 done, but flagged unreliable.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sgdiffusion.config.generate import default_config
from sgdiffusion.config.texts import texts_of_papers
from sgdiffusion.errors import DataError, UserError
from sgdiffusion.gallery import compare, costs, numbers, publish, readme
from sgdiffusion.library import arguments

FIGURES, REFERENCE = Path("figures"), Path("figures/reference")


def write_config(root: Path) -> int:
    """Writes the default configuration from its model."""
    path = root / "config" / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(default_config(), encoding="utf-8")
    print(path)
    return 0


def write_reference(preset: str) -> int:
    """Publishes figures/<preset>/ as the reference set."""
    names = publish.publish(FIGURES / preset, REFERENCE)
    size = sum((REFERENCE / name).stat().st_size for name in names) / 1e6
    print(f"{REFERENCE}: {len(names)} files, {size:.1f} MB")
    return 0


def write_costs(preset: str) -> int:
    """Writes the tables and the picture of a run's costs, finished or not, and prints them in words."""
    folder = FIGURES / preset
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*.json"))]
    if not (records := publish.records_of(folder, names)):
        raise DataError(f"{folder} has no records: nothing of preset {preset} was made yet")
    costs.write(records.values(), folder)
    print((folder / "costs.md").read_text(encoding="utf-8"))
    return 0


def write_readme() -> int:
    """Renews the part of README.md that shows the reference set."""
    readme.renew(Path("README.md"), REFERENCE, texts_of_papers(Path("config")))
    return 0


def compare_runs(preset: str) -> int:
    """Compares figures/<preset>/ with the reference set; 1 if a difference survives the correction."""
    runs = [numbers.read(folder / "numbers.json") for folder in (FIGURES / preset, REFERENCE)]
    rows = compare.compare(*runs)
    print(compare.report(rows, f"{REFERENCE} (preset {runs[1]['preset']})"))
    return int(any(row.alarm for row in rows))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="sgdiffusion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(required=True, metavar="command")
    arguments.add_commands(commands)
    group = commands.add_parser("artifact", help="what the replication's Makefile calls")
    _add_artifact(group.add_subparsers(required=True, metavar="command"))
    return top


def _add_artifact(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    config = commands.add_parser("config", help="write config/config.yaml")
    config.add_argument("--root", type=Path, default=Path(), help="the repository's root (default: here)")
    config.set_defaults(call=lambda chosen: write_config(chosen.root))
    for name, call, words in (
        ("publish", write_reference, "copy a finished preset to figures/reference"),
        ("costs", write_costs, "where a preset's time and memory went"),
        ("compare", compare_runs, "where a preset's numbers differ from the reference's"),
    ):
        command = commands.add_parser(name, help=words)
        command.add_argument("--preset", default="full", help="default: full")
        command.set_defaults(call=lambda chosen, call=call: call(chosen.preset))
    renew = commands.add_parser("readme", help="renew the generated part of README.md")
    renew.set_defaults(call=lambda _: write_readme())


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; a UserError becomes its message and exit status 1."""
    chosen = parser().parse_args(words)
    try:
        return int(chosen.call(chosen))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
