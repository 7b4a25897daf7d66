"""Pictures of distributions: how often something is counted, where in a ranking it lands, Gaussians in the plane."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, PercentFormatter, StrMethodFormatter

from daa.plots.style import BASELINE, DAA, TRUTH

Cloud = tuple[Float[np.ndarray, "_ _"], Float[np.ndarray, "_ _"]]
"""Means and standard deviations of one group, both [n, 2]; groups differ in n."""


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
            _doubling_axis(axes, edges)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend()
    return figure


def found_by_rank(
    panels: Mapping[str, Mapping[str, Float[np.ndarray, "seeds _"]]],
    depths: Sequence[Int[np.ndarray, " _"]],
    styles: Mapping[str, tuple[str, str]],
    *,
    x_labels: Sequence[str],
    y_label: str,
) -> Figure:
    """Which share of something stands among the first k, over k, one panel above the other.

    Args:
        panels: by title the curves of a panel, by name, a row a seed. Drawn is the mean of the seeds, in a band from
            the lowest to the highest.
        depths: for each panel the k of its curves, ascending from 1.
        styles: by name the colour and line style of a curve, the same in all panels.
        x_labels: for each panel what k counts.
        y_label: what the share is a share of.
    """
    _check_panels(panels, x_labels)
    figure, all_axes = plt.subplots(len(panels), squeeze=False, figsize=(6.4, 3.3 * len(panels)))
    for axes, (title, curves), k, x_label in zip(all_axes[:, 0], panels.items(), depths, x_labels, strict=True):
        for width, (name, curve) in zip(_widths(len(curves)), curves.items(), strict=True):
            if name not in styles:
                raise ValueError(f"styles: expected one for {name}, got {', '.join(styles)}")
            if (np.diff(curve) < -1e-6).any() or curve.min() < 0 or curve.max() > 1 + 1e-6:
                raise ValueError(f"{title}, {name}: expected shares in [0, 1] that never fall with k")
            colour, style = styles[name]
            axes.fill_between(k, curve.min(axis=0), curve.max(axis=0), color=colour, alpha=0.25, linewidth=0)
            axes.plot(k, curve.mean(axis=0), style, color=colour, linewidth=width, label=name)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.set(title=title, xlabel=x_label, ylabel=y_label, xlim=(1, k[-1]), ylim=(-0.02, 1.03))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _legend_on_top(figure, all_axes[0, 0])
    return figure


def sorted_differences(
    panels: Mapping[str, Float[np.ndarray, " _"]], *, y_label: str, better: str, worse: str
) -> Figure:
    """Paired differences of all queries from the largest gain to the largest loss, one panel above the other.

    The y axis is linear between -0.01 and 0.01 and logarithmic beyond.

    Args:
        panels: by title the difference of each query.
        y_label: the difference of what.
        better, worse: what a gain and a loss mean, for the legend.
    """
    if not panels or not all(len(values) and np.isfinite(values).all() for values in panels.values()):
        raise ValueError("panels: expected at least one, and finite differences in each")
    figure, all_axes = plt.subplots(len(panels), squeeze=False, figsize=(6.4, 2.9 * len(panels)))
    for axes, (title, values) in zip(all_axes[:, 0], panels.items(), strict=True):
        ordered = np.sort(values)[::-1]
        place = (np.arange(len(ordered)) + 0.5) / len(ordered)
        axes.fill_between(place, np.maximum(ordered, 0), color=DAA, linewidth=0, label=better)
        axes.fill_between(place, np.minimum(ordered, 0), color=BASELINE, linewidth=0, label=worse)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.axhline(values.mean(), color=TRUTH, linestyle="--", linewidth=1.8, label="mean")
        axes.set_yscale("symlog", linthresh=0.01)
        ticks = [sign * 10.0**p for sign in (-1, 1) for p in (-2, -1, 0)] + [0.0]
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.set(title=title, ylabel=y_label, xlim=(0, 1), ylim=(-1.1, 1.1))
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    all_axes[-1, 0].set_xlabel("share of queries, from the largest gain to the largest loss")
    _legend_on_top(figure, all_axes[0, 0])
    return figure


def by_number_of_matches(
    panels: Mapping[str, tuple[Int[np.ndarray, " queries"], Mapping[str, Float[np.ndarray, " queries"]]]],
    styles: Mapping[str, tuple[str, str]],
    *,
    x_labels: Sequence[str],
    y_label: str,
    at_least: int = 10,
) -> Figure:
    """Means of a quantity over queries with about equally many matches, with 95 % intervals over the queries.

    Queries are put in classes of 1, 2, 3-4, 5-8, ... matches, each drawn at its geometric mean.

    Args:
        panels: by title the number of matches of each query, and by name the quantity of each query.
        styles: by name the colour and line style, the same in all panels.
        x_labels: for each panel what the matches are.
        y_label: what the quantity is.
        at_least: classes with fewer queries than this are left out.
    """
    _check_panels(panels, x_labels)
    figure, all_axes = plt.subplots(len(panels), squeeze=False, figsize=(6.4, 3.1 * len(panels)))
    for axes, (title, (matches, named)), x_label in zip(all_axes[:, 0], panels.items(), x_labels, strict=True):
        edges = count_edges(int(matches.max()), doubling=True)
        class_of = np.digitize(matches, edges)
        kept = [one for one in np.unique(class_of) if (class_of == one).sum() >= at_least]
        if not kept:
            raise ValueError(f"{title}: expected a class of at least {at_least} queries, got none")
        place = [float(np.exp(np.log(matches[class_of == one]).mean())) for one in kept]
        for width, (name, values) in zip(_widths(len(named)), named.items(), strict=True):
            groups = [values[class_of == one] for one in kept]
            mean = np.array([group.mean() for group in groups])
            error = np.array([1.96 * group.std(ddof=1) / np.sqrt(len(group)) for group in groups])
            colour, style = styles[name]
            axes.fill_between(place, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            axes.plot(place, mean, style, marker="o", color=colour, linewidth=width, label=name)
        _doubling_axis(axes, edges)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(title=title, xlabel=x_label, ylabel=y_label)
    _legend_on_top(figure, all_axes[0, 0])
    return figure


def radius_of_coverage(coverage: float) -> float:
    """How many standard deviations the ellipse reaches that holds this share of a Gaussian in the plane.

        P(inside) = 1 - exp(-radius^2 / 2)

    The familiar 1.96 holds 95 % of a line, and no more than 85 % of a plane.

    Args:
        coverage: in (0, 1).

    >>> round(radius_of_coverage(0.95), 3)
    2.448
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage: expected a share between 0 and 1, got {coverage}")
    return math.sqrt(-2 * math.log1p(-coverage))


