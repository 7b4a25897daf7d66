"""A file server on 127.0.0.1 that misbehaves to order."""

from __future__ import annotations

import gzip
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves `files` (path -> bytes); `faults` (path -> list) are taken one a request, then the file is sent properly.

    A fault is a status (int), other bytes in the place of the file (bytes), None for a proper answer, or a pair:
    ("drop", n), the connection is cut after n bytes; ("slow", seconds), a pause before the body's second half;
    ("drip", seconds) and ("drip headers", seconds), a pause between any two bytes of the body or of the headers;
    ("shift", n), a range that begins n bytes later than was asked.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}
        self.ranges = True
        self.etags = True
        self.coded = False  # gzip, asked for or not
        self.lengths = True  # or the body ends with the connection
        self.forged_etag: str | None = None  # sent in place of the true one
        self.requests: list[tuple[str, str | None]] = []
        self.sent: dict[str, int] = {}
        self.url = ""
        self.hurry = threading.Event()  # ends all pauses

    def asked(self, path: str) -> list[str | None]:
        """The Range headers with which a path was asked for."""
        return [span for asked, span in self.requests if asked == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Server

    def do_GET(self):
        state, path, span = self.state, self.path, self.headers["Range"]
        state.requests.append((path, span))
        faults = state.faults.get(path, [])
        fault = faults.pop(0) if faults else None
        body = state.files.get(path)
        if isinstance(fault, tuple) and fault[0] == "drip headers":
            self.close_connection = True
            return self._drip(b"HTTP/1.1 200 OK\r\nX-Long: " + bytes(10_000), fault[1])
        if body is None or isinstance(fault, int):
            return self._answer(404 if body is None else fault, b"no", {})
        if isinstance(fault, bytes):
            body = fault
        if state.coded:
            body = gzip.compress(body, mtime=0)
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        headers = {"ETag": state.forged_etag if span and state.forged_etag else etag} if state.etags else {}
        if state.coded:
            headers["Content-Encoding"] = "gzip"
        if span and state.ranges and self.headers["If-Range"] in (None, etag):
            start = int(span.removeprefix("bytes=").rstrip("-"))
            start += fault[1] if isinstance(fault, tuple) and fault[0] == "shift" else 0
            if start >= len(body):
                return self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return self._answer(206, body[start:], headers, fault)
        return self._answer(200, body, headers, fault)

    def _answer(self, status, body, headers, fault=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.state.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.close_connection = not self.state.lengths
        self.end_headers()
        kind, amount = fault if isinstance(fault, tuple) else (None, 0)
        if kind == "drop":
            body = body[:amount]
            self.close_connection = True
        if kind == "drip":
            self._drip(body, amount)
            body = b""
        half = len(body) // 2
        self.wfile.write(body[:half])
        if kind == "slow":
            self.wfile.flush()
            self.state.hurry.wait(amount)
        self.wfile.write(body[half:])
        self.state.sent[self.path] = self.state.sent.get(self.path, 0) + len(body)

    def _drip(self, content, pause):
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.state.hurry.wait(pause):
                return

    def log_message(self, *arguments):
        pass


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that went away is what some tests are about


@contextmanager
def serving():
    state = Server()
    handler = type("Handler", (_Handler,), {"state": state})
    server = _Quiet(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        state.hurry.set()
        server.shutdown()
        server.server_close()
        thread.join()
