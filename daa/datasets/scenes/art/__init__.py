"""Draws a scene at any size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from daa.datasets.scenes.art.creatures import CREATURES, PEOPLE
from daa.datasets.scenes.art.places import PLACE_ART
from daa.datasets.scenes.art.sketch import OUTLINE, PALETTE, Sketch
from daa.datasets.scenes.art.things import THINGS
from daa.datasets.scenes.world import KINDS, PLACES, Dice, Scene, SceneObject

ART = CREATURES | THINGS
VIEWS = 8  # how many views there are of each place
NOISE = 3.0  # standard deviation of the grain, in steps of 1/255
TILT = {  # by how many degrees at most
    "kite": 22.0,
    "balloon": 8.0,
    "ball": 40.0,
    "plane": 9.0,
    "bird": 8.0,
    "umbrella": 7.0,
    "flower": 6.0,
    "palm": 3.0,
}
SHADOWS = {
    "beach": (222, 190, 134),
    "park": (104, 164, 80),
    "street": (84, 86, 98),
    "snow": (176, 194, 220),
    "night": (52, 60, 108),
    "desert": (208, 160, 98),
    "farm": (122, 164, 78),
    "mountains": (92, 152, 78),
    "room": (160, 124, 92),
}


def draw_scene(scene: Scene, size: int = 128, noise: bool = True) -> Image.Image:
    """A scene as a square RGB picture.

    Args:
        scene: what to draw.
        size: side of the picture in pixels; the same scene looks the same at any size.
        noise: whether light and grain vary from scene to scene, as they do for the data set.

    Raises:
        ValueError: if the size is not a whole number from 16 to 2048.

    >>> draw_scene(Scene("beach", (SceneObject("dog", "brown", "large", 0.5, 0.9, 0.3),)), size=64).size
    (64, 64)
    """
    if not isinstance(size, int | np.integer) or not 16 <= size <= 2048:
        raise ValueError(f"size: expected a whole number of pixels from 16 to 2048, got {size!r}")
    scale = 4 if size <= 160 else 3 if size <= 512 else 2
    side = scale * int(size)
    view = scene.grain % VIEWS
    canvas = _place(scene.place, view, side).copy() if side <= 768 else _place.__wrapped__(scene.place, view, side)
    draw = ImageDraw.Draw(canvas, "RGB")
    for thing in scene.objects:
        _paint_shadow(draw, thing, scene.place, side)
    for thing in scene.objects:
        _paint(draw, thing, side)
    picture = canvas.reduce(scale)
    return _with_grain(picture, scene.grain) if noise else picture


def _paint(draw: ImageDraw.ImageDraw, thing: SceneObject, side: int) -> None:
    variant = int(5e5 * (thing.tilt + 1)) % 9 if thing.kind in PEOPLE else 0
    sketch, aspect = _sketch(thing.kind, thing.colour, thing.in_air, variant)
    unit = thing.height * side / 100
    angle = np.radians(TILT.get(thing.kind, 0.0) * thing.tilt)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    if thing.flip:
        turn = turn @ np.diag([-1.0, 1.0])
    matrix = unit * turn
    pivot = np.array([50 * aspect, 50.0 if thing.in_air or thing.kind == "ball" else 100.0])
    anchor = np.array([thing.x * side, thing.y * side - (100 - pivot[1]) * unit])
    sketch.paint(draw, matrix, anchor - matrix @ pivot, OUTLINE * side)


@lru_cache(maxsize=2048)
def _sketch(kind: str, colour: str, in_air: bool, variant: int) -> tuple[Sketch, float]:
    sketch = Sketch()
    ART["flying_bird" if kind == "bird" and in_air else kind](sketch, PALETTE[colour], variant)
    return sketch, KINDS[kind].aspect


def _paint_shadow(draw: ImageDraw.ImageDraw, thing: SceneObject, place: str, side: int) -> None:
    if thing.in_air or thing.kind == "boat":
        return
    rx, ry = 0.48 * thing.width * side, 0.018 * side + 0.02 * thing.height * side
    x, y = thing.x * side, (thing.y - 0.004) * side
    draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=SHADOWS[place])


@lru_cache(maxsize=len(PLACES) * VIEWS)
def _place(place: str, view: int, side: int) -> Image.Image:
    canvas = Image.new("RGB", (side, side))
    sketch = Sketch()
    PLACE_ART[place](sketch, Dice(np.random.SeedSequence([list(PLACES).index(place), view])))
    sketch.paint(ImageDraw.Draw(canvas), np.eye(2) * side / 100, np.zeros(2), 0.0)
    return canvas


def _with_grain(picture: Image.Image, grain: int) -> Image.Image:
    """Slightly other light for each scene, and noise on each pixel."""
    generator = np.random.default_rng(grain)
    light = generator.uniform(0.94, 1.05) * generator.uniform(0.985, 1.015, size=3)
    pixels = np.asarray(picture, dtype=np.float32) * light.astype(np.float32)
    pixels += NOISE * generator.standard_normal(pixels.shape, dtype=np.float32)
    return Image.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
