"""Cartoon drawing in polygons: shapes are collected once as a sketch and then painted at any size with one outline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

RGB = tuple[int, int, int]
Number = int | float
Point = tuple[Number, Number]

PALETTE: dict[str, RGB] = {
    "red": (222, 68, 62),
    "orange": (243, 146, 55),
    "yellow": (251, 210, 78),
    "green": (92, 174, 92),
    "blue": (66, 132, 214),
    "purple": (142, 92, 190),
    "pink": (246, 152, 186),
    "brown": (156, 105, 66),
    "black": (64, 62, 76),
    "white": (252, 250, 244),
    "grey": (160, 164, 174),
}
INK: RGB = (50, 42, 58)
OUTLINE = 0.0085  # width of the outline as a fraction of the picture


def mix(a: RGB, b: RGB, share: Number) -> RGB:
    """`share` of colour `b` in colour `a`.

    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue


def darker(colour: RGB, share: float = 0.25) -> RGB:
    """A shade: of a colour a little redder, so that yellow does not turn olive; of a grey a little bluer."""
    red, green, blue = colour
    if max(colour) - min(colour) < 25:
        return mix(colour, (52, 58, 92), 0.8 * share)
    return round(red * (1 - 0.62 * share)), round(green * (1 - 0.92 * share)), round(blue * (1 - 0.80 * share))


def lighter(colour: RGB, share: float = 0.35) -> RGB:
    return mix(colour, (255, 255, 250), share)


@dataclass(frozen=True)
class Shape:
    """A filled polygon with the unit normals of its corners, which widen it for the outline."""

    points: np.ndarray
    normals: np.ndarray
    fill: RGB
    inked: bool
    layer: int


