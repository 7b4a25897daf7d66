"""Animals and children as sketches, in units of 1 % of their height: x from 0 to 100 times the aspect, y down to 100.

Every sketch looks to the right. `variant` (0 to 8) is for what carries no meaning, such as the colour of hair.
"""

from __future__ import annotations

from daa.datasets.scenes.art.sketch import INK, PALETTE, RGB, Number, Sketch, darker, lighter, mix

NOSE: RGB = (58, 46, 58)
BEAK: RGB = (238, 160, 62)
BLUSH: RGB = (240, 172, 160)
SKIN: tuple[RGB, ...] = ((252, 214, 182), (226, 172, 128), (150, 100, 72))
HAIR: tuple[RGB, ...] = ((96, 62, 44), (226, 182, 96), (44, 38, 46))


def eye(s: Sketch, x: Number, y: Number, r: Number) -> None:
    s.disc(x, y, r, INK, ink=False)
    s.disc(x + 0.3 * r, y - 0.35 * r, 0.38 * r, (255, 255, 255), ink=False)


def dog(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.3), lighter(c, 0.45)
    s.stroke([(20, 54), (9, 44), (8, 28)], 9, c, taper=0.7)
    for x, shade in ((34, dark), (70, dark), (25, c), (79, c)):
        s.stroke([(x, 62), (x, 92)], 11, shade)
        s.oval(x + 2.5, 95, 8, 5, shade)
    s.blob([(16, 52), (26, 40), (60, 40), (84, 40), (88, 60), (76, 74), (48, 70), (24, 73)], c)
    s.blob([(32, 68), (48, 66), (66, 69), (48, 72)], light, ink=False)
    s.layer()
    s.oval(84, 31, 21, 19, c)
    s.oval(98, 39, 15, 11, light)
    s.disc(110, 34, 5.5, NOSE, ink=False)
    s.stroke([(108, 42), (102, 46), (95, 44)], 2.2, NOSE, ink=False)
    eye(s, 90, 26, 4.4)
    s.layer()
    s.blob([(72, 12), (62, 18), (58, 40), (65, 50), (75, 42), (79, 24)], dark)


def cat(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.3), lighter(c, 0.5)
    s.stroke([(62, 90), (80, 90), (84, 74), (76, 60)], 10, c, taper=0.8)
    s.blob([(45, 40), (62, 58), (68, 84), (62, 97), (45, 98), (28, 97), (22, 84), (28, 58)], c)
    s.oval(45, 74, 11, 16, light, ink=False)
    s.stroke([(38, 82), (38, 93)], 11, c, ink=False)
    s.stroke([(52, 82), (52, 93)], 11, c, ink=False)
    s.stroke([(45, 80), (45, 96)], 1.8, dark, ink=False)
    s.layer()
    s.poly([(20, 30), (19, 3), (40, 15)], c)
    s.poly([(70, 30), (71, 3), (50, 15)], c)
    s.oval(45, 33, 28, 22, c)
    s.poly([(24, 22), (23, 9), (34, 16)], mix(c, BLUSH, 0.7), ink=False)
    s.poly([(66, 22), (67, 9), (56, 16)], mix(c, BLUSH, 0.7), ink=False)
    for x in (38, 45, 52):
        s.stroke([(x, 13), (x, 20)], 2.6, dark, ink=False)
    s.oval(45, 43, 12, 8, light, ink=False)
    for x in (33, 57):
        s.oval(x, 32, 5.5, 6, (200, 224, 120), ink=False)
        s.oval(x, 32, 2.6, 5.5, INK, ink=False)
    s.poly([(42, 38), (48, 38), (45, 42)], NOSE, ink=False)
    s.stroke([(38, 45), (42, 47), (45, 43), (48, 47), (52, 45)], 1.8, NOSE, ink=False)
    for y, drop in ((41, -2), (46, 2)):
        s.stroke([(29, y), (9, y + drop)], 1.5, INK, ink=False)
        s.stroke([(61, y), (81, y + drop)], 1.5, INK, ink=False)


def rabbit(s: Sketch, c: RGB, variant: int) -> None:
    light, inner = lighter(c, 0.5), mix(c, BLUSH, 0.75)
    s.disc(68, 82, 10, light)
    s.blob([(42, 46), (60, 60), (67, 82), (60, 97), (42, 99), (24, 97), (17, 82), (24, 60)], c)
    s.oval(42, 80, 13, 14, light, ink=False)
    s.oval(28, 95, 11, 5.5, light)
    s.oval(56, 95, 11, 5.5, light)
    s.layer()
    s.oval(30, 20, 8, 21, c, angle=-10)
    s.oval(55, 20, 8, 21, c, angle=12)
    s.oval(42, 47, 23, 18, c)
    s.oval(30, 21, 4, 15, inner, angle=-10, ink=False)
    s.oval(55, 21, 4, 15, inner, angle=12, ink=False)
    eye(s, 33, 44, 4)
    eye(s, 51, 44, 4)
    s.oval(42, 52, 4, 3, (214, 120, 128), ink=False)
    s.rect(39, 56, 45, 62, (255, 255, 255), radius=1)
    s.oval(27, 53, 5, 3, mix(c, BLUSH, 0.6), ink=False)
    s.oval(57, 53, 5, 3, mix(c, BLUSH, 0.6), ink=False)


