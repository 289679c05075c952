"""Pure functions on a conversation: what a question says of pictures, and which messages the engine is sent."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot.message import Attachment, Incoming, Reply
from bot.regions import closer_note, stored_region
from bot.store.graph import Node, Turn
from bot.store.tables import Finish
from engine.api import ImagePart, ImageUrl, Message, Part, PictureDetail, Role, TextPart
from engine.film_frames import frame_label

IDLE_SECONDS = 30 * 60.0

# Only a picture that is pointed at: "the picture", "in this photo", "these images" — not "how do I draw a picture?".
_POINTED_AT = re.compile(
    r"\b(?:the|this|that|these|those|my|our|attached|uploaded)\s+(?:\w+\s+)?(?:pictures?|photos?|photographs?|images?|pics?|screenshots?|drawings?)\b"
    r"|\b(?:in|on|from|about)\s+(?:it|here)\s+(?:can|do)\s+you\s+see\b|\bwhat\s+(?:can|do)\s+you\s+see\b"
    # Simplified and Traditional Chinese.
    r"|(?:[这那這]|上面的?|以上)(?:[一二两三几兩幾]?[张幅些个副張個])?(?:图|圖|照片|相片|画|畫|截图|截圖)"
    r"|(?:图|圖|照片|相片|截图|截圖|画面|畫面)(?:片)?[里中上裡裏]|看到了?什[么麼]",
    re.IGNORECASE,
)

_POINTS = re.compile(
    r"\b(?:this|that|these|those|it|its|here|there|he|she|him|her|they|them)\b"
    r"|\b(?:how many|what colou?rs?|describe|caption|identify|count|read|translate|transcribe)\b"
    r"|[这那這它他她]|描述|识别|識別|几[个只条张]|幾[個隻條張]|多少|什[么麼]颜色|什麼顏色|翻译|翻譯",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    r"(?:(?:what|who|where)(?:'s|’s| is| are)|describe|explain|identify) (?:this|that|these|those|it)"
    r"(?: (?:here|called|person|place|thing|animal))?\s*[?.!]*"
    r"|[这這那](?:是|里有|裡有)(?:什么|什麼|谁|誰|哪里|哪裡|哪儿)(?:东西|東西|动物|動物|地方|人)?\s*[?？。]*|描述一下",
    re.IGNORECASE,
)


def speaks_of_picture(question: str) -> bool:
    """Whether the question makes sense only with a picture in sight."""
    return _POINTED_AT.search(question) is not None


def points_at_nothing(question: str) -> bool:
    """Whether the first words of a conversation can only be about a picture, such as "What is this?"."""
    return speaks_of_picture(question) or _SHOWN.fullmatch(question.strip()) is not None


def points_at_picture(question: str) -> bool:
    """Whether the question may mean a picture that was shown before: it has no words, or words that point or ask what is seen."""
    return not question.strip() or speaks_of_picture(question) or _POINTS.search(question) is not None


def with_quote(question: str, reply: Reply | None, *, stored: bool) -> tuple[str, str | None]:
    """The question below a quote: of what the person marked, else of the message that it replies to; and whose words these are (key).

    `stored`: that message is part of the conversation, and needs no quote; nor does one with pictures, which the question is about.
    """
    if reply is None:
        return question, None
    quote = (reply.quote or ("" if stored or reply.is_ours or reply.attachments else reply.words)).strip()
    if not quote:
        return question, None
    lines = "\n".join(f"> {line}" for line in quote.splitlines())
    writer = reply.quoted or reply.author
    return f"{lines}\n\n{question}".strip(), writer.key if writer else None


def attachments_meant(incoming: Incoming, replied: Node | None) -> tuple[Attachment, ...]:
    """The files to fetch: the message's own and forwarded ones; without any, those of the replied-to message, unless it is stored."""
    if incoming.attachments or incoming.reply_to is None or replied is not None:
        return incoming.attachments
    return incoming.reply_to.attachments


def sight(branch: Sequence[Turn]) -> Turn | None:
    """The newest message with pictures, which the question is about; None: there is none."""
    return next((turn for turn in reversed(branch) if turn.shown), None)