class Sketch:
    """Polygons in any unit, y pointing down. Shapes of one layer share one outline; later layers lie above."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []
        self._layer = 0

    def layer(self) -> None:
        """From here on shapes get an outline of their own against what has been drawn."""
        self._layer += 1

    def poly(self, points: Sequence[Point] | np.ndarray, fill: RGB, ink: bool = True) -> None:
        """A polygon with straight sides."""
        corners = np.asarray(points, dtype=np.float64)
        self.shapes.append(Shape(corners, _normals(corners), fill, ink, self._layer))

    def blob(self, points: Sequence[Point], fill: RGB, ink: bool = True) -> None:
        """A smooth closed curve through the points (Catmull-Rom)."""
        self.poly(_smooth(np.asarray(points, dtype=np.float64), closed=True), fill, ink)

    def oval(
        self, x: Number, y: Number, rx: Number, ry: Number, fill: RGB, angle: Number = 0.0, ink: bool = True
    ) -> None:
        """An ellipse about (x, y), turned clockwise by `angle` degrees."""
        self.poly(_ellipse(x, y, rx, ry, angle), fill, ink)

    def disc(self, x: Number, y: Number, r: Number, fill: RGB, ink: bool = True) -> None:
        self.oval(x, y, r, r, fill, ink=ink)

    def stroke(
        self,
        points: Sequence[Point],
        width: Number,
        fill: RGB,
        ink: bool = True,
        smooth: bool = True,
        taper: Number = 1.0,
    ) -> None:
        """A thick line with round ends; its width goes from `width` to `taper * width`."""
        line = np.asarray(points, dtype=np.float64)
        if smooth and len(line) > 2:
            line = _smooth(line, closed=False)
        self.poly(_thick(line, width / 2, taper), fill, ink)

    def rect(
        self,
        left: Number,
        top: Number,
        right: Number,
        bottom: Number,
        fill: RGB,
        ink: bool = True,
        radius: Number = 0.0,
    ) -> None:
        """A rectangle with round corners."""
        if radius == 0:
            self.poly([(left, top), (right, top), (right, bottom), (left, bottom)], fill, ink)
            return
        angles = np.linspace(0, np.pi / 2, 6)
        corners = [(right - radius, bottom - radius), (left + radius, bottom - radius)]
        corners += [(left + radius, top + radius), (right - radius, top + radius)]
        arcs = [
            np.stack([x + radius * np.cos(angles + q * np.pi / 2), y + radius * np.sin(angles + q * np.pi / 2)], axis=1)
            for q, (x, y) in enumerate(corners)
        ]
        self.poly(np.concatenate(arcs), fill, ink)

    def paint(self, draw: ImageDraw.ImageDraw, matrix: np.ndarray, offset: np.ndarray, outline: Number) -> None:
        """Paints the sketch.

        Args:
            draw: where to paint.
            matrix: linear map [2, 2] from the sketch's unit to pixels.
            offset: pixel of the sketch's origin.
            outline: width of the outline in pixels.
        """
        if not self.shapes:
            return
        corners = np.concatenate([shape.points for shape in self.shapes]) @ matrix.T + offset
        normals = np.concatenate([shape.normals for shape in self.shapes]) @ _direction(matrix).T
        widened = corners + outline * normals
        ends = np.cumsum([len(shape.points) for shape in self.shapes])
        flat, flat_wide = corners.ravel().tolist(), widened.ravel().tolist()
        start = 0
        while start < len(self.shapes):
            stop = start
            while stop < len(self.shapes) and self.shapes[stop].layer == self.shapes[start].layer:
                stop += 1
            spans = [(2 * (ends[i] - len(self.shapes[i].points)), 2 * ends[i]) for i in range(start, stop)]
            for shape, (a, b) in zip(self.shapes[start:stop], spans, strict=True):
                if shape.inked:
                    draw.polygon(flat_wide[a:b], fill=INK)
            for shape, (a, b) in zip(self.shapes[start:stop], spans, strict=True):
                draw.polygon(flat[a:b], fill=shape.fill)
            start = stop


def _direction(matrix: np.ndarray) -> np.ndarray:
    """The map without its scale: what it does to normals."""
    return matrix / np.sqrt(abs(np.linalg.det(matrix)))


def _ellipse(x: Number, y: Number, rx: Number, ry: Number, angle: Number) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    circle = np.stack([rx * np.cos(turn), ry * np.sin(turn)], axis=1)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return circle @ np.array([[c, s], [-s, c]]) + (x, y)


def _smooth(points: np.ndarray, closed: bool, steps: int = 6) -> np.ndarray:
    """Catmull-Rom curve through the points."""
    padded = (
        np.concatenate([points[-1:], points, points[:2]])
        if closed
        else np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    )
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for before, a, b, after in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 3 * a - before - 3 * b + after
        square = 2 * before - 5 * a + 4 * b - after
        pieces.append(0.5 * (2 * a + (b - before) * t + square * t**2 + cubic * t**3))
    return np.concatenate(pieces if closed else [*pieces, points[-1:]])


def _thick(line: np.ndarray, radius: Number, taper: Number) -> np.ndarray:
    """The outline of a thick line: one side forth, a round end, the other side back, a round end."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    radii = radius * np.linspace(1, taper, len(line))[:, None]
    turn = np.linspace(0, np.pi, 7)[1:-1, None]
    end = line[-1] + radii[-1] * (across[-1] * np.cos(turn) + along[-1] * np.sin(turn))
    begin = line[0] - radii[0] * (across[0] * np.cos(turn) + along[0] * np.sin(turn))
    return np.concatenate([line + radii * across, end, (line - radii * across)[::-1], begin])


def _normals(corners: np.ndarray) -> np.ndarray:
    """Outward unit normals, longer at sharp corners (at most twice) so that the outline keeps its width."""
    edges = np.roll(corners, -1, axis=0) - corners
    area = np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1])
    outward = np.stack([edges[:, 1], -edges[:, 0]], axis=1) * (1 if area > 0 else -1)
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    between = outward + np.roll(outward, 1, axis=0)
    length = np.maximum(np.linalg.norm(between, axis=1, keepdims=True), 1e-9)
    return between / length * np.minimum(2 / length, 2.0)
