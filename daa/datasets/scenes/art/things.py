"""Vehicles, toys, plants, buildings and the like as sketches (see `creatures` for the unit)."""

from __future__ import annotations

import math

from daa.datasets.scenes.art.creatures import eye
from daa.datasets.scenes.art.sketch import INK, RGB, Number, Sketch, darker, lighter, mix

GLASS: RGB = (190, 226, 242)
TYRE: RGB = (62, 58, 70)
METAL: RGB = (206, 208, 214)
WOOD: RGB = (146, 100, 66)
CREAM: RGB = (250, 244, 228)
LEAF: RGB = (92, 164, 84)


def wheel(s: Sketch, x: Number, y: Number, r: Number) -> None:
    s.disc(x, y, r, TYRE)
    s.disc(x, y, 0.55 * r, METAL, ink=False)
    s.disc(x, y, 0.2 * r, TYRE, ink=False)


def car(s: Sketch, c: RGB, variant: int) -> None:
    s.blob([(38, 52), (58, 18), (84, 9), (122, 10), (148, 26), (164, 52)], c)
    s.blob([(3, 66), (8, 48), (42, 42), (100, 40), (158, 43), (192, 50), (197, 68), (190, 84), (100, 86), (10, 84)], c)
    s.blob([(52, 46), (66, 22), (84, 17), (96, 18), (96, 46)], GLASS, ink=False)
    s.blob([(106, 46), (106, 18), (122, 18), (138, 28), (148, 46)], GLASS, ink=False)
    s.stroke([(8, 70), (192, 70)], 4, darker(c, 0.3), ink=False)
    s.stroke([(101, 46), (101, 78)], 2.2, darker(c, 0.35), ink=False)
    s.stroke([(110, 55), (120, 55)], 3, darker(c, 0.5), ink=False)
    s.oval(188, 58, 6, 7, (255, 240, 180), ink=False)
    s.oval(9, 57, 4, 6, (170, 60, 60), ink=False)
    s.layer()
    wheel(s, 48, 82, 18)
    wheel(s, 154, 82, 18)


def bus(s: Sketch, c: RGB, variant: int) -> None:
    s.rect(3, 4, 172, 86, c, radius=10)
    s.rect(3, 54, 172, 62, lighter(c, 0.6), ink=False)
    s.rect(10, 8, 165, 11, lighter(c, 0.35), ink=False)
    for left in (12, 40, 68, 96):
        s.rect(left, 18, left + 23, 44, GLASS, ink=False, radius=3)
    s.rect(125, 18, 146, 82, mix(GLASS, METAL, 0.4), ink=False, radius=3)
    s.stroke([(135.5, 20), (135.5, 80)], 2, INK, ink=False)
    s.rect(151, 18, 172, 46, GLASS, ink=False, radius=3)
    s.oval(168, 71, 4.5, 5, (255, 240, 180), ink=False)
    s.layer()
    wheel(s, 38, 84, 15)
    wheel(s, 112, 84, 15)


def bicycle(s: Sketch, c: RGB, variant: int) -> None:
    for x in (32, 128):
        s.disc(x, 68, 31, TYRE)
    for x in (32, 128):
        s.disc(x, 68, 25, (226, 230, 232), ink=False)
        for k in range(4):
            dx, dy = 25 * math.cos(k * math.pi / 4), 25 * math.sin(k * math.pi / 4)
            s.stroke([(x - dx, 68 - dy), (x + dx, 68 + dy)], 1.6, (164, 166, 174), ink=False)
        s.disc(x, 68, 5, TYRE, ink=False)
    s.layer()
    for line in (
        [(32, 68), (58, 34), (112, 32), (76, 70), (32, 68)],
        [(52, 24), (76, 70)],
        [(128, 68), (108, 16)],
    ):
        s.stroke(line, 7, c, smooth=False)
    s.stroke([(108, 16), (122, 12), (130, 20)], 6, TYRE)
    s.stroke([(40, 22), (64, 22)], 9, TYRE)
    s.disc(76, 70, 8, METAL)


