"""The one place where a rank is computed: exact ranks under a named tie policy, soft ranks with a gradient.

And double ranks, within each query and over the queries in turn (see `daa.ranks.double`).
"""

from daa.ranks.double import DoubleRanks, double_ranks
from daa.ranks.exact import TIE_POLICIES, ranks, tie_ranges
from daa.ranks.soft import soft_ranks

__all__ = ["TIE_POLICIES", "DoubleRanks", "double_ranks", "ranks", "soft_ranks", "tie_ranges"]
