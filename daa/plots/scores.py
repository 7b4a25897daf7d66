"""Pictures of an evaluation: how far down the first match stands, and how scores go with relevance."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from daa.plots.style import BASELINE, DAA, SEQUENCE

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
    figure, all_axes = plt.subplots(len(directions), squeeze=False, sharex=True, figsize=(6.4, 2.9 * len(directions)))
    for axes, direction in zip(all_axes[:, 0], directions, strict=True):
        for j, (name, by_direction) in enumerate(ranks.items()):
            found = np.sort(by_direction[direction][np.isfinite(by_direction[direction])])
            share = np.arange(1, len(found) + 1) / len(found)
            colour = SEQUENCE[j % len(SEQUENCE)]
            axes.step([1, *found], [(found <= 1).mean(), *share], where="post", color=colour, label=name)
        axes.set(xscale="log", ylim=(0, 1.02), ylabel="queries", title=DIRECTION_TITLES.get(direction, direction))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    all_axes[-1, 0].set_xlabel("rank of the first match, at most")
    if len(ranks) > 1:
        all_axes[0, 0].legend()
    return figure


def score_against_relevance(
    scores: Float[np.ndarray, " pairs"], relevance: Float[np.ndarray, " pairs"], name: str, n_bins: int = 40
) -> Figure:
    """How many pairs have which relevance and score, with the median score along the relevance.

    Args:
        scores: of some pairs of image and caption.
        relevance: of the same pairs.
        name: of the relevance.
        n_bins: classes along each axis.

    Returns:
        The figure.

    Raises:
        ValueError: if the two differ in length or are empty.
    """
    if len(scores) != len(relevance) or len(scores) == 0:
        raise ValueError(f"scores: expected as many as relevance and at least one, got {len(scores)}, {len(relevance)}")
    figure, axes = plt.subplots()
    mesh = axes.hist2d(relevance, scores, bins=n_bins, norm=LogNorm(), cmap="Greys")[3]
    edges = np.linspace(relevance.min(), relevance.max(), n_bins // 2 + 1)
    place = np.clip(np.digitize(relevance, edges) - 1, 0, len(edges) - 2)
    filled = [j for j in range(len(edges) - 1) if (place == j).sum() >= 5]
    middles = [(edges[j] + edges[j + 1]) / 2 for j in filled]
    axes.plot(middles, [np.median(scores[place == j]) for j in filled], color=DAA, marker="o", label="median score")
    axes.set(xlabel=f"relevance ({name})", ylabel="score")
    axes.legend(loc="lower right")
    figure.colorbar(mesh, ax=axes, label="pairs").outline.set_edgecolor(BASELINE)
    return figure
