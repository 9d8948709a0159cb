"""The files of a training: checkpoints, the resume state and the weight history. The one module of
`dynamics` that touches files; everything is written to a side and moved into place when complete."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion import networks
from sgdiffusion.errors import TrainingError

if TYPE_CHECKING:
    import zarr

State = dict[str, Tensor]
CHECKPOINTS = "checkpoints.pt"
RESUME = "resume.pt"
TRAJECTORY = "trajectory.zarr"
_CHUNK_BYTES = 4 << 20


def save(path: Path, states: Mapping[float, State], meta: Mapping[str, Any]) -> None:
    """Store {fraction of training: state dict} and what is needed to rebuild the modules.

    `meta` is plain data; `modules` needs its keys network (name, init, dropout, sizes), in_shape, classes.
    """
    write_state(path, _shared({"states": dict(states), "meta": dict(meta)}, {}))


def _shared(content: Any, texts: dict[str, str]) -> Any:
    """The same content in which equal texts are one object.

    A pickle holds an object once, so that without this the bytes would tell of texts that came from a resume
    state: an interrupted training must leave the bytes of one that was not.
    """
    if isinstance(content, str):
        return texts.setdefault(content, content)
    if isinstance(content, dict):
        return {_shared(k, texts): _shared(v, texts) for k, v in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(_shared(v, texts) for v in content)
    return content


def load(path: Path) -> dict[str, Any]:
    """{"states": {fraction: state dict}, "meta": {...}}, tensors on the CPU."""
    content = read_state(path)
    if not isinstance(content, dict) or set(content) != {"states", "meta"}:
        raise TrainingError(f"{path} is not a checkpoint file of a training; delete it and train again")
    return content


def modules(path: Path) -> dict[float, nn.Module]:
    """{fraction of training: the network at that instant, in evaluation mode}."""
    content = load(path)
    return {fraction: rebuild(content["meta"], state) for fraction, state in content["states"].items()}


def rebuild(meta: Mapping[str, Any], state: State) -> nn.Module:
    """The network described by `meta` with the given state, in evaluation mode."""
    spec = meta["network"]
    net = networks.build(
        spec["name"],
        in_shape=tuple(meta["in_shape"]),
        classes=meta["classes"],
        generator=torch.Generator(),  # every weight is replaced by the state's
        dropout=spec.get("dropout"),
        **spec.get("sizes", {}),
    )
    net.to(next(iter(state.values())).dtype)
    net.load_state_dict(state)
    return net.eval()


def write_state(path: Path, content: Any) -> None:
    """torch.save, atomically: a killed job leaves the old file or the new one, never half of one."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        if path.parent.is_dir():
            partial.unlink(missing_ok=True)
        raise TrainingError(f"cannot write {path} ({error}); free space or choose another folder") from error


def read_state(path: Path) -> Any:
    """torch.load of tensors and plain data only; nothing in the file is executed."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"{path} does not exist; run the training that makes it") from error
    except Exception as error:  # torch raises many kinds for a damaged file
        raise TrainingError(
            f"{path} is damaged or not a checkpoint ({type(error).__name__}); delete it and train again"
        ) from error


def discard(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class History:
    """Weight history of a training in one chunked container: arrays `weights` (snapshots × d), float32 or
    float64, `buffers` (snapshots × batch-norm statistics) and `epochs` (finished epochs at each snapshot).

    The container is created at its final shape beside its final name. Only whole chunks are written; rows
    of the open chunk wait in memory and in the resume state, so a kill in the middle of a write costs
    nothing: the resumed training writes the same chunk again.
    """

    def __init__(
        self, folder: Path, epochs: NDArray[np.int64], weights: int, buffers: int, dtype: Any
    ) -> None:
        self.path = folder / TRAJECTORY
        self._partial = folder / (TRAJECTORY + ".partial")
        self._epochs = epochs
        self._widths = {"weights": weights, "buffers": buffers}
        row = (weights + buffers) * np.dtype(dtype).itemsize
        self.rows = int(np.clip(_CHUNK_BYTES // row, 1, len(epochs)))
        self._dtype = dtype
        self._count = 0
        self._open: list[dict[str, NDArray[Any]]] = []

    def start(self) -> None:
        """An empty container, whatever an earlier attempt has left."""
        discard(self._partial)
        self._partial.parent.mkdir(parents=True, exist_ok=True)
        import zarr  # slow to import, and few trainings keep a history

        group = zarr.open_group(self._partial, mode="w")
        for name, width in self._widths.items():
            group.create_array(
                name,
                shape=(len(self._epochs), width),
                chunks=(self.rows, max(width, 1)),
                dtype=self._dtype,
            )
        group.create_array("epochs", data=self._epochs)

    def append(self, weights: NDArray[Any], buffers: NDArray[Any]) -> None:
        self._open.append({"weights": weights, "buffers": buffers})
        self._count += 1
        if len(self._open) == self.rows or self._count == len(self._epochs):
            self._flush()

    def _flush(self) -> None:
        import zarr

        group = zarr.open_group(self._partial, mode="r+")
        rows = slice(self._count - len(self._open), self._count)
        for name, width in self._widths.items():
            if width:
                _array(group, name)[rows] = np.stack([row[name] for row in self._open])
        self._open = []

    def state(self) -> dict[str, Any]:
        """What the resume state has to hold beside the container."""
        rows = {name: [torch.as_tensor(row[name]) for row in self._open] for name in self._widths}
        return {"count": self._count, **rows}

    def resume(self, state: Mapping[str, Any]) -> bool:
        """Continue after `state`; False when the container it belongs to is gone."""
        if not (self._partial / "zarr.json").is_file():
            return False
        self._count = state["count"]
        pairs = zip(state["weights"], state["buffers"], strict=True)
        self._open = [{"weights": w.numpy(), "buffers": b.numpy()} for w, b in pairs]
        return True

    def finish(self) -> Path:
        """Move the complete container to its final name."""
        if self._count != len(self._epochs):
            raise TrainingError(
                f"{self._partial}: {self._count} of {len(self._epochs)} snapshots at the end of the training"
            )
        discard(self.path)
        self._partial.replace(self.path)
        return self.path


def trajectory(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays weights, buffers and epochs of a weight history, in memory."""
    import zarr

    try:
        group = zarr.open_group(path, mode="r")
        return {name: np.asarray(_array(group, name)[...]) for name in ("weights", "buffers", "epochs")}
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{path} is not a weight history ({error}); delete it and run the training that makes it"
        ) from error


def _array(group: "zarr.Group", name: str) -> "zarr.Array[Any]":
    import zarr

    array = group[name]
    if not isinstance(array, zarr.Array):
        raise KeyError(name)
    return array
