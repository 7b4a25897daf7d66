"""Pictures of an evaluation: how far down the first match stands, and how scores go with relevance."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter, StrMethodFormatter

from daa.plots.style import BASELINE, DAA, SEQUENCE, TRUTH

DIRECTION_TITLES = {"i2t": "Captions for an image (i2t)", "t2i": "Images for a caption (t2i)"}


def match_rank_curves(ranks: Mapping[str, Mapping[str, Float[np.ndarray, " _"]]]) -> Figure:
    """Share of queries whose first match stands at rank K or better: Recall@K for every K at once.

    Args:
        ranks: by system and direction, for each query the rank of its first match, from 1; NaN for a query without.

    Returns:
        The figure, one panel a direction.

    Raises:
        ValueError: if there is nothing to draw.
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

    Returns:
        The figure.

    Raises:
        ValueError: if they differ in length or are empty.
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
