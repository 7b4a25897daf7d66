"""Gaussian embeddings of two dimensions as they lie in the plane: a dot for the mean, an ellipse for the spread."""

from __future__ import annotations

import math
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

Cloud = tuple[Float[np.ndarray, "_ _"], Float[np.ndarray, "_ _"]]
"""Means and standard deviations of one group, both [n, 2]; groups differ in n."""


def radius_of_coverage(coverage: float) -> float:
    """How many standard deviations the ellipse reaches that holds this share of a Gaussian in the plane.

        P(inside) = 1 - exp(-radius^2 / 2)

    The familiar 1.96 holds 95 % of a line, and no more than 85 % of a plane.

    Args:
        coverage: in (0, 1).

    Raises:
        ValueError: a share outside (0, 1).

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

    Returns:
        The figure.

    Raises:
        ValueError: if there is nothing to draw, a style is missing, or a group is no two matrices [n, 2] of finite
            means and of standard deviations above 0.

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
    handles, names = all_axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=min(2, len(names)), columnspacing=1.4)
    return figure
