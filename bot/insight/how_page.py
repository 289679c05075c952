"""One HTML file that shows how an answer came about: no network, works from a disk, by mouse, finger, keyboard and screen reader.

All words and numbers stand in the HTML; the script only lights the pictures up.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

from bot.insight.beam_list import beam_list
from bot.insight.how import How, placed, said, whole_look
from bot.insight.where import where
from bot.texts import Texts
from engine.explanation import ExplainedToken, PromptToken, SeenPicture

FOLDER = Path(__file__).parent
PATCH, DRAWING = 16, 640  # pixels at least, of a patch and of the drawing, whose lines are one


@cache
def style() -> str:
    return (FOLDER / "how.css").read_text("utf-8")


@cache
def script() -> str:
    return (FOLDER / "how.js").read_text("utf-8")


def content_security_policy() -> str:
    """Nothing but this page's own style, script and pictures."""
    hashes = [b64encode(sha256(text.encode()).digest()).decode() for text in (style(), script())]
    return f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; base-uri 'none'"


def how_page(how: How, texts: Texts, language: str) -> str:
    """The whole file."""
    page = Page(how, texts, language)
    title = page.say("how.title")
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{content_security_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style()}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
        f"{page.answer()}{page.queries()}{page.beams()}{page.prompt()}{page.notes()}"
        f'</main>\n<script type="application/json" id="maps">{page.maps()}</script>\n<script>{script()}</script>\n</body>\n</html>\n'
    )


