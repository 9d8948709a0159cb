"""Log lines of a long computation: progress, rate and time left."""

import logging
import time
from collections.abc import Callable

from torch import Tensor


class Progress:
    """At most one log line every few seconds: epoch, steps per second, losses and time left."""

    def __init__(
        self,
        log: logging.Logger,
        name: str,
        epochs: int,
        steps: int,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log, self.name, self.epochs, self.steps = log, name, epochs, steps
        self._every, self._clock = every, clock

    def start(self, epoch: int, seconds: float) -> None:
        now = self._clock()
        self._begun, self._before, self._first, self._last = now, seconds, epoch, now

    def seconds(self) -> float:
        return self._before + self._clock() - self._begun

    def report(self, epochs: int, steps: int, loss: Tensor | float, test_error: float | None = None) -> None:
        """`epochs` and, in the running one, `steps` are finished."""
        now = self._clock()
        last = epochs == self.epochs
        if now - self._last < self._every and not last:
            return
        self._last = now
        done = (epochs - self._first) * self.steps + steps
        per_second = done / max(now - self._begun, 1e-9)
        left = ((self.epochs - epochs) * self.steps - steps) / max(per_second, 1e-9)
        test = "" if test_error is None else f", test error {100 * test_error:.2f} %"
        self.log.info(
            "%s: epoch %d/%d step %d/%d, %.0f steps/s, loss %.4f%s, %s left",
            *(self.name, epochs, self.epochs, steps, self.steps, per_second, float(loss), test, _span(left)),
        )


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"
