"""Feeds hostile input to everything that reads files from outside: only our clear errors may come of it.

    python tests/faults/hostile.py --inputs 100000
    python tests/faults/hostile.py --inputs 500 --targets npz zip --seed 3

Of configuration, claims, texts, tables of sources, IDX, CIFAR, npz, zip, checkpoints and numbers.json: valid
files are damaged at random. Each reading must give a result or a UserError of one message, within 20 s of
processor time and 1.5 GB of memory, without running, unpickling, connecting or writing anything.
"""

import argparse
import collections
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from targets import TARGETS, Target  # noqa: E402

from sgdiffusion.errors import UserError  # noqa: E402

FORBIDDEN = {"os.system", "subprocess.Popen", "os.exec", "os.fork", "os.posix_spawn", "socket.connect"}
FORBIDDEN |= {"pickle.find_class", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod"}
SECONDS, BYTES, LETTERS = 20, 1536 << 20, 20_000
_watched: list[str] = []  # what was done that must not be, while an input is read
_reading = [False]


def _watch(event: str, arguments: tuple) -> None:
    if not _reading[0]:
        return
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event in FORBIDDEN or written:
        _watched.append(f"{event} {arguments!r:.200}")


def _too_slow(*_) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def outcome(target: Target, path: Path) -> str:
    """ "read", "refused", or what went wrong."""
    _watched.clear()
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    _reading[0] = True
    try:
        target.read(path)
        found = "read"
    except UserError as error:
        found = "refused" if 0 < len(str(error)) < LETTERS else f"a message of {len(str(error))} letters"
    except BaseException as error:  # a panic of a compiled library is no Exception
        where = traceback.extract_tb(error.__traceback__)
        ours = [f for f in where if "sgdiffusion" in f.filename]
        place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
        found = f"{type(error).__name__} at {place}: {str(error)[:100]}"
    finally:
        _reading[0] = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return f"it did {_watched[0]}" if _watched else found


def input_of(target: Target, number: int, seed: str) -> bytes:
    """The hostile input of this number: the seeds as they are first."""
    if number < len(target.seeds):
        return target.seeds[number]
    chance = random.Random(f"{seed}/{number}")
    content = chance.choice(target.seeds)
    try:
        return chance.choice(target.mutate)(content, chance)
    except (ValueError, OSError, EOFError):  # a seed that is no container takes bytes only
        return content[: chance.randrange(len(content))]


def feed(name: str, inputs: int, seed: int, folder: Path) -> collections.Counter[str]:
    """Reads so many inputs of one target; outcomes, and the number of an input for each that is wrong."""
    target, found = TARGETS[name], collections.Counter()
    path = folder / target.path
    for file, content in ((target.path, b""), *target.beside):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(content)
    for number in range(inputs):
        path.write_bytes(input_of(target, number, f"{seed}/{name}"))
        result = outcome(target, path)
        if result not in ("read", "refused") and result not in found:
            print(f"{name} {number}: {result}", flush=True)
        found[result] += 1
    return found


def limited() -> None:
    """Watches this process, and bounds what it may take beyond what it has."""
    sys.addaudithook(_watch)
    signal.signal(signal.SIGVTALRM, _too_slow)
    now = psutil.Process().memory_info().vms
    with contextlib.suppress(ValueError, OSError):  # not every system bounds the address space
        resource.setrlimit(resource.RLIMIT_AS, (now + BYTES, resource.RLIM_INFINITY))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="in all (default: 100000)")
    parser.add_argument(
        "--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS), metavar="TARGET"
    )
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    limited()
    shares = {name: TARGETS[name].share for name in chosen.targets}
    wrong = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, share in shares.items():
            inputs = -(-chosen.inputs * share // sum(shares.values()))
            found = feed(name, inputs, chosen.seed, Path(folder) / name.replace(" ", "-"))
            read, refused = found["read"], found["refused"]
            bad = inputs - read - refused
            print(f"{name:<12} {inputs:>7} inputs, {read} read, {refused} refused, {bad} wrong", flush=True)
            total, wrong = total + inputs, wrong + bad
    print(f"{total} inputs, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