class Page:
    """The parts of one page, in HTML."""

    def __init__(self, how: How, texts: Texts, language: str) -> None:
        self._how, self._texts, self._language = how, texts, language
        self._explained = how.explained
        self._first = first_shown(how.explained.answer)

    def say(self, key: str, **values: str | int | float) -> str:
        return escape(self._texts.render(self._language, key, **values))

    def where(self, shares: Sequence[float], seen: SeenPicture) -> str:
        return where(self._texts, self._language, shares, seen.rows, seen.columns)

    def answer(self) -> str:
        """The question, the pictures as they were seen, and the answer's words to point at."""
        words = "".join(self._word(at, token) for at, token in enumerate(self._explained.answer))
        told = "".join(self._told(at, token) for at, token in enumerate(self._explained.answer))
        return (
            f'<p class="question">{escape(self._how.question)}</p>\n<section class="stage" aria-labelledby="answer">\n'
            f"{self._pictures()}<div>\n"
            f'<h2 id="answer">{self.say("how.answer")}</h2>\n<p class="small">{self.say("how.point")}</p>\n'
            f'<div class="words" role="group" aria-labelledby="answer">{words}</div>\n<div class="told">{told}</div>\n</div>\n</section>\n'
        )

    def _pictures(self) -> str:
        figures = "".join(self._picture(number, seen) for number, seen in enumerate(self._explained.pictures))
        return figures and f'<div class="pictures">{figures}</div>\n'

    def _picture(self, number: int, seen: SeenPicture) -> str:
        alt = self.say("how.picture", number=number + 1, width=seen.width, height=seen.height)
        told = self.say("how.no_grid")
        if placed(seen):
            whole = self.where(whole_look(self._explained, number), seen)
            told = self.say("how.grid", rows=seen.rows, columns=seen.columns, tokens=seen.tokens)
            told += f" {self.say('how.all_words', place=whole)}"
        image = f'<img src="data:image/png;base64,{seen.png}" alt="{alt}" width="{seen.width}" height="{seen.height}">'
        patch = max(PATCH, DRAWING // max(1, seen.columns))
        size = f'width="{patch * seen.columns or 1}" height="{patch * seen.rows or 1}"'
        veil = f'<canvas data-picture="{number}" aria-hidden="true" {size}></canvas>'
        return f'<figure><div class="seen">{image}{veil}</div><figcaption>{told}</figcaption></figure>'

    def _word(self, at: int, token: ExplainedToken) -> str:
        text = escape(token.text if token.text.strip() else said(token))
        pressed = "true" if at == self._first else "false"
        return f'<button type="button" data-word="{at}" aria-pressed="{pressed}" aria-controls="told-{at}">{text}</button>'

    def _told(self, at: int, token: ExplainedToken) -> str:
        """What is told of a word: its chance, where it looked, its rivals. Only the chosen word's is shown."""
        places = "".join(f"<p>{self._look(token, number)}</p>" for number in range(len(token.looked)))
        if self._explained.pictures:
            places += f'<p class="small">{self.say("how.on_pictures", share=percent(token.on_pictures))}</p>'
        rivals = "".join(self._rival(each.text, each.probability, each.id == token.id) for each in token.rivals)
        if all(each.id != token.id for each in token.rivals):
            rivals += self._rival(token.text, token.probability, chosen=True)
        heading = self.say("how.word", word=token.text.strip() or said(token), share=percent(token.probability))
        hidden = "" if at == self._first else " hidden"
        return f'<section id="told-{at}"{hidden}><h3>{heading}</h3>{places}<ul class="rivals">{rivals}</ul></section>'

    def _look(self, token: ExplainedToken, number: int) -> str:
        seen = self._explained.pictures[number]
        place = self.where(token.looked[number], seen)
        if len(token.looked) == 1:
            return self.say("how.looked", place=place)
        return self.say("how.looked_at", number=number + 1, place=place)

    def _rival(self, text: str, chance: float, chosen: bool) -> str:
        current = ' class="chosen" aria-current="true"' if chosen else ""
        shown = escape(text.replace(" ", "␣").replace("\n", "↵") or "∅")
        share = escape(percent(chance))
        return f'<li{current}><code>{shown}</code><meter value="{chance:.4f}" aria-hidden="true"></meter><span>{share}</span></li>'

    def queries(self) -> str:
        """Where each soft token looked, picture by picture."""
        parts = "".join(self._queries_of(number, seen) for number, seen in enumerate(self._explained.pictures) if seen.taken)
        return self._eyes() + (
            parts
            and (f'<section><h2>{self.say("how.queries")}</h2>\n<p class="small">{self.say("how.queries_note")}</p>\n{parts}</section>\n')
        )

    def _eyes(self) -> str:
        """What the eye itself attended to, of each picture, where it has no Q-Former."""
        figures = "".join(
            f'<li><canvas data-picture="{number}" data-query="eye" width="224" height="{round(224 * seen.height / seen.width)}" '
            f'aria-hidden="true"></canvas><span>{self.say("how.eye_at", number=number + 1, place=self.where(seen.eye, seen))}</span></li>'
            for number, seen in enumerate(self._explained.pictures)
            if seen.eye
        )
        return figures and (
            f'<section><h2>{self.say("how.eye")}</h2>\n<p class="small">{self.say("how.eye_note")}</p>\n'
            f'<ol class="queries eyes">{figures}</ol>\n</section>\n'
        )

    def _queries_of(self, number: int, seen: SeenPicture) -> str:
        figures = "".join(
            f'<li><canvas data-picture="{number}" data-query="{at}" width="112" height="{round(112 * seen.height / seen.width)}" '
            f'aria-hidden="true"></canvas><span>{self.say("how.query", number=at + 1)}<br>{escape(self.where(shares, seen))}</span></li>'
            for at, shares in enumerate(seen.taken)
        )
        return f'<ol class="queries">{figures}</ol>\n'

    def beams(self) -> str:
        if not self._how.beams:
            return ""
        return f"<section><h2>{self.say('how.beams')}</h2>\n{beam_list(self._how, self._texts, self._language)}</section>\n"

    def prompt(self) -> str:
        """The prompt with each token's id; pictures as blocks."""
        tokens = "".join(map(self._prompt_token, self._explained.prompt))
        count = sum(1 if token.picture is None else self._explained.pictures[token.picture].tokens for token in self._explained.prompt)
        return (
            f'<section><h2>{self.say("how.prompt")}</h2>\n<p class="small">{self.say("how.prompt_note", count=count)}</p>\n'
            f'<div class="prompt" role="group" tabindex="0" aria-label="{self.say("how.prompt")}">{tokens}</div></section>\n'
        )

    def _prompt_token(self, token: PromptToken) -> str:
        if token.picture is not None:
            tokens = self._explained.pictures[token.picture].tokens
            return f'<span class="block block-{token.picture % 6}">{self.say("how.block", number=token.picture + 1, count=tokens)}</span>'
        line = "<br>" if token.text.endswith("\n") else ""
        return f"<span>{escape(token.text.replace(chr(10), '↵').replace(' ', '·'))}<sub>{token.id}</sub></span>{line}"

    def notes(self) -> str:
        """How the maps are made, and what that cost."""
        kept = "" if self._explained.complete else f"<p>{self.say('how.cut', count=len(self._explained.answer))}</p>"
        return (
            f'<section class="small"><h2>{self.say("how.made")}</h2>{kept}<p>{self.say("how.made_note")}</p>'
            f"<p>{self.say('how.cost', model=self._explained.model, milliseconds=round(1000 * self._explained.seconds))}</p></section>\n"
        )

    def maps(self) -> str:
        """The numbers that the script lights up by, each map as bytes of which the brightest is 255."""
        shown = self._explained.pictures
        data = {
            "pictures": [
                {"rows": seen.rows, "columns": seen.columns, "queries": list(map(as_bytes, seen.taken)), "eye": as_bytes(seen.eye)}
                for seen in shown
            ],
            "words": [
                [as_bytes(looked) if placed(seen) and any(looked) else "" for looked, seen in zip(token.looked, shown, strict=True)]
                for token in self._explained.answer
            ],
        }
        return json.dumps(data, separators=(",", ":"))


def first_shown(answer: Sequence[ExplainedToken]) -> int:
    """The word that looked most at the pictures, so that one sees at once what the page is for; the first where none did."""
    looked = [any(map(any, token.looked)) and any(map(str.isalnum, token.text)) for token in answer]
    looks = [token.on_pictures if at_all else 0.0 for token, at_all in zip(answer, looked, strict=True)]
    return looks.index(max(looks)) if looks else 0


def as_bytes(shares: Sequence[float]) -> str:
    brightest = max(shares, default=0.0) or 1.0
    return b64encode(bytes(round(255 * share / brightest) for share in shares)).decode("ascii")


def percent(share: float) -> str:
    if share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.{1 if share < 0.0995 else 0}f} %"
