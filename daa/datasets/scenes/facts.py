"""What a caption states: mentions of objects, relations between them, a setting."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from daa.datasets.scenes.world import CONCEPTS, SETTINGS, Scene, SceneObject, relation_holds


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
