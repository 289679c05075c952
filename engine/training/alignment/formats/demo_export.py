"""Reads what `/demo export` wrote: answers that people liked or that somebody corrected, and their pictures from its page. No torch."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.training.alignment.dataset import StoredPicture

INLINE = re.compile(rb'src="data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)"')


def is_demo_record(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("answers"), list) and isinstance(record.get("pictures"), list)


def to_record(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The record as `image, question, answer`: the text that somebody wrote as `corrected`, else the answer with most votes, if any.

    What nobody liked is no example, and no bad row either.
    """
    liked = max((each for each in record["answers"] if isinstance(each, dict)), key=votes, default={})
    answer = record.get("corrected") or (liked.get("text") if votes(liked) else None)
    if answer:
        yield {"image": record["pictures"], "question": record.get("question") or "", "answer": answer}


def votes(answer: Mapping[str, Any]) -> int:
    given = answer.get("votes")
    return given if isinstance(given, int) else 0


def page_pictures(page: Path) -> dict[str, StoredPicture]:
    """The pictures of the export's HTML page by the sha256 that its records name them by; none if the page is not there."""
    if not page.is_file():
        return {}
    return {
        hashlib.sha256(base64.b64decode(found[1])).hexdigest(): StoredPicture(page, found.start(1), len(found[1]), base64=True)
        for found in INLINE.finditer(page.read_bytes())
    }
