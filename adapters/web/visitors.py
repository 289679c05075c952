"""Which machine a request comes from, through the proxies that the operator trusts, and how often one may try to sign in.

Tries are counted by browser where it has signed in here before, else by address: whoever guesses behind a proxy or a shared line
keeps out newcomers there for a minute, and nobody who has been let in before.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web

TRIES_PER_MINUTE: Final = 10
REMEMBERED: Final = 1000  # browsers and addresses
SITE_BITS: Final = 64  # of an IPv6 address: one household has them all
FORWARDED_FOR, FORWARDED_PROTO = "X-Forwarded-For", "X-Forwarded-Proto"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

log = structlog.get_logger(__name__)


class Proxies:
    """Those whose word is taken about where a request comes from. `address`: at which people reach the page, where it has one."""

    def __init__(self, trusted: Iterable[str] = (), address: str = "") -> None:
        self._trusted: tuple[Network, ...] = tuple(ipaddress.ip_network(each, strict=False) for each in trusted)
        self._address = urlsplit(address)
        self._told = False

    def address(self, request: web.Request) -> str:
        """Of the visitor: the last one on the way here that is no trusted proxy's."""
        way = [each.strip() for each in ",".join(request.headers.getall(FORWARDED_FOR, ())).split(",") if each.strip()]
        address = request.remote or ""
        if way and not self._trusts(address):
            self._tell(address)
        while way and self._trusts(address):
            address = without_port(way.pop())
        return address

    def https(self, request: web.Request) -> bool:
        """Whether the visitor's browser speaks HTTPS, be it with a proxy before us."""
        if request.secure or (self._address.scheme == "https" and self._address.netloc == request.host):
            return True
        return self._trusts(request.remote or "") and request.headers.get(FORWARDED_PROTO, "").split(",")[-1].strip().lower() == "https"

    def _trusts(self, address: str) -> bool:
        found = parsed(address)
        return found is not None and any(found in network for network in self._trusted)

    def _tell(self, address: str) -> None:
        if not self._told:
            self._told = True
            log.warning("a proxy is not trusted", address=address, remedy="name it in web.trusted_proxies, or all behind it count as one")


def without_port(address: str) -> str:
    """Some proxies name the port, too: 1.2.3.4:5678, [2001:db8::1]:5678. Each connection has another."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def household(address: str) -> str:
    """What counts as one visitor: an IPv4 address, or the network of an IPv6 address."""
    found = parsed(address)
    if found is None or found.version == 4:
        return str(found or address)
    return str(ipaddress.ip_network(f"{found}/{SITE_BITS}", strict=False))


class Tries:
    """Counts wrong passwords of the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def too_many(self, who: str) -> bool:
        wrong = self._wrong.get(who)
        return wrong is not None and len(wrong) == TRIES_PER_MINUTE and self._clock() - wrong[0] < 60

    def wrong(self, who: str) -> None:
        self._wrong.setdefault(who, deque(maxlen=TRIES_PER_MINUTE)).append(self._clock())
        self._wrong.move_to_end(who)
        if len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def right(self, who: str) -> None:
        self._wrong.pop(who, None)