def boat(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(48, 4), (48, 74)], 4.5, WOOD)
    s.blob([(52, 8), (70, 32), (88, 62), (52, 64), (53, 36)], CREAM)
    s.blob([(44, 16), (32, 40), (14, 62), (44, 64)], mix(CREAM, c, 0.3))
    s.layer()
    s.poly([(2, 70), (98, 70), (84, 94), (18, 94)], c)
    s.poly([(2, 70), (98, 70), (95, 76), (5, 76)], lighter(c, 0.55), ink=False)
    s.layer()
    wave = [(0, 93), (12, 97), (25, 92), (38, 97), (50, 92), (62, 97), (75, 92), (88, 97), (100, 93)]
    s.stroke(wave, 6, (226, 242, 248), ink=False)


def plane(s: Sketch, c: RGB, variant: int) -> None:
    dark = darker(c, 0.22)
    s.poly([(90, 42), (66, 8), (82, 8), (128, 42)], dark)
    s.layer()
    s.poly([(10, 44), (2, 4), (22, 4), (46, 38)], dark)
    s.blob([(6, 46), (40, 36), (120, 34), (176, 36), (206, 52), (196, 66), (150, 72), (70, 70), (20, 58)], c)
    s.blob([(172, 40), (184, 40), (197, 48), (176, 50)], GLASS, ink=False)
    for x in (62, 82, 102, 122, 142):
        s.disc(x, 48, 5.5, GLASS, ink=False)
    s.layer()
    s.poly([(78, 60), (132, 60), (74, 99), (54, 99)], dark)


def ball(s: Sketch, c: RGB, variant: int) -> None:
    s.disc(50, 51, 48, c)
    s.blob([(46, 3), (20, 24), (16, 66), (38, 97), (50, 99), (40, 70), (38, 36)], lighter(c, 0.8), ink=False)
    s.blob([(56, 4), (80, 20), (96, 44), (97, 56), (80, 42), (66, 24)], lighter(c, 0.8), ink=False)
    s.blob([(64, 96), (84, 84), (96, 62), (86, 68), (72, 82)], darker(c, 0.25), ink=False)
    s.disc(51, 10, 6, lighter(c, 0.5), ink=False)


def kite(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(37, 66), (31, 76), (41, 87), (33, 98)], 2.4, INK, ink=False)
    for x, y in ((33, 75), (39, 86), (34, 97)):
        s.poly([(x - 7, y - 4), (x, y), (x - 7, y + 4)], c)
        s.poly([(x + 7, y - 4), (x, y), (x + 7, y + 4)], c)
    s.layer()
    s.poly([(37, 1), (73, 29), (37, 67), (2, 29)], c)
    s.poly([(37, 1), (73, 29), (37, 29)], lighter(c, 0.45), ink=False)
    s.poly([(2, 29), (37, 29), (37, 67)], darker(c, 0.2), ink=False)
    s.stroke([(37, 1), (37, 67)], 2.2, INK, ink=False)
    s.stroke([(2, 29), (73, 29)], 2.2, INK, ink=False)


def balloon(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(25, 58), (20, 70), (30, 84), (24, 99)], 2.2, INK, ink=False)
    s.poly([(25, 52), (19, 61), (31, 61)], darker(c, 0.15))
    s.blob([(25, 1), (42, 8), (48, 26), (40, 46), (25, 56), (10, 46), (2, 26), (8, 8)], c)
    s.blob([(25, 53), (38, 45), (45, 28), (34, 44)], darker(c, 0.2), ink=False)
    s.oval(15, 17, 4, 8, lighter(c, 0.7), angle=25, ink=False)


def teddy(s: Sketch, c: RGB, variant: int) -> None:
    light, dark = lighter(c, 0.5), darker(c, 0.25)
    s.oval(12, 62, 9, 17, c, angle=30)
    s.oval(78, 62, 9, 17, c, angle=-30)
    s.oval(45, 70, 27, 26, c)
    s.oval(45, 72, 16, 16, light, ink=False)
    s.layer()
    for x in (21, 69):
        s.oval(x, 90, 15, 10, c)
        s.oval(x, 91, 8, 6, light, ink=False)
    s.layer()
    for x in (20, 70):
        s.disc(x, 12, 11, c)
        s.disc(x, 12, 5.5, light, ink=False)
    s.oval(45, 28, 29, 25, c)
    s.oval(45, 37, 13, 10, light, ink=False)
    s.oval(45, 32, 5, 3.6, INK, ink=False)
    s.stroke([(39, 40), (45, 43), (51, 40)], 2, dark, ink=False)
    eye(s, 34, 24, 4)
    eye(s, 56, 24, 4)


