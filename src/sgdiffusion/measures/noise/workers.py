"""Chunks of work side by side, each on one thread, instead of each small operation split over all threads.

Networks of the size measured here make operations too small to split: two torch threads on one operation
are no faster than one, and far slower when the cores are busy with something else.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """``make()(item)`` for each item, in the items' order, on ``workers`` threads with one torch thread each.

    ``make`` is called once per worker, for what must not be shared. At most ``workers`` + 1 results wait. The
    number of torch threads of the caller is as before, and again the default for new threads at the end.
    """
    if workers == 1:
        yield from map(make(), items)
        return
    idle: SimpleQueue[Callable[[Item], Result]] = SimpleQueue()
    for _ in range(workers):
        idle.put(make())

    def run(item: Item) -> Result:
        work = idle.get()
        try:
            return work(item)
        finally:
            idle.put(work)

    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            waiting: deque[Future[Result]] = deque()
            for item in items:
                waiting.append(pool.submit(run, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        # What a worker sets for itself is also what threads started later begin with.
        torch.set_num_threads(before)
