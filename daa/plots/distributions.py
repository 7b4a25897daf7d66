"""Pictures of distributions: how often something is counted, and where in a ranking it lands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Int
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from daa.plots.style import BASELINE, TRUTH


def count_histograms(
    panels: Mapping[str, Mapping[str, Int[np.ndarray, " _"]]],
    annotated: Sequence[int],
    *,
    y_labels: Sequence[str],
    colours: Sequence[str] = (TRUTH,),
    doubling: bool = False,
) -> Figure:
    """Histograms of counts, one panel above the other, with a line where annotation puts every count.

    Args:
        panels: by the label of its x axis, what a panel shows: the counts, from 1, by name.
        annotated: for each panel the count that annotation claims for all.
        y_labels: for each panel what its shares are shares of.
        colours: one for each name within a panel.
        doubling: classes that double, 1, 2, 3-4, 5-8, ..., on a logarithmic axis, instead of one class a number.

    Returns:
        The figure.

    Raises:
        ValueError: if there is nothing to draw, a count is below 1, or colours or labels are missing.
    """
    if not panels or not len(panels) == len(annotated) == len(y_labels):
        raise ValueError(
            f"panels: expected at least one, each with annotated and y_labels, got {len(panels)}, {len(annotated)} "
            f"and {len(y_labels)}"
        )
    figure, all_axes = plt.subplots(len(panels), squeeze=False, figsize=(6.4, 2.9 * len(panels)))
    for axes, (x_label, named), known, y_label in zip(all_axes[:, 0], panels.items(), annotated, y_labels, strict=True):
        if not 0 < len(named) <= len(colours) or min(counts.min() for counts in named.values()) < 1:
            raise ValueError(f"{x_label}: expected counts from 1 by 1 to {len(colours)} names, one a colour")
        edges = count_edges(max(int(counts.max()) for counts in named.values()), doubling)
        for colour, (name, counts) in zip(colours, named.items(), strict=False):
            share = np.full(len(counts), 1 / len(counts))
            axes.hist(counts, bins=edges.tolist(), weights=share, color=colour, alpha=0.75, label=name, rwidth=0.92)
        axes.axvline(known, color=BASELINE, linestyle="--", label=f"annotated: {known} each")
        if doubling:
            axes.set_xscale("log", base=2)
            ticks = [2**p for p in range(len(edges)) if 2**p < edges[-1]]
            axes.xaxis.set_major_locator(FixedLocator(ticks))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_xticklabels([str(tick) for tick in ticks])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend()
    return figure


def count_edges(largest: int, doubling: bool) -> np.ndarray:
    """Borders between classes of counts from 1 to `largest`.

    >>> count_edges(5, doubling=True).tolist()
    [0.75, 1.5, 2.5, 4.5, 8.5]
    >>> count_edges(3, doubling=False).tolist()
    [0.5, 1.5, 2.5, 3.5]
    """
    if doubling:
        return np.array([0.75] + [2**p + 0.5 for p in range(int(largest - 1).bit_length() + 1)])
    return np.arange(largest + 1) + 0.5