def tree(s: Sketch, c: RGB, variant: int) -> None:
    s.poly([(34, 99), (37, 55), (44, 55), (47, 99)], WOOD)
    s.stroke([(40, 66), (54, 52)], 5, WOOD)
    s.layer()
    puffs = [(18, 44, 17), (62, 44, 17), (24, 25, 18), (56, 24, 18), (40, 15, 15), (40, 46, 20)]
    for x, y, r in puffs:
        s.disc(x, y, r, c)
    s.oval(40, 33, 26, 20, c, ink=False)
    for x, y in ((16, 50), (44, 56), (62, 50)):
        s.stroke([(x - 8, y), (x, y + 5), (x + 9, y)], 3, darker(c, 0.25), ink=False)
    for x, y, r in ((28, 20, 9), (50, 16, 7), (20, 36, 5), (56, 34, 6)):
        s.oval(x, y, r, 0.75 * r, lighter(c, 0.3), ink=False)


def palm(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(40, 97), (38, 74), (42, 48), (50, 30)], 11, WOOD, taper=0.6)
    for x, y in ((39, 84), (39, 70), (41, 56), (44, 44)):
        s.stroke([(x - 4, y), (x + 4, y + 2)], 2, darker(WOOD, 0.35), ink=False)
    s.layer()
    for tip, bend in (
        ((4, 46), (20, 20)),
        ((10, 14), (28, 12)),
        ((82, 48), (74, 22)),
        ((78, 14), (66, 10)),
        ((50, 2), (46, 14)),
    ):
        s.blob([(50, 26), (bend[0], bend[1] - 4), tip, (bend[0] + (4 if tip[0] < 50 else -2), bend[1] + 9)], c)
    for tip, bend in (((8, 42), (21, 22)), ((76, 44), (71, 23)), ((14, 14), (28, 15)), ((74, 14), (66, 14))):
        s.stroke([(50, 27), bend, tip], 1.8, darker(c, 0.35), ink=False)
    s.disc(46, 34, 5, darker(WOOD, 0.2))
    s.disc(55, 34, 5, darker(WOOD, 0.2))


def flower(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(30, 46), (28, 70), (31, 98)], 5, darker(LEAF, 0.1))
    s.blob([(30, 84), (12, 76), (2, 64), (18, 64), (29, 74)], LEAF)
    s.blob([(31, 80), (44, 68), (58, 62), (52, 76), (40, 84)], LEAF)
    s.layer()
    for k in range(6):
        angle = math.radians(60 * k + 30)
        s.oval(30 + 17 * math.cos(angle), 29 + 17 * math.sin(angle), 13, 10, c, angle=60 * k + 30)
    s.disc(30, 29, 16, c, ink=False)
    for k in range(6):
        angle = math.radians(60 * k + 30)
        dx, dy = math.cos(angle), math.sin(angle)
        s.stroke([(30 + 9 * dx, 29 + 9 * dy), (30 + 20 * dx, 29 + 20 * dy)], 2, darker(c, 0.2), ink=False)
    s.disc(30, 29, 9, (250, 220, 120) if c[2] > 110 or c[1] < 120 else (150, 96, 60))


def cactus(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(38, 62), (16, 60), (14, 36)], 15, c)
    s.stroke([(38, 74), (60, 70), (62, 46)], 15, c)
    s.stroke([(38, 94), (38, 14)], 24, c, smooth=False)
    for x in (31, 38, 45):
        s.stroke([(x, 96), (x, 12)], 2, darker(c, 0.25), ink=False)
    for x, y in ((13, 48), (63, 56), (34, 30), (42, 44), (34, 66), (42, 84), (13, 38), (62, 46)):
        s.stroke([(x - 2, y - 2), (x + 2, y + 2)], 1.6, CREAM, ink=False)
        s.stroke([(x + 2, y - 2), (x - 2, y + 2)], 1.6, CREAM, ink=False)


