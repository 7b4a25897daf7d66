"""What the book draws: every plot is a function of data, never of a model, and returns the figure it drew."""

from daa.plots.ranking import curves_with_spread, rank_lines
from daa.plots.style import BASELINE, DAA, RELEVANCE, SEQUENCE, TRUTH, use_style

__all__ = [
    "BASELINE",
    "DAA",
    "RELEVANCE",
    "SEQUENCE",
    "TRUTH",
    "curves_with_spread",
    "rank_lines",
    "use_style",
]
