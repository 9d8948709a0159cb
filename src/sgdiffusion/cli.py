"""The command `sgdiffusion`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sgdiffusion.config.generate import generated_files
from sgdiffusion.errors import UserError


def write_config(root: Path) -> None:
    """Writes the default configuration and the JSON schemas from their models."""
    for name, content in generated_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        print(path)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="sgdiffusion", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="command")
    config = commands.add_parser("config", help="write config/config.yaml and the JSON schemas")
    config.add_argument("--root", type=Path, default=Path(), help="the repository's root (default: here)")
    config.set_defaults(call=lambda arguments: write_config(arguments.root))
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Runs one command; a UserError becomes its message and exit status 1."""
    arguments = parser().parse_args(words)
    try:
        arguments.call(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
