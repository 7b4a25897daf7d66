"""Random scenes: which objects meet in which place, and where they stand without hiding each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from daa.datasets.scenes.world import KINDS, MAX_OBJECTS, PLACES, SIZES, Scene, SceneObject

T = TypeVar("T")


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
