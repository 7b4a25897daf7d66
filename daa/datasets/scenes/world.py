"""The little world of `scenes`: kinds of objects, colours, places, relations, and random scenes made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TypeVar

import numpy as np

T = TypeVar("T")

MAX_OBJECTS = 4
HORIZON = 0.56  # where the ground begins, as a fraction of the picture's height from above
SIZES = {"small": 0.72, "medium": 1.0, "large": 1.40}


@dataclass(frozen=True)
class Kind:
    """What all objects of a kind share: height at medium size (a fraction of the picture), width / height, ..."""

    height: float
    aspect: float
    colours: tuple[str, ...]
    stands: str = "ground"  # "ground", "back" (far ground), "air", "both" (ground or air), "water"
    weight: float = 1.0


KINDS: dict[str, Kind] = {
    "dog": Kind(0.26, 1.15, ("brown", "black", "white", "grey"), weight=2.2),
    "cat": Kind(0.24, 0.90, ("orange", "black", "grey", "white"), weight=1.8),
    "rabbit": Kind(0.23, 0.85, ("white", "grey", "brown")),
    "horse": Kind(0.36, 1.15, ("brown", "black", "white")),
    "cow": Kind(0.31, 1.35, ("white", "brown", "black"), weight=1.3),
    "sheep": Kind(0.24, 1.25, ("white", "black"), weight=1.2),
    "bird": Kind(0.17, 1.25, ("blue", "red", "yellow", "black"), stands="both", weight=1.4),
    "duck": Kind(0.19, 1.10, ("yellow", "white", "brown")),
    "car": Kind(0.21, 2.0, ("red", "blue", "yellow", "green", "black", "white"), weight=1.6),
    "bus": Kind(0.30, 1.75, ("red", "yellow", "blue", "green"), weight=1.6),
    "bicycle": Kind(0.25, 1.6, ("red", "blue", "green", "black", "pink"), weight=1.2),
    "boat": Kind(0.30, 1.0, ("red", "blue", "white", "yellow"), stands="water", weight=2.2),
    "plane": Kind(0.17, 2.1, ("white", "red", "blue", "yellow"), stands="air", weight=0.8),
    "ball": Kind(0.15, 1.0, ("red", "blue", "yellow", "green", "pink", "orange", "purple"), weight=1.6),
    "kite": Kind(0.31, 0.75, ("red", "yellow", "purple", "green", "orange", "pink", "blue"), stands="air"),
    "balloon": Kind(0.31, 0.50, ("red", "yellow", "purple", "green", "orange", "pink", "blue"), stands="air"),
    "teddy": Kind(0.23, 0.90, ("brown", "white", "pink")),
    "boy": Kind(0.36, 0.55, ("red", "blue", "green", "yellow", "orange"), weight=2.0),
    "girl": Kind(0.36, 0.58, ("red", "pink", "purple", "yellow", "blue"), weight=2.0),
    "tree": Kind(0.46, 0.80, ("green", "orange", "pink"), stands="back", weight=1.5),
    "palm": Kind(0.46, 0.85, ("green",), stands="back", weight=1.8),
    "flower": Kind(0.23, 0.60, ("red", "yellow", "pink", "purple", "orange", "white", "blue"), weight=1.4),
    "cactus": Kind(0.31, 0.75, ("green",), weight=1.6),
    "house": Kind(0.40, 1.10, ("red", "yellow", "white", "blue", "pink"), stands="back", weight=1.2),
    "tent": Kind(0.29, 1.45, ("orange", "green", "blue", "red"), stands="back", weight=0.8),
    "umbrella": Kind(0.33, 1.10, ("red", "blue", "yellow", "green", "pink", "purple"), weight=1.2),
    "snowman": Kind(0.35, 0.75, ("red", "blue", "green", "purple"), weight=3.0),
}
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey")

# What a noun may stand for. A concept holds of an object if the object's kind is in its set.
CONCEPTS: dict[str, frozenset[str]] = {kind: frozenset([kind]) for kind in KINDS} | {
    "bird": frozenset(["bird", "duck"]),
    "tree": frozenset(["tree", "palm"]),
    "pet": frozenset(["dog", "cat", "rabbit"]),
    "farm animal": frozenset(["horse", "cow", "sheep"]),
    "animal": frozenset(["dog", "cat", "rabbit", "horse", "cow", "sheep", "bird", "duck"]),
    "vehicle": frozenset(["car", "bus", "bicycle", "boat", "plane"]),
    "toy": frozenset(["ball", "kite", "balloon", "teddy"]),
    "person": frozenset(["boy", "girl"]),
    "plant": frozenset(["tree", "palm", "flower", "cactus"]),
    "thing": frozenset(KINDS),
}

# For each place the kinds that are common there and those that never appear; boats need the water of two of them.
_WILD = ("boat", "snowman", "cactus", "palm")
PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "beach": (("boat", "umbrella", "ball", "palm", "bird", "kite"), ("snowman", "cow", "sheep", "bus", "house")),
    "park": (("dog", "bird", "duck", "ball", "kite", "tree", "flower", "boy", "girl", "bicycle"), _WILD),
    "street": (("car", "bus", "bicycle", "house", "cat", "boy", "girl"), (*_WILD, "cow", "sheep", "tent")),
    "snow": (("snowman", "house", "rabbit", "boy", "girl", "dog"), ("boat", "cactus", "palm", "umbrella", "flower")),
    "night": (("cat", "tent", "house", "plane", "car"), _WILD),
    "desert": (("cactus", "horse", "tent", "car", "plane"), ("boat", "snowman", "tree", "duck", "sheep", "flower")),
    "farm": (("cow", "horse", "sheep", "duck", "house", "tree", "rabbit"), _WILD),
    "mountains": (("boat", "tent", "sheep", "tree", "plane", "horse"), ("snowman", "cactus", "palm", "bus", "teddy")),
    "room": (("cat", "dog", "teddy", "balloon", "ball"), (*_WILD, "bus", "plane", "kite", "house", "cow", "tree")),
}

# Sets of places that one phrase covers; each place is also a set of its own.
SETTINGS: dict[str, frozenset[str]] = {place: frozenset([place]) for place in PLACES} | {
    "outdoors": frozenset(PLACES) - {"room"},
    "daytime": frozenset(PLACES) - {"room", "night"},
    "sand": frozenset(["beach", "desert"]),
    "grass": frozenset(["park", "farm", "mountains"]),
}

RELATIONS = ("left of", "right of", "above", "below", "next to", "in front of", "behind")
INVERSE = {"left of": "right of", "above": "below", "in front of": "behind", "next to": "next to"}
INVERSE |= {inverse: relation for relation, inverse in INVERSE.items()}
SIDES = ("left", "middle", "right")


@dataclass(frozen=True)
class SceneObject:
    """One object: `x` is its centre, `y` its lower end, as fractions of the picture from the top left."""

    kind: str
    colour: str
    size: str
    x: float
    y: float
    height: float
    flip: bool = False
    tilt: float = 0.0
    in_air: bool = False

    @cached_property
    def width(self) -> float:
        return self.height * KINDS[self.kind].aspect

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) as fractions of the picture."""
        return self.x - self.width / 2, self.y - self.height, self.x + self.width / 2, self.y

    @property
    def side(self) -> str:
        """The third of the picture that the centre lies in, `""` near a border between two of them."""
        if self.x < 0.32:
            return "left"
        if self.x > 0.68:
            return "right"
        return "middle" if 0.40 < self.x < 0.60 else ""


