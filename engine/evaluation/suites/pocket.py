"""The suites of the pocket model, with the share of right answers that each must reach."""

from __future__ import annotations

from engine.evaluation.cases import Bar, Suite
from engine.evaluation.suites.follow_ups import follow_ups
from engine.evaluation.suites.honesty import chinese, not_sure, sure_of_easy_things
from engine.evaluation.suites.naming import animals, cutouts, drawings, presence
from engine.evaluation.suites.shapes import colours, counts, descriptions, positions

SUITES = (
    Suite("colour", colours, Bar("at least", 0.88)),
    Suite("count 1–6", counts, Bar("at least", 0.88)),
    Suite("position", positions, Bar("at least", 0.95)),
    Suite("full description of shapes", descriptions, Bar("at least", 0.90)),
    Suite("animal photos", animals, Bar("EfficientNet's own")),
    Suite("photo cutouts", cutouts, Bar("EfficientNet's own")),
    Suite("is there an X? (balanced)", presence, Bar("at least", 0.70)),
    Suite("not sure: people, text, unclear", not_sure, Bar("at least", 0.80)),
    Suite("sure of easy things", sure_of_easy_things, Bar("at least", 0.90)),
    Suite("five-turn follow-ups", follow_ups, Bar("at least", 0.80)),
    Suite("Chinese question", chinese, Bar("at least", 1.0)),
    Suite("OpenMoji names (unseen style)", drawings),
)
