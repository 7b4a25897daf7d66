"""Vehicles as sketches (see `animals` for the unit)."""

from __future__ import annotations

import math

from daa.datasets.scenes.sketch import INK, RGB, Number, Sketch, darker, lighter, mix

GLASS: RGB = (190, 226, 242)
TYRE: RGB = (62, 58, 70)
METAL: RGB = (206, 208, 214)
WOOD: RGB = (146, 100, 66)
CREAM: RGB = (250, 244, 228)


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


VEHICLES = {f.__name__: f for f in (car, bus, bicycle, boat, plane)}
