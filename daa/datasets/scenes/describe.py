"""Five describers who look at the same scene and write five different captions, from exact to hopelessly vague."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from daa.datasets.scenes.facts import Facts, Mention
from daa.datasets.scenes.phrase import caption_text
from daa.datasets.scenes.world import CONCEPTS, RELATIONS, SETTINGS, Dice, Scene, SceneObject, relation_holds

# Colours that no place has much of: only these are said of "something".
STRIKING = ("red", "orange", "pink", "purple")


@dataclass(frozen=True)
class Describer:
    """A way of describing: how many objects are mentioned (weights of 1 to 4), and the chance of each detail."""

    name: str
    mentions: tuple[float, float, float, float]
    generalise: float  # chance to step from a noun to a more general one, again and again
    colour: float
    size: float
    setting: float
    broaden: float  # chance that a stated setting is a general one
    relation: float
    count: float  # chance to count objects that share a noun
    side: float
    in_air: float
    synonym: float
    view: float = 0.0  # chance to name nothing but the setting


DESCRIBERS = (
    Describer("exact", (0.20, 0.50, 0.22, 0.08), 0.04, 0.65, 0.28, 0.60, 0.10, 0.20, 0.6, 0.08, 0.3, 0.15),
    Describer("everyday", (0.52, 0.43, 0.05, 0.00), 0.12, 0.26, 0.10, 0.48, 0.25, 0.10, 0.5, 0.04, 0.15, 0.50),
    Describer("colourful", (0.58, 0.40, 0.02, 0.00), 0.60, 0.85, 0.12, 0.25, 0.50, 0.10, 0.3, 0.03, 0.1, 0.30),
    Describer("relational", (0.10, 0.85, 0.05, 0.00), 0.45, 0.18, 0.08, 0.15, 0.55, 0.85, 0.2, 0.25, 0.3, 0.30),
    Describer("vague", (0.68, 0.32, 0.00, 0.00), 0.85, 0.10, 0.12, 0.45, 0.55, 0.05, 0.6, 0.05, 0.15, 0.30, 0.12),
)


@dataclass(frozen=True)
class Description:
    """A caption, what it states, and who wrote it (an index into `DESCRIBERS`)."""

    text: str
    facts: Facts
    describer: int


def describe(scene: Scene, describer: int, dice: Dice) -> Description:
    """One caption of a scene. All that it states is true of the scene."""
    manner = DESCRIBERS[describer]
    if dice.chance(manner.view):
        facts = Facts((), (), _choose_setting(scene, manner, dice))
    else:
        facts = _choose_facts(scene, manner, dice)
    return Description(caption_text(facts, manner.synonym, dice), facts, describer)


def describe_all(scene: Scene, dice: Dice) -> list[Description]:
    """Five captions, one a describer, in random order; a sentence is repeated only if nothing else comes to mind."""
    written: list[Description] = []
    for describer in dice.shuffled(range(len(DESCRIBERS))):
        description = describe(scene, describer, dice)
        for _ in range(3):
            if all(description.text != other.text for other in written):
                break
            description = describe(scene, describer, dice)
        written.append(description)
    return written


def _choose_facts(scene: Scene, manner: Describer, dice: Dice) -> Facts:
    things = dice.shuffled(scene.objects)
    wanted = dice.weighted((1, 2, 3, 4), manner.mentions)
    relations: tuple[tuple[int, str, int], ...] = ()
    setting = _choose_setting(scene, manner, dice) if dice.chance(manner.setting) else None
    if len(things) > 1 and dice.chance(manner.relation):
        pairs = [(a, b) for a in things for b in things if a is not b]
        related = [(a, relation, b) for a, b in pairs for relation in RELATIONS if relation_holds(relation, a, b)]
        if related:
            a, relation, b = dice.pick(related)
            relations = ((0, relation, 1),)
            rest = [thing for thing in things if thing is not a and thing is not b][: max(0, wanted - 2)]
            mentions = [_mention(thing, manner, dice, place_too=False) for thing in (a, b, *rest)]
            return Facts((*mentions[:2], *_merge(mentions[2:])), relations, setting)
    mentions = []
    if len(things) > 1 and dice.chance(manner.count):
        mentions, things = _count_some(things, manner, dice)
    mentions += [_mention(thing, manner, dice) for thing in things[: max(0, wanted - len(mentions))]]
    return Facts(tuple(_merge(mentions)), (), setting)


def _count_some(things: list[SceneObject], manner: Describer, dice: Dice) -> tuple[list[Mention], list[SceneObject]]:
    """A mention of two or more objects that share a noun, if there are any, and the objects that are left."""
    concept = _general_noun(things[0], manner, dice)
    if concept == "thing":
        return [], things
    group = [thing for thing in things if thing.kind in CONCEPTS[concept]]
    if len(group) < 2:
        return [], things
    mention = Mention(concept, count=len(group) if dice.chance(0.8) else 2)
    for trait in ("colour", "size"):
        shared = {getattr(thing, trait) for thing in group}
        if len(shared) == 1 and shared != {"medium"} and dice.chance(getattr(manner, trait)):
            mention = replace(mention, **{trait: shared.pop()})
    return [mention], [thing for thing in things if thing not in group]


def _mention(thing: SceneObject, manner: Describer, dice: Dice, place_too: bool = True) -> Mention:
    concept = _general_noun(thing, manner, dice)
    colour = thing.colour if dice.chance(manner.colour) else None
    size = thing.size if thing.size != "medium" and dice.chance(manner.size) else None
    side = (thing.side or None) if place_too and dice.chance(manner.side) else None
    in_air = thing.in_air and place_too and side is None and dice.chance(manner.in_air)
    if concept == "thing":
        if colour is None and size is None and thing.colour in STRIKING:
            colour = thing.colour
        colour = colour if colour in STRIKING else None
        if colour is None and size is None:
            concept = _nouns_of(thing.kind)[-2]
    return Mention(concept, colour, size, side, in_air)


def _merge(mentions: Sequence[Mention]) -> list[Mention]:
    """Equal mentions become one with their counts added: not "a dog and a dog" but "two dogs"."""
    merged: dict[Mention, int] = {}
    for mention in mentions:
        key = replace(mention, count=1)
        merged[key] = merged.get(key, 0) + mention.count
    return [replace(key, count=count) for key, count in merged.items()]


@cache
def _nouns_of(kind: str) -> tuple[str, ...]:
    """The concepts of a kind, from its own noun to "thing"."""
    holding = [concept for concept, kinds in CONCEPTS.items() if kind in kinds]
    return tuple(sorted(holding, key=lambda concept: len(CONCEPTS[concept])))


def _general_noun(thing: SceneObject, manner: Describer, dice: Dice) -> str:
    nouns = _nouns_of(thing.kind)
    level = 0
    while level < len(nouns) - 1 and dice.chance(manner.generalise):
        level += 1
    return nouns[level]


def _choose_setting(scene: Scene, manner: Describer, dice: Dice) -> str:
    broad = [setting for setting, places in SETTINGS.items() if scene.place in places and len(places) > 1]
    return dice.pick(broad) if broad and dice.chance(manner.broaden) else scene.place