def horse(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.3), lighter(c, 0.3)
    mane = darker(c, 0.6) if c != PALETTE["black"] else (120, 116, 132)
    s.stroke([(20, 44), (7, 54), (8, 82)], 10, mane, taper=0.5)
    for x, shade in ((40, dark), (64, dark), (25, c), (79, c)):
        s.stroke([(x, 56), (x, 92)], 9.5, shade, taper=0.8)
        s.poly([(x - 4.5, 92), (x + 4.5, 92), (x + 6, 99), (x - 6, 99)], INK)
    s.blob([(17, 46), (28, 35), (54, 38), (76, 32), (86, 46), (80, 64), (52, 63), (26, 65)], c)
    s.blob([(68, 46), (80, 24), (88, 10), (98, 14), (96, 30), (86, 54)], c)
    s.layer()
    s.stroke([(72, 38), (78, 20), (88, 5)], 11, mane)
    s.poly([(90, 10), (92, -3), (98, 8)], c)
    s.blob([(86, 10), (96, 5), (108, 18), (115, 27), (110, 34), (101, 31), (90, 26)], c)
    s.blob([(104, 20), (113, 25), (110, 33), (103, 31)], light, ink=False)
    s.disc(110, 27, 1.8, NOSE, ink=False)
    s.stroke([(91, 4), (97, 10)], 6, mane, ink=False)
    eye(s, 98, 15, 3.2)


def cow(s: Sketch, c: RGB, variant: int) -> None:
    spots = PALETTE["black"] if c == PALETTE["white"] else lighter(c, 0.16)
    dark, muzzle, horn = darker(c, 0.22), (240, 196, 180), (244, 226, 186)
    s.stroke([(16, 36), (7, 50), (8, 70)], 5, c)
    s.oval(8, 74, 5, 7, spots)
    for x, shade in ((44, dark), (84, dark), (26, c), (102, c)):
        s.stroke([(x, 62), (x, 92)], 12, shade)
        s.poly([(x - 5.5, 92), (x + 5.5, 92), (x + 6.5, 99), (x - 6.5, 99)], INK)
    s.oval(48, 72, 12, 8, muzzle)
    s.blob([(14, 34), (24, 23), (60, 26), (96, 22), (108, 34), (108, 62), (92, 72), (58, 69), (26, 72), (13, 56)], c)
    s.blob([(28, 26), (46, 27), (50, 40), (38, 50), (26, 42)], spots, ink=False)
    s.blob([(66, 40), (82, 34), (92, 48), (82, 62), (66, 56)], spots, ink=False)
    s.blob([(20, 56), (30, 58), (32, 68), (22, 66)], spots, ink=False)
    s.layer()
    s.stroke([(103, 14), (97, 8), (98, 1)], 6, horn, taper=0.5)
    s.stroke([(121, 14), (127, 8), (126, 1)], 6, horn, taper=0.5)
    s.oval(91, 24, 9, 5, spots, angle=-15)
    s.oval(131, 24, 8, 5, spots, angle=15)
    s.blob([(98, 18), (112, 11), (126, 18), (127, 34), (122, 48), (102, 48), (97, 34)], c)
    s.oval(112, 46, 17, 11, muzzle)
    s.disc(106, 45, 2.4, NOSE, ink=False)
    s.disc(118, 45, 2.4, NOSE, ink=False)
    eye(s, 105, 28, 4)
    eye(s, 119, 28, 4)


def sheep(s: Sketch, c: RGB, variant: int) -> None:
    face = (92, 80, 84) if c == PALETTE["white"] else (176, 168, 172)
    for x in (32, 46, 72, 86):
        s.stroke([(x, 66), (x, 96)], 8, face)
    puffs = [(24, 50), (28, 32), (46, 22), (66, 20), (84, 28), (92, 46), (84, 64), (66, 70), (46, 70), (30, 66)]
    for x, y in puffs:
        s.disc(x, y, 16, c)
    s.oval(58, 46, 36, 26, c, ink=False)
    for x, y in ((40, 40), (62, 34), (52, 56), (74, 54)):
        s.stroke([(x - 6, y), (x, y + 5), (x + 6, y)], 2.4, darker(c, 0.16), ink=False)
    s.layer()
    s.oval(88, 36, 9, 5, face, angle=25)
    s.oval(118, 36, 8, 5, face, angle=-25)
    s.oval(104, 44, 14, 18, face)
    s.layer()
    for x, y in ((96, 26), (104, 23), (112, 26)):
        s.disc(x, y, 8, c)
    eye(s, 99, 42, 3.8)
    eye(s, 110, 42, 3.8)
    s.oval(104, 55, 5, 2.4, NOSE, ink=False)


