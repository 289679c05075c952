"""What helps on a first visit: sample pictures to ask about, the commands that mean something on a page, and how it is installed."""

from __future__ import annotations

from collections.abc import Iterator

from aiohttp import web

from adapters.web.assets import STATIC
from adapters.web.described import PICTURE
from adapters.web.forms import locale_of
from adapters.web.security import Sessions, known
from bot.command_registry import COMMANDS
from bot.demo.samples import SAMPLES, Sample
from bot.texts import Texts, choose_language
from engine.http_routes import ANY_OBJECT, Route

ELSEWHERE = frozenset({"ask", "vote", "demo", "diagnose", "setup"})  # commands for groups, and what the page does by itself


class WelcomePages:
    def __init__(self, texts: Texts, sessions: Sessions) -> None:
        self._texts = texts
        self._sessions = sessions

    def routes(self) -> list[Route]:
        manifest = {200: {"application/manifest+json": ANY_OBJECT}}
        return [
            Route("GET", "/api/welcome", self.welcome, "What helps on a first visit."),
            Route("GET", "/api/samples/{name}", self.sample, "A sample picture.", PICTURE),
            Route("GET", "/manifest.webmanifest", self.manifest, "How the page is installed.", manifest, known=False),
        ]

    async def welcome(self, request: web.Request) -> web.StreamResponse:
        known(self._sessions, request)
        language = choose_language(locale_of(request))
        samples = [self._sample(sample, language) for sample in SAMPLES.values()]
        return web.json_response({"samples": samples, "commands": list(self._commands(language))})

    async def sample(self, request: web.Request) -> web.StreamResponse:
        known(self._sessions, request)
        sample = SAMPLES.get(request.match_info["name"])
        if sample is None:
            raise web.HTTPNotFound
        return web.FileResponse(sample.file, headers={"Cache-Control": "private, max-age=86400"})

    async def manifest(self, _: web.Request) -> web.StreamResponse:
        """Browsers ask for it without a cookie; it says nothing that the login page doesn't."""
        return web.FileResponse(
            STATIC / "manifest.json", headers={"Content-Type": "application/manifest+json", "Cache-Control": "no-cache"}
        )

    def _sample(self, sample: Sample, language: str) -> dict[str, object]:
        say = self._texts.render
        questions = [say(language, f"sample.{sample.name}.{question}") for question in sample.questions]
        return {
            "url": f"/api/samples/{sample.name}",
            "file": sample.file.name,
            "title": say(language, f"sample.{sample.name}.title"),
            "questions": questions,
        }

    def _commands(self, language: str) -> Iterator[dict[str, str]]:
        for command in COMMANDS.values():
            if command.name not in ELSEWHERE:
                yield {"name": command.names(self._texts)[language], "description": command.descriptions(self._texts)[language]}
