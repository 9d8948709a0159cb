"""A process that is killed amid its work on files: at each operation, or when a file has so many bytes."""

import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
Action = Callable[[], object]


def _forked(action: Action, prepare: Action, number: int) -> bool:
    """Whether the signal ended a fork that prepares itself and acts; any other failure is the caller's."""
    if process := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        assert status in (0, -number), status
        return status != 0
    status = 1
    try:
        prepare()
        action()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def at_operation(number: int, action: Action) -> bool:
    """Kills a fork that acts before its operation of this number on a file; whether it came so far."""
    left = [number]

    def count(event: str, arguments: tuple) -> None:
        if event in CHANGES or (event == "open" and arguments[2] & WRITES):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return _forked(action, lambda: sys.addaudithook(count), signal.SIGKILL)


def at_size(size: int, action: Action) -> bool:
    """Ends a fork that acts as soon as a file of its would be larger; whether one would."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return _forked(action, limit, signal.SIGXFSZ)


def everywhere(action: Action, largest: int, step: int = 1) -> Iterator[str]:
    """Kills a fresh try of the action at every operation, then at 8 sizes up to that of its largest file.

    With a step only every so many operations, and the last ones, which move things into place.
    """
    number = 0
    while at_operation(number, action):
        yield f"operation {number}"
        number += step
    assert number, "it works on no file"
    for last in range(number - step + 1, number):
        if at_operation(last, action):
            yield f"operation {last}"
    for size in range(0, largest, -(-largest // 8)):
        if at_size(size, action):
            yield f"at {size} bytes"
