"""Pictures with captions and results: what was annotated, what is true besides, and what is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from daa.plots.style import BASELINE, RELEVANCE, TRUTH


class Mark(NamedTuple):
    """How one kind of result looks: colour, marker, and the words that the legend has for it."""

    colour: str
    marker: str
    words: str
    hollow: bool = False


MARKS: Mapping[str, Mark] = {
    "annotated": Mark(TRUTH, "o", "annotated"),
    "true": Mark(RELEVANCE, "D", "true, but not annotated", hollow=True),
    "wrong": Mark(BASELINE, "x", "does not fit"),
}
"""Of a result: it is the query's own by annotation; it fits, though nobody annotated it; it does not fit."""

_WIDTH, _PICTURE, _LINE = 6.4, 2.0, 0.21  # inches: of the figure, of a picture beside its captions, of a line of text


def caption_gallery(
    pictures: Sequence[UInt8[np.ndarray, "height width 3"]],
    captions: Sequence[Sequence[str]],
    marks: Sequence[Sequence[str]],
    titles: Sequence[str] = (),
    *,
    wrap: int = 44,
) -> Figure:
    """Each picture with captions beside it, from the top, each caption marked: scenes, or results image to text.

    Args:
        pictures: one a row.
        captions: for each picture the captions beside it, best first.
        marks: for each caption a key of `MARKS`, or `""` for a line without a mark (a heading).
        titles: a line above each row; none by default.
        wrap: characters in a line of text.
    """
    _check(pictures, captions, marks, titles)
    texts = [[textwrap.wrap(caption, wrap) for caption in row] for row in captions]
    lines = [sum(len(text) for text in row) + 0.35 * len(row) + (1.2 if titles else 0) for row in texts]
    heights = [max(_PICTURE, _LINE * n) + 0.15 for n in lines]
    shown = list(dict.fromkeys(mark for row in marks for mark in row if mark))
    figure = plt.figure(figsize=(_WIDTH, sum(heights) + 0.35), layout="none")
    top = 1 - 0.03 / figure.get_figheight()
    for r, picture in enumerate(pictures):
        height = heights[r] / figure.get_figheight()
        square = _PICTURE / figure.get_figheight()
        _picture(figure.add_axes((0.005, top - square, _PICTURE / _WIDTH, square)), picture)
        axes = figure.add_axes((_PICTURE / _WIDTH + 0.02, top - height, 0.98 - _PICTURE / _WIDTH, height))
        _captions(axes, texts[r], marks[r], titles[r] if titles else "", heights[r] / _LINE)
        top -= height
    _legend(figure, shown)
    return figure


def picture_gallery(
    titles: Sequence[str],
    pictures: Sequence[Sequence[UInt8[np.ndarray, "height width 3"]]],
    marks: Sequence[Sequence[str]],
    *,
    wrap: int = 64,
) -> Figure:
    """Rows of pictures in frames that say what each is, under a line of text: results text to image.

    Args:
        titles: the text above each row; `""` for none.
        pictures: for each row its pictures, best first.
        marks: for each picture a key of `MARKS`, or `""` for one without a frame.
        wrap: characters in a line of text.
    """
    _check(titles, pictures, marks, ())
    n_columns = max(len(row) for row in pictures)
    texts = [textwrap.wrap(title, wrap) for title in titles]
    cell = _WIDTH / n_columns
    heights = [_LINE * (len(text) + 0.3 * bool(text)) + cell for text in texts]
    figure = plt.figure(figsize=(_WIDTH, sum(heights) + 0.35), layout="none")
    tall = figure.get_figheight()
    top = 1.0
    for text, row, kinds, height in zip(texts, pictures, marks, heights, strict=True):
        figure.text(0.006, top - 0.03 / tall, "\n".join(text), ha="left", va="top", fontsize=11.5)
        for column, (picture, kind) in enumerate(zip(row, kinds, strict=True)):
            inset = 0.045 * cell
            left = (column * cell + inset) / _WIDTH
            bottom = top - height / tall + inset / tall
            axes = figure.add_axes((left, bottom, (cell - 2 * inset) / _WIDTH, (cell - 2 * inset) / tall))
            _picture(axes, picture, MARKS.get(kind))
        top -= height / tall
    _legend(figure, list(dict.fromkeys(kind for row in marks for kind in row)))
    return figure


