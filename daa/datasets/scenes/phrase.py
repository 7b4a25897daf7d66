"""From facts to English: the describers' words, and the phrases, lists, relations and frames made of them."""

from __future__ import annotations

from collections.abc import Sequence

from daa.datasets.scenes.facts import Facts, Mention
from daa.datasets.scenes.world import CONCEPTS, Dice

# concept -> (singular, plural) pairs; the first is the plain word
NOUNS: dict[str, tuple[tuple[str, str], ...]] = {
    "dog": (("dog", "dogs"), ("pup", "pups"), ("hound", "hounds"), ("doggy", "doggies")),
    "cat": (("cat", "cats"), ("kitty", "kitties"), ("pussycat", "pussycats")),
    "rabbit": (("rabbit", "rabbits"), ("bunny", "bunnies")),
    "horse": (("horse", "horses"), ("steed", "steeds")),
    "cow": (("cow", "cows"),),
    "sheep": (("sheep", "sheep"),),
    "bird": (("bird", "birds"),),
    "duck": (("duck", "ducks"),),
    "car": (("car", "cars"), ("automobile", "automobiles")),
    "bus": (("bus", "buses"), ("coach", "coaches")),
    "bicycle": (("bicycle", "bicycles"), ("bike", "bikes"), ("cycle", "cycles")),
    "boat": (("boat", "boats"), ("sailboat", "sailboats"), ("ship", "ships")),
    "plane": (("plane", "planes"), ("airplane", "airplanes"), ("aircraft", "aircraft")),
    "ball": (("ball", "balls"),),
    "kite": (("kite", "kites"),),
    "balloon": (("balloon", "balloons"),),
    "teddy": (("teddy bear", "teddy bears"), ("teddy", "teddies"), ("stuffed bear", "stuffed bears")),
    "boy": (("boy", "boys"), ("lad", "lads")),
    "girl": (("girl", "girls"), ("lass", "lasses")),
    "tree": (("tree", "trees"),),
    "palm": (("palm tree", "palm trees"), ("palm", "palms")),
    "flower": (("flower", "flowers"), ("blossom", "blossoms")),
    "cactus": (("cactus", "cacti"),),
    "house": (("house", "houses"), ("home", "homes"), ("cottage", "cottages")),
    "tent": (("tent", "tents"),),
    "umbrella": (("umbrella", "umbrellas"), ("parasol", "parasols"), ("sunshade", "sunshades")),
    "snowman": (("snowman", "snowmen"),),
    "pet": (("pet", "pets"),),
    "farm animal": (("farm animal", "farm animals"),),
    "animal": (("animal", "animals"), ("creature", "creatures"), ("critter", "critters")),
    "vehicle": (("vehicle", "vehicles"),),
    "toy": (("toy", "toys"), ("plaything", "playthings")),
    "person": (("child", "children"), ("kid", "kids"), ("person", "people"), ("youngster", "youngsters")),
    "plant": (("plant", "plants"),),
    "thing": (("thing", "things"), ("object", "objects")),
}
PRONOUNS = {"person": ("someone", "somebody"), "thing": ("something",)}

COLOUR_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red",),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "brown": ("brown",),
    "black": ("black",),
    "white": ("white",),
    "grey": ("grey", "gray"),
}
# Whose colour is that of a part: how to say it after the noun.
COLOUR_AFTER = {
    "boy": ("in {}", "dressed in {}", "wearing {}"),
    "girl": ("in {}", "dressed in {}", "wearing {}"),
    "person": ("in {}", "dressed in {}", "wearing {}"),
    "snowman": ("with a {} scarf", "wearing a {} scarf"),
}

SIZE_WORDS = {"small": ("small", "little", "tiny"), "large": ("big", "large", "huge")}
# Plurals that state a number: what they say, and the least count that makes it true.
COUNT_WORDS = {2: ("two", "a pair of", "a couple of", "some"), 3: ("three", "several", "a few"), 4: ("four",)}
SIDE_WORDS = {
    "left": ("on the left", "on the left side"),
    "middle": ("in the middle", "in the centre"),
    "right": ("on the right", "on the right side"),
}
IN_AIR_WORDS = ("in the air", "up in the air", "overhead")

