"""A file server on 127.0.0.1 that misbehaves to order."""

from __future__ import annotations

import gzip
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Serves `files` (path -> bytes); `faults` (path -> list) are taken one a request, then the file is sent properly.

    A fault is a status (int), a number of bytes after which the connection is cut ("drop", n), a pause before the
    body's second half ("slow", seconds), other bytes in the place of the file (bytes), or None for a proper answer.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}
        self.ranges = True
        self.etags = True
        self.coded = False  # gzip, asked for or not
        self.chunked = False  # no length stated
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
            if start >= len(body):
                return self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return self._answer(206, body[start:], headers, fault)
        return self._answer(200, body, headers, fault)

    def _answer(self, status, body, headers, fault=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.state.chunked:  # the body ends with the connection
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        kind, amount = fault if isinstance(fault, tuple) else (None, 0)
        if kind == "drop":
            body = body[:amount]
            self.close_connection = True
        if kind == "drip":
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.state.hurry.wait(amount):
                    return
        half = len(body) // 2
        self.wfile.write(body[:half])
        if kind == "slow":
            self.wfile.flush()
            self.state.hurry.wait(amount)
        self.wfile.write(body[half:])
        self.state.sent[self.path] = self.state.sent.get(self.path, 0) + len(body)

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
