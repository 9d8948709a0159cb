"""A scripted web server on loopback, and the ways in which servers misbehave."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server whose every path has a script: one answer a request, the last one repeated."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str | None]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append((self.path, self.headers.get("Range")))
                script = site.scripts.get(self.path, [status(404)])
                answer = script.pop(0) if len(script) > 1 else script[0]
                try:
                    answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client had enough

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, path: str, *answers: Answer) -> None:
        self.scripts[path] = list(answers)


def _send(handler: BaseHTTPRequestHandler, code: int, headers: dict[str, object], body: bytes) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(body)


def status(code: int, **headers: object) -> Answer:
    return lambda h: _send(h, code, {"Content-Length": 0, **headers}, b"")


def html(content_type: str = "text/html; charset=utf-8") -> Answer:
    page = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
    return lambda h: _send(h, 200, {"Content-Type": content_type}, page)


def whole(body: bytes) -> Answer:
    """A server that does not know Range."""
    return lambda h: _send(h, 200, {"Content-Length": len(body)}, body)


def unannounced(body: bytes) -> Answer:
    """Without a length: the end of the connection is the end of the file."""
    return lambda h: _send(h, 200, {}, body)


def cut(body: bytes, after: int) -> Answer:
    """Promises all and closes after some."""
    return lambda h: _send(h, 200, {"Content-Length": len(body)}, body[:after])


def ranged(body: bytes, shift: int = 0, total: object = None) -> Answer:
    """Honours Range; `shift` and `total` make it lie about where and of what."""

    def answer(h: BaseHTTPRequestHandler) -> None:
        wanted = h.headers.get("Range")
        if not wanted:
            return whole(body)(h)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return status(416)(h)
        rest = body[start:]
        span = f"bytes {start + shift}-{len(body) - 1}/{total or len(body)}"
        _send(h, 206, {"Content-Length": len(rest), "Content-Range": span}, rest)

    return answer


def slow(body: bytes, pieces: int, pause: float, stall_after: int | None = None) -> Answer:
    """Piece by piece with pauses; stalls for good after some pieces if told to."""

    def answer(h: BaseHTTPRequestHandler) -> None:
        _send(h, 200, {"Content-Length": len(body)}, b"")
        size = -(-len(body) // pieces)
        for i in range(pieces):
            if i == stall_after:
                time.sleep(2.5)
                return
            h.wfile.write(body[i * size : (i + 1) * size])
            h.wfile.flush()
            time.sleep(pause)

    return answer
