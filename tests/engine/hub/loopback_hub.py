"""A hub on loopback, small but spoken to by the real client: repositories from a dict, with the faults that hubs have."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "b" * 40


@dataclass
class Hub:
    """`files` of the one repository `gander/tiny`; `break_after` bytes the next file's first transfer ends early."""

    files: Mapping[str, bytes]
    url: str = ""
    break_after: int | None = None
    gated: bool = False
    parameters: int = 0
    refusal: str = ""  # a code such as GatedRepo: every request for the repository is refused with it
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path as sent, Range


class Handler(BaseHTTPRequestHandler):
    """Answers for `hub`, which a subclass has."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.requests.append((self.command, self.path, self.headers.get("Range", "")))
        path = unquote(urlsplit(self.path).path)
        if self.hub.refusal or "/gander/tiny" not in path:
            self.answer(403 if self.hub.refusal else 404, b"{}", {"X-Error-Code": self.hub.refusal or "RepoNotFound"})
        elif "/tree/" in path:
            entries = [{"type": "file", "path": name, "size": len(data), "oid": digest(data)} for name, data in self.hub.files.items()]
            self.answer(200, json.dumps(entries).encode())
        elif path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in self.hub.files]
            told: dict[str, object] = {"id": "gander/tiny", "sha": COMMIT, "siblings": siblings, "gated": self.hub.gated}
            told["cardData"] = {"license": "apache-2.0"}
            if self.hub.parameters:
                told["safetensors"] = {"parameters": {"F32": self.hub.parameters}, "total": self.hub.parameters}
            self.answer(200, json.dumps(told).encode())
        else:
            self.send_file(self.hub.files[path.partition(f"/resolve/{COMMIT}/")[2]])

    do_HEAD = do_GET  # noqa: N815  # http.server's names

    def send_file(self, data: bytes) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{digest(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.answer(206 if start else 200, data[start:], headers)

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            whole = self.hub.break_after is None or len(body) <= self.hub.break_after
            self.wfile.write(body if whole else body[: self.hub.break_after])
            if not whole:
                self.hub.break_after = None
                self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Tests print nothing."""


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """The hub is up inside the block, at `hub.url`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
