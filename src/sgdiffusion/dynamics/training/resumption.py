"""Where a training that was interrupted goes on: one state, written every so many seconds."""

import logging
import time
from pathlib import Path
from typing import Any

from sgdiffusion.dynamics.training import checkpoints


class Resumption:
    """The resume state of one training at `path`, used only by a training of the same digest.

    `digest` is that of all that decides where the training ends: settings, data, code. A killed job leaves
    the state written last or the one before, never half of one.
    """

    def __init__(self, path: Path, digest: str, *, seconds: float, log: logging.Logger) -> None:
        self._path, self._digest, self._seconds, self._log = path, digest, seconds, log
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """The state, or None where there is none that fits."""
        if not self._path.is_file():
            return None
        state: dict[str, Any] = checkpoints.read_state(self._path)
        if state["digest"] != self._digest:
            self.refuse("belongs to other settings, data or code")
            return None
        return state

    def refuse(self, reason: str) -> None:
        """Says why the state is not used, and takes it away: it would not fit what is made anew."""
        self._log.warning("%s %s: training starts afresh", self._path, reason)
        self.discard()

    def due(self) -> bool:
        """Whether so many seconds have passed since the last state."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, state: dict[str, Any]) -> None:
        checkpoints.write_state(self._path, {"digest": self._digest, **state})
        self._written = time.monotonic()

    def discard(self) -> None:
        """Deletes the state: the results are stored."""
        checkpoints.discard(self._path)
