import matplotlib
import numpy as np
import pandas as pd
import pytest

from daa.plots import BASELINE, DAA, arm_colours, arm_dots, asp_parts, group_boxes, variance_against_ambiguity

matplotlib.use("Agg")


def frame(n_seeds=3):
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "metric": metric,
            "truth": "tfidf",
            "direction": direction,
            "value": level + seed / 100,
        }
        for arm, level in (("baseline", 0.5), ("DAA", 0.6))
        for seed in range(n_seeds)
        for metric in ("ASP", "R@1")
        for direction in ("i2t", "t2i")
    ]
    return pd.DataFrame(rows)


def test_baseline_is_grey_daa_the_accent_and_others_differ():
    colours = arm_colours(["baseline", "DAA", "DAA x 5", "DAA x 25"])
    assert (colours["baseline"], colours["DAA"]) == (BASELINE, DAA)
    assert len(set(colours.values())) == 4


def test_arm_dots_draws_every_seed_and_a_bar_at_the_mean():
    figure = arm_dots(frame(), [("ASP", "tfidf"), ("R@1", "tfidf")], chance={"ASP": 0.5})
    asp, recall = figure.axes
    dots = [line for line in asp.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_ydata(), [50, 51, 52])
    assert len(np.unique(dots[0].get_xdata())) == 3
    bars = [line for line in asp.lines if line.get_linewidth() == 3]
    np.testing.assert_allclose([line.get_ydata()[0] for line in bars], [51, 61, 51, 61])
    assert [line.get_linestyle() for line in asp.lines].count(":") == 1
    assert ":" not in [line.get_linestyle() for line in recall.lines]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["baseline", "DAA"]


def test_arm_dots_draws_floors_where_they_are_known_and_panels_in_rows():
    floors = pd.DataFrame(
        [["ASP", "tfidf", "i2t", 0.5, 0.62], ["ASP", "tfidf", "t2i", 0.51, 0.57]],
        columns=["metric", "truth", "direction", "random", "floor"],
    )
    figure = arm_dots(frame(), [("ASP", "tfidf"), ("R@1", "tfidf"), ("ASP", "tfidf")], floors=floors, n_columns=2)
    asp, recall, again, empty = figure.axes
    for style, expected in ((":", [50, 51]), ("--", [62, 57])):
        lines = [line for line in asp.lines if line.get_linestyle() == style]
        np.testing.assert_allclose([line.get_ydata()[0] for line in lines], expected)
        assert [line.get_linestyle() for line in recall.lines].count(style) == 0
    assert again.get_title(loc="left") == asp.get_title(loc="left") == "ASP" or again.get_title() == "ASP"
    assert not empty.axison
    assert [text.get_text() for text in figure.legends[0].get_texts()][2:] == [
        "random ranking",
        "best that ignores the query",
    ]


def test_arm_dots_takes_one_seed():
    figure = arm_dots(frame(1), [("ASP", "tfidf")])
    assert len(figure.axes[0].lines) == 8


def test_arm_dots_refuses_what_was_not_measured():
    with pytest.raises(ValueError, match="the frame has no mAP@R judged by exhaustive"):
        arm_dots(frame(), [("mAP@R", "exhaustive")])


def test_variance_against_ambiguity_draws_quartiles_of_classes_that_double():
    counts = np.repeat([1, 2, 3, 700], [5, 5, 5, 4])  # four items are too few for a class
    log_var = np.concatenate([np.arange(5.0), np.full(10, -1.0), np.zeros(4)])
    figure = variance_against_ambiguity({"baseline": log_var, "DAA": log_var + 1}, counts, "images it fits")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [1.0, 2.5])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [2.0, -1.0])
    np.testing.assert_allclose(axes.lines[1].get_ydata(), [3.0, 0.0])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (-1.0, 3.0)
    assert axes.get_xlabel() == "images it fits"


def test_variance_against_ambiguity_refuses_counts_below_one():
    with pytest.raises(ValueError, match="counts: expected one from 1 upwards"):
        variance_against_ambiguity({"DAA": np.zeros(2)}, np.array([0, 1]), "")


def test_asp_parts_puts_the_parts_of_an_arm_side_by_side():
    values = {"image to text": {"baseline": [0.5, 0.6], "DAA": [0.7, 0.8]}}
    figure = asp_parts(values, {"all": ("black", "o"), "blind": ("red", "v")}, {"image to text": 0.61})
    axes = figure.axes[0]
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() in (":", "--")]
    assert levels == [50, 61]
    whole, blind = (line for line in axes.lines if line.get_marker() in ("o", "v"))
    np.testing.assert_allclose(whole.get_ydata(), [50, 70])
    np.testing.assert_allclose(blind.get_ydata(), [60, 80])
    assert (whole.get_xdata() < blind.get_xdata()).all()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["baseline", "DAA"]


def test_asp_parts_refuses_an_arm_with_too_few_numbers():
    with pytest.raises(ValueError, match="expected 2 numbers an arm"):
        asp_parts({"i2t": {"DAA": [0.5]}}, {"all": ("black", "o"), "blind": ("red", "v")}, {"i2t": 0.5})


def test_group_boxes_draws_medians_and_quartiles_in_the_given_order():
    values = np.arange(101.0)
    figure = group_boxes({"DAA": {"vague": values, "exact": values + 1}}, y_label="log-variance", colours={"DAA": DAA})
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["vague", "exact"]
    boxes = [patch.get_path().vertices[:, 1] for patch in axes.patches]
    assert [(box.min(), box.max()) for box in boxes] == [(25, 75), (26, 76)]
    assert axes.get_ylabel() == "log-variance"


def test_group_boxes_refuses_an_empty_group():
    with pytest.raises(ValueError, match="values in each group"):
        group_boxes({"DAA": {"vague": np.array([])}}, y_label="", colours={"DAA": DAA})
