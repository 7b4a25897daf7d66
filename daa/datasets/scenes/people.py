"""Children as sketches (see `animals` for the unit)."""

from __future__ import annotations

from daa.datasets.scenes.animals import eye
from daa.datasets.scenes.sketch import RGB, Sketch, darker, lighter, mix

SKIN: tuple[RGB, ...] = ((252, 214, 182), (226, 172, 128), (150, 100, 72))
HAIR: tuple[RGB, ...] = ((96, 62, 44), (226, 182, 96), (44, 38, 46))


def person(s: Sketch, c: RGB, variant: int, girl: bool) -> None:
    skin, hair = SKIN[variant % 3], HAIR[(variant // 3 + (2 if variant % 3 == 2 else 0)) % 3]
    middle = 29.0 if girl else 27.5
    raised = variant % 2 == 0
    if girl:
        for side in (-1, 1):
            s.oval(middle + side * 18, 26, 6, 12, hair, angle=-side * 14)
    for side in (-1, 1):
        s.stroke([(middle + side * 6, 68), (middle + side * 7, 92)], 7.5, skin if girl else (84, 92, 120))
        s.oval(middle + side * 8.5, 96, 7, 4, (92, 70, 66))
    far_hand = (middle + 24, 38) if raised else (middle + 22, 66)
    s.stroke([(middle + 9, 44), (middle + 18, 54 if raised else 56), far_hand], 6.5, skin)
    s.stroke([(middle - 9, 44), (middle - 18, 56), (middle - 21, 66)], 6.5, skin)
    if girl:
        s.blob(
            [
                (middle - 9, 38),
                (middle + 9, 38),
                (middle + 12, 54),
                (middle + 21, 78),
                (middle, 81),
                (middle - 21, 78),
                (middle - 12, 54),
            ],
            c,
        )
        s.stroke([(middle - 18, 76), (middle, 78.5), (middle + 18, 76)], 2.5, lighter(c, 0.5), ink=False)
        s.stroke([(middle - 10, 55), (middle, 57), (middle + 10, 55)], 2.8, darker(c, 0.3), ink=False)
    else:
        s.rect(middle - 13, 66, middle + 13, 78, (84, 92, 120), radius=3)
        s.rect(middle - 13.5, 38, middle + 13.5, 70, c, radius=6)
        s.rect(middle - 13, 50, middle + 13, 55, lighter(c, 0.55), ink=False)
    for side in (-1, 1):
        s.stroke([(middle + side * 10, 43), (middle + side * 15.5, 51)], 8.5, c, ink=girl is False)
    s.layer()
    if girl:
        s.disc(middle, 19, 18.5, hair)
    s.oval(middle, 21, 16.5, 17, skin)
    if girl:
        s.blob(
            [
                (middle - 17, 20),
                (middle - 12, 5),
                (middle, 1),
                (middle + 12, 5),
                (middle + 17, 20),
                (middle + 8, 11),
                (middle - 4, 10),
            ],
            hair,
            ink=False,
        )
    else:
        s.blob(
            [
                (middle - 17, 21),
                (middle - 15, 6),
                (middle - 2, 0),
                (middle + 13, 4),
                (middle + 17, 19),
                (middle + 10, 11),
                (middle - 2, 12),
                (middle - 10, 11),
            ],
            hair,
        )
    for side in (-1, 1):
        eye(s, middle + side * 6, 22, 2.5)
        s.oval(middle + side * 9.5, 28, 3, 2, mix(skin, (236, 120, 110), 0.45), ink=False)
    s.stroke([(middle - 5, 29.5), (middle, 32.5), (middle + 5, 29.5)], 1.8, (128, 58, 58), ink=False)


def boy(s: Sketch, c: RGB, variant: int) -> None:
    person(s, c, variant, girl=False)


def girl(s: Sketch, c: RGB, variant: int) -> None:
    person(s, c, variant, girl=True)


PEOPLE = {f.__name__: f for f in (boy, girl)}
