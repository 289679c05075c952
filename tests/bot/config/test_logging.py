"""The log as it is written, by our own loggers and by those of libraries."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog

from bot.config.logging import configure_logs, job_logged
from bot.config.schema import LoggingOptions

TELEGRAM = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"
DISCORD = "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs"


def configured(*secrets: str, level: str = "info", form: str = "json") -> io.StringIO:
    stream = io.StringIO()
    configure_logs(LoggingOptions.model_validate({"level": level, "format": form}), secrets, stream)
    return stream


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_events_and_those_of_libraries_are_lines_of_one_form() -> None:
    stream = configured()
    structlog.get_logger("bot.event_handler").info("answered", tokens=12)
    logging.getLogger("discord.gateway").warning("Shard ID %s has reconnected", 3)
    ours, theirs = events(stream)
    assert ours | {"timestamp": ""} == {"event": "answered", "tokens": 12, "level": "info", "logger": "bot.event_handler", "timestamp": ""}
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("Shard ID 3 has reconnected", "discord.gateway", "warning")
    assert theirs["timestamp"].endswith("Z")


def test_the_level_counts_for_both() -> None:
    stream = configured(level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("telegram").info("quiet")
    structlog.get_logger().warning("loud")
    assert [event["event"] for event in events(stream)] == ["loud"]


def test_a_line_a_request_is_told_at_debug_alone() -> None:
    for level, expected in (("info", 0), ("debug", 1)):
        stream = configured(level=level)
        logging.getLogger("httpx").info("HTTP Request: POST https://example.org")
        assert len(events(stream)) == expected


def test_a_job_is_named_on_every_line() -> None:
    stream = configured()
    with job_logged("job-7"):
        structlog.get_logger().info("asked")
        logging.getLogger("aiohttp.client").warning("slow")
    structlog.get_logger().info("idle")
    assert [event.get("job") for event in events(stream)] == ["job-7", "job-7", None]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "line",
    [
        f"GET https://api.telegram.org/bot{TELEGRAM}/getUpdates",
        f"https://api.telegram.org/file/bot{TELEGRAM}/photos/1.jpg",
        f"logging in using static token {DISCORD}",
        "connecting to postgresql://ada:hunter2@db/gander",
        "proxy socks5://:hunter2@host:1080",
        "{'Authorization': 'Bearer sk-hunter2'}",
        'the password is correct "horse',
    ],
)
def test_no_secret_reaches_the_log(line: str, form: str) -> None:
    stream = configured('correct "horse', form=form)
    logging.getLogger("library").error(line)
    logging.getLogger("library").error("in an argument: %s", line)
    structlog.get_logger().error("in a value", url=line)
    try:
        raise ConnectionError(line)
    except ConnectionError:
        structlog.get_logger().exception("in a traceback")
        logging.getLogger("library").exception("in a traceback")
    written = stream.getvalue()
    assert not [secret for secret in (TELEGRAM, DISCORD, "hunter2", "horse") if secret in written]
    assert written.count("***") >= 5


def test_ordinary_words_are_left_alone() -> None:
    stream = configured("a", "")
    said = "12:30 https://example.org:8080/a?b=c@d discord:198622483471925248 job 17 at 2026-01-01T00:00:00.000000Z"
    structlog.get_logger().info(said)
    assert events(stream)[0]["event"] == said


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_does_not_show_what_people_wrote(form: str) -> None:
    stream = configured(form=form)

    def answer(question: str) -> float:
        return len(question) / 0

    question = f"where is my {'esoog'[::-1]}?"  # a traceback shows the source, which is not a secret
    try:
        answer(question)
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    assert "ZeroDivisionError" in stream.getvalue()
    assert "goose" not in stream.getvalue()
