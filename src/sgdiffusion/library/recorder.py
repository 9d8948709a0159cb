"""The weights of a training, recorded while it runs, in a file that survives a crash.

A record is the step, the exact distance ‖w − w(0)‖ over all weights, and the values of some weights (all,
where there are few). The file is appended record by record, so that a crash loses at most the last one, and a
training that goes on goes on with it; beside it stand a JSON file that says what is in it, and w(0).
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sgdiffusion.errors import UNREADABLE, InputError, brief
from sgdiffusion.inputs.model import chosen_model, require_module
from sgdiffusion.inputs.numbers import require_whole

KEPT = 4096  # weights of which the values are kept unless the user says otherwise


def layout(weights: int) -> np.dtype[Any]:
    """One record of a file."""
    return np.dtype([("step", "<i8"), ("displacement", "<f8"), ("weights", "<f4", (weights,))])


class TrajectoryRecorder:
    """Records a training's weights: call ``step()`` after every step of the optimiser.

    Arguments: ``model``, the module that is trained; ``path``, a file to append to (None: in memory);
    ``every``, steps from record to record; ``keep``, of how many weights the values are kept, drawn at
    random by ``seed`` where the model has more (the displacement is always that of all weights);
    ``params``, names or patterns of the weights to look at. With a path, a recorder made again on the same
    file goes on with it.

    >>> import torch, sgdiffusion as sd
    >>> net = torch.nn.Linear(3, 2)
    >>> optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> with sd.TrajectoryRecorder(net) as recorder:
    ...     for _ in range(20):
    ...         optimiser.zero_grad()
    ...         net(torch.randn(8, 3)).square().mean().backward()
    ...         optimiser.step()
    ...         recorder.step()
    >>> recorder.trajectory().weights.shape
    (21, 8)
    """

    def __init__(
        self,
        model: nn.Module,
        path: str | Path | None = None,
        *,
        every: int = 1,
        keep: int = KEPT,
        params: str | list[str] | None = None,
        seed: int = 0,
    ) -> None:
        require_module(model)
        for name, value, least in (("every", every, 1), ("keep", keep, 1), ("seed", seed, 0)):
            require_whole(name, value, least)
        self._model, self._every, self._steps = model, every, 0
        chosen = chosen_model(model, params, None)
        self._names = [name for name, p in chosen.named_parameters() if p.requires_grad]
        if not self._names:
            raise InputError(
                "model", "it has no parameter that requires gradients", "record before freezing it"
            )
        self._start = self._values()
        total = len(self._start)
        generator = torch.Generator().manual_seed(seed)
        self._kept = torch.randperm(total, generator=generator)[: min(keep, total)].sort().values
        self._records: list[NDArray[Any]] = []
        self._path = None if path is None else Path(path)
        if self._path is not None and not self._path.absolute().parent.is_dir():
            raise InputError("path", f"there is no folder {self._path.parent}", "make it first")
        head = {"weights": total, "kept": len(self._kept), "every": every, "seed": seed, "names": self._names}
        if self._path is None or not self._goes_on(head):
            self._record()

    def step(self) -> None:
        """One step of the optimiser is done."""
        self._steps += 1
        if self._steps % self._every == 0:
            self._record()

    def rewind(self, step: int) -> None:
        """The training goes on from ``step``, as from a checkpoint: later records are dropped."""
        kept = self.records()
        kept = kept[kept["step"] <= step]
        self._steps = step
        if self._path is None:
            self._records = [kept]
        else:
            with self._path.open("r+b") as file:
                file.truncate(kept.nbytes)

    def trajectory(self) -> Any:
        """What was recorded so far, as `sd.trajectory` gives it."""
        from sgdiffusion.library.trajectories import trajectory

        return trajectory(self)

    def records(self) -> NDArray[Any]:
        """All records, an array with the fields step, displacement, weights."""
        return np.concatenate(self._records) if self._path is None else read(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open between records."""

    def _values(self) -> Tensor:
        parameters = dict(self._model.named_parameters())
        return torch.cat([parameters[name].detach().flatten().cpu().float() for name in self._names])

    def _record(self) -> None:
        values = self._values()
        row = np.zeros(1, layout(len(self._kept)))
        row["step"] = self._steps
        row["displacement"] = float(torch.linalg.vector_norm(values - self._start, dtype=torch.float64))
        row["weights"] = values[self._kept].numpy()
        if self._path is None:
            self._records.append(row)
            return
        with self._path.open("ab") as file:
            file.write(row.tobytes())

    def _goes_on(self, head: dict[str, Any]) -> bool:
        """Whether the file was there; then a half-written record is cut off and the steps are counted on."""
        assert self._path is not None
        beside, start = _beside(self._path)
        if not self._path.exists():
            beside.write_text(json.dumps(head) + "\n", encoding="utf-8")
            np.save(start, self._start.numpy())
            return False
        if _head(self._path) != head:
            raise InputError(
                "path",
                f"{self._path} holds another recording ({beside.name})",
                "choose another file, or remove it",
            )
        size = layout(len(self._kept)).itemsize
        whole = self._path.stat().st_size // size
        with self._path.open("r+b") as file:
            file.truncate(whole * size)
        self._start = torch.from_numpy(np.load(start))
        records = read(self._path)
        self._steps = int(records["step"][-1]) if len(records) else 0
        return bool(len(records))


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + ".json"), path.with_name(path.name + ".start.npy")


def _head(path: Path) -> Any:
    try:
        return json.loads(_beside(path)[0].read_text(encoding="utf-8"))
    except UNREADABLE as error:
        raise _no_recording(path, error) from error


def _no_recording(path: Path, error: Exception) -> InputError:
    return InputError("path", f"{path} is no recording ({brief(error)})", "give a file of TrajectoryRecorder")


def read(path: str | Path) -> NDArray[Any]:
    """The whole records of a file; one that is still being written is left out."""
    try:
        row, content = layout(_head(Path(path))["kept"]), Path(path).read_bytes()
        return np.frombuffer(content[: len(content) // row.itemsize * row.itemsize], row)
    except (*UNREADABLE, TypeError, KeyError) as error:
        raise _no_recording(Path(path), error) from error
