"""The one place where a rank is computed: exact ranks under a named tie policy, soft ranks with a gradient."""

from daa.ranks.exact import TIE_POLICIES, ranks, tie_ranges
from daa.ranks.soft import soft_ranks

__all__ = ["TIE_POLICIES", "ranks", "soft_ranks", "tie_ranges"]
