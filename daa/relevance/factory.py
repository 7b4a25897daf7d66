"""From a name, as configurations and the command line give it, to a relevance."""

from __future__ import annotations

from typing import Any

from daa.relevance.base import Relevance
from daa.relevance.cider import CiderRelevance
from daa.relevance.tfidf import TfidfRelevance

_MAKERS: dict[str, tuple[type[Relevance], dict[str, Any]]] = {
    "tfidf": (TfidfRelevance, {}),
    "cider-d": (CiderRelevance, {"variant": "cider-d"}),
    "cider": (CiderRelevance, {"variant": "cider"}),
}


def relevance_by_name(name: str, **options: Any) -> Relevance:
    """The relevance of a name, not yet fitted.

    Args:
        name: one of `relevance_names()`.
        options: passed on to its class.

    >>> relevance_by_name("cider-d", leave_out_self=True)
    CiderRelevance(CIDEr-D, n-grams of 1 to 4 words, counts clipped, length penalty sigma 6, mean over the image's \
other captions, scale 0 to 10, tokenizer ptb_like; not fitted)
    """
    if name not in _MAKERS:
        raise ValueError(f"relevance: expected one of {', '.join(relevance_names())}, got {name!r}")
    kind, fixed = _MAKERS[name]
    return kind(**fixed, **options)


def relevance_names() -> list[str]:
    """Every name that `relevance_by_name` knows."""
    return list(_MAKERS)