@dataclass(frozen=True)
class Scene:
    """A place with one to four objects, the far ones first; `grain` seeds what carries no meaning (light, noise)."""

    place: str
    objects: tuple[SceneObject, ...]
    grain: int = 0


def relation_holds(relation: str, a: SceneObject, b: SceneObject) -> bool:
    """Whether the drawing shows `a` in the relation to `b`.

    Left of: the centres differ by 15 % of the width or more. Above: `a` is in the air, wholly higher than `b`, which is
    not, and at most 30 % aside. Next to: both on the ground, at most 8 % apart sideways and 12 % in depth. In front of:
    both on the ground, `a` nearer, and they share at least 40 % of the narrower one's width.

    >>> ball, dog = (SceneObject(kind, "brown", "medium", x, 0.8, 0.2) for kind, x in (("ball", 0.3), ("dog", 0.5)))
    >>> [relation for relation in RELATIONS if relation_holds(relation, ball, dog)]
    ['left of', 'next to']
    """
    if relation in ("right of", "below", "behind"):
        return relation_holds(INVERSE[relation], b, a)
    a_left, _, a_right, a_bottom = a.box
    b_left, b_top, b_right, b_bottom = b.box
    if relation == "left of":
        return a.x <= b.x - 0.15
    if relation == "above":
        return a.in_air and not b.in_air and a_bottom <= b_top + 0.02 and abs(a.x - b.x) <= 0.30
    if relation not in ("next to", "in front of"):
        raise ValueError(f"relation: expected one of {', '.join(RELATIONS)}, got {relation!r}")
    if a.in_air or b.in_air:
        return False
    shared = min(a_right, b_right) - max(a_left, b_left)
    if relation == "next to":
        return -0.08 <= shared <= 0.25 * min(a.width, b.width) and abs(a_bottom - b_bottom) <= 0.12
    return a_bottom >= b_bottom + 0.03 and shared >= 0.4 * min(a.width, b.width)


