"""The page's own files, made ready once: one script a page, compressed, under addresses that change with them.

A page's style sheet and its first script stand in the page itself, named by their hashes in its policy: a browser would wait for each
on a connection of its own, which a far-away one opens only when it has read the page.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from aiohttp import web

from adapters.web.bundle import bundle
from adapters.web.security import POLICY, policy

STATIC = Path(__file__).parent / "static"
ICONS = "<!-- icons -->"
SMALL = 500  # bytes that are not worth compressing
FOREVER = "public, max-age=31536000, immutable"
SCRIPT = re.compile(r'<script type="module" src="/static/([\w-]+\.js)"></script>')
FIRST = re.compile(r'<script src="/static/([\w-]+\.js)"></script>')  # runs before anything is drawn
STYLES = re.compile(r'(?:^ *<link rel="stylesheet" href="/static/[\w-]+\.css">\n)+', re.MULTILINE)
NAMED = re.compile(r'(?<=(?:href|.src)=")/static/([\w./-]+)(?=")')


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    packed: bytes | None  # with gzip, where that is shorter
    kind: str
    version: str  # changes with the body
    policy: str = ""  # of a page: what of it may run


@cache
def assets() -> Mapping[str, Asset]:
    """By name: what lies below /static/, and the HTML pages. Reads and compresses all of them: call it in a thread."""
    files = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in STATIC.rglob("*") if path.is_file()}
    sources = {name: body.decode() for name, body in files.items() if name.endswith((".js", ".html", ".css", ".svg"))}
    pages = {name: source for name, source in sources.items() if name.endswith(".html")}
    scripts = [found[1] for page in pages.values() if (found := SCRIPT.search(page))]
    made = {name: bundle(name, sources).encode() for name in scripts}
    ready = {name: _asset(name, body) for name, body in (files | made).items() if name not in pages}
    return ready | {name: _page(name, page, sources, ready) for name, page in pages.items()}


@cache
def words_of(language: str) -> Mapping[str, str]:
    """What the page says in a language."""
    words: dict[str, str] = json.loads(assets()[f"texts/{language}.json"].body)
    return words


def respond(request: web.Request, name: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An asset that `assets` has made ready; HTTPNotFound for others."""
    asset = assets().get(name)
    if asset is None:
        raise web.HTTPNotFound
    lasting = request.query.get("v") == asset.version
    told = {"ETag": f'"{asset.version}"', "Vary": "Accept-Encoding", "Cache-Control": FOREVER if lasting else "no-cache", **(headers or {})}
    if asset.policy:
        told[POLICY] = asset.policy
    if asset.version in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=told)
    if asset.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=asset.packed, headers={**told, "Content-Encoding": "gzip", "Content-Type": asset.kind})
    return web.Response(body=asset.body, headers={**told, "Content-Type": asset.kind})


def _page(name: str, source: str, sources: Mapping[str, str], ready: Mapping[str, Asset]) -> Asset:
    """The page with its icons, its style sheet and its first script in it, and the present version in each address."""
    style = "".join(f"\n{sources[sheet]}" for sheet in NAMED.findall(styles[0])) if (styles := STYLES.search(source)) else ""
    script = f"\n{sources[first[1]]}" if (first := FIRST.search(source)) else ""
    source = STYLES.sub(lambda _: f"  <style>{style}</style>\n", source)
    source = FIRST.sub(lambda _: f"<script>{script}</script>", source)
    source = source.replace(ICONS, sources["icons.svg"].replace("<svg ", "<svg hidden ", 1).strip())
    source = NAMED.sub(lambda found: f"/static/{found[1]}?v={ready[found[1]].version}", source)
    return replace(_asset(name, source.encode()), policy=policy(_source(script), _source(style)))


def _source(inline: str) -> str:
    """How a policy names what stands in a page; nothing where nothing does."""
    return inline and f"'sha256-{base64.b64encode(sha256(inline.encode()).digest()).decode()}'"


def _asset(name: str, body: bytes) -> Asset:
    kind = {".js": "text/javascript"}.get(Path(name).suffix) or guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    packed = gzip.compress(body, 9, mtime=0) if len(body) > SMALL else body
    return Asset(body, packed if len(packed) < len(body) else None, kind, sha256(body).hexdigest()[:16])
