"""Pictures of rankings: the same candidates in two orders, and quantities followed over steps with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from daa.plots.style import BASELINE, RELEVANCE, SEQUENCE


def rank_lines(
    candidates: Sequence[str],
    by_relevance: Int[np.ndarray, " n"],
    by_score: Int[np.ndarray, " n"],
) -> Figure:
    """One query's candidates in two columns, by relevance and by score, a line for each with its ratio min / max.

    The more a line tilts, measured by the ratio of its two ranks, the thinner and greyer it is.

    Args:
        candidates: a short text for each candidate.
        by_relevance: the rank of each by relevance, 1 is best; no ties.
        by_score: the rank of each by score, 1 is best; no ties.

    Returns:
        The figure.

    Raises:
        ValueError: if the three lengths differ, or the ranks are not 1 to n each.

    Source: the ratio is the summand of ASP (Li et al., NeurIPS 2022).
    """
    n = len(candidates)
    for name, ranks in (("by_relevance", by_relevance), ("by_score", by_score)):
        if sorted(np.asarray(ranks).tolist()) != list(range(1, n + 1)):
            raise ValueError(f"{name}: expected each rank from 1 to {n} once, got {np.asarray(ranks).tolist()}")
    figure, axes = plt.subplots(figsize=(6.4, 0.62 * n + 0.9))
    for text, left, right in zip(candidates, by_relevance, by_score, strict=True):
        ratio = Fraction(min(int(left), int(right)), max(int(left), int(right)))
        colour = _mix(BASELINE, RELEVANCE, 2 * float(ratio) - 1)
        axes.plot([0, 1], [left, right], color=colour, linewidth=1.5 + 3 * float(ratio), marker="o", markersize=8)
        axes.text(-0.05, left, f"{text}  {left}", ha="right", va="center")
        axes.text(1.05, right, f"{right}", ha="left", va="center")
        axes.text(1.42, right, f"{ratio}", ha="center", va="center", color=colour, fontweight="bold")
    for x, align, text in (
        (-0.05, "right", "rank by relevance"),
        (1.05, "center", "rank by\nscore"),
        (1.42, "center", "ratio"),
    ):
        axes.text(x, 0.35, text, ha=align, va="bottom", fontsize=11, color=BASELINE)
    axes.set(xlim=(-1.9, 1.6), ylim=(n + 0.4, -0.1))
    axes.axis("off")
    return figure


def curves_with_spread(
    steps: Float[np.ndarray, " steps"] | Int[np.ndarray, " steps"],
    runs: Mapping[str, Float[np.ndarray, "seeds steps"]],
    *,
    x_label: str,
    y_label: str,
    colours: Sequence[str] = SEQUENCE,
    axes: Axes | None = None,
) -> Figure:
    """A line for each name, the mean over seeds, in a band from the lowest to the highest seed.

    Args:
        steps: where the quantity was measured.
        runs: by name, the quantity of each seed at each step.
        x_label: what the steps are, with unit.
        y_label: what the quantity is, with unit.
        colours: one for each name, in order.
        axes: where to draw; by default a new figure.

    Returns:
        The figure.

    Raises:
        ValueError: if there is nothing to draw, or fewer colours than names.
    """
    if not 0 < len(runs) <= len(colours):
        raise ValueError(f"runs: expected 1 to {len(colours)} names, one a colour, got {len(runs)}")
    if axes is None:
        _, axes = plt.subplots()
    for colour, (name, values) in zip(colours, runs.items(), strict=False):
        axes.fill_between(steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        axes.plot(steps, values.mean(axis=0), color=colour, label=name)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.legend()
    return cast(Figure, axes.figure)


def _mix(low: str, high: str, share: float) -> str:
    """The colour between two, `share` of the way from `low` to `high`, clipped to [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    mixed = (1 - share) * np.array(mpl.colors.to_rgb(low)) + share * np.array(mpl.colors.to_rgb(high))
    return mpl.colors.to_hex(tuple(mixed.tolist()))