class Dice:
    """Random choices from one stream of uniform numbers: the same on every platform and in every process.

    >>> dice = Dice(np.random.SeedSequence(0))
    >>> dice.pick("abc"), dice.pick("abc"), round(dice.between(2, 3), 3)
    ('b', 'a', 2.041)
    """

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._values: list[float] = []

    def uniform(self) -> float:
        if not self._values:
            self._values = self._generator.random(4096).tolist()[::-1]
        return self._values.pop()

    def chance(self, probability: float) -> bool:
        return self.uniform() < probability

    def between(self, low: int | float, high: int | float) -> float:
        return low + (high - low) * self.uniform()

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.uniform() * len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        point = self.uniform() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            point -= weight
            if point < 0:
                return option
        return options[-1]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        rest = list(options)
        return [rest.pop(int(self.uniform() * len(rest))) for _ in range(len(rest))]


def random_scene(dice: Dice) -> Scene:
    """One scene: a place, one to four objects that suit it, and the grain of its noise.

    Some objects repeat the kind of an earlier one, so that there is something to count.
    """
    place = dice.pick(tuple(PLACES))
    wanted = dice.weighted(range(1, MAX_OBJECTS + 1), (0.16, 0.30, 0.32, 0.22))
    objects: list[SceneObject] = []
    for _ in range(wanted):
        for _attempt in range(12):
            candidate = _random_object(dice, place, objects)
            if all(_both_visible(candidate, other) for other in objects):
                objects.append(candidate)
                break
    return Scene(place, tuple(sorted(objects, key=lambda thing: thing.y)), grain=int(dice.uniform() * 2**32))


@cache
def _kinds_at(place: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    common, never = PLACES[place]
    kinds = tuple(kind for kind in KINDS if kind not in never)
    return kinds, tuple(KINDS[kind].weight * (2.5 if kind in common else 1.0) for kind in kinds)


def _random_object(dice: Dice, place: str, others: Sequence[SceneObject]) -> SceneObject:
    again = bool(others) and dice.chance(0.20)
    kind = dice.pick(others).kind if again else dice.weighted(*_kinds_at(place))
    traits = KINDS[kind]
    size = dice.weighted(tuple(SIZES), (0.30, 0.42, 0.28))
    height = traits.height * SIZES[size] * dice.between(0.95, 1.05)
    half = height * traits.aspect / 2 + 0.02
    in_air = traits.stands == "air" or (traits.stands == "both" and dice.chance(0.45))
    if in_air:
        y = dice.between(height + 0.02, max(height + 0.03, 0.50))
    else:
        low, high = _depths(traits.stands, place)
        y = max(dice.between(low, high), height + 0.02)
    return SceneObject(
        kind=kind,
        colour=dice.pick(traits.colours),
        size=size,
        x=dice.between(half, 1 - half),
        y=y,
        height=height,
        flip=dice.chance(0.5),
        tilt=dice.between(-1, 1),
        in_air=in_air,
    )


def _depths(stands: str, place: str) -> tuple[float, float]:
    """Where an object may stand, from far to near: behind the road in the street, on this side of sea and lake."""
    if stands == "water":
        return 0.60, 0.655
    if stands == "back":
        return {"street": (0.61, 0.66), "beach": (0.72, 0.80), "mountains": (0.71, 0.80)}.get(place, (0.62, 0.76))
    return 0.73, 0.965


def _both_visible(a: SceneObject, b: SceneObject) -> bool:
    """Whether the nearer one covers at most 22 % of the other's box (hardly anything if one of them is in the air)."""
    a_left, a_top, a_right, a_bottom = a.box
    b_left, b_top, b_right, b_bottom = b.box
    shared = max(0.0, min(a_right, b_right) - max(a_left, b_left)) * max(
        0.0, min(a_bottom, b_bottom) - max(a_top, b_top)
    )
    if a.in_air or b.in_air:
        return shared <= 0.04 * min(a.width * a.height, b.width * b.height)
    far = a if a.y < b.y else b
    return shared <= 0.22 * far.width * far.height
