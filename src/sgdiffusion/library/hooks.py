"""The recorder as a callback of Lightning and of transformers' Trainer, which the user has installed."""

import importlib
from pathlib import Path
from typing import Any

from sgdiffusion.errors import InputError
from sgdiffusion.library.recorder import KEPT, TrajectoryRecorder


def lightning_callback(
    path: str | Path | None = None,
    *,
    every: int = 1,
    keep: int = KEPT,
    params: str | list[str] | None = None,
    seed: int = 0,
) -> Any:
    """A callback for Lightning's Trainer that records the weights after every step of the optimiser.

    Arguments: ``path``, ``every``, ``keep``, ``params``, ``seed`` of :class:`TrajectoryRecorder`. Returns the
    callback; its ``.recorder`` is the recorder once the training has begun. Accumulated batches are one step;
    of several processes the first records; after a checkpoint later records are dropped.

    >>> import sgdiffusion as sd
    >>> callback = sd.lightning_callback("path/run", every=10)  # doctest: +SKIP
    >>> lightning.Trainer(callbacks=[callback]).fit(module, loader)  # doctest: +SKIP
    """
    base: Any = _callback_class(("lightning.pytorch", "pytorch_lightning"), "Callback", "lightning")

    class Recording(base):  # type: ignore[misc]
        recorder: TrajectoryRecorder | None = None
        _seen = 0

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                self.recorder = _begun(pl_module, trainer.global_step, path, every, keep, params, seed)
            self._seen = trainer.global_step

        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any, **__: Any) -> None:
            if self.recorder is not None and trainer.global_step > self._seen:
                self.recorder.step()
            self._seen = trainer.global_step

    return Recording()


def trainer_callback(
    path: str | Path | None = None,
    *,
    every: int = 1,
    keep: int = KEPT,
    params: str | list[str] | None = None,
    seed: int = 0,
) -> Any:
    """A callback for the Trainer of transformers that records the weights after every step of the optimiser.

    Arguments: ``path``, ``every``, ``keep``, ``params``, ``seed`` of :class:`TrajectoryRecorder`. Returns the
    callback; its ``.recorder`` is the recorder once the training has begun.

    >>> import sgdiffusion as sd
    >>> callback = sd.trainer_callback("path/run", every=10)  # doctest: +SKIP
    >>> transformers.Trainer(model, arguments, train_dataset=data, callbacks=[callback])  # doctest: +SKIP
    """
    base: Any = _callback_class(("transformers",), "TrainerCallback", "transformers")

    class Recording(base):  # type: ignore[misc]
        recorder: TrajectoryRecorder | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if state.is_world_process_zero:
                self.recorder = _begun(model, state.global_step, path, every, keep, params, seed)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.recorder is not None:
                self.recorder.step()

    return Recording()


def _begun(
    model: Any,
    step: int,
    path: str | Path | None,
    every: int,
    keep: int,
    params: str | list[str] | None,
    seed: int,
) -> TrajectoryRecorder:
    recorder = TrajectoryRecorder(model, path, every=every, keep=keep, params=params, seed=seed)
    recorder.rewind(step)
    return recorder


def _callback_class(modules: tuple[str, ...], name: str, package: str) -> Any:
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError:
            continue
    raise InputError(
        "callback", f"{package} is not installed", f"pip install {package}, or call TrajectoryRecorder.step()"
    )