def about_newest_picture(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The question and the newest picture that a person showed, and nothing else: where something is, is asked of one picture."""
    seen = sight(turns)
    if seen is None:
        return tuple(turns[-1:])
    shown = only(seen, (seen.shown - 1,))
    return (shown,) if seen is turns[-1] else (replace(shown, text=""), turns[-1])


def said(branch: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns that the engine is sent: without failed and empty answers."""
    return tuple(turn for turn in branch if turn.role == "user" or (turn.text and turn.finish != Finish.FAILED))


def without_oldest(turns: Sequence[Turn], count: int) -> tuple[Turn, ...]:
    """The turns without their oldest `count` texts. The newest question and all pictures stay."""
    silent = {turn.id for turn in [turn for turn in turns[:-1] if turn.text][:count]}
    kept = (_unsaid(turn) if turn.id in silent else turn for turn in turns)
    return tuple(turn for turn in kept if turn.text or turn.sha256s)


def messages(
    turns: Sequence[Turn],
    urls: Mapping[str, str],
    system_prompt: str | None,
    writing: Mapping[int, str] | None = None,
    detail: PictureDetail | None = None,
) -> tuple[Message, ...]:
    """The turns as messages of the request. `urls`: data URLs by sha256. `writing`: by turn, what is told of its pictures'
    words. `detail`: how closely pictures are looked at. Turns of one role in a row become one message: models expect roles to alternate.

    Names are left out: people choose them, and could write instructions to the model there.
    """
    spoken: list[tuple[Role, tuple[Part, ...]]] = [("system", (TextPart(text=system_prompt),))] if system_prompt else []
    for turn in turns:
        role: Role = "assistant" if turn.role == "assistant" else "user"
        before = spoken.pop()[1] if spoken and spoken[-1][0] == role else ()
        spoken.append((role, (*before, *_parts(turn, urls, (writing or {}).get(turn.id, ""), detail))))
    return tuple(Message(role=role, content=_content(parts)) for role, parts in spoken)


def _unsaid(turn: Turn) -> Turn:
    return replace(turn, text="")


def _parts(turn: Turn, urls: Mapping[str, str], writing: str, detail: PictureDetail | None) -> tuple[Part, ...]:
    pictures = shown_parts(turn.sha256s, turn.seconds or [None] * len(turn.sha256s), urls, detail)
    closer = closer_note([stored_region(region) for region in turn.regions if region]) if turn.shown < len(turn.sha256s) else ""
    return (*pictures, *(TextPart(text=text) for text in (closer, writing, turn.text) if text))


def shown_parts(
    sha256s: Sequence[str], times: Sequence[float | None], urls: Mapping[str, str], detail: PictureDetail | None = None
) -> tuple[Part, ...]:
    """The pictures of a message; before a film's frames stand their order and times. `urls`: data URLs by sha256."""
    parts: list[Part] = []
    for label, sha256 in zip(_labels(times), sha256s, strict=True):
        parts += [*label, ImagePart(image_url=ImageUrl(url=urls[sha256], detail=detail))]
    return tuple(parts)


def _labels(times: Sequence[float | None]) -> list[tuple[TextPart, ...]]:
    """What stands before each picture of a message: before a film's frames their order and times, before others nothing."""
    labels: list[tuple[TextPart, ...]] = [()] * len(times)
    for film in films(times):
        for number, (at, seconds) in enumerate(film):
            labels[at] = (TextPart(text=frame_label(number, len(film), seconds)),)
    return labels


def films(times: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The films among a message's pictures: of each the places of its frames in the message, and their times."""
    found: list[list[tuple[int, float]]] = []
    for at, seconds in enumerate(times):
        if seconds is None:
            continue
        if found and found[-1][-1][0] == at - 1 and found[-1][-1][1] < seconds:
            found[-1].append((at, seconds))
        else:
            found.append([(at, seconds)])
    return found


def with_fewer_frames(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns without every second frame of their films; the first frame of each stays."""
    return tuple(_with_fewer_frames(turn) for turn in turns)


def _with_fewer_frames(turn: Turn) -> Turn:
    left_out = {at for film in films(turn.seconds) for at, _ in film[1::2]}
    return only(turn, [at for at in range(len(turn.sha256s)) if at not in left_out]) if left_out else turn


def only(turn: Turn, places: Collection[int]) -> Turn:
    """The turn with the pictures that stand in these places of it alone."""
    names = ("sha256s", "media_types", "seconds", "words", "regions", "sizes")
    kept: dict[str, Any] = {name: tuple(value for at, value in enumerate(getattr(turn, name)) if at in places) for name in names}
    return replace(turn, **kept)


def _content(parts: tuple[Part, ...]) -> str | tuple[Part, ...]:
    """A string where there are only words: every server takes that."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "\n".join(texts) if len(texts) == len(parts) else parts
