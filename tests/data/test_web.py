"""Fetching from a scripted server that is slow, cuts off, refuses, lies, or sends something else."""

import errno
import hashlib
import logging

import numpy as np
import pytest
from scripted_site import cut, html, ranged, slow, status, unannounced, whole

from sgdiffusion.data import web as module
from sgdiffusion.data.files import Wanted
from sgdiffusion.data.web import CHUNK, EARLIER, NotThere, Policy, fetch
from sgdiffusion.errors import DataError

BODY = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8).tobytes()
LONG = np.random.default_rng(1).integers(0, 256, 6 * CHUNK, dtype=np.uint8).tobytes()
SUM = hashlib.md5(BODY).hexdigest()


def wanted(body=BODY):
    return Wanted("f.gz", len(body), len(body), hashlib.md5(body).hexdigest(), None)


@pytest.fixture
def get(site, rests, tmp_path):
    """Fetch f.gz from these addresses (or paths of the site) to a partial file."""

    def run(*addresses, file=None, tries=3):
        full = tuple(a if a.startswith("http") else site.address + a for a in addresses)
        return fetch(file or wanted(), full, tmp_path / "f.gz", rests.policy(tries))

    return run


def test_a_good_server_is_asked_once(site, get, tmp_path, rests):
    site.serve("/f.gz", whole(BODY))
    assert get("/f.gz") == f"{site.address}/f.gz"
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert site.requests == [("/f.gz", None)]
    assert rests == []


def test_a_body_without_length_is_taken(site, get, tmp_path):
    site.serve("/f.gz", unannounced(BODY))
    get("/f.gz")
    assert (tmp_path / "f.gz").read_bytes() == BODY


@pytest.mark.parametrize("code", [503, 500, 429, 408])
def test_a_passing_refusal_is_tried_again_after_a_growing_rest(site, get, rests, code):
    site.serve("/f.gz", status(code), status(code), whole(BODY))
    get("/f.gz")
    assert rests == [1.0, 2.0]


def test_a_lasting_refusal_ends_with_one_message(site, get, rests):
    site.serve("/f.gz", status(503))
    with pytest.raises(DataError) as caught:
        get("/f.gz", tries=4)
    message = str(caught.value)
    assert f"{site.address}/f.gz: HTTP 503" in message
    assert f"3,000 bytes, md5 {SUM}" in message
    assert "SGDIFFUSION_MIRROR" in message
    assert "make demo" in message
    assert rests == [1.0, 2.0, 4.0]  # no rest after the last round
    assert len(site.requests) == 4


def test_404_is_final_and_the_next_address_serves(site, get, rests):
    site.serve("/b", whole(BODY))
    assert get("/a", "/b").endswith("/b")
    assert [path for path, _ in site.requests] == ["/a", "/b"]
    assert rests == []


def test_404_everywhere_says_that_the_file_is_not_there(site, get, tmp_path):
    with pytest.raises(NotThere, match="HTTP 404"):
        get("/a", "/b")
    assert len(site.requests) == 2
    assert not (tmp_path / "f.gz").exists()


def test_404_here_and_403_there_is_not_absence(site, get):
    site.serve("/b", status(403))
    with pytest.raises(DataError, match="HTTP 403") as caught:
        get("/a", "/b")
    assert not isinstance(caught.value, NotThere)


def test_an_unreachable_host_falls_over(site, get, dead_address):
    site.serve("/f.gz", whole(BODY))
    assert get(f"{dead_address}/f.gz", "/f.gz") == f"{site.address}/f.gz"


def test_unreachable_hosts_are_named_with_the_cause(get, dead_address, rests, tmp_path):
    with pytest.raises(DataError, match=rf"{dead_address}/f.gz: no answer \(connection refused\)"):
        get(f"{dead_address}/f.gz")
    assert len(rests) == 2
    assert not (tmp_path / "f.gz").exists()


def test_an_address_that_is_none_is_named(get):
    with pytest.raises(DataError, match=r"no answer \(InvalidURL\)"):
        get("http://")


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_proxys_page_is_recognised_and_kept_nowhere(site, get, tmp_path, content_type):
    site.serve("/f.gz", html(content_type))
    with pytest.raises(DataError, match="an HTML page came instead of the file"):
        get("/f.gz")
    assert not (tmp_path / "f.gz").exists()
    assert len(site.requests) == 1


def test_wrong_bytes_of_the_right_length_are_refused(site, get, tmp_path):
    site.serve("/f.gz", whole(BODY[::-1]))
    found = hashlib.md5(BODY[::-1]).hexdigest()
    with pytest.raises(DataError, match=f"wrong checksum: md5 {found}, expected {SUM}"):
        get("/f.gz")
    assert not (tmp_path / "f.gz").exists()
    assert len(site.requests) == 1