SETTING_WORDS: dict[str, tuple[str, ...]] = {
    "beach": ("on the beach", "at the beach", "by the sea", "at the seaside"),
    "park": ("in the park", "in a park"),
    "street": ("on the street", "in the city", "in town", "by the road"),
    "snow": ("in the snow", "on a snowy day", "in winter"),
    "night": ("at night", "under the stars", "in the moonlight"),
    "desert": ("in the desert", "among the dunes"),
    "farm": ("on a farm", "on the farm", "by the fields"),
    "mountains": ("in the mountains", "near the mountains", "by the lake"),
    "room": ("in a room", "indoors", "inside", "in the living room"),
    "outdoors": ("outdoors", "outside", "in the open air"),
    "daytime": ("in the daytime", "by day", "in daylight"),
    "sand": ("on the sand", "on sandy ground"),
    "grass": ("on the grass", "on green grass"),
}
# How a caption names a setting when it names nothing else.
VIEW_WORDS: dict[str, tuple[str, ...]] = {
    "beach": ("a beach", "the seaside"),
    "park": ("a park",),
    "street": ("a street", "a city street"),
    "snow": ("a snowy landscape", "a winter scene"),
    "night": ("a starry night", "a night scene"),
    "desert": ("a desert", "a desert landscape"),
    "farm": ("farmland", "a farm scene"),
    "mountains": ("mountains", "a mountain landscape"),
    "room": ("a room", "an indoor scene"),
    "outdoors": ("an outdoor scene", "a landscape"),
    "daytime": ("a daytime scene",),
    "sand": ("a sandy place",),
    "grass": ("a green meadow", "a grassy place"),
}
RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "left of": ("to the left of", "left of", "on the left of"),
    "right of": ("to the right of", "right of", "on the right of"),
    "above": ("above", "over", "high above"),
    "below": ("below", "under", "underneath"),
    "next to": ("next to", "beside"),
    "in front of": ("in front of",),
    "behind": ("behind",),
}
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
        view = _choose(VIEW_WORDS[facts.setting], synonym, dice)
        return dice.pick((view, f"a picture of {view}", f"a drawing of {view}", f"a view of {view}"))
    nouns = [noun_phrase(facts.mentions, m, synonym, dice) for m in range(len(facts.mentions))]
    where = _choose(SETTING_WORDS[facts.setting], 0.7 * synonym + 0.2, dice) if facts.setting else ""
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
    size = _choose(SIZE_WORDS[mention.size], 0.6, dice) if mention.size else ""
    colour = _choose(COLOUR_WORDS[mention.colour], synonym, dice) if mention.colour else ""
    after = []
    if colour and mention.concept in COLOUR_AFTER:
        after.append(_choose(COLOUR_AFTER[mention.concept], 0.6, dice).format(colour))
        colour = ""
    if mention.in_air:
        after.append(_choose(IN_AIR_WORDS, 0.6, dice))
    if mention.side:
        after.append(_choose(SIDE_WORDS[mention.side], 0.5, dice))
    before = [word for word in (size, colour) if word]
    return " ".join([_head(mentions, m, before, synonym, dice), *after])


def _head(mentions: Sequence[Mention], m: int, before: list[str], synonym: float, dice: Dice) -> str:
    mention = mentions[m]
    singular, plural = _choose(NOUNS[mention.concept], synonym, dice)
    again = any(_implies(other, mention) for other in mentions[:m])
    if mention.count > 1:
        other_ones = ["other"] if again else []
        return " ".join([_choose(COUNT_WORDS[mention.count], 0.6, dice), *other_ones, *before, plural])
    if again:
        return " ".join(["another", *before, singular])
    pronouns = PRONOUNS.get(mention.concept)
    if pronouns and len(before) < 2 and dice.chance(0.8 if mention.concept == "thing" else 0.25):
        return " ".join([dice.pick(pronouns), *before])
    return _article(" ".join([*before, singular]))


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
    relation = _choose(RELATION_WORDS[facts.relations[0][1]], max(synonym, 0.4), dice)
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


def _article(phrase: str) -> str:
    """The phrase with its indefinite article.

    >>> _article("orange cat"), _article("dog")
    ('an orange cat', 'a dog')
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"
