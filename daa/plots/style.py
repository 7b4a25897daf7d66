"""One look for every figure: colour-blind safe, readable on a phone, baseline grey, DAA the one accent."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import seaborn as sns

BASELINE, DAA, TRUTH, RELEVANCE = "#6b7280", "#d55e00", "#0072b2", "#009e73"
"""What each colour means everywhere: a model trained without DAA, with it, the exhaustive truth, semantic relevance."""

SEQUENCE = [TRUTH, "#56b4e9", RELEVANCE, "#e69f00", DAA, "#cc79a7", BASELINE]
"""Further colours in a fixed order (the palette of Okabe and Ito), for things with no meaning of their own."""

_SETTINGS: Mapping[str, object] = {
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 130,
    "savefig.dpi": 130,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "svg.hashsalt": "daa",
}


def use_style() -> None:
    """Set the house style for all figures drawn from now on."""
    sns.set_theme(context="notebook", style="ticks", palette=SEQUENCE, rc=dict(_SETTINGS))
    mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