def test_sha256_is_checked_as_well(site, get):
    site.serve("/f.gz", whole(BODY))
    with pytest.raises(DataError, match=f"sha256 {hashlib.sha256(BODY).hexdigest()}, expected {'0' * 64}"):
        get("/f.gz", file=Wanted("f.gz", 3000, 3000, SUM, "0" * 64))


def test_a_file_that_is_announced_shorter_or_longer_is_not_loaded(site, get, tmp_path):
    site.serve("/short", whole(BODY[:-1]))
    site.serve("/long", whole(BODY + b"x"))
    with pytest.raises(DataError, match=r"has 2,999 bytes, expected 3,000[\s\S]*has 3,001 bytes"):
        get("/short", "/long")
    assert not (tmp_path / "f.gz").exists()


def test_more_than_expected_is_cut_off(site, get, tmp_path):
    site.serve("/f.gz", unannounced(BODY + b"x"))
    with pytest.raises(DataError, match="more than the expected 3,000 bytes came"):
        get("/f.gz")
    assert not (tmp_path / "f.gz").exists()


def test_a_slow_server_is_waited_for(site, get, tmp_path, rests):
    site.serve("/f.gz", slow(BODY, pieces=6, pause=0.1))  # 0.6 s in all, never 1 s without a byte
    get("/f.gz")
    assert (tmp_path / "f.gz").read_bytes() == BODY
    assert rests == []


def test_a_stalled_server_is_left(site, get, tmp_path):
    site.serve("/f.gz", slow(LONG, pieces=6, pause=0, stall_after=2))
    site.serve("/g.gz", ranged(LONG))
    assert get("/f.gz", "/g.gz", file=wanted(LONG)).endswith("/g.gz")
    assert (tmp_path / "f.gz").read_bytes() == LONG


def test_a_cut_connection_is_resumed_where_it_broke(site, get, tmp_path):
    site.serve("/f.gz", cut(BODY, 1000), ranged(BODY))
    get("/f.gz")
    assert site.requests == [("/f.gz", None), ("/f.gz", "bytes=1000-")]
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_another_address_resumes_what_the_first_began(site, get, tmp_path):
    site.serve("/a", cut(BODY, 1000))
    site.serve("/b", ranged(BODY))
    assert get("/a", "/b").endswith("/b")
    assert site.requests[1] == ("/b", "bytes=1000-")
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_truncated_body_without_length_is_resumed(site, get, tmp_path):
    site.serve("/f.gz", unannounced(BODY[:1000]), ranged(BODY))
    get("/f.gz")
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_file_that_always_ends_early_is_named(site, get, tmp_path):
    site.serve("/f.gz", unannounced(BODY[:1000]))
    with pytest.raises(DataError, match="cut off after 1,000 of 3,000 bytes"):
        get("/f.gz")


def test_the_partial_file_of_an_earlier_run_is_resumed(site, get, tmp_path):
    (tmp_path / "f.gz").write_bytes(BODY[:1234])
    site.serve("/f.gz", ranged(BODY))
    get("/f.gz")
    assert site.requests == [("/f.gz", "bytes=1234-")]
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_whole_partial_file_needs_no_server(site, get, tmp_path):
    (tmp_path / "f.gz").write_bytes(BODY)
    assert get("/f.gz") == EARLIER
    assert site.requests == []


def test_a_server_that_ignores_range_starts_the_file_again(site, get, tmp_path):
    (tmp_path / "f.gz").write_bytes(b"x" * 1234)
    site.serve("/f.gz", whole(BODY))
    get("/f.gz")
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_resumed_file_that_is_wrong_is_started_afresh_once(site, get, tmp_path):
    (tmp_path / "f.gz").write_bytes(b"x" * 1234)  # not the beginning of the file
    site.serve("/f.gz", ranged(BODY))
    get("/f.gz")
    assert site.requests == [("/f.gz", "bytes=1234-"), ("/f.gz", None)]
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_a_resumed_file_that_stays_wrong_ends(site, get, tmp_path):
    (tmp_path / "f.gz").write_bytes(b"x" * 1234)
    site.serve("/f.gz", ranged(BODY[::-1]))
    with pytest.raises(DataError, match="wrong checksum"):
        get("/f.gz")
    assert len(site.requests) == 2
    assert not (tmp_path / "f.gz").exists()


@pytest.mark.parametrize("size", [3000, 5000])
def test_a_partial_file_that_is_complete_but_wrong_is_not_resumed(site, get, tmp_path, size):
    (tmp_path / "f.gz").write_bytes(b"x" * size)
    site.serve("/f.gz", ranged(BODY))
    get("/f.gz")
    assert site.requests == [("/f.gz", None)]
    assert (tmp_path / "f.gz").read_bytes() == BODY


