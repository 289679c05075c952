"""From pixels to facts: runs EfficientNet and the trained parts on a picture, and puts together what they found."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cosine_similarity

from engine.api import NamedBox
from engine.models.base import PictureMaps
from engine.models.pocket.bridge import Bridge, concept_tokens
from engine.models.pocket.efficientnet import SIDE, EfficientNet, ImageFeatures, border_colour, letterboxed, normalise, pixels_of, square
from engine.models.pocket.foreground import evenness, extent, foreground_colours, frame_filled, joined
from engine.models.pocket.label_fusion import DRAWN_EVEN, PHOTO_EVEN, guesses
from engine.models.pocket.qformer import on_cells
from engine.models.pocket.scene import FEATURE_CELLS, DetectedObject, Kind, SceneMaps, find
from engine.models.pocket.scene_facts import SECOND_COLOUR, Group, Guess, SceneFacts, Subject, arrange, named_box
from engine.models.pocket.vocabulary import COLOURS

LARGE = 0.1  # of the picture, from which a lone thing is best seen with all around it
MARGIN = 1.25  # of a thing's box, when it is looked at by itself
ALIKE = 0.8  # cosine of EfficientNet's features from which two things are of a kind
PLAIN = 0.8  # probability from which a background has one colour
STRANGE = 0.6  # how sure EfficientNet must be to name what the reader takes for nothing


@dataclass(frozen=True)
class Appearance:
    """One object by itself: its features, and guesses at its name."""

    features: Tensor  # [1280]
    guesses: tuple[Guess, ...]
    colours: tuple[str, ...] = ()  # where the picture itself tells them better than the reader


class Perception:
    """EfficientNet with everything that was trained on top of it. `concepts` [1000, width]: embeddings of the class names."""

    def __init__(self, efficientnet: EfficientNet, bridge: Bridge, concepts: Tensor) -> None:
        self.efficientnet, self.bridge, self.concepts = efficientnet, bridge, concepts

    @property
    def device(self) -> torch.device:
        return self.concepts.device

    @torch.inference_mode()
    def perceive(self, picture: Image.Image) -> tuple[SceneFacts, Tensor]:
        """An RGB picture of any size → the facts, and the soft tokens [24, width]."""
        facts, read = self.read(picture)
        return facts, self.bridge.qformer(*read)[0]

    def read(self, picture: Image.Image) -> tuple[SceneFacts, tuple[ImageFeatures, SceneMaps, Tensor]]:
        """An RGB picture of any size → the facts, and what the Q-Former reads, of a batch of one."""
        image_features = self._image_features([letterboxed(picture)])
        maps: SceneMaps = self.bridge.reader(image_features)
        return self._facts(picture, maps), (image_features, maps, concept_tokens(image_features, self.concepts))

    @torch.inference_mode()
    def query_maps(self, picture: Image.Image) -> PictureMaps:
        """An RGB picture → what EfficientNet sees of it, and where each query looked among 14 × 14 cells.

        Looks at the cells of EfficientNet's last layer, which see all of it, and at concepts are left out.
        """
        boxed = letterboxed(picture)
        image_features = self._image_features([boxed])
        read = image_features, self.bridge.reader(image_features), concept_tokens(image_features, self.concepts)
        attention: list[Tensor] = []
        self.bridge.qformer(*read, attention)
        taken = self.bridge.qformer.taken(self.bridge.qformer.memory(*read), attention)
        maps = torch.stack([on_cells(weights[0].mean(0)) for weights in attention])
        return PictureMaps(boxed, (FEATURE_CELLS, FEATURE_CELLS), maps, on_cells(taken[0]))

    def _facts(self, picture: Image.Image, maps: SceneMaps) -> SceneFacts:
        kind = Kind(int(maps.kind[0].argmax()))
        ground = _ground(maps)
        if kind is Kind.TEXT:
            return SceneFacts(Subject.TEXT, (), ground)
        found = _without_parts(picture, [_in_picture(thing, picture.size) for thing in find(maps)])
        stretched = square(picture)
        countable = len(found) > 1 and not (evenness(stretched) < DRAWN_EVEN and frame_filled(stretched))
        if kind in (Kind.SHAPES, Kind.THINGS) and (countable or (len(found) == 1 and ground)):
            groups, boxes = self._groups(picture, found)
            return SceneFacts(Subject.THINGS, groups, ground, boxes)
        whole = self._appearances([stretched])[0]
        if kind is Kind.NOTHING and not (whole.guesses and whole.guesses[0].probability >= STRANGE):
            return SceneFacts(Subject.NOTHING, (), ground)
        return SceneFacts(Subject.PHOTO, (Group(1, guesses=whole.guesses),))

    def _groups(self, picture: Image.Image, found: list[DetectedObject]) -> tuple[tuple[Group, ...], tuple[NamedBox, ...]]:
        """The groups in reading order, and each thing's box."""
        unshaped = [thing for thing in found if thing.shape is None]
        appearances = iter(self._appearances_of(picture, unshaped))
        things: list[tuple[Group, tuple[float, float, float, float]]] = []
        keys: list[tuple[str, str, int]] = []
        kinds: list[Appearance] = []
        for thing in found:
            colour = thing.colours[0][0]
            if thing.shape is not None:
                things.append((Group(1, thing.shape, (), (colour,)), thing.box))
                keys.append((thing.shape, colour, 0))
                continue
            appearance = next(appearances)
            alike = next((i for i, other in enumerate(kinds) if _alike(appearance, other)), len(kinds))
            if alike == len(kinds):
                kinds.append(appearance)
            things.append((Group(1, "", kinds[alike].guesses, appearance.colours or _main(thing.colours)), thing.box))
            keys.append(("", "", alike))
        return arrange(things, [keys.index(key) for key in keys]), tuple(named_box(group, box) for group, box in things)

    def _appearances_of(self, picture: Image.Image, things: list[DetectedObject]) -> list[Appearance]:
        if len(things) == 1 and extent(whole := square(picture)) >= LARGE:
            (appearance,) = self._appearances([whole])
            # The reader knows the colours of drawings; a photograph's are counted.
            return (
                [replace(appearance, colours=_main(foreground_colours(whole)))]
                if evenness(whole) < (PHOTO_EVEN + DRAWN_EVEN) / 2
                else [appearance]
            )
        return self._appearances([cut_out(picture, thing.box) for thing in things]) if things else []

    def _appearances(self, squares: list[Image.Image]) -> list[Appearance]:
        image_features = self._image_features(squares)
        features = image_features.head.mean((2, 3))
        photo, drawing = image_features.logits.softmax(-1).tolist(), self.bridge.classifier(image_features).softmax(-1).tolist()
        return [Appearance(features[i], guesses(photo[i], drawing[i], evenness(squares[i]))) for i in range(len(squares))]

    def _image_features(self, squares: list[Image.Image]) -> ImageFeatures:
        image_features: ImageFeatures = self.efficientnet(
            normalise(torch.stack([pixels_of(picture) for picture in squares]).to(self.device))
        )
        return image_features


