"""Exhaustive truth: which caption fits which scene, decided for all pairs from the facts.

Each elementary question ("is object 2 red?") is answered for all scenes at once and packed into one Python integer, one
bit a scene; a caption is then a few ANDs and ORs of such integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import permutations
from operator import and_

import numpy as np
from scipy import sparse

from daa.datasets.scenes.facts import Facts, Mention
from daa.datasets.scenes.world import MAX_OBJECTS, SETTINGS, Scene, relation_holds

SLOTS = range(MAX_OBJECTS)


class TruthTable:
    """Answers for a list of scenes which of them satisfy some facts.

    >>> from daa.datasets.scenes.world import SceneObject
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
