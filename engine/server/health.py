"""What `/health` says of one worker and its model, whoever serves it: this server, or a replica of a cluster."""

from __future__ import annotations

from engine.api import Health
from engine.boxes import PLACES
from engine.core.worker import Worker
from engine.models.card import FALLBACK, Card, Template


def health_of(card: Card, worker: Worker, adapters: tuple[str, ...] = ()) -> Health:
    loaded, fallback = worker.loaded, card.architecture == FALLBACK
    return Health(
        status=worker.status,
        model=card.name,
        device=loaded.device if loaded else "",
        memory_bytes=loaded.memory() if loaded else 0,
        rows=loaded.rows if loaded else 0,
        seconds_left=worker.seconds_left,
        step_seconds=worker.step_seconds,
        detail=worker.failure,
        context_length=card.context_length,
        defaults=card.generation.model_dump(exclude={"early_stopping"}),
        languages=card.languages,
        notice=card.notice,
        lacks=("beam_tree",) if fallback else (),
        picture_detail=loaded.detail if loaded else "",
        eye_pixels=loaded.eye_pixels if loaded else None,
        finds=card.architecture in PLACES,
        one_picture=isinstance(card.template, Template) and card.template.one_picture,
        adapters=adapters,
        explains=bool(loaded and loaded.explanation_seconds),
        explanation_seconds=loaded.explanation_seconds() if loaded and loaded.explanation_seconds else None,
        fallback=card.version if fallback else "",
    )