def _ground(maps: SceneMaps) -> str:
    """The background's colour, or "" when it has no one colour."""
    probability, index = maps.background[0].softmax(0).max(0)
    return COLOURS[int(index)] if float(probability) >= PLAIN and int(index) < len(COLOURS) else ""


def _in_picture(thing: DetectedObject, size: tuple[int, int]) -> DetectedObject:
    """Takes the letterbox's bars off a box's coordinates."""
    x, y, width, height = thing.box
    across, down = (side / max(size) for side in size)
    return DetectedObject(((x - 0.5) / across + 0.5, (y - 0.5) / down + 0.5, width / across, height / down), thing.shape, thing.colours)


def _without_parts(picture: Image.Image, found: list[DetectedObject]) -> list[DetectedObject]:
    """Drops things that hang together with a surer one: the reader knows drawings, and may take a horse's head for a thing."""
    kept: list[DetectedObject] = []
    for thing in found:
        if thing.shape or not any(other.shape is None and joined(picture, thing.box[:2], other.box[:2]) for other in kept):
            kept.append(thing)
    return kept


def cut_out(picture: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """A square around the thing, with a margin, 224 × 224; what lies beyond the picture's edge has the border's colour."""
    middle_x, middle_y = box[0] * picture.width, box[1] * picture.height
    half = max(8.0, max(box[2] * picture.width, box[3] * picture.height) * MARGIN / 2)
    left, top, right, bottom = (round(at) for at in (middle_x - half, middle_y - half, middle_x + half, middle_y + half))
    inside = max(0, left), max(0, top), min(picture.width, right), min(picture.height, bottom)
    canvas = Image.new("RGB", (right - left, bottom - top), border_colour(picture.convert("RGB")))
    canvas.paste(picture.convert("RGB").crop(inside), (inside[0] - left, inside[1] - top))
    return canvas.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _main(colours: tuple[tuple[str, float], ...]) -> tuple[str, ...]:
    """The one or two that are worth saying."""
    (first, _), (second, share), *_ = colours
    return (first, second) if share >= SECOND_COLOUR else (first,)


def _alike(one: Appearance, other: Appearance) -> bool:
    return bool(cosine_similarity(one.features, other.features, dim=0) >= ALIKE)