def house(s: Sketch, c: RGB, variant: int) -> None:
    roof = (122, 92, 92)
    s.rect(76, 8, 88, 34, darker(roof, 0.2))
    s.rect(12, 42, 98, 99, c)
    s.layer()
    s.poly([(2, 46), (55, 3), (108, 46)], roof)
    s.poly([(2, 46), (55, 3), (55, 11), (13, 46)], lighter(roof, 0.2), ink=False)
    s.layer()
    s.rect(46, 66, 66, 99, WOOD)
    s.disc(61, 83, 2, (250, 220, 120), ink=False)
    for left in (19, 73):
        s.rect(left, 58, left + 19, 78, GLASS)
        s.stroke([(left + 9.5, 58), (left + 9.5, 78)], 2.4, CREAM, ink=False)
        s.stroke([(left, 68), (left + 19, 68)], 2.4, CREAM, ink=False)
    s.disc(55, 30, 7, GLASS)


def tent(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(30, 8), (36, 1)], 3.5, WOOD)
    s.poly([(34, 6), (102, 6), (143, 98), (66, 98)], darker(c, 0.2))
    s.poly([(34, 6), (66, 98), (3, 98)], c)
    s.poly([(34, 40), (50, 98), (18, 98)], (70, 58, 66), ink=False)
    s.poly([(34, 40), (18, 98), (11, 98), (30, 46)], lighter(c, 0.5), ink=False)
    s.stroke([(34, 6), (66, 98)], 2.2, INK, ink=False)


def umbrella(s: Sketch, c: RGB, variant: int) -> None:
    s.stroke([(55, 10), (55, 97)], 5, CREAM)
    s.layer()
    s.disc(55, 4, 3.5, c)
    top = [(2, 48), (12, 24), (34, 9), (55, 5), (76, 9), (98, 24), (108, 48)]
    rim = [(90, 44), (72, 50), (55, 44), (38, 50), (20, 44)]
    s.blob([*top, *rim], c)
    pale = lighter(c, 0.7)
    s.poly([(53, 6), (22, 26), (20, 44), (37, 49), (42, 26)], pale, ink=False)
    s.poly([(57, 6), (88, 26), (90, 44), (73, 49), (68, 26)], pale, ink=False)


def snowman(s: Sketch, c: RGB, variant: int) -> None:
    snow, shade = (250, 251, 253), (212, 224, 238)
    s.stroke([(18, 52), (2, 38)], 3.4, WOOD)
    s.stroke([(57, 52), (73, 38)], 3.4, WOOD)
    s.disc(37.5, 77, 23, snow)
    s.layer()
    s.disc(37.5, 48, 18, snow)
    for y in (52, 60, 74):
        s.disc(37.5, y, 2.4, INK, ink=False)
    s.blob([(52, 88), (58, 76), (55, 66), (60, 78), (54, 92)], shade, ink=False)
    s.layer()
    s.disc(37.5, 25, 14.5, snow)
    eye(s, 32, 21, 2.6)
    eye(s, 43, 21, 2.6)
    s.poly([(37, 24), (56, 28), (37, 30)], (240, 146, 66), ink=False)
    s.layer()
    s.stroke([(25, 37), (37, 41), (50, 37)], 8, c)
    s.stroke([(46, 40), (49, 58)], 8, c, taper=1.1)
    s.layer()
    s.rect(27, 0, 48, 12, (70, 66, 80))
    s.rect(20, 10, 55, 14.5, (70, 66, 80), radius=2)


VEHICLES = (car, bus, bicycle, boat, plane)
TOYS = (ball, kite, balloon, teddy)
OTHERS = (tree, palm, flower, cactus, house, tent, umbrella, snowman)
THINGS = {f.__name__: f for f in (*VEHICLES, *TOYS, *OTHERS)}
