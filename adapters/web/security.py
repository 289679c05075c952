"""Who may speak to the page: this origin only, with the session's cookie, and with the password where one is set.

The cookie is the person: an unguessable token, signed with a key made from the password, so that nothing needs to be
stored and a new password signs everyone out. It is Strict, hence given out by requests of our own pages alone: a visitor
who follows a link from elsewhere sends none at first, and must not be taken for somebody new.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from adapters.requests import same_secret
from adapters.web.visitors import Proxies, Tries, household

COOKIE = "gander"
COOKIE_SECONDS = 365 * 24 * 3600
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CODE_LETTERS, CODE_LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 8  # none that look alike
CODE_SECONDS = 600
TOKEN = re.compile(r"[0-9a-f]{48}")

POLICY, SELF = "Content-Security-Policy", "'self'"
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # stricter, and browsers would hide from us where a form comes from
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def policy(script: str = "", style: str = "") -> str:
    """What browsers may load and run for a response: our own files, and what stands in the page itself under these names."""
    own = " ".join(f"{kind}-src {f'{SELF} {inline}'.strip()};" for kind, inline in (("script", script), ("style", style)))
    return (
        f"default-src 'none'; {own} img-src {SELF} blob:; media-src blob:; connect-src {SELF}; "
        f"manifest-src {SELF}; form-action {SELF}; base-uri 'none'; frame-ancestors 'none'"
    )


class Sessions:
    """Signs and reads session cookies. Without a password everyone who reaches the page is let in."""

    def __init__(self, password: str | None, proxies: Proxies | None = None) -> None:
        self._password = password
        self._proxies = proxies or Proxies()
        self._key = hashlib.scrypt((password or "").encode(), salt=b"gander's web sessions", n=2**14, r=8, p=1)
        self._tries = Tries()
        self._codes: dict[str, tuple[str, float]] = {}  # → whose, and until when

    @property
    def open(self) -> bool:
        return self._password is None

    def person(self, request: web.Request) -> str | None:
        """Who this is; None without a valid cookie."""
        return self.person_of(request.cookies.get(COOKIE, ""))

    def person_of(self, cookie: str) -> str | None:
        """The person whose cookie this is: an id that does not reveal the token."""
        token, _, signature = cookie.partition(".")
        if not TOKEN.fullmatch(token) or not same_secret(signature, self._sign(token)):
            return None
        return hashlib.sha256(token.encode()).hexdigest()[:24]

    def new_cookie(self, request: web.Request) -> str:
        """For this visitor: the same person as before, if they have been here and signed out."""
        return self.cookie_for(_token_of(request) or secrets.token_hex(24))

    def give(self, request: web.Request, response: web.StreamResponse, token: str | None = None) -> None:
        """A cookie for this visitor: who `token` is, else the same person as before."""
        self.set_cookie(request, response, self.cookie_for(token) if token else self.new_cookie(request))

    def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let nobody in with this browser's cookie any more; who signs in there again is the same person as before."""
        self.set_cookie(request, response, self._signed_out(_token_of(request)))

    def offer(self, request: web.Request) -> str:
        """A code with which one more device, once and within `CODE_SECONDS`, signs in as this visitor."""
        now = time.monotonic()
        self._codes = {code: (token, until) for code, (token, until) in self._codes.items() if until > now}
        code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
        self._codes[code] = _token_of(request), now + CODE_SECONDS
        return code

    def accept(self, code: str) -> str | None:
        """Whose device it becomes: a token for `give`. None: such a code was not given, or is used up or too old."""
        token, until = self._codes.pop(code.strip().upper(), ("", 0.0))
        return token if token and until > time.monotonic() else None

    def set_cookie(self, request: web.Request, response: web.StreamResponse, cookie: str) -> None:
        response.set_cookie(COOKIE, cookie, max_age=COOKIE_SECONDS, httponly=True, samesite="Strict", secure=self._proxies.https(request))

    def trouble_with(self, password: str, request: web.Request) -> str | None:
        """What is wrong with a try to sign in: a key of the page's texts; None = welcome."""
        who = self._browser(request) or household(self._proxies.address(request))
        if self._tries.too_many(who):
            return "too-many-tries"
        if same_secret(password, self._password or ""):
            self._tries.right(who)
            return None
        self._tries.wrong(who)
        return "wrong-password"

    def _browser(self, request: web.Request) -> str:
        """The token of a browser that was let in before, be it signed out since; empty for any other."""
        cookie = request.cookies.get(COOKIE, "")
        token = _token_of(request)
        return token if token and (self.person_of(cookie) or same_secret(cookie, self._signed_out(token))) else ""

    def _signed_out(self, token: str) -> str:
        """A cookie that lets nobody in and proves that its browser was."""
        return f"{token}.{self._sign(f'out {token}')}" if token else ""

    def cookie_for(self, token: str) -> str:
        return f"{token}.{self._sign(token)}"

    def _sign(self, token: str) -> str:
        return hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()


def _token_of(request: web.Request) -> str:
    """Empty for a visitor who never had one."""
    token = request.cookies.get(COOKIE, "").partition(".")[0]
    return token if TOKEN.fullmatch(token) else ""


def known(sessions: Sessions, request: web.Request) -> str:
    """Who asks; refused without a valid cookie."""
    person = sessions.person(request)
    if person is None:
        raise web.HTTPUnauthorized
    return person


def check_origin(request: web.Request, sessions: Sessions) -> None:
    """Refuse what another site sends through a visitor's browser.

    A page without a password answers to loopback names only: otherwise any site could name itself 127.0.0.1 (DNS
    rebinding) and read along.
    """
    host = _address(f"//{request.host}").hostname
    if sessions.open and host not in LOOPBACK_NAMES:
        raise web.HTTPForbidden(text=f"This page answers to localhost only, not to {host}. Set web.password to serve it elsewhere.")
    if request.method in ("GET", "HEAD"):
        return
    origin = request.headers.get("Origin")
    same = _address(origin).netloc == request.host if origin else request.headers.get("Sec-Fetch-Site") == "same-origin"
    if not same:
        raise web.HTTPForbidden(text="This request came from another site.")


def _address(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise web.HTTPBadRequest(text="That is no address.") from None


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """For every response, errors and streams too."""
    response.headers.update(HEADERS)
    response.headers.setdefault(POLICY, policy())
    # Our own files are asked for again each time, and answered with 304: an update is seen at once.
    response.headers.setdefault("Cache-Control", "no-cache" if request.path.startswith("/static/") else "no-store")
