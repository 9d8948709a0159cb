"""Log lines of a long training: progress, rate and time left."""

import logging
import time
from collections.abc import Callable

from torch import Tensor


class ProgressLog:
    """At most one log line every few seconds: epoch, steps per second, losses and time left."""

    def __init__(
        self,
        log: logging.Logger,
        title: str,
        *,
        total: int,
        per_epoch: int,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._title, self._total, self._per_epoch = log, title, total, per_epoch
        self._every, self._clock = every, clock

    def start(self, done: int, seconds: float = 0.0) -> None:
        """From now on, with `done` steps and so many seconds before an interruption."""
        now = self._clock()
        self._begun, self._before, self._first, self._last = now, seconds, done, now

    def seconds(self) -> float:
        return self._before + self._clock() - self._begun

    def report(self, done: int, loss: Tensor | float, test_error: float | None = None) -> None:
        """`done` steps are finished."""
        now = self._clock()
        if now - self._last < self._every and done < self._total:
            return
        self._last = now
        per_second = (done - self._first) / max(now - self._begun, 1e-9)
        epoch, step = divmod(done, self._per_epoch)
        where = f"epoch {epoch}/{-(-self._total // self._per_epoch)} step {step}/{self._per_epoch}"
        test = "" if test_error is None else f", test error {100 * test_error:.2f} %"
        left = span((self._total - done) / max(per_second, 1e-9))
        text = f"{where}, {per_second:.0f} steps/s, loss {float(loss):.4f}{test}, {left} left"
        self._log.info("%s: %s", self._title, text)


def span(seconds: float) -> str:
    """A time in words: minutes and seconds, or hours and minutes."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min {rest:02d} s"
