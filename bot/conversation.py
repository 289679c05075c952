"""What a message continues, which pictures it is about, and which turns the engine is shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.message import Attachment, Incoming, Reply
from bot.store.graph import Node, Turn
from bot.store.tables import Finish
from engine.api import ImagePart, ImageUrl, Message, Part, Role, TextPart

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
    """Whether words that are all there is, before which nothing was said, can be about nothing but a picture: "What is this?"."""
    return speaks_of_picture(question) or _SHOWN.fullmatch(question.strip()) is not None


def points_at_picture(question: str) -> bool:
    """Whether the question may mean a picture that stands there: no words at all, words that point, or that ask what can be seen."""
    return not question.strip() or speaks_of_picture(question) or _POINTS.search(question) is not None


def with_quote(question: str, reply: Reply | None, *, stored: bool) -> str:
    """The question below what it quotes: what the person marked, else the words that it replies to. `stored`: the model is shown
    them anyway; where there is a picture, the question is about that."""
    if reply is None:
        return question
    quote = (reply.quote or ("" if stored or reply.is_ours or reply.attachments else reply.words)).strip()
    if not quote:
        return question
    quoted = "\n".join(f"> {line}" for line in quote.splitlines())
    return f"{quoted}\n\n{question}".strip()


def attachments_meant(incoming: Incoming, replied: Node | None) -> tuple[Attachment, ...]:
    """Own ones (forwarded ones among them) before the replied-to message's, unless we hold that message already."""
    if incoming.attachments or incoming.reply_to is None or replied is not None:
        return incoming.attachments
    return incoming.reply_to.attachments


def sight(branch: Sequence[Turn]) -> Turn | None:
    """The message whose pictures the newest question is about; None without any."""
    return next((turn for turn in reversed(branch) if turn.sha256s), None)


def said(branch: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns that count: an answer that failed was never said."""
    return tuple(turn for turn in branch if turn.role == "user" or (turn.text and turn.finish != Finish.FAILED))


def without_oldest(turns: Sequence[Turn], count: int) -> tuple[Turn, ...]:
    """Leave out the oldest `count` texts. The newest question stays, and so does every picture."""
    silent = {turn.id for turn in [turn for turn in turns[:-1] if turn.text][:count]}
    kept = (_unsaid(turn) if turn.id in silent else turn for turn in turns)
    return tuple(turn for turn in kept if turn.text or turn.sha256s)


def messages(turns: Sequence[Turn], urls: Mapping[str, str], system_prompt: str | None) -> tuple[Message, ...]:
    """The wire's form. `urls`: data URLs by sha256. What people said in a row becomes one message: models expect to alternate.

    Names are left out: a name in a group is a stranger's text.
    """
    spoken: list[tuple[Role, tuple[Part, ...]]] = [("system", (TextPart(text=system_prompt),))] if system_prompt else []
    for turn in turns:
        role: Role = "assistant" if turn.role == "assistant" else "user"
        before = spoken.pop()[1] if spoken and spoken[-1][0] == role else ()
        spoken.append((role, (*before, *_parts(turn, urls))))
    return tuple(Message(role=role, content=_content(parts)) for role, parts in spoken)


def _unsaid(turn: Turn) -> Turn:
    return replace(turn, text="")


def _parts(turn: Turn, urls: Mapping[str, str]) -> tuple[Part, ...]:
    pictures = tuple(ImagePart(image_url=ImageUrl(url=urls[sha256])) for sha256 in turn.sha256s)
    return (*pictures, TextPart(text=turn.text)) if turn.text else pictures


def _content(parts: tuple[Part, ...]) -> str | tuple[Part, ...]:
    """Plain words go as a string: every server takes that."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "\n".join(texts) if len(texts) == len(parts) else parts
