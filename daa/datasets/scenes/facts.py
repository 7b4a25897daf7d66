"""What a caption states (objects, relations between them, a setting), and exhaustively of which scenes it is true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import permutations
from operator import and_

import numpy as np
from scipy import sparse

from daa.datasets.scenes.world import CONCEPTS, MAX_OBJECTS, SETTINGS, Scene, SceneObject, relation_holds

SLOTS = range(MAX_OBJECTS)


@dataclass(frozen=True)
class Mention:
    """A noun phrase: at least `count` objects of a concept, of a colour, size, side, in the air: as far as stated."""

    concept: str
    colour: str | None = None
    size: str | None = None
    side: str | None = None
    in_air: bool = False
    count: int = 1

    def fits(self, thing: SceneObject) -> bool:
        """Whether one object is what the phrase names.

        >>> Mention("animal", colour="brown").fits(SceneObject("dog", "brown", "small", 0.5, 0.9, 0.2))
        True
        """
        return (
            thing.kind in CONCEPTS[self.concept]
            and self.colour in (None, thing.colour)
            and self.size in (None, thing.size)
            and self.side in (None, thing.side)
            and (thing.in_air or not self.in_air)
        )


@dataclass(frozen=True)
class Facts:
    """All that a caption states.

    It is true of a scene if the scene's place is in `setting` (where stated) and distinct objects can be chosen for the
    mentions, `count` for each, such that every chosen object fits its mention and every relation holds between the
    objects chosen for the mentions it joins. So "two dogs" means at least two, "a dog and an animal" needs two animals,
    and "a red dog left of a ball" one dog that is both red and left of some ball. A relation `(i, relation, j)` speaks
    of mentions `i` and `j`, whose counts are 1. Only objects count, not the place they are in: grass is not "something
    green".
    """

    mentions: tuple[Mention, ...]
    relations: tuple[tuple[int, str, int], ...] = ()
    setting: str | None = None

    def roles(self) -> list[int]:
        """For each object that must be found the mention it is for.

        >>> Facts((Mention("dog", count=2), Mention("ball"))).roles()
        [0, 0, 1]
        """
        return [m for m, mention in enumerate(self.mentions) for _ in range(mention.count)]


def witness(facts: Facts, scene: Scene) -> tuple[int, ...] | None:
    """The objects that make a caption true: an index into `scene.objects` for each of `facts.roles()`; None if false.

    >>> ball = SceneObject("ball", "red", "small", x=0.3, y=0.8, height=0.1)
    >>> dog = SceneObject("dog", "black", "small", x=0.6, y=0.8, height=0.2)
    >>> witness(Facts((Mention("dog"), Mention("toy")), ((1, "left of", 0),)), Scene("park", (ball, dog)))
    (1, 0)
    >>> witness(Facts((Mention("dog", colour="red"),)), Scene("park", (ball, dog))) is None
    True
    """
    if facts.setting is not None and scene.place not in SETTINGS[facts.setting]:
        return None
    roles = facts.roles()
    role_of_mention = {mention: role for role, mention in enumerate(roles)}
    for chosen in permutations(range(len(scene.objects)), len(roles)):
        things = [scene.objects[i] for i in chosen]
        if all(facts.mentions[m].fits(thing) for m, thing in zip(roles, things, strict=True)) and all(
            relation_holds(relation, things[role_of_mention[i]], things[role_of_mention[j]])
            for i, relation, j in facts.relations
        ):
            return chosen
    return None


class TruthTable:
    """Answers for a list of scenes which of them satisfy some facts.

    Each elementary question ("is object 2 red?") is answered for all scenes at once and packed into one Python integer,
    one bit a scene; a caption is then a few ANDs and ORs of such integers.

    >>> dog = SceneObject("dog", "brown", "small", 0.5, 0.9, 0.2)
    >>> table = TruthTable([Scene("park", (dog,)), Scene("beach", (dog,)), Scene("beach", (dog, dog))])
    >>> table.scenes_where(Facts((Mention("animal"),), setting="beach")).tolist()
    [1, 2]
    >>> table.scenes_where(Facts((Mention("dog", count=2),))).tolist()
    [2]
    """

    def __init__(self, scenes: Sequence[Scene]) -> None:
        self._scenes = scenes
        self._everywhere = (1 << len(scenes)) - 1
        self._traits: dict[Mention, list[int]] = {}
        self._relations: dict[str, list[list[int]]] = {}
        self._settings: dict[str, int] = {}
        self._known: dict[Facts, np.ndarray] = {}

    def scenes_where(self, facts: Facts) -> np.ndarray:
        """Indices of the scenes of which the facts are true, ascending."""
        if facts not in self._known:
            self._known[facts] = self._unpack(self._evaluate(facts))
        return self._known[facts]

    def matrix(self, facts: Sequence[Facts]) -> sparse.csr_array:
        """Boolean sparse [scenes, captions]: whether caption c's facts are true of scene i."""
        rows = [self.scenes_where(stated) for stated in facts]
        pointers = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        indices = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32)
        by_caption = sparse.csr_array(
            (np.ones(len(indices), dtype=bool), indices, pointers), shape=(len(rows), len(self._scenes))
        )
        return sparse.csr_array(by_caption.T)

    def _evaluate(self, facts: Facts) -> int:
        roles = facts.roles()
        role_of_mention = {mention: role for role, mention in enumerate(roles)}
        fits = [self._mention(facts.mentions[m]) for m in roles]
        joins = [(role_of_mention[i], self._relation(name), role_of_mention[j]) for i, name, j in facts.relations]
        found = 0 if roles else self._everywhere
        for slots in permutations(SLOTS, len(roles)) if roles else ():
            here = self._everywhere
            for role, slot in enumerate(slots):
                here &= fits[role][slot]
                if not here:
                    break
            for i, holds, j in joins:
                here &= holds[slots[i]][slots[j]]
            found |= here
        return found & self._setting(facts.setting) if facts.setting else found

    def _mention(self, mention: Mention) -> list[int]:
        """For each slot the scenes whose object there fits the mention."""
        stated = [Mention(mention.concept)]
        stated += [Mention("thing", colour=mention.colour)] if mention.colour else []
        stated += [Mention("thing", size=mention.size)] if mention.size else []
        stated += [Mention("thing", side=mention.side)] if mention.side else []
        stated += [Mention("thing", in_air=True)] if mention.in_air else []
        columns = zip(*(self._single(trait) for trait in stated), strict=True)
        return [reduce(and_, column) for column in columns]

    def _single(self, trait: Mention) -> list[int]:
        if trait not in self._traits:
            self._traits[trait] = [
                self._pack(s < len(scene.objects) and trait.fits(scene.objects[s]) for scene in self._scenes)
                for s in SLOTS
            ]
        return self._traits[trait]

    def _relation(self, relation: str) -> list[list[int]]:
        """For each ordered pair of slots the scenes whose objects there are in the relation."""
        if relation not in self._relations:
            self._relations[relation] = [
                [
                    self._pack(
                        i != j and max(i, j) < len(things) and relation_holds(relation, things[i], things[j])
                        for things in (scene.objects for scene in self._scenes)
                    )
                    for j in SLOTS
                ]
                for i in SLOTS
            ]
        return self._relations[relation]

    def _setting(self, setting: str) -> int:
        if setting not in self._settings:
            self._settings[setting] = self._pack(scene.place in SETTINGS[setting] for scene in self._scenes)
        return self._settings[setting]

    def _pack(self, answers: Iterable[bool]) -> int:
        bits = np.fromiter(answers, dtype=bool, count=len(self._scenes))
        return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")

    def _unpack(self, bits: int) -> np.ndarray:
        n = len(self._scenes)
        packed = np.frombuffer(bits.to_bytes((n + 7) // 8, "little"), dtype=np.uint8)
        return np.flatnonzero(np.unpackbits(packed, count=n, bitorder="little")).astype(np.int32)