def bird(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.28), lighter(c, 0.6)
    for x in (54, 68):
        s.stroke([(x, 78), (x, 95), (x + 8, 97)], 4, BEAK, smooth=False)
    s.poly([(30, 52), (2, 40), (0, 56), (26, 68)], dark)
    s.blob([(22, 58), (40, 36), (70, 20), (96, 16), (108, 36), (102, 62), (80, 82), (50, 82)], c)
    s.blob([(66, 76), (88, 68), (102, 48), (98, 66), (82, 80)], light, ink=False)
    s.layer()
    s.poly([(106, 28), (125, 35), (105, 43)], BEAK)
    s.layer()
    s.blob([(36, 50), (58, 42), (76, 50), (70, 66), (48, 70), (22, 66)], dark)
    eye(s, 94, 32, 5.5)


def flying_bird(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.28), lighter(c, 0.6)
    s.blob([(52, 60), (44, 20), (26, 2), (62, 10), (78, 44), (76, 62)], dark)
    s.layer()
    s.poly([(26, 66), (0, 58), (4, 76), (26, 80)], dark)
    s.blob([(16, 72), (44, 54), (76, 46), (98, 42), (110, 58), (102, 76), (76, 88), (44, 86)], c)
    s.blob([(60, 86), (86, 82), (103, 70), (94, 84), (76, 89)], light, ink=False)
    s.layer()
    s.poly([(108, 52), (125, 60), (106, 66)], BEAK)
    s.layer()
    s.blob([(48, 64), (28, 34), (4, 22), (40, 20), (66, 40), (76, 62), (62, 72)], dark)
    s.stroke([(44, 52), (28, 34)], 2.4, darker(c, 0.5), ink=False)
    s.stroke([(56, 50), (44, 32)], 2.4, darker(c, 0.5), ink=False)
    eye(s, 96, 55, 5.5)


def duck(s: Sketch, c: RGB, variant: int) -> None:
    dark, light = darker(c, 0.18), lighter(c, 0.35)
    for x in (44, 60):
        s.stroke([(x, 84), (x, 95), (x + 9, 97)], 5, BEAK, smooth=False)
    s.blob([(4, 46), (22, 54), (46, 50), (70, 48), (88, 58), (82, 80), (58, 90), (30, 86), (12, 70)], c)
    s.oval(76, 28, 21, 21, c)
    s.blob([(60, 40), (88, 42), (88, 62), (60, 62)], c, ink=False)
    s.layer()
    s.blob([(94, 24), (110, 28), (110, 36), (94, 38), (88, 31)], BEAK)
    s.layer()
    s.blob([(22, 62), (46, 56), (66, 62), (60, 76), (38, 78)], dark)
    s.oval(70, 44, 8, 4, light, ink=False)
    eye(s, 83, 22, 4.6)


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
        dress = [(-9, 38), (9, 38), (12, 54), (21, 78), (0, 81), (-21, 78), (-12, 54)]
        s.blob([(middle + dx, y) for dx, y in dress], c)
        s.stroke([(middle - 18, 76), (middle, 78.5), (middle + 18, 76)], 2.5, lighter(c, 0.5), ink=False)
        s.stroke([(middle - 10, 55), (middle, 57), (middle + 10, 55)], 2.8, darker(c, 0.3), ink=False)
    else:
        s.rect(middle - 13, 66, middle + 13, 78, (84, 92, 120), radius=3)
        s.rect(middle - 13.5, 38, middle + 13.5, 70, c, radius=6)
        s.rect(middle - 13, 50, middle + 13, 55, lighter(c, 0.55), ink=False)
    for side in (-1, 1):
        s.stroke([(middle + side * 10, 43), (middle + side * 15.5, 51)], 8.5, c, ink=not girl)
    s.layer()
    if girl:
        s.disc(middle, 19, 18.5, hair)
    s.oval(middle, 21, 16.5, 17, skin)
    if girl:
        fringe = [(-17, 20), (-12, 5), (0, 1), (12, 5), (17, 20), (8, 11), (-4, 10)]
    else:
        fringe = [(-17, 21), (-15, 6), (-2, 0), (13, 4), (17, 19), (10, 11), (-2, 12), (-10, 11)]
    s.blob([(middle + dx, y) for dx, y in fringe], hair, ink=not girl)
    for side in (-1, 1):
        eye(s, middle + side * 6, 22, 2.5)
        s.oval(middle + side * 9.5, 28, 3, 2, mix(skin, (236, 120, 110), 0.45), ink=False)
    s.stroke([(middle - 5, 29.5), (middle, 32.5), (middle + 5, 29.5)], 1.8, (128, 58, 58), ink=False)


def boy(s: Sketch, c: RGB, variant: int) -> None:
    person(s, c, variant, girl=False)


def girl(s: Sketch, c: RGB, variant: int) -> None:
    person(s, c, variant, girl=True)


PEOPLE = {f.__name__: f for f in (boy, girl)}
CREATURES = PEOPLE | {f.__name__: f for f in (dog, cat, rabbit, horse, cow, sheep, bird, duck, flying_bird)}
