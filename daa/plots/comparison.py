"""Pictures of several arms of a study: every seed a dot, the mean a bar across them; and variance against ambiguity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from daa.plots.style import BASELINE, DAA, RELEVANCE, SEQUENCE

WORDS = {"i2t": "image to text", "t2i": "text to image"}

LEVELS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"linestyle": ":", "color": "#9ca3af", "linewidth": 1.5}, "random ranking"),
    ({"linestyle": "--", "color": RELEVANCE, "linewidth": 1.5}, "best that ignores the query"),
)
"""How the floors of `arm_dots` are drawn, and their words."""


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """Baselines grey, plain DAA the accent, everything else in the fixed order of the palette.

    >>> arm_colours(["baseline", "DAA"])
    {'baseline': '#6b7280', 'DAA': '#d55e00'}
    """
    others = iter(colour for colour in SEQUENCE if colour not in (BASELINE, DAA))
    return {arm: BASELINE if arm == "baseline" else DAA if arm == "DAA" else next(others) for arm in arms}


def arm_dots(
    frame: pd.DataFrame,
    rows: Sequence[tuple[str, str]],
    chance: Mapping[str, float] | None = None,
    floors: pd.DataFrame | None = None,
    n_columns: int | None = None,
) -> Figure:
    """Metrics of several arms: a dot a seed, a bar for the mean; a panel a metric, the directions side by side.

    Args:
        frame: tidy, with the columns arm, seed, metric, truth, direction and value (fractions).
        rows: which (metric, truth), a panel each.
        chance: by metric, what a random ranking scores, as a fraction; drawn as a dotted line.
        floors: tidy, with the columns metric, truth, direction, and of rankings that ignore the query `random`, drawn
            dotted, and `floor`, the best of them, drawn dashed.
        n_columns: panels side by side; all of them by default.
    """
    arms = list(dict.fromkeys(frame["arm"]))
    colours = arm_colours(arms)
    width = 0.3 / len(arms)
    n_columns = n_columns or len(rows)
    n_rows = -(-len(rows) // n_columns)
    size = (max(6.4, 2.15 * n_columns), 0.5 + 3.1 * n_rows)
    figure, grid = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
    levels: dict[tuple[str, str, str], tuple[float, float]] = {}
    if floors is not None:
        keys = zip(floors["metric"], floors["truth"], floors["direction"], strict=True)
        levels = dict(zip(keys, zip(floors["random"], floors["floor"], strict=True), strict=True))
    for axes in grid.flat[len(rows) :]:
        axes.axis("off")
    for axes, (metric, truth) in zip(grid.flat, rows, strict=False):
        chosen = frame[(frame["metric"] == metric) & (frame["truth"] == truth) & frame["direction"].isin(WORDS)]
        if chosen.empty:
            raise ValueError(f"rows: the frame has no {metric} judged by {truth}")
        for d, direction in enumerate(WORDS):
            for a, arm in enumerate(arms):
                values = 100 * chosen[(chosen["direction"] == direction) & (chosen["arm"] == arm)]["value"].to_numpy()
                x = d + (a - (len(arms) - 1) / 2) * 0.8 / len(arms)
                jitter = np.linspace(-width, width, len(values)) / 2 if len(values) > 1 else np.zeros(len(values))
                axes.plot(x + jitter, values, "o", color=colours[arm], alpha=0.55, markersize=5)
                axes.plot([x - width, x + width], [values.mean()] * 2, color=colours[arm], linewidth=3)
            if (metric, truth, direction) in levels:
                for level, (style, _) in zip(levels[metric, truth, direction], LEVELS, strict=True):
                    axes.plot([d - 0.45, d + 0.45], [100 * level] * 2, **style)
        if chance and metric in chance:
            axes.axhline(100 * chance[metric], color="#9ca3af", linestyle=":", linewidth=1.5)
        axes.set(xticks=range(len(WORDS)), xticklabels=list(WORDS), xlim=(-0.6, 1.6), title=metric)
        axes.set_xlabel(f"by {truth}", fontsize=11)
    for axes in grid[:, 0]:
        axes.set_ylabel("percent")
    handles = [plt.Line2D([], [], color=colours[arm], marker="o", linewidth=3, label=arm) for arm in arms]
    if levels:
        handles += [plt.Line2D([], [], label=words, **style) for style, words in LEVELS]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if levels else len(arms))
    return figure


def variance_against_ambiguity(
    log_var: Mapping[str, Float[np.ndarray, " items"]], counts: Int[np.ndarray, " items"], counted: str
) -> Figure:
    """Predicted log-variance against true ambiguity: median and quartiles of each arm, over classes that double.

    Args:
        log_var: by arm, the mean log-variance of each item.
        counts: how many candidates each item truly fits, from 1.
        counted: label of the x axis, such as "images that the caption fits".
    """
    if counts.min() < 1 or any(len(values) != len(counts) for values in log_var.values()):
        raise ValueError("counts: expected one from 1 upwards for each item")
    classes = np.floor(np.log2(counts)).astype(int)
    present = [k for k in range(classes.max() + 1) if (classes == k).sum() >= 5]
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    colours = arm_colours(list(log_var))
    for arm, values in log_var.items():
        quartiles = np.array([np.quantile(values[classes == k], (0.25, 0.5, 0.75)) for k in present])
        middle = [np.exp2(k) * 1.5 - 0.5 for k in present]
        axes.fill_between(middle, quartiles[:, 0], quartiles[:, 2], color=colours[arm], alpha=0.2, linewidth=0)
        axes.plot(middle, quartiles[:, 1], color=colours[arm], marker="o", label=arm)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    axes.set(xlabel=counted, ylabel="predicted log-variance")
    axes.legend()
    return figure


def asp_parts(
    values: Mapping[str, Mapping[str, Sequence[float]]],
    parts: Mapping[str, tuple[str, str]],
    lines: Mapping[str, float],
    *,
    y_label: str = "ASP, percent",
) -> Figure:
    """A metric of the parts that scores are made of, one panel a direction, the parts of an arm side by side.

    Args:
        values: by title of the panel and by arm, one number a part, as fractions.
        parts: by name the colour and marker, in the order of the numbers.
        lines: by title of the panel, a level to compare with, drawn dashed; chance, 1/2, is dotted.
        y_label: what the metric is.
    """
    if not values or any(len(row) != len(parts) for arms in values.values() for row in arms.values()):
        raise ValueError(f"values: expected {len(parts)} numbers an arm, one a part, in at least one panel")
    figure, all_axes = plt.subplots(len(values), squeeze=False, sharex=True, figsize=(6.4, 2.7 * len(values)))
    for axes, (title, arms) in zip(all_axes[:, 0], values.items(), strict=True):
        axes.axhline(50, color="#9ca3af", linestyle=":", linewidth=1.5)
        axes.axhline(100 * lines[title], color=RELEVANCE, linestyle="--", linewidth=1.5)
        for p, (name, (colour, marker)) in enumerate(parts.items()):
            places = np.arange(len(arms)) + (p - (len(parts) - 1) / 2) * 0.2
            heights = [100 * row[p] for row in arms.values()]
            axes.plot(places, heights, marker, color=colour, markersize=10, label=name)
        axes.set(title=title, ylabel=y_label, xticks=range(len(arms)), xticklabels=list(arms))
        axes.set_xlim(-0.5, len(arms) - 0.5)
        axes.margins(y=0.12)
    figure.legend(*all_axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(parts))
    return figure


def group_boxes(
    groups: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]], *, y_label: str, colours: Mapping[str, str]
) -> Figure:
    """Boxes of a quantity by group, one panel an arm: median, quartiles, whiskers from the 5th to the 95th percentile.

    Args:
        groups: by arm and by group the values.
        y_label: what the quantity is, with unit.
        colours: by arm.
    """
    if not groups or not all(len(values) for named in groups.values() for values in named.values()):
        raise ValueError("groups: expected at least one arm, and values in each group")
    figure, all_axes = plt.subplots(len(groups), squeeze=False, sharex=True, figsize=(6.4, 2.7 * len(groups)))
    for axes, (arm, named) in zip(all_axes[:, 0], groups.items(), strict=True):
        fill = {"facecolor": colours[arm], "alpha": 0.35, "edgecolor": colours[arm]}
        drawn = axes.boxplot(list(named.values()), whis=(5, 95), showfliers=False, widths=0.6, patch_artist=True)
        for box in drawn["boxes"]:
            box.set(**fill)
        for line in (*drawn["medians"], *drawn["whiskers"], *drawn["caps"]):
            line.set(color=colours[arm], linewidth=2)
        axes.set(title=arm, ylabel=y_label)
    all_axes[-1, 0].set_xticks(range(1, len(named) + 1), list(named))
    return figure
