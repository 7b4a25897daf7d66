"""Pictures of rankings and what they are made of: orders, curves over steps, ranks of a match, scores by relevance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter, StrMethodFormatter

from daa.plots.style import BASELINE, DAA, RELEVANCE, SEQUENCE, TRUTH

DIRECTION_TITLES = {"i2t": "Captions for an image (i2t)", "t2i": "Images for a caption (t2i)"}


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


def match_rank_curves(ranks: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]]) -> Figure:
    """Share of queries whose first match stands at rank K or better: Recall@K for every K at once.

    Args:
        ranks: by system and direction, for each query the rank of its first match, from 1; NaN for a query without.
    """
    directions = list(dict.fromkeys(direction for one in ranks.values() for direction in one))
    if not directions:
        raise ValueError("ranks: expected at least one system with one direction, got none")
    deepest = max(2.0, *(float(np.nanmax(one)) for by_direction in ranks.values() for one in by_direction.values()))
    figure, all_axes = plt.subplots(len(directions), squeeze=False, sharex=True, figsize=(6.4, 2.9 * len(directions)))
    for axes, direction in zip(all_axes[:, 0], directions, strict=True):
        for j, (name, by_direction) in enumerate(ranks.items()):
            found = np.sort(by_direction[direction][np.isfinite(by_direction[direction])])
            share = np.arange(1, len(found) + 1) / len(found)
            colour = SEQUENCE[j % len(SEQUENCE)]
            x, y = [1, *found, deepest], [(found <= 1).mean(), *share, 1]
            axes.step(x, y, where="post", color=colour, label=name)
        axes.set(xscale="log", xlim=(0.95, deepest), ylim=(0, 1.03), ylabel="queries")
        axes.set_title(DIRECTION_TITLES.get(direction, direction))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    all_axes[-1, 0].set_xlabel("rank of the first match, at most")
    if len(ranks) > 1:
        all_axes[0, 0].legend()
    return figure


def score_against_relevance(
    scores: Float[np.ndarray, " pairs"],
    relevance: Float[np.ndarray, " pairs"],
    matches: Bool[np.ndarray, " pairs"],
    name: str,
    n_bins: int = 40,
) -> Figure:
    """How many pairs have which relevance and score, with the median score along the relevance, matches as dots.

    Args:
        scores: of some pairs of image and caption.
        relevance: of the same pairs.
        matches: which of them are annotated as matches.
        name: of the relevance.
        n_bins: classes along each axis.
    """
    if len({len(scores), len(relevance), len(matches)}) > 1 or len(scores) == 0:
        raise ValueError(
            f"scores: expected as many as relevance and matches and at least one, got {len(scores)}, {len(relevance)} "
            f"and {len(matches)}"
        )
    figure, axes = plt.subplots()
    mesh = axes.hist2d(relevance, scores, bins=n_bins, norm=LogNorm(), cmap="Greys")[3]
    edges = np.linspace(relevance.min(), relevance.max(), n_bins // 2 + 1)
    place = np.clip(np.digitize(relevance, edges) - 1, 0, len(edges) - 2)
    filled = [j for j in range(len(edges) - 1) if (place == j).sum() >= 5]
    axes.scatter(
        relevance[matches], scores[matches], s=6, color=TRUTH, alpha=0.35, linewidths=0, label="annotated match"
    )
    middles = [(edges[j] + edges[j + 1]) / 2 for j in filled]
    axes.plot(middles, [np.median(scores[place == j]) for j in filled], color=DAA, marker="o", label="median score")
    axes.set(xlabel=f"relevance ({name})", ylabel="score")
    legend = axes.legend(loc="best", markerscale=1.5)
    for handle in filter(None, legend.legend_handles):
        handle.set_alpha(1)
    figure.colorbar(mesh, ax=axes, label="pairs").outline.set_edgecolor(BASELINE)
    return figure


def _mix(low: str, high: str, share: float) -> str:
    """The colour between two, `share` of the way from `low` to `high`, clipped to [0, 1]."""
    share = min(max(share, 0.0), 1.0)
    mixed = (1 - share) * np.array(mpl.colors.to_rgb(low)) + share * np.array(mpl.colors.to_rgb(high))
    return mpl.colors.to_hex(tuple(mixed.tolist()))
