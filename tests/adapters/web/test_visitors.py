"""Behind a proxy each visitor counts for themselves, and cookies are for HTTPS alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from adapters.web.security import COOKIE, Sessions
from adapters.web.visitors import TRIES_PER_MINUTE, Proxies, Tries, household

PASSWORD = "honk honk"
PROXY, STRANGER = "10.0.0.7", "203.0.113.5"


def asked(remote: str, headers: Mapping[str, str] | None = None) -> web.Request:
    return make_mocked_request("POST", "/login", {"Host": "gander.example"} | dict(headers or {})).clone(remote=remote)


@pytest.mark.parametrize(
    ("remote", "way", "address"),
    [
        (STRANGER, "", STRANGER),
        (STRANGER, "1.1.1.1", STRANGER),  # anybody may send the header
        (PROXY, "1.1.1.1", "1.1.1.1"),
        (PROXY, "6.6.6.6, 1.1.1.1", "1.1.1.1"),  # what stands before the first trusted proxy's word is made up
        (PROXY, "1.1.1.1, 10.9.9.9", "1.1.1.1"),
        (PROXY, "1.1.1.1:40001", "1.1.1.1"),
        (PROXY, "1.1.1.1, 10.9.9.9:40002", "1.1.1.1"),
        (PROXY, "[2001:db8::1]:40001", "2001:db8::1"),
        (PROXY, "2001:db8::1", "2001:db8::1"),
        (PROXY, "nonsense", "nonsense"),
        (PROXY, "", PROXY),
        ("::ffff:10.0.0.7", "1.1.1.1", "1.1.1.1"),
    ],
)
def test_the_visitor_is_found_through_trusted_proxies_alone(remote: str, way: str, address: str) -> None:
    proxies = Proxies(["10.0.0.0/8"])
    assert proxies.address(asked(remote, {"X-Forwarded-For": way} if way else {})) == address


def test_a_proxy_that_is_not_trusted_is_said_once() -> None:
    proxies = Proxies()
    with capture_logs() as lines:
        for _ in range(3):
            assert proxies.address(asked(PROXY, {"X-Forwarded-For": "1.1.1.1"})) == PROXY
    assert [line["address"] for line in lines] == [PROXY]
    assert "web.trusted_proxies" in lines[0]["remedy"]


@pytest.mark.parametrize(
    ("remote", "proto", "address", "secure"),
    [
        (PROXY, "https", "", True),
        (PROXY, "http", "", False),
        (PROXY, "", "", False),
        (STRANGER, "https", "", False),
        (STRANGER, "", "https://gander.example", True),
        (STRANGER, "", "https://another.example", False),
        (STRANGER, "", "http://gander.example", False),
    ],
)
def test_cookies_are_secure_where_the_browser_speaks_https(remote: str, proto: str, address: str, secure: bool) -> None:
    sessions, response = Sessions(PASSWORD, Proxies(["10.0.0.0/8"], address)), web.Response()
    sessions.give(asked(remote, {"X-Forwarded-Proto": proto} if proto else {}), response)
    assert bool(response.cookies[COOKIE]["secure"]) is secure


def fill(sessions: Sessions, request: web.Request) -> None:
    for _ in range(TRIES_PER_MINUTE):
        assert sessions.trouble_with("quack", request) == "wrong-password"
    assert sessions.trouble_with(PASSWORD, request) == "too-many-tries"


def test_who_guesses_behind_a_trusted_proxy_locks_out_nobody_else() -> None:
    sessions = Sessions(PASSWORD, Proxies([PROXY]))
    fill(sessions, asked(PROXY, {"X-Forwarded-For": "1.1.1.1"}))
    assert sessions.trouble_with(PASSWORD, asked(PROXY, {"X-Forwarded-For": "2.2.2.2"})) is None


@pytest.mark.parametrize("signed_out", [False, True])
def test_who_was_let_in_before_is_not_locked_out_with_their_address(signed_out: bool) -> None:
    sessions, response = Sessions(PASSWORD), web.Response()
    fill(sessions, asked(PROXY))
    token = "ab" * 24
    if signed_out:
        sessions.sign_out(asked(PROXY, {"Cookie": f"{COOKIE}={sessions.cookie_for(token)}"}), response)
        cookie = response.cookies[COOKIE].value
        assert sessions.person_of(cookie) is None
    else:
        cookie = sessions.cookie_for(token)
    known = asked(PROXY, {"Cookie": f"{COOKIE}={cookie}"})
    assert sessions.trouble_with(PASSWORD, known) is None
    fill(sessions, known)  # and may not guess without end either
    made_up = asked(PROXY, {"Cookie": f"{COOKIE}={'cd' * 24}.{'0' * 64}"})
    assert sessions.trouble_with(PASSWORD, made_up) == "too-many-tries"


def test_a_household_counts_as_one() -> None:
    assert household("2001:db8:1:2:aaaa::1") == household("2001:db8:1:2:bbbb::9") != household("2001:db8:1:3::1")
    assert household("::ffff:1.2.3.4") == household("1.2.3.4") != household("1.2.3.5")
    assert household("unix") == "unix"


def test_tries_are_forgotten_after_a_minute() -> None:
    now = 0.0
    tries = Tries(lambda: now)
    for _ in range(TRIES_PER_MINUTE):
        tries.wrong("a")
    assert tries.too_many("a")
    assert not tries.too_many("b")
    now = 60.0
    assert not tries.too_many("a")
