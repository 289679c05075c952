"""The page of how an answer came about: for the person who asked, and for whoever got its address from a chat."""

from __future__ import annotations

from aiohttp import web

from adapters.web.described import HTML
from adapters.web.forms import Unacceptable, locale_of
from adapters.web.platform import place_of
from adapters.web.security import Sessions, known
from bot.errors import AnswerLost, EngineRefused, EngineUnavailable, Refusal
from bot.insight.explainer import Explainer
from bot.insight.how import How
from bot.insight.how_page import content_security_policy, how_page
from bot.texts import Texts, choose_language
from engine.http_routes import Route


class HowPages:
    def __init__(self, explainer: Explainer, sessions: Sessions, texts: Texts) -> None:
        self._explainer, self._sessions, self._texts = explainer, sessions, texts

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/how/{answer:[0-9]{1,15}}", self.own, "How an answer to you came about.", HTML),
            Route("GET", "/how/{token:[A-Za-z0-9_-]{16}}", self.shared, "How an answer in a chat came about.", HTML, known=False),
        ]

    async def own(self, request: web.Request) -> web.StreamResponse:
        person = known(self._sessions, request)
        return await self._shown(request, int(request.match_info["answer"]), place_of(person).key)

    async def shared(self, request: web.Request) -> web.StreamResponse:
        """Whoever has the address saw the answer: no signing in, as for a wall."""
        return await self._shown(request, self._explainer.answer_of(request.match_info["token"]), None)

    async def _shown(self, request: web.Request, answer: int | None, place: str | None) -> web.StreamResponse:
        how = None if answer is None else await self._found(answer, place)
        if how is None:
            raise Unacceptable("explanation-gone")
        page = how_page(how, self._texts, choose_language(locale_of(request)))
        headers = {"Content-Security-Policy": content_security_policy(), "Referrer-Policy": "no-referrer"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def _found(self, answer: int, place: str | None) -> How | None:
        try:
            return await self._explainer.how(answer, place)
        except Refusal:  # its picture was deleted
            return None
        except (EngineRefused, EngineUnavailable, AnswerLost) as error:
            raise Unacceptable("explanation-none") from error
