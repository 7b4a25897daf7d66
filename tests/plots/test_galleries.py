import matplotlib
import numpy as np
import pytest

from daa.plots import caption_gallery, picture_gallery, result_marks
from daa.plots.galleries import MARKS

matplotlib.use("Agg")
PICTURE = np.full((8, 8, 3), 120, dtype=np.uint8)


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def markers(figure):
    return [line.get_marker() for axes in figure.axes for line in axes.lines if line.get_color() != "white"]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_result_marks_tell_annotated_from_true_from_wrong():
    annotated, true = np.array([True, False, False]), np.array([True, True, False])
    assert result_marks(np.array([2, 1, 0]), annotated, true) == ["wrong", "true", "annotated"]


def test_caption_gallery_shows_every_caption_with_its_mark():
    figure = caption_gallery(
        [PICTURE, PICTURE], [["a dog", "a cat"], ["a bus"]], [["annotated", "wrong"], ["true"]], ["one", "two"]
    )
    assert texts(figure) == ["one", "a dog", "a cat", "two", "a bus"]
    assert markers(figure) == [MARKS[mark].marker for mark in ("annotated", "wrong", "true")]
    assert legend(figure) == ["annotated", "true, but not annotated", "does not fit"]


def test_caption_gallery_wraps_and_grows_and_names_only_what_it_shows():
    short = caption_gallery([PICTURE], [["a dog"] * 3], [["true"] * 3])
    long = caption_gallery([PICTURE], [["a dog and a cat"] * 12], [["true"] * 12], wrap=9)
    assert texts(long) == ["a dog and\na cat"] * 12
    assert long.get_figheight() > short.get_figheight()
    assert legend(short) == ["true, but not annotated"]


def test_caption_gallery_takes_headings_without_a_mark():
    figure = caption_gallery([PICTURE], [["by A", "a dog"]], [["", "wrong"]])
    assert markers(figure) == [MARKS["wrong"].marker]
    assert legend(figure) == ["does not fit"]


def test_picture_gallery_frames_each_picture_by_its_mark():
    figure = picture_gallery(["a red car", ""], [[PICTURE, PICTURE], [PICTURE]], [["annotated", "wrong"], ["true"]])
    assert [text.get_text() for text in figure.texts] == ["a red car", ""]
    frames = [matplotlib.colors.to_hex(axes.spines["left"].get_edgecolor()) for axes in figure.axes]
    assert frames == [MARKS[mark].colour for mark in ("annotated", "wrong", "true")]
    assert markers(figure) == [MARKS[mark].marker for mark in ("annotated", "wrong", "true")]


def test_galleries_refuse_what_does_not_fit_together():
    with pytest.raises(ValueError, match="expected at least one row"):
        caption_gallery([], [], [])
    with pytest.raises(ValueError, match="marks: expected one a result, \\[2\\] in 1 rows, got \\[1\\]"):
        caption_gallery([PICTURE], [["a", "b"]], [["true"]])
    with pytest.raises(ValueError, match="titles: expected one a row, 1, or none, got 2"):
        caption_gallery([PICTURE], [["a"]], [["true"]], ["x", "y"])
    with pytest.raises(ValueError, match="marks: expected annotated, true, wrong or nothing, got right"):
        picture_gallery(["a"], [[PICTURE]], [["right"]])
