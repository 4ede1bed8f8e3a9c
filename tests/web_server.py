"""A small web server that breaks off, ignores Range, changes its files or lies, for the tests."""

import contextlib
import hashlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from lethe.datasets import transfer

NOISE = np.random.default_rng(0).bytes(600_000)


class Server:
    """Serves `files`; `plan` lists what happens to one request after the other."""

    def __init__(self):
        self.files, self.plan, self.requests = {}, [], []
        self.ranges, self.versions, self.stop_at, self.pause = True, True, None, 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler):
        self.requests.append(dict(handler.headers))
        what = self.plan.pop(0) if self.plan else "whole"
        if isinstance(what, int) and what >= 400:
            return handler.send_error(what)
        data = self.files.get(handler.path)
        if data is None:
            return handler.send_error(404)
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        start = self.start_of(handler, tag)
        if start >= len(data):
            return handler.send_error(416)
        handler.send_response(206 if start else 200)
        page = what == "page"
        handler.send_header("Content-Type", "text/html" if page else "application/octet-stream")
        if self.versions:
            handler.send_header("ETag", tag)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if what != "no length":
            handler.send_header("Content-Length", str(len(data) - start))
        handler.end_headers()
        body = data[start:]
        if what == "break":
            body = body[: len(body) // 2]
        if what == "stall":
            body = body[:1000]
        if what == "nothing":
            body = b""
        self.send(handler, body)
        handler.close_connection = True

    def start_of(self, handler, tag):
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        same = handler.headers.get("If-Range") in (None, tag)
        return int(asked[1]) if asked and self.ranges and same else 0

    def send(self, handler, body):
        with contextlib.suppress(OSError):
            for n in range(0, len(body), 10_000):
                handler.wfile.write(body[n : n + 10_000])
                time.sleep(self.pause)


@contextlib.contextmanager
def serving(monkeypatch):
    """A running server; transfers do not wait between tries and ask no proxy."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(transfer, "PAUSE", 0.0)
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def sha(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
