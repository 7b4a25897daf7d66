"""Pictures of several arms of a study: every seed a dot, the mean a bar across them; and variance against ambiguity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from daa.plots.style import BASELINE, DAA, SEQUENCE

WORDS = {"i2t": "image to text", "t2i": "text to image"}


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """Baselines grey, plain DAA the accent, everything else in the fixed order of the palette.

    >>> arm_colours(["baseline", "DAA"])
    {'baseline': '#6b7280', 'DAA': '#d55e00'}
    """
    others = iter(colour for colour in SEQUENCE if colour not in (BASELINE, DAA))
    return {arm: BASELINE if arm == "baseline" else DAA if arm == "DAA" else next(others) for arm in arms}


def arm_dots(frame: pd.DataFrame, rows: Sequence[tuple[str, str]], chance: Mapping[str, float] | None = None) -> Figure:
    """Metrics of several arms: a dot a seed, a bar for the mean; a panel a metric, the directions side by side.

    Args:
        frame: tidy, with the columns arm, seed, metric, truth, direction and value (fractions).
        rows: which (metric, truth), a panel each.
        chance: by metric, what a random ranking scores, as a fraction; drawn as a dotted line.

    Returns:
        The figure.

    Raises:
        ValueError: if the frame has nothing for a row.
    """
    arms = list(dict.fromkeys(frame["arm"]))
    colours = arm_colours(arms)
    width = 0.3 / len(arms)
    figure, all_axes = plt.subplots(1, len(rows), figsize=(max(6.4, 2.15 * len(rows)), 3.6), squeeze=False)
    for axes, (metric, truth) in zip(all_axes[0], rows, strict=True):
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
        if chance and metric in chance:
            axes.axhline(100 * chance[metric], color="#9ca3af", linestyle=":", linewidth=1.5)
        axes.set(xticks=range(len(WORDS)), xticklabels=list(WORDS), xlim=(-0.6, 1.6), title=metric)
        axes.set_xlabel(f"by {truth}", fontsize=11)
    all_axes[0, 0].set_ylabel("percent")
    handles = [plt.Line2D([], [], color=colours[arm], marker="o", linewidth=3, label=arm) for arm in arms]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(arms))
    return figure


def variance_against_ambiguity(
    log_var: Mapping[str, Float[np.ndarray, " items"]], counts: Int[np.ndarray, " items"], counted: str
) -> Figure:
    """Predicted log-variance against true ambiguity, both as quantile bands over classes of ambiguity that double.

    Args:
        log_var: by arm, the mean log-variance of each item.
        counts: how many candidates each item truly fits, from 1.
        counted: label of the x axis, such as "images that the caption fits".

    Returns:
        The figure: for each arm the median, and a band from the lower to the upper quartile.

    Raises:
        ValueError: if a count is below 1, or lengths differ.
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
