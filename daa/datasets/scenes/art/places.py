"""The places as sketches, in units of 1 % of the picture.

No place contains anything that a caption could name as an object.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from daa.datasets.scenes.art.sketch import RGB, Number, Sketch, darker, lighter, mix
from daa.datasets.scenes.world import HORIZON, Dice

LINE = 100 * HORIZON
CLOUD: RGB = (250, 252, 254)


def sky(s: Sketch, top: RGB, bottom: RGB, until: Number = LINE) -> None:
    for k in range(40):
        s.rect(-1, until * k / 40, 101, until + 1, mix(top, bottom, k / 39), ink=False)


def ground(s: Sketch, near: RGB, far: RGB, start: Number = LINE) -> None:
    for k in range(30):
        s.rect(-1, start + (100 - start) * k / 30, 101, 101, mix(far, near, k / 29), ink=False)


def cloud(s: Sketch, x: Number, y: Number, size: Number, fill: RGB = CLOUD) -> None:
    for dx, dy, r in ((-0.9, 0.15, 0.55), (0.0, -0.15, 0.75), (0.8, 0.1, 0.6)):
        s.disc(x + dx * size, y + dy * size, r * size, fill, ink=False)
    s.rect(x - 1.3 * size, y + 0.1 * size, x + 1.3 * size, y + 0.65 * size, fill, ink=False, radius=0.27 * size)


def clouds(s: Sketch, dice: Dice, many: int = 2) -> None:
    for _ in range(many):
        cloud(s, dice.between(5, 95), dice.between(6, 30), dice.between(5, 9))


def sun(s: Sketch, dice: Dice, fill: RGB = (255, 236, 150)) -> None:
    x, y = dice.between(10, 90), dice.between(8, 16)
    s.disc(x, y, 9, mix(fill, (255, 255, 255), 0.5), ink=False)
    s.disc(x, y, 6.5, fill, ink=False)


def hills(s: Sketch, dice: Dice, fill: RGB, height: Number) -> None:
    phase, wave = dice.between(0, 6.3), dice.between(22, 34)
    tops = [(x, LINE - height * (0.55 + 0.45 * math.sin(phase + x / wave))) for x in range(-4, 108, 4)]
    s.poly([(-4, LINE + 2), *tops, (104, LINE + 2)], fill, ink=False)


def tufts(s: Sketch, dice: Dice, fill: RGB, many: int = 14) -> None:
    for _ in range(many):
        x, y = dice.between(2, 98), dice.between(LINE + 6, 98)
        size = 1 + 1.8 * (y - LINE) / (100 - LINE)
        for lean in (-1, 0, 1):
            s.stroke([(x, y), (x + lean * size * 0.8, y - size * 1.5)], 0.45 * size, fill, ink=False)


def specks(s: Sketch, dice: Dice, fill: RGB, many: int, low: Number = LINE + 3) -> None:
    for _ in range(many):
        s.oval(dice.between(0, 100), dice.between(low, 99), dice.between(0.5, 1.6), 0.45, fill, ink=False)


def beach(s: Sketch, dice: Dice) -> None:
    sky(s, (118, 196, 240), (206, 236, 248))
    sun(s, dice)
    clouds(s, dice)
    sea, sand = (58, 152, 196), (246, 220, 164)
    ground(s, (116, 200, 214), sea, LINE - 6)
    for _ in range(9):
        x, y = dice.between(0, 90), dice.between(LINE - 4, LINE + 9)
        s.stroke([(x, y), (x + 3, y + 0.8), (x + 6, y)], 0.7, (164, 216, 232), ink=False)
    shore = [(x, 69 + 1.6 * math.sin(x / 9 + dice.between(0, 1.2))) for x in range(-4, 108, 8)]
    s.poly([(-4, 102), *[(x, y - 1.8) for x, y in shore], (104, 102)], (232, 248, 250), ink=False)
    s.poly([(-4, 102), *shore, (104, 102)], sand, ink=False)
    s.poly([(-4, 102), *[(x, y + 10) for x, y in shore], (104, 102)], lighter(sand, 0.25), ink=False)
    specks(s, dice, darker(sand, 0.14), 26, 72)


def park(s: Sketch, dice: Dice) -> None:
    sky(s, (132, 204, 242), (224, 244, 248))
    sun(s, dice)
    clouds(s, dice)
    grass = (146, 204, 108)
    hills(s, dice, (124, 190, 116), 8)
    ground(s, (128, 192, 92), (168, 216, 124))
    bend = dice.between(25, 75)
    path = [(bend, LINE), (bend + 3, LINE), (bend + 16, 74), (72, 101), (24, 101), (bend - 2, 74)]
    s.blob(path, (234, 216, 176), ink=False)
    tufts(s, dice, darker(grass, 0.22), 18)


def street(s: Sketch, dice: Dice) -> None:
    sky(s, (160, 206, 236), (236, 240, 240))
    clouds(s, dice, 1)
    x = -4.0
    while x < 102:
        width, top = dice.between(10, 20), dice.between(14, 38)
        wall = mix((176, 190, 206), (204, 196, 200), dice.uniform())
        s.rect(x, top, x + width, LINE + 1, wall, ink=False)
        window = mix(wall, (244, 246, 236), 0.55)
        for row in range(int((LINE - top) / 7)):
            for column in range(int(width / 4.5)):
                left, upper = x + 1.6 + 4.4 * column, top + 2.4 + 7 * row
                s.rect(left, upper, left + 2.4, upper + 3.6, window, ink=False)
        x += width
    s.rect(-1, LINE, 101, 66, (206, 204, 202), ink=False)
    s.rect(-1, 65, 101, 67, (172, 170, 172), ink=False)
    ground(s, (112, 114, 124), (126, 128, 138), 67)
    for x in range(-8, 108, 20):
        s.poly([(x, 81), (x + 11, 81), (x + 10, 83.5), (x - 1, 83.5)], (240, 238, 226), ink=False)
    s.rect(-1, 96, 101, 101, (200, 198, 198), ink=False)


def snow(s: Sketch, dice: Dice) -> None:
    sky(s, (142, 178, 212), (214, 226, 238))
    hills(s, dice, (186, 206, 228), 17)
    hills(s, dice, (208, 222, 238), 9)
    ground(s, (248, 251, 255), (230, 238, 248))
    for _ in range(4):
        x, y, size = dice.between(-5, 85), dice.between(LINE + 8, 97), dice.between(8, 15)
        drift = [(x, y), (x + size, y - 0.22 * size), (x + 2.2 * size, y), (x + size, y + 0.05 * size)]
        s.blob(drift, (214, 226, 242), ink=False)
        s.blob([(a - 0.8, b + 1.1) for a, b in drift], (246, 250, 254), ink=False)
    for _ in range(52):
        s.disc(dice.between(0, 100), dice.between(0, 97), dice.between(0.4, 1.2), (255, 255, 255), ink=False)


def night(s: Sketch, dice: Dice) -> None:
    sky(s, (26, 32, 82), (78, 84, 146))
    x, y = dice.between(12, 88), dice.between(9, 18)
    angles = [math.radians(a) for a in range(60, 301, 12)]
    outer = [(x + 7 * math.cos(a), y + 7 * math.sin(a)) for a in angles]
    inner = [(x + 4 + 5.9 * math.cos(a) * 1.1, y + 6.06 * math.sin(a)) for a in reversed(angles)]
    s.poly([*outer, *inner], (250, 244, 206), ink=False)
    for _ in range(34):
        s.disc(dice.between(0, 100), dice.between(1, LINE - 10), dice.between(0.3, 0.75), (250, 246, 220), ink=False)
    hills(s, dice, (58, 66, 124), 13)
    hills(s, dice, (70, 80, 136), 6)
    ground(s, (92, 104, 158), (78, 88, 144))
    specks(s, dice, (112, 124, 176), 16)


def desert(s: Sketch, dice: Dice) -> None:
    sky(s, (124, 194, 234), (252, 232, 196))
    sun(s, dice, (255, 232, 138))
    sand = (236, 188, 118)
    hills(s, dice, (222, 168, 108), 13)
    hills(s, dice, (230, 180, 114), 7)
    ground(s, (244, 204, 136), sand)
    for _ in range(5):
        x, y = dice.between(-10, 80), dice.between(66, 95)
        s.stroke([(x, y), (x + 10, y - 1.6), (x + 20, y + 0.6), (x + 28, y - 0.6)], 0.9, darker(sand, 0.1), ink=False)
    specks(s, dice, darker(sand, 0.16), 10)


def farm(s: Sketch, dice: Dice) -> None:
    sky(s, (140, 206, 240), (240, 242, 226))
    clouds(s, dice)
    hills(s, dice, (186, 202, 116), 9)
    centre = dice.between(20, 80)
    ground(s, (150, 196, 96), (178, 212, 116))
    for k in range(-9, 10):  # the furrows of a wheat field run together at the horizon
        far, near = centre + 5 * k, centre + 13 * k
        s.poly([(far, LINE), (far + 2.6, LINE), (near + 4, 68), (near - 3, 68)], (236, 210, 122), ink=False)
    for x in range(2, 104, 12):
        s.rect(x, 61, x + 2, 72, (176, 132, 92), ink=False, radius=0.6)
    for y in (63.5, 67.5):
        s.rect(-1, y, 101, y + 1.6, (192, 148, 106), ink=False)
    tufts(s, dice, (112, 160, 74), 14)


def mountains(s: Sketch, dice: Dice) -> None:
    sky(s, (128, 186, 232), (226, 238, 246))
    clouds(s, dice, 1)
    for x, top, width, fill in (
        (dice.between(0, 22), dice.between(20, 28), 34, (150, 164, 194)),
        (dice.between(72, 96), dice.between(16, 26), 36, (142, 156, 188)),
        (dice.between(36, 62), dice.between(10, 20), 40, (126, 142, 178)),
    ):
        s.poly([(x, top), (x + width, LINE + 1), (x - width, LINE + 1)], fill, ink=False)
        s.poly([(x, top), (x + width, LINE + 1), (x + 0.25 * width, LINE + 1)], darker(fill, 0.12), ink=False)
        slope = width / (LINE + 1 - top)
        cap = [(x, top), (x + 9 * slope, top + 9), (x + 4 * slope, top + 7), (x, top + 11), (x - 4 * slope, top + 7)]
        s.poly([*cap, (x - 9 * slope, top + 9)], (246, 250, 252), ink=False)
    ground(s, (118, 186, 96), (150, 204, 116))
    lake = [(-4, LINE + 1), (104, LINE + 1), (104, 66), (70, 69.5), (40, 67), (-4, 69)]
    s.poly([(x, y + 1.2) for x, y in lake], (206, 220, 160), ink=False)
    s.poly(lake, (110, 178, 214), ink=False)
    for _ in range(6):
        x, y = dice.between(0, 90), dice.between(LINE + 2, 65)
        s.stroke([(x, y), (x + 6, y)], 0.6, (176, 216, 236), ink=False)
    tufts(s, dice, (86, 148, 78), 14)


def room(s: Sketch, dice: Dice) -> None:
    wall = ((238, 222, 196), (206, 222, 216), (226, 214, 226))[int(3 * dice.uniform())]
    floor = (202, 164, 124)
    s.rect(-1, -1, 101, LINE + 8, wall, ink=False)
    for x in range(0, 104, 10):
        s.rect(x, -1, x + 4, LINE + 6, lighter(wall, 0.22), ink=False)
    left = dice.between(8, 62)
    s.rect(left, 8, left + 28, 38, (250, 248, 240), ink=False)
    s.rect(left + 2, 10, left + 26, 36, (170, 214, 238), ink=False)
    cloud(s, left + 14, 20, 4)
    s.rect(left + 13.2, 8, left + 14.8, 38, (250, 248, 240), ink=False)
    s.rect(left - 2, 37, left + 30, 40, (236, 230, 220), ink=False)
    s.rect(-1, LINE + 3, 101, LINE + 6, (250, 246, 236), ink=False)
    ground(s, floor, darker(floor, 0.08), LINE + 6)
    for k in range(7):
        y = LINE + 6 + 38 * (k / 7) ** 1.4
        s.rect(-1, y, 101, y + 0.5, darker(floor, 0.16), ink=False)
    rug = mix((196, 150, 140), (140, 166, 180), dice.uniform())
    s.oval(50, 84, 44, 11, lighter(rug, 0.25), ink=False)
    s.oval(50, 84, 38, 8.5, rug, ink=False)


PLACE_ART: dict[str, Callable[[Sketch, Dice], None]] = {
    f.__name__: f for f in (beach, park, street, snow, night, desert, farm, mountains, room)
}
