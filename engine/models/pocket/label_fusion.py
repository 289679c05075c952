"""What a thing is called: EfficientNet's classes and the classifier's drawn things as one distribution over common names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from engine.models.pocket.scene_facts import MENTIONED, Guess
from engine.models.pocket.vocabulary import UNNAMED, drawn, imagenet, kinds

FINE_SHARE = 0.45  # EfficientNet's probability from which a breed is worth saying
UNNAMED_SHARE = 0.3  # of probability on people's clothes or on writing, from which nothing is named
PHOTO_EVEN, DRAWN_EVEN = 0.12, 0.36  # shares of even pixels in photographs and in drawings; between them nobody knows
PHOTO_SHARE_IN_DRAWINGS = 0.5  # what EfficientNet's classes still count for in a drawing


def guesses(photo_probabilities: Sequence[float], drawing_probabilities: Sequence[float], even: float) -> tuple[Guess, ...]:
    """Probabilities of the thousand classes and of the drawn names → the likeliest common names; none for people and writing.

    A name's probability is that of all its classes, but its rank that of its best: otherwise a trace of each of the 118
    breeds makes everything a dog.
    """
    share = (1 - PHOTO_SHARE_IN_DRAWINGS) * min(1.0, max(0.0, (even - PHOTO_EVEN) / (DRAWN_EVEN - PHOTO_EVEN)))
    total: defaultdict[str, float] = defaultdict(float)
    best: defaultdict[str, tuple[float, str]] = defaultdict(lambda: (0.0, ""))
    for entry, probability in zip(imagenet(), photo_probabilities, strict=True):
        total[entry.name] += (1 - share) * probability
        best[entry.name] = max(best[entry.name], (probability, entry.fine))
    rank = {name: (1 - share) * probability for name, (probability, _) in best.items()}
    for name, probability in zip(drawn(), drawing_probabilities, strict=True):
        total[name] += share * probability
        rank[name] = rank.get(name, 0.0) + share * probability
    named = sorted((name for name in total if kinds()[name] not in UNNAMED), key=lambda name: -rank[name])[:MENTIONED]
    silent = sum(probability for name, probability in total.items() if kinds()[name] in UNNAMED)
    if silent >= UNNAMED_SHARE and silent > total[named[0]]:
        return ()
    return tuple(Guess(name, total[name], _fine(name, *best[name])) for name in named)


def _fine(name: str, probability: float, fine: str) -> str:
    return fine if probability >= FINE_SHARE and fine.lower() != name else ""