def result_marks(ranking: Sequence[int] | np.ndarray, annotated: np.ndarray, true: np.ndarray) -> list[str]:
    """What the results of one query are.

    Args:
        ranking: candidates, best first.
        annotated: boolean, for each candidate whether it is the query's own by annotation.
        true: boolean, for each candidate whether it fits.

    Returns:
        For each of the ranking `"annotated"`, `"true"` or `"wrong"`.

    >>> result_marks([2, 0, 1], np.array([True, False, False]), np.array([True, False, True]))
    ['true', 'annotated', 'wrong']
    """
    return ["annotated" if annotated[j] else "true" if true[j] else "wrong" for j in ranking]


def _check(rows: Sequence, inside: Sequence[Sequence], marks: Sequence[Sequence[str]], titles: Sequence[str]) -> None:
    if not rows or not all(inside):
        raise ValueError("gallery: expected at least one row, and at least one result in each, got none")
    if len(inside) != len(rows) or [len(row) for row in inside] != [len(row) for row in marks]:
        raise ValueError(
            f"marks: expected one a result, {[len(row) for row in inside]} in {len(rows)} rows, "
            f"got {[len(row) for row in marks]}"
        )
    if titles and len(titles) != len(rows):
        raise ValueError(f"titles: expected one a row, {len(rows)}, or none, got {len(titles)}")
    unknown = {mark for row in marks for mark in row} - {*MARKS, ""}
    if unknown:
        raise ValueError(f"marks: expected {', '.join(MARKS)} or nothing, got {', '.join(sorted(unknown))}")


def _picture(axes: Axes, picture: np.ndarray, mark: Mark | None = None) -> None:
    axes.imshow(picture, interpolation="antialiased")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=mark is not None, linewidth=4, edgecolor=mark.colour if mark else "none")
    if mark:
        _draw_mark(axes, mark, 0.1, 0.9, on_picture=True)


def _captions(axes: Axes, texts: list[list[str]], marks: Sequence[str], title: str, n_lines: float) -> None:
    axes.set(xlim=(0, 1), ylim=(n_lines, 0))
    axes.axis("off")
    y = 0.05
    if title:
        axes.text(0.0, y, title, ha="left", va="top", fontsize=12, fontweight="bold")
        y += 1.2
    for text, mark in zip(texts, marks, strict=True):
        if mark:
            _draw_mark(axes, MARKS[mark], 0.025, 1 - (y + 0.42) / n_lines)
        axes.text(0.065 if mark else 0.0, y, "\n".join(text), ha="left", va="top", fontsize=11.5, linespacing=1.15)
        y += len(text) + 0.35


def _draw_mark(axes: Axes, mark: Mark, x: float, y: float, on_picture: bool = False) -> None:
    """A mark at a place given in fractions of the axes; on a picture, on a white disc."""
    if on_picture:
        axes.plot([x], [y], "o", color="white", markersize=17, transform=axes.transAxes, zorder=4)
    handle = _handle(mark)
    handle.set(data=([x], [y]), transform=axes.transAxes, zorder=5)
    axes.add_line(handle)


def _handle(mark: Mark) -> Line2D:
    face = "white" if mark.hollow else mark.colour
    return Line2D(
        [],
        [],
        linestyle="",
        marker=mark.marker,
        markersize=8,
        markeredgecolor=mark.colour,
        markerfacecolor=face,
        markeredgewidth=2,
    )


def _legend(figure: Figure, shown: Sequence[str]) -> None:
    """The words for the marks that occur, in the order of `MARKS`, below everything."""
    kinds = [mark for key, mark in MARKS.items() if key in shown]
    if kinds:
        figure.legend(
            [_handle(mark) for mark in kinds],
            [mark.words for mark in kinds],
            loc="lower center",
            ncols=len(kinds),
            fontsize=11,
            handletextpad=0.3,
            columnspacing=1.4,
            borderaxespad=0.1,
        )
