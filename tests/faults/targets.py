"""What reads input from outside, each with valid input to begin from and what makes hostile input of it."""

import io
import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from mutations import damaged, regzipped, rescaled, rezipped

from sgdiffusion.config import Configuration, load_claims, parse_settings
from sgdiffusion.config.left_out import load_left_out
from sgdiffusion.config.load import read_yaml
from sgdiffusion.config.texts import load_texts
from sgdiffusion.data import store
from sgdiffusion.data.formats import read_npz, read_originals
from sgdiffusion.data.sources import read_sources
from sgdiffusion.data.tiny_imagenet import tiny_imagenet
from sgdiffusion.dynamics.training import checkpoints
from sgdiffusion.gallery import compare, numbers
from sgdiffusion.library.results import load as load_result
from sgdiffusion.library.trajectories import trajectory

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/data"))

from test_tiny_imagenet import SIZES, members  # noqa: E402
from tiny_sets import CIFAR, IDX, IDX_FILES, original_files, random_arrays, tar_bytes  # noqa: E402

Mutate = Callable[[bytes, random.Random], bytes]


class Executes:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('hostile', 'w')",))


@dataclass(frozen=True)
class Target:
    """A file below a folder that `read` reads; `seeds` are valid, or hostile as they are."""

    path: str
    seeds: list[bytes]
    read: Callable[[Path], object]
    mutate: tuple[Mutate, ...]
    share: int  # of the inputs, by what one costs
    beside: tuple[tuple[str, bytes], ...] = ()  # valid files that are read with it


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def checkpoint(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def shortened(path: str, cut: Callable[[Any], Any]) -> bytes:
    """A part of one of the project's own configuration files."""
    content = cut(yaml.safe_load((ROOT / "config" / path).read_text()))
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()


def _section(content: dict[str, Any], key: str, names: list[str]) -> dict[str, Any]:
    return {key: {name: content[key][name] for name in names}}


PAPER = "chaudhari2018"
EXPERIMENTS = shortened(
    f"{PAPER}/experiments.yaml", lambda c: _section(c, "runs", ["small-fc", "small-fc-variants"])
)
PRESET = yaml.safe_dump(
    {
        "description": "of tests",
        "substitute": {"mnist": "digits"},
        "overrides": [
            {"run": f"{PAPER}/small-fc", "set": {"epochs": 5, "data.n_train": 40}, "reason": "small"}
        ],
    }
).encode()
READINGS = shortened(
    f"{PAPER}/readings.yaml", lambda c: _section(c, "choices", ["fc-batch-size", "fc-length"])
)
CLAIMS = shortened(
    f"{PAPER}/claims.yaml",
    lambda c: {"claims": [x for x in c["claims"] if not x.get("choices")][:2]},
)
TEXTS = shortened(
    f"{PAPER}/texts.yaml",
    lambda c: {
        k: v[:2] if isinstance(v, list) else v for k, v in c.items() if k not in ("figures", "tables")
    },
)
LEFT_OUT = (
    b"left_out:\n  - items: [chaudhari2018/fig2b, chaudhari2018/claims/fig2*]\n    reason: none at hand\n"
)
CONFIGURATION = (
    (f"{PAPER}/experiments.yaml", EXPERIMENTS),
    (f"{PAPER}/readings.yaml", READINGS),
    ("presets/full.yaml", PRESET),
)


def _runs(path: Path) -> None:
    config = Configuration(path.parents[1])
    for preset in config.presets():
        for run in config.runs(preset, PAPER):
            config.variants(preset, PAPER, run)


def _settings(path: Path) -> None:
    content = read_yaml(path)
    if isinstance(content, dict):  # Snakemake itself refuses anything else
        parse_settings(content)


def _claims(path: Path) -> None:
    load_claims(path.parents[1], PAPER)


def _texts(path: Path) -> None:
    load_texts(path.parents[1], PAPER)


def _left_out(path: Path) -> None:
    load_left_out(str(path), ["chaudhari2018/fig2b", "chaudhari2018/claims/fig2b-near"])


def _compare(path: Path) -> None:
    compare.report(compare.compare(numbers.read(path), json.loads(NUMBERS)), "the reference")


def _idx(path: Path) -> None:
    read_originals(IDX, {role: path.parent / name for role, name in IDX_FILES.items()})


def _sources(path: Path) -> None:
    read_sources(path, path.with_name("digests.csv"))


def _recording(path: Path) -> None:
    trajectory(path.with_suffix(""))


def _imagenet(path: Path) -> None:
    tiny_imagenet("tiny-imagenet", str(path.with_name("manifest.json")), **SIZES)


def _numbers() -> bytes:
    content = json.loads((ROOT / "figures/reference/numbers.json").read_text())
    few = {paper: dict(list(found.items())[:3]) for paper, found in content["papers"].items()}
    return json.dumps({**content, "papers": few}, indent=1).encode()


NUMBERS = _numbers()
_arrays = random_arrays(IDX)
_idx_files = tuple(original_files(IDX, _arrays).items())
_images = {
    "x_train": _arrays.x_train,
    "y_train": _arrays.y_train,
    "x_test": _arrays.x_test,
    "y_test": _arrays.y_test,
}
_objects = np.array([Executes()], dtype=object)
_prepared = {
    "x_train": np.zeros((4, 1, 2, 2), np.float32),
    "y_train": np.arange(4) % 2,
    "x_test": np.zeros((4, 1, 2, 2), np.float32),
    "y_test": np.arange(4) % 2,
}
_meta = {
    **{"set": "s", "preparation": "full", "real": False, "digest": "", "digests": {}, "classes": 2},
    **{"n_train": 4, "n_test": 4, "shape": [1, 2, 2], "constants": {}},
}
_states = {"states": {1.0: {"w": torch.zeros(3)}}, "meta": {"seed": 0}}
_manifest = json.dumps(
    {
        "set": "tiny-imagenet",
        "licence": "none",
        "digests": {},
        "files": [
            {
                "role": "archive",
                "name": "a.zip",
                "bytes": 1,
                "md5": "",
                "sha256": "",
                "origin": "",
                "published": True,
            }
        ],
    }
).encode()
_digests = (ROOT / "data/digests.csv").read_bytes()
_escape = tar_bytes({"../box/one.bin": b"x", "/etc/passwd": b"x"})

RESULT = json.dumps(
    {
        **{
            "kind": "WalkDimension",
            "sgdiffusion": "0.1.0",
            "slope": 0.5,
            "low": 0.4,
            "high": {"number": "inf"},
        },
        "table": {"table": {"points": [60], "r2": [0.9]}, "columns": {"columns": {"r2": "words"}}},
        **{"high": {"number": "inf"}, "times": {"array": [1.0, 2.0], "dtype": "float64"}},
        **{"displacements": {"array": [[0.1, 0.2]], "dtype": "float64"}, "notes": ["short"]},
    },
    indent=1,
).encode()
CALLS = b'{"kind": "TrajectoryRecorder", "sgdiffusion": "0.1.0", "model": null, "path": "hostile"}'
_records = np.zeros(9, [("step", "<i8"), ("displacement", "<f8"), ("weights", "<f4", (3,))])
_records["step"] = np.arange(9)
_path = {"times": np.arange(4.0), "weights": np.eye(4, 3), "displacements": np.arange(4.0)}

TARGETS = {
    "experiments": Target(f"{PAPER}/experiments.yaml", [EXPERIMENTS], _runs, (rescaled,), 40, CONFIGURATION),
    "presets": Target("presets/full.yaml", [PRESET], _runs, (rescaled,), 40, CONFIGURATION),
    "readings": Target(f"{PAPER}/readings.yaml", [READINGS], _runs, (rescaled,), 30, CONFIGURATION),
    "settings": Target(
        "config.yaml", [b"preset: full\nroot_seed: 0\nsubstitute: {}\n"], _settings, (rescaled,), 60
    ),
    "claims": Target(
        f"{PAPER}/claims.yaml", [CLAIMS], _claims, (rescaled,), 60, ((f"{PAPER}/readings.yaml", READINGS),)
    ),
    "texts": Target(f"{PAPER}/texts.yaml", [TEXTS], _texts, (rescaled,), 40),
    "left out": Target("left-out.yaml", [LEFT_OUT], _left_out, (rescaled,), 60),
    "sources": Target(
        "sources.csv",
        [(ROOT / "data/sources.csv").read_bytes()],
        _sources,
        (damaged, rescaled),
        60,
        (("digests.csv", _digests),),
    ),
    "idx": Target(_idx_files[0][0], [_idx_files[0][1]], _idx, (damaged, regzipped), 160, _idx_files),
    "cifar": Target(
        "box.tar.gz",
        [original_files(CIFAR, random_arrays(CIFAR))["box.tar.gz"], _escape],
        lambda path: read_originals(CIFAR, {"archive": path}),
        (damaged, regzipped, regzipped),
        120,
    ),
    "npz": Target(
        "tiny.npz",
        [npz(**_images), npz(**{**_images, "y_test": _objects})],
        lambda path: read_npz(IDX, path),
        (damaged, rezipped),
        120,
    ),
    "prepared": Target(
        "full.npz",
        [npz(**_prepared, meta=np.array(json.dumps(_meta))), npz(**_prepared, meta=_objects)],
        store.load,
        (damaged, rezipped),
        80,
    ),
    "zip": Target(
        "a.zip", [zipped(members())], _imagenet, (damaged, rezipped), 30, (("manifest.json", _manifest),)
    ),
    "checkpoint": Target(
        "checkpoints.pt",
        [checkpoint(_states), checkpoint(Executes())],
        checkpoints.load,
        (damaged, rezipped),
        60,
    ),
    "numbers": Target("full/numbers.json", [NUMBERS], _compare, (damaged, rescaled), 60),
    "result": Target("result.json", [RESULT, CALLS], load_result, (damaged, rescaled), 60),
    "trajectory": Target(
        "path.npz",
        [npz(**_path), npz(**{**_path, "times": _objects})],
        trajectory,
        (damaged, rezipped),
        60,
    ),
    "recording": Target(
        "walk.bin.json",
        [b'{"kept": 3}\n'],
        _recording,
        (damaged, rescaled),
        60,
        (("walk.bin", _records.tobytes()),),
    ),
}