@pytest.mark.parametrize(
    "first",
    [ranged(BODY, shift=7), ranged(BODY, total=4000), status(416), status(206)],
    ids=["other place", "other file", "cannot", "no Content-Range"],
)
def test_a_server_that_resumes_wrongly_is_asked_for_the_whole(site, get, tmp_path, first):
    (tmp_path / "f.gz").write_bytes(BODY[:1234])
    site.serve("/f.gz", first, ranged(BODY))
    get("/f.gz")
    assert [asked for _, asked in site.requests] == ["bytes=1234-", None]
    assert (tmp_path / "f.gz").read_bytes() == BODY


def test_progress_starts_the_count_of_fruitless_rounds_again(site, get, tmp_path, rests):
    """Five cuts, each after more than a chunk of news, do not exhaust three tries."""

    def drip(handler):
        start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        rest = LONG[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Range", f"bytes {start}-{len(LONG) - 1}/{len(LONG)}")
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest[: CHUNK + 10])

    site.serve("/f.gz", drip)
    get("/f.gz", file=wanted(LONG), tries=2)
    assert len(site.requests) == 6
    assert (tmp_path / "f.gz").read_bytes() == LONG


def test_content_encoding_is_not_undone(site, get, tmp_path):
    """Some servers declare a .gz file as an encoding; the checksum is of the file as it lies there."""
    site.serve("/f.gz", lambda h: whole_encoded(h))
    get("/f.gz")
    assert (tmp_path / "f.gz").read_bytes() == BODY


def whole_encoded(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY)


def test_redirections_are_followed_but_not_from_a_mirror(site, get, tmp_path):
    site.serve("/f.gz", status(302, Location="/g.gz"))
    site.serve("/g.gz", whole(BODY))
    get("/f.gz")
    (tmp_path / "f.gz").unlink()
    with pytest.raises(DataError, match="HTTP 302"):
        fetch(wanted(), (f"{site.address}/f.gz",), tmp_path / "f.gz", Policy(), loopback=True)


def test_without_a_known_size_only_the_limit_holds(site, tmp_path):
    file = Wanted("f.gz", limit=3000)
    site.serve("/f.gz", whole(BODY))
    (tmp_path / "f.gz").write_bytes(b"of unknown origin")
    fetch(file, (f"{site.address}/f.gz",), tmp_path / "f.gz", Policy(), loopback=True)
    assert (tmp_path / "f.gz").read_bytes() == BODY
    site.serve("/f.gz", whole(BODY + b"x"))
    with pytest.raises(DataError, match=r"f\.gz \(at most 3,000 bytes\)[\s\S]*3,001 bytes, at most 3,000"):
        fetch(file, (f"{site.address}/f.gz",), tmp_path / "f.gz", Policy(), loopback=True)


def test_a_full_disk_is_one_message_and_keeps_what_came(site, get, tmp_path, monkeypatch):
    """The second chunk meets a full disk: no retry, no other address, the partial file can be resumed."""
    site.serve("/f.gz", whole(LONG))
    real_open = type(tmp_path).open

    class Full:
        def __init__(self, handle):
            self.handle, self.name, self.written = handle, handle.name, 0

        def __getattr__(self, name):
            return getattr(self.handle, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.handle.close()

        def write(self, chunk):
            if self.written:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.written += self.handle.write(chunk)

    def full_open(path, mode="r", *rest, **named):
        handle = real_open(path, mode, *rest, **named)
        return Full(handle) if mode == "wb" else handle

    monkeypatch.setattr(type(tmp_path), "open", full_open)
    with pytest.raises(DataError, match=f"{tmp_path}: cannot write there: the disk is full. Free some space"):
        get("/f.gz", "/g.gz", file=wanted(LONG))
    assert len(site.requests) == 1
    assert 0 < (tmp_path / "f.gz").stat().st_size < len(LONG)


def test_a_folder_that_cannot_be_written_is_one_message(site, rests, tmp_path):
    site.serve("/f.gz", whole(BODY))
    (tmp_path / "f.gz").mkdir()  # a folder where the file should go: root is stopped by this as well
    with pytest.raises(DataError, match=f"{tmp_path}: cannot write there: Is a directory. Make the folder"):
        fetch(wanted(), (f"{site.address}/f.gz",), tmp_path / "f.gz", rests.policy())


def test_progress_is_logged_where_no_one_watches(site, get, monkeypatch, caplog):
    monkeypatch.setattr(module, "LOG_SECONDS", 0.0)
    site.serve("/f.gz", whole(LONG))
    with caplog.at_level(logging.INFO):
        get("/f.gz", file=wanted(LONG))
    assert "f.gz: 100%" in caplog.text
