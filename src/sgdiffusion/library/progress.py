"""Lines on what is going to be done, how far it is and how long it still takes."""

import sys
import time
from collections.abc import Callable

from sgdiffusion.dynamics.training.progress import span


class Progress:
    """Lines to the standard error stream: at once what is planned, then at most one every few seconds."""

    def __init__(
        self,
        title: str,
        shown: bool = True,
        *,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        write: Callable[[str], object] | None = None,
    ) -> None:
        self._title, self._shown, self._every, self._clock = title, shown, every, clock
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._begun = self._last = clock()

    def say(self, text: str) -> None:
        """A line of its own; what follows is timed from here."""
        if self._shown:
            self._write(f"{self._title}: {text}")
        self._begun = self._last = self._clock()

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` units are finished."""
        now = self._clock()
        if not self._shown or done >= total or done < 1 or now - self._last < self._every:
            return
        self._last = now
        left = (now - self._begun) * (total - done) / done
        self._write(f"{self._title}: {100 * done / total:.0f} %, {span(left)} left")
