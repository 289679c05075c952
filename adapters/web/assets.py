"""The page's own files, made ready once: one script and one style sheet a page, compressed, under addresses that change with them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from aiohttp import web

from adapters.web.bundle import bundle

STATIC = Path(__file__).parent / "static"
ICONS = "<!-- icons -->"
SMALL = 500  # bytes that are not worth compressing
FOREVER = "public, max-age=31536000, immutable"
SCRIPT = re.compile(r'<script type="module" src="/static/([\w-]+\.js)"></script>')
STYLES = re.compile(r'(?:^ *<link rel="stylesheet" href="/static/[\w-]+\.css">\n)+', re.MULTILINE)
NAMED = re.compile(r'(?<=(?:href|.src)=")/static/([\w./-]+)(?=")')


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    packed: bytes | None  # with gzip, where that is shorter
    kind: str
    version: str  # changes with the body


@cache
def assets() -> Mapping[str, Asset]:
    """By name: what lies below /static/, and the HTML pages. Reads and compresses all of them: call it in a thread."""
    files = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in STATIC.rglob("*") if path.is_file()}
    sources = {name: body.decode() for name, body in files.items() if name.endswith((".js", ".html", ".css", ".svg"))}
    pages = {name: source for name, source in sources.items() if name.endswith(".html")}
    made = {name: body.encode() for page in pages for name, body in _parts(page, sources)}
    ready = {name: _asset(name, body) for name, body in (files | made).items() if name not in pages}
    return ready | {name: _asset(name, _page(name, page, sources, ready).encode()) for name, page in pages.items()}


def respond(request: web.Request, name: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An asset that `assets` has made ready; HTTPNotFound for others."""
    asset = assets().get(name)
    if asset is None:
        raise web.HTTPNotFound
    lasting = request.query.get("v") == asset.version
    told = {"ETag": f'"{asset.version}"', "Vary": "Accept-Encoding", "Cache-Control": FOREVER if lasting else "no-cache", **(headers or {})}
    if asset.version in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=told)
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=asset.packed, headers={**told, "Content-Encoding": "gzip", "Content-Type": asset.kind})
    return web.Response(body=asset.body, headers={**told, "Content-Type": asset.kind})


def _parts(page: str, sources: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The script and the style sheet of a page, each under the name of the page's own."""
    if script := SCRIPT.search(sources[page]):
        yield script[1], bundle(script[1], sources)
    if styles := STYLES.search(sources[page]):
        yield _styles_of(page), "\n".join(sources[name] for name in NAMED.findall(styles[0]))


def _styles_of(page: str) -> str:
    return f"page/{page.removesuffix('.html')}.css"


def _page(name: str, source: str, sources: Mapping[str, str], ready: Mapping[str, Asset]) -> str:
    """The page with its icons in it, one style sheet, and the present version in each address."""
    source = STYLES.sub(f'  <link rel="stylesheet" href="/static/{_styles_of(name)}">\n', source)
    source = source.replace(ICONS, sources["icons.svg"].replace("<svg ", "<svg hidden ", 1).strip())
    return NAMED.sub(lambda found: f"/static/{found[1]}?v={ready[found[1]].version}", source)


def _asset(name: str, body: bytes) -> Asset:
    kind = {".js": "text/javascript"}.get(Path(name).suffix) or guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    packed = gzip.compress(body, 9, mtime=0) if len(body) > SMALL else body
    return Asset(body, packed if len(packed) < len(body) else None, kind, sha256(body).hexdigest()[:16])
