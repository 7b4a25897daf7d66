"""The describers' vocabulary: which words say which concept, colour, size, count, place or relation."""

from __future__ import annotations

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


def article(phrase: str) -> str:
    """The phrase with its indefinite article.

    >>> article("orange cat"), article("dog")
    ('an orange cat', 'a dog')
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"
