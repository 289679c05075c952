"""One log for everything in this process: structlog's events and third-party loggers, on standard error, without secrets.

What people write is logged at level debug alone: a log is read by more eyes than a chat. Whatever happens to one job
carries its id.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Final, TextIO

import structlog
from structlog.contextvars import bound_contextvars
from structlog.typing import Processor

from bot.config.schema import LoggingOptions

JOB: Final = "job"
HIDDEN: Final = "***"
TALKATIVE: Final = ("aiohttp.access", "httpx", "httpcore", "sqlalchemy", "alembic")  # they log a line per request: only at level debug
SECRET_FORMS: Final = re.compile(
    r"(?P<header>\bBearer\s+)[^\s\"']+"
    r"|(?P<address>://[^\s/:@]*:)[^\s/@\"']+(?=@)"  # a password in a URL
    r"|(?<!\d)\d{6,}:[\w-]{30,}"  # Telegram's tokens, in its links too
    r"|\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"  # Discord's
)
SHORTEST_SECRET: Final = 4  # characters; a shorter one would match ordinary words


def configure_logs(options: LoggingOptions, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send all logs of the process to `stream` (standard error), with `secrets` and whatever looks like one replaced by ***."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Discreet(_renderers(options, stream), shared, secrets))
    logging.basicConfig(handlers=[handler], level=options.level.upper(), force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.NOTSET if options.level == "debug" else logging.WARNING)


def job_logged(job: str) -> AbstractContextManager[None]:
    """A context in which every log line carries this job's id."""
    return bound_contextvars(**{JOB: job})


class Discreet(structlog.stdlib.ProcessorFormatter):
    """Renders a line, then replaces secrets in it, wherever they come from: a message, a traceback, a link."""

    def __init__(self, renderers: Sequence[Processor], shared: Sequence[Processor], secrets: Iterable[str]) -> None:
        super().__init__(foreign_pre_chain=shared, processors=renderers)
        long_enough = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        as_written = {*long_enough, *(json.dumps(secret, ensure_ascii=False)[1:-1] for secret in long_enough)}
        longest_first = sorted(as_written, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        if self._secrets is not None:
            line = self._secrets.sub(HIDDEN, line)
        return SECRET_FORMS.sub(lambda found: f"{found['header'] or found['address'] or ''}{HIDDEN}", line)


def _renderers(options: LoggingOptions, stream: TextIO) -> list[Processor]:
    """The last processors, for a console or for JSON. Tracebacks are plain: rich ones print local variables, and so what people wrote."""
    as_json = options.format == "json" or (options.format == "auto" and not stream.isatty())
    drop_record = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if as_json:
        return [drop_record, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [drop_record, structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]
