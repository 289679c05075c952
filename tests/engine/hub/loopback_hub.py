"""A hub on loopback, small but spoken to by the real client: repositories from a dict, with the faults that hubs have."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "b" * 40
LARGE = 10_000  # bytes: what is larger lies in the hub's store for large files, which says a sha256


@dataclass
class Hub:
    """`files` of the one repository `gander/tiny`; `break_after` bytes the next file's first transfer ends early."""

    files: Mapping[str, bytes]
    url: str = ""
    break_after: int | None = None
    gated: bool = False
    parameters: int = 0
    refusal: str = ""  # a code such as GatedRepo: every request for the repository is refused with it
    redirect: bool = False  # files lie at another address, as on the hub's own servers
    lie: int = 0  # bytes that the listing says a file has more than come
    stored: Mapping[str, bytes] = field(default_factory=dict)  # sent in place of the file of this name
    commits: tuple[str, ...] = (COMMIT,)
    also: tuple[str, ...] = ()  # other repositories under which the same files are found
    elsewhere: str = ""  # the server of that other address; empty = this one
    requests: list[tuple[str, str, str]] = field(default_factory=list)  # method, path as sent, Range
    tokens: list[str] = field(default_factory=list)  # what each request said in `Authorization`


class Handler(BaseHTTPRequestHandler):
    """Answers for `hub`, which a subclass has."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.hub.requests.append((self.command, self.path, self.headers.get("Range", "")))
        self.hub.tokens.append(self.headers.get("Authorization", ""))
        path = unquote(urlsplit(self.path).path)
        known = any(f"/{name}" in path for name in ("gander/tiny", *self.hub.also))
        if self.hub.refusal or not known:
            self.answer(403 if self.hub.refusal else 404, b"{}", {"X-Error-Code": self.hub.refusal or "RepoNotFound"})
        elif "/tree/" in path:
            entries = [{"type": "file", "path": name, "oid": digest(data), **stored(data)} for name, data in self.hub.files.items()]
            self.answer(200, json.dumps(entries).encode())
        elif "/commits/" in path:
            listed = [
                {"id": name, "authors": [], "date": "2026-11-30T00:00:00.000Z", "title": "", "message": ""} for name in self.hub.commits
            ]
            self.answer(200, json.dumps(listed).encode())
        elif path.startswith(("/api/models/", "/api/spaces/")):
            siblings = [{"rfilename": name, "blobId": digest(data), **stored(data)} for name, data in self.hub.files.items()]
            told: dict[str, object] = {"id": "gander/tiny", "sha": COMMIT, "siblings": siblings, "gated": self.hub.gated}
            told["cardData"] = {"license": "apache-2.0"}
            if self.hub.parameters:
                told["safetensors"] = {"parameters": {"F32": self.hub.parameters}, "total": self.hub.parameters}
            self.answer(200, json.dumps(told).encode())
        elif self.hub.redirect and not path.startswith("/elsewhere"):
            self.answer(
                302, b"", {"Location": f"{self.hub.elsewhere or self.hub.url}/elsewhere{self.path}", **self.facts(self.named(path))}
            )
        else:
            self.send_file(self.named(path), self.hub.stored.get(path.rpartition("/")[2]))

    do_HEAD = do_GET  # noqa: N815  # http.server's names

    def named(self, path: str) -> bytes:
        return self.hub.files[path.partition(f"/resolve/{COMMIT}/")[2] or path.rpartition("/")[2]]  # the latter of a mirror

    def facts(self, data: bytes) -> dict[str, str]:
        """What the hub says of a file besides its bytes; its tag is the sha256 of a large one. As mirrors do, it repeats what the hub says
        of its Xet store, and has none.
        """
        sha256, large = hashlib.sha256(data).hexdigest(), len(data) >= LARGE
        size = {"X-Linked-Size": str(len(data) + self.hub.lie), "X-Linked-Etag": f'"{sha256}"'} if large else {}
        xet = {"X-Xet-Hash": "0" * 64, "X-Xet-Refresh-Route": f"{self.hub.url}/xet"}
        return {"ETag": f'"{sha256 if large else digest(data)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes", **size, **xet}

    def send_file(self, whole: bytes, other: bytes | None) -> None:
        data = whole if other is None else other
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = self.facts(whole)
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self.answer(206 if start else 200, data[start:], headers)

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # who hears that a file is too long leaves
            self.send_body(body)

    def send_body(self, body: bytes) -> None:
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


def stored(data: bytes) -> dict[str, object]:
    """A file's size in a listing, and a large one's sum."""
    if len(data) < LARGE:
        return {"size": len(data)}
    sha256 = hashlib.sha256(data).hexdigest()
    return {"size": len(data), "lfs": {"oid": sha256, "sha256": sha256, "size": len(data), "pointerSize": 134}}


def digest(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