def gaussian_regions(
    panels: Mapping[str, Mapping[str, Cloud]], styles: Mapping[str, tuple[str, str]], *, coverage: float = 0.95
) -> Figure:
    """Gaussians with independent dimensions in the plane, on one scale, one panel above the other.

    Each is a marker at its mean and the ellipse that holds `coverage` of its draws: half axes `radius_of_coverage`
    times its two standard deviations. Only for embeddings that *were trained* in two dimensions; a projection of
    more would show neither their distances nor their spreads.

    Args:
        panels: by title the groups of a panel, by name: means and standard deviations.
        styles: by name the colour and marker of a group, the same in all panels.
        coverage: in (0, 1).

    Source: the figures of HIB (Oh et al., ICLR 2019) and PCME (Chun et al., CVPR 2021), made from 2-D embeddings.
    """
    if not panels or not all(panels.values()):
        raise ValueError("panels: expected at least one, each with at least one group")
    radius, border = radius_of_coverage(coverage), 0.0
    figure, all_axes = plt.subplots(len(panels), squeeze=False, figsize=(6.4, 0.6 + 4.6 * len(panels)))
    for axes, (title, groups) in zip(all_axes[:, 0], panels.items(), strict=True):
        for name, (mean, std) in groups.items():
            if name not in styles:
                raise ValueError(f"styles: expected one for {name}, got {', '.join(styles)}")
            if mean.shape[1:] != (2,) or std.shape != mean.shape:
                raise ValueError(f"{name}: expected means and stds [n, 2], got {mean.shape} and {std.shape}")
            if not np.isfinite(mean).all() or not (np.isfinite(std) & (std > 0)).all():
                raise ValueError(f"{name}: expected finite means and finite standard deviations above 0")
            colour, marker = styles[name]
            for centre, one in zip(mean, std, strict=True):
                width, height = 2 * radius * one
                axes.add_patch(Ellipse(centre, width, height, facecolor=colour, alpha=0.08, linewidth=0))
                axes.add_patch(Ellipse(centre, width, height, edgecolor=colour, fill=False, linewidth=1.3))
            axes.plot(*mean.T, marker, color=colour, markersize=6, linestyle="none", label=name)
            border = max(border, float((np.abs(mean) + radius * std).max()))
        axes.set(title=title, xlabel="first dimension", ylabel="second dimension")
    for axes in all_axes[:, 0]:
        axes.set(xlim=(-1.04 * border, 1.04 * border), ylim=(-1.04 * border, 1.04 * border), aspect="equal")
    _legend_on_top(figure, all_axes[0, 0], 2)
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


def _widths(n: int) -> np.ndarray:
    """Widths of n lines, each drawn upon the last and well within it, so that lines which coincide are all seen."""
    return 7 / np.arange(1, n + 1)


def _doubling_axis(axes: Axes, edges: np.ndarray) -> None:
    """A logarithmic x axis with a tick at each power of 2."""
    ticks = [2**p for p in range(len(edges)) if 2**p < edges[-1]]
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(tick) for tick in ticks])


def _legend_on_top(figure: Figure, axes: Axes, most: int = 3) -> None:
    """The names of one panel above all panels, at most so many in a row."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(most, len(names)), columnspacing=1.4)


def _check_panels(panels: Mapping, x_labels: Sequence[str]) -> None:
    if not panels or len(panels) != len(x_labels):
        raise ValueError(f"panels: expected at least one and a label for each, got {len(panels)} and {len(x_labels)}")
