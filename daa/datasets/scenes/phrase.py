"""From facts to English: noun phrases, lists, relations and the frames around them."""

from __future__ import annotations

from collections.abc import Sequence

from daa.datasets.scenes import words
from daa.datasets.scenes.compose import Dice
from daa.datasets.scenes.facts import Facts, Mention
from daa.datasets.scenes.world import CONCEPTS

OPENINGS = ("a picture of", "a drawing of", "a picture with", "a scene with")


def caption_text(facts: Facts, synonym: float, dice: Dice) -> str:
    """A caption that states the facts and nothing else.

    Args:
        facts: what to say; mentions come in the order given.
        synonym: chance, in [0, 1], of another word than the plain one.
        dice: chooses words and word order.
    """
    if not facts.mentions:
        if facts.setting is None:
            raise ValueError("facts: expected at least one mention or a setting, got neither")
        view = _choose(words.VIEW_WORDS[facts.setting], synonym, dice)
        return dice.pick((view, f"a picture of {view}", f"a drawing of {view}", f"a view of {view}"))
    nouns = [noun_phrase(facts.mentions, m, synonym, dice) for m in range(len(facts.mentions))]
    where = _choose(words.SETTING_WORDS[facts.setting], 0.7 * synonym + 0.2, dice) if facts.setting else ""
    if facts.relations:
        return _relation_text(facts, nouns, where, synonym, dice)
    be = "are" if facts.mentions[0].count > 1 else "is"
    what = _listed(nouns, dice)
    ends_with_place = facts.mentions[-1].side is not None or facts.mentions[-1].in_air
    if not where:
        frames = [what, what, f"there {be} {what}", f"{dice.pick(OPENINGS)} {what}", f"you can see {what}"]
        return dice.pick(frames if ends_with_place else [*frames, f"a picture with {what} in it"])
    first = [f"{where} there {be} {what}", f"{where}, {what}", f"{where} you can see {what}"]
    last = [f"{what} {where}", f"{what} {where}", f"there {be} {what} {where}", f"{dice.pick(OPENINGS)} {what} {where}"]
    return dice.pick(first if ends_with_place else [*first[:1], *last])


def noun_phrase(mentions: Sequence[Mention], m: int, synonym: float, dice: Dice) -> str:
    """Mention `m` in words, "another ..." where an earlier one could be taken for the same object."""
    mention = mentions[m]
    size = _choose(words.SIZE_WORDS[mention.size], 0.6, dice) if mention.size else ""
    colour = _choose(words.COLOUR_WORDS[mention.colour], synonym, dice) if mention.colour else ""
    after = []
    if colour and mention.concept in words.COLOUR_AFTER:
        after.append(_choose(words.COLOUR_AFTER[mention.concept], 0.6, dice).format(colour))
        colour = ""
    if mention.in_air:
        after.append(_choose(words.IN_AIR_WORDS, 0.6, dice))
    if mention.side:
        after.append(_choose(words.SIDE_WORDS[mention.side], 0.5, dice))
    before = [word for word in (size, colour) if word]
    return " ".join([_head(mentions, m, before, synonym, dice), *after])


def _head(mentions: Sequence[Mention], m: int, before: list[str], synonym: float, dice: Dice) -> str:
    mention = mentions[m]
    singular, plural = _choose(words.NOUNS[mention.concept], synonym, dice)
    again = any(_implies(other, mention) for other in mentions[:m])
    if mention.count > 1:
        other_ones = ["other"] if again else []
        return " ".join([_choose(words.COUNT_WORDS[mention.count], 0.6, dice), *other_ones, *before, plural])
    if again:
        return " ".join(["another", *before, singular])
    pronouns = words.PRONOUNS.get(mention.concept)
    if pronouns and len(before) < 2 and dice.chance(0.8 if mention.concept == "thing" else 0.25):
        return " ".join([dice.pick(pronouns), *before])
    return words.article(" ".join([*before, singular]))


def _implies(a: Mention, b: Mention) -> bool:
    """Whether what is said of `a` makes it a `b` as well."""
    return (
        CONCEPTS[a.concept] <= CONCEPTS[b.concept]
        and b.colour in (None, a.colour)
        and b.size in (None, a.size)
        and b.side in (None, a.side)
        and (a.in_air or not b.in_air)
    )


def _listed(nouns: Sequence[str], dice: Dice) -> str:
    if len(nouns) == 1:
        return nouns[0]
    if len(nouns) == 2:
        return dice.pick((" and ", " and ", " with ", " together with ")).join(nouns)
    return f"{', '.join(nouns[:-1])} and {nouns[-1]}"


def _relation_text(facts: Facts, nouns: list[str], where: str, synonym: float, dice: Dice) -> str:
    relation = _choose(words.RELATION_WORDS[facts.relations[0][1]], max(synonym, 0.4), dice)
    a, b, *rest = nouns
    text = dice.pick((f"{a} {relation} {b}", f"{a} is {relation} {b}", f"there is {a} {relation} {b}"))
    if rest:
        text += f", and there {'are' if facts.mentions[2].count > 1 else 'is'} {_listed(rest, dice)}"
    if not where:
        return text
    return f"{where} {text}" if dice.chance(0.4) else f"{text} {where}"


def _choose(options: Sequence, synonym: float, dice: Dice):
    """The plain word, or with the chance `synonym` one of the others."""
    return dice.pick(options[1:]) if len(options) > 1 and dice.chance(synonym) else options[0]
