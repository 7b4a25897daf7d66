"""What was meant by a name that nobody knows."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def closest(name: str, known: Collection[str], cutoff: float = 0.5) -> str:
    """The end of an error message: `; did you mean ...?`, or nothing if no known name is near.

    Args:
        name: what was asked for.
        known: the names there are.
        cutoff: how near a name has to be, from 0 (any is) to 1.

    >>> closest("gruu", ["gru", "conv"])
    '; did you mean gru?'
    """
    found = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {found[0]}?" if found else ""
