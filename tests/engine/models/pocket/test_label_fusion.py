"""Names of things from two classifiers' probabilities."""

from __future__ import annotations

from engine.models.pocket.label_fusion import DRAWN_EVEN, PHOTO_EVEN, guesses
from engine.models.pocket.vocabulary import drawn, imagenet

PHOTO, DRAWING = PHOTO_EVEN, DRAWN_EVEN


def efficientnet(**classes: float) -> list[float]:
    """The thousand probabilities, of which some classes are given by their first index."""
    given = {name.replace("_", " "): value for name, value in classes.items()}
    return [given.get(entry.fine, 0.0) for entry in imagenet()]


def classifier(**names: float) -> list[float]:
    return [names.get(name, 0.0) for name in drawn()]


def test_breeds_add_up_to_dogs() -> None:
    best, second, *_ = guesses(efficientnet(beagle=0.3, Chihuahua=0.25, tabby=0.25), classifier(), PHOTO)
    assert (best.name, round(best.probability, 2), best.fine) == ("dog", 0.55, "")
    assert second.name == "cat"


def test_a_trace_of_every_breed_is_no_dog() -> None:
    breeds = {entry.fine: 0.004 for entry in imagenet() if entry.name == "dog"}
    assert guesses(efficientnet(**breeds, ox=0.3), classifier(), PHOTO)[0].name == "cow"


def test_a_breed_is_named_when_efficientnet_is_sure_of_it() -> None:
    assert guesses(efficientnet(beagle=0.8), classifier(), PHOTO)[0].fine == "beagle"


def test_people_and_writing_have_no_name() -> None:
    assert guesses(efficientnet(wig=0.2, suit=0.2, beagle=0.3), classifier(), PHOTO) == ()
    assert guesses(efficientnet(), classifier(person=0.9), DRAWING) == ()
    assert "suit" not in {guess.name for guess in guesses(efficientnet(suit=0.2, beagle=0.5), classifier(), PHOTO)}


def test_drawings_are_named_by_who_knows_drawings() -> None:
    assert guesses(efficientnet(beagle=0.4), classifier(apple=0.9), DRAWING)[0].name == "apple"
    assert guesses(efficientnet(beagle=0.4), classifier(apple=0.9), PHOTO)[0].name == "dog"
