"""What the book draws: every plot is a function of data, never of a model, and returns the figure it drew.

What cannot be drawn (nothing, lengths that differ, a name without a colour) is refused by a ValueError that names it.
"""

from daa.plots.comparison import arm_colours, arm_dots, asp_parts, group_boxes, variance_against_ambiguity
from daa.plots.distributions import (
    by_number_of_matches,
    count_histograms,
    found_by_rank,
    gaussian_regions,
    radius_of_coverage,
    sorted_differences,
)
from daa.plots.galleries import caption_gallery, picture_gallery, result_marks
from daa.plots.ranking import curves_with_spread, match_rank_curves, rank_lines, score_against_relevance
from daa.plots.style import BASELINE, DAA, RELEVANCE, SEQUENCE, TRUTH, use_style

__all__ = [
    "BASELINE",
    "DAA",
    "RELEVANCE",
    "SEQUENCE",
    "TRUTH",
    "arm_colours",
    "arm_dots",
    "asp_parts",
    "by_number_of_matches",
    "caption_gallery",
    "count_histograms",
    "curves_with_spread",
    "found_by_rank",
    "gaussian_regions",
    "group_boxes",
    "match_rank_curves",
    "picture_gallery",
    "radius_of_coverage",
    "rank_lines",
    "result_marks",
    "score_against_relevance",
    "sorted_differences",
    "use_style",
    "variance_against_ambiguity",
]
