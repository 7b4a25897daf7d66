"""Reads a caption of `scenes` back into facts, so that a test can compare what is said with what is stated."""

from __future__ import annotations

from daa.datasets.scenes import phrase as words
from daa.datasets.scenes.facts import Facts, Mention

SAYING_NOTHING = {
    "a",
    "an",
    "and",
    "another",
    "are",
    "can",
    "drawing",
    "in",
    "is",
    "it",
    "of",
    "other",
    "picture",
    "scene",
}
SAYING_NOTHING |= {"see", "the", "there", "together", "view", "with", "you"}


def _lexicon() -> dict[str, tuple[str, object]]:
    lexicon: dict[str, tuple[str, object]] = {}

    def enter(phrase: str, kind: str, value: object) -> None:
        assert lexicon.get(phrase, (kind, value)) == (kind, value), f"{phrase!r} says two things"
        lexicon[phrase] = (kind, value)

    for concept, nouns in words.NOUNS.items():
        for noun in {word for pair in nouns for word in pair}:
            enter(noun, "noun", concept)
    for concept, pronouns in words.PRONOUNS.items():
        for pronoun in pronouns:
            enter(pronoun, "pronoun", concept)
    for colour, names in words.COLOUR_WORDS.items():
        for name in names:
            enter(name, "colour", colour)
            for phrases in words.COLOUR_AFTER.values():
                for phrase in phrases:
                    enter(phrase.format(name), "colour after", colour)
    tables = (("size", words.SIZE_WORDS), ("count", words.COUNT_WORDS), ("side", words.SIDE_WORDS))
    for kind, table in (*tables, ("setting", words.SETTING_WORDS), ("relation", words.RELATION_WORDS)):
        for value, phrases in table.items():
            for phrase in phrases:
                enter(phrase, kind, value)
    for setting, phrases in words.VIEW_WORDS.items():
        for phrase in phrases:
            enter(phrase, "view", setting)
    for phrase in words.IN_AIR_WORDS:
        enter(phrase, "in air", True)
    return lexicon


LEXICON = _lexicon()
LONGEST = max(len(phrase.split()) for phrase in LEXICON)


def read_claims(caption: str) -> list[tuple[str, object]]:
    """The claims of a caption in the order of its words, the longest phrase first; other words must say nothing."""
    tokens = caption.replace(",", "").split()
    claims, start = [], 0
    while start < len(tokens):
        for length in range(LONGEST, 0, -1):
            phrase = " ".join(tokens[start : start + length])
            if phrase in LEXICON:
                claims.append(LEXICON[phrase])
                start += length
                break
        else:
            assert tokens[start] in SAYING_NOTHING, f"{tokens[start]!r} in {caption!r} says something unknown"
            claims.append(("nothing", None))
            start += 1
    return claims


def read_facts(caption: str) -> Facts:
    """What a caption states: adjectives belong to the next noun, or to the pronoun before them."""
    mentions: list[dict] = []
    ahead: dict = {}
    relation = setting = None
    after_pronoun = False
    for kind, value in read_claims(caption):
        if kind in ("noun", "pronoun"):
            mentions.append({"concept": value, **ahead})
            ahead, after_pronoun = {}, kind == "pronoun"
            continue
        if kind == "nothing":
            after_pronoun = False
        elif kind in ("setting", "view"):
            assert setting is None
            setting = value
        elif kind == "relation":
            assert relation is None
            assert len(mentions) == 1
            relation = value
        else:
            behind = kind in ("side", "in air", "colour after") or (after_pronoun and kind in ("size", "colour"))
            target = mentions[-1] if behind else ahead
            name = {"colour after": "colour", "in air": "in_air"}.get(kind, kind)
            assert name not in target
            target[name] = value
    assert not ahead, f"{ahead} belongs to nothing in {caption!r}"
    relations = ((0, relation, 1),) if relation else ()
    return Facts(tuple(Mention(**mention) for mention in mentions), relations, setting)
