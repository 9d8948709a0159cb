"""One file from the web: streamed, resumed, retried with back-off, checked before it gets its name.

The partial file is all the state there is. It survives a cut connection, a failed run and a kill, and the
next attempt (at whichever address) asks only for the rest. Checksums, not servers, decide what is right.

Not pooch (1.9): it has one address a file, starts a cut file again from nothing, asks four times for what is
not there or wrong, and undoes a content encoding, which fails where a server declares a .gz file as one.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from sgdiffusion.data.files import Wanted, difference, discard, writing
from sgdiffusion.errors import DataError

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
LOG_SECONDS = 10.0
"""Where no one watches a progress bar, one log line is written this often."""

EARLIER = "completed by an earlier run"
"""In place of an address, for a partial file that turned out to be whole."""

CAUSES = (
    "Failed to resolve",
    "Connection refused",
    "Network is unreachable",
    "timed out",
    "certificate verify failed",
    "IncompleteRead",
)

PAGE = "an HTML page came instead of the file (a proxy or log-in page?)"

HELP = (
    "What to do: put the original files into a folder and name it as mirror (configuration key `mirror` or "
    "environment variable SGDIFFUSION_MIRROR), or run `make demo`, which needs no download."
)


@dataclass(frozen=True)
class Policy:
    """How patient a fetch is."""

    tries: int = 4
    """Rounds over all addresses that may bring nothing new before giving up."""
    backoff: float = 1.0
    """Seconds of rest after the first such round; doubled after each."""
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    """Seconds without a single byte after which a connection counts as dead."""
    sleep: Callable[[float], None] = time.sleep


PATIENT = Policy()


class NotThere(DataError):
    """Every address answered that it does not have the file."""


class _Fault(Exception):
    """One attempt at one address failed. `final`: asking this address again is useless."""

    def __init__(self, reason: str, final: bool = False, absent: bool = False) -> None:
        super().__init__(reason)
        self.final, self.absent = final, absent


def fetch(
    wanted: Wanted,
    addresses: tuple[str, ...],
    partial: Path,
    policy: Policy = PATIENT,
    *,
    loopback: bool = False,
) -> str:
    """Bring the file to `partial`, complete and checked; returns the address it came from.

    Each round asks every address once, the preferred first. An address whose answer cannot become right
    (not found, an HTML page, wrong bytes) is not asked again. `loopback`: the addresses are of this
    machine, so no proxy is used and no redirection to another one followed.
    """
    if wanted.pinned and partial.exists() and difference(partial, wanted) is None:
        return EARLIER
    faults: dict[str, _Fault] = {}
    fruitless = 0
    with requests.Session() as session:
        session.trust_env = not loopback
        while fruitless < policy.tries:
            before = _size(partial)
            for address in addresses:
                if address in faults and faults[address].final:
                    continue
                try:
                    _attempt(session, address, wanted, partial, policy)
                    return address
                except _Fault as fault:
                    faults[address] = fault
                    logger.warning("%s: %s", address, fault)
            if all(fault.final for fault in faults.values()):
                break
            # a round that brought news starts the count of fruitless ones again
            fruitless = 0 if _size(partial) - before >= CHUNK else fruitless + 1
            if fruitless < policy.tries:
                policy.sleep(policy.backoff * 2 ** max(fruitless - 1, 0))
    kind = NotThere if all(fault.absent for fault in faults.values()) else DataError
    tried = "\n".join(f"  {address}: {fault}" for address, fault in faults.items())
    raise kind(f"Could not fetch {wanted}:\n{tried}\n{HELP}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _attempt(session: requests.Session, address: str, wanted: Wanted, partial: Path, policy: Policy) -> None:
    """One request; on return the partial file is complete and right, otherwise a _Fault says why not."""
    have = _size(partial)
    if have and (wanted.bytes is None or have >= wanted.bytes):
        discard(partial)  # complete but wrong, or of unknown origin: nothing to resume
        have = 0
    # identity: the checksum is of the file itself, not of a transfer encoding of it
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    timeouts = (policy.connect_timeout, policy.read_timeout)
    follow = session.trust_env
    try:
        response = session.get(
            address, headers=headers, stream=True, timeout=timeouts, allow_redirects=follow
        )
    except requests.RequestException as error:
        raise _Fault(f"no answer ({_reason(error)})") from error
    with response:
        start = _starting_point(response, wanted, partial, have)
        _receive(response, wanted, partial, start)
    if wanted.bytes is not None and _size(partial) < wanted.bytes:
        raise _Fault(f"cut off after {_size(partial):,} of {wanted.bytes:,} bytes")
    if wrong := difference(partial, wanted):
        discard(partial)
        resumed = start > 0
        raise _Fault(f"{wrong}{', in a resumed file: starting afresh' * resumed}", final=not resumed)


def _reason(error: Exception) -> str:
    """The innermost cause in a few words: the wrappers repeat themselves at length."""
    match = re.search("|".join(CAUSES), str(error))
    return match.group().lower() if match else type(error).__name__


def _starting_point(response: requests.Response, wanted: Wanted, partial: Path, have: int) -> int:
    """Where the body belongs in the file; a _Fault when it is not the file at all."""
    status, start = response.status_code, 0
    if status == 416:
        discard(partial)
        raise _Fault("the server cannot resume the partial file: starting afresh")
    if status not in (200, 206):
        passing = status in (408, 425, 429) or status >= 500
        raise _Fault(f"HTTP {status}", final=not passing, absent=status in (404, 410))
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise _Fault(PAGE, final=True)
    if status == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
        if not span or int(span[1]) != have or span[2] not in ("*", str(wanted.bytes or span[2])):
            discard(partial)
            raise _Fault("the server resumes at another place or another file: starting afresh")
        start = have
    announced = response.headers.get("Content-Length", "")
    length = start + int(announced) if announced.isdigit() else None
    if length is not None and wanted.bytes not in (None, length):
        raise _Fault(f"the server has {length:,} bytes, expected {wanted.bytes:,}", final=True)
    if length is not None and length > wanted.limit:
        raise _Fault(f"the server has {length:,} bytes, at most {wanted.limit:,} allowed", final=True)
    return start


def _receive(response: requests.Response, wanted: Wanted, partial: Path, start: int) -> None:
    """Write the body from `start` on; never more than the limit."""
    most = wanted.bytes or wanted.limit
    with writing(partial.parent):
        handle = partial.open("r+b" if start else "wb")
    try:
        with handle, _progress(wanted, start) as advance:
            position = handle.seek(start)
            for chunk in _chunks(response):
                if position == 0 and chunk.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
                    raise _Fault(PAGE, final=True)
                position += len(chunk)
                if position > most:
                    raise _Fault(f"more than the expected {most:,} bytes came", final=True)
                with writing(partial.parent):
                    handle.write(chunk)
                    handle.flush()  # a full disk is noticed here, and a kill loses at most one chunk
                advance(len(chunk))
    except _Fault as fault:
        if fault.final:
            discard(partial)
        raise


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """The body as it is sent (no content decoding), with every network failure as a _Fault."""
    try:
        yield from response.raw.stream(CHUNK, decode_content=False)
    except (urllib3.exceptions.HTTPError, requests.RequestException) as error:
        raise _Fault(f"the connection broke ({_reason(error)})") from error


@contextmanager
def _progress(wanted: Wanted, start: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, otherwise a log line now and then."""
    last = time.monotonic()
    with tqdm(
        total=wanted.bytes, initial=start, unit="B", unit_scale=True, desc=wanted.name, disable=None
    ) as bar:
        done = start

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            bar.update(count)
            if bar.disable and time.monotonic() - last >= LOG_SECONDS:
                last = time.monotonic()
                share = f"{done / wanted.bytes:.0%}" if wanted.bytes else f"{done:,} bytes"
                logger.info("%s: %s", wanted.name, share)

        yield advance
