"""From a name, as configurations and the command line give it, to a relevance."""

from __future__ import annotations

from typing import Any

from daa.names import RELEVANCES, check_relevance
from daa.relevance.base import Relevance
from daa.relevance.cider import CiderRelevance
from daa.relevance.combined import CombinedRelevance
from daa.relevance.meteor import MeteorRelevance
from daa.relevance.overlap import METRICS, OverlapRelevance
from daa.relevance.sentence import SentenceRelevance
from daa.relevance.tfidf import TfidfRelevance

_MAKERS: dict[str, tuple[type[Relevance], dict[str, Any]]] = {
    "tfidf": (TfidfRelevance, {}),
    "cider-d": (CiderRelevance, {"variant": "cider-d"}),
    "cider": (CiderRelevance, {"variant": "cider"}),
    **{metric: (OverlapRelevance, {"metric": metric}) for metric in METRICS},
    "meteor": (MeteorRelevance, {}),
}


def relevance_by_name(name: str, **options: Any) -> Relevance:
    """The relevance of a name, not yet fitted.

    Args:
        name: one of `relevance_names()`; `sentence:FOLDER` for the sentence-transformers model in a folder; or several
            of these joined by `+`, for their mean, each scaled by its range.
        options: passed on to its class.

    Raises:
        ValueError: for a name that is not known.

    >>> relevance_by_name("cider-d", leave_out_self=True)
    CiderRelevance(CIDEr-D, n-grams of 1 to 4 words, counts clipped, length penalty sigma 6, mean over the image's \
other captions, scale 0 to 10, tokenizer ptb_like; not fitted)
    >>> relevance_by_name("cider-d+bleu-4+rouge-l").name
    'cider-d+bleu-4+rouge-l'
    """
    check_relevance(name)
    if name.startswith("sentence:") and "+" not in name:
        return SentenceRelevance(name.removeprefix("sentence:"), **options)
    if "+" in name:
        return CombinedRelevance({part: relevance_by_name(part) for part in name.split("+")}, **options)
    kind, fixed = _MAKERS[name]
    return kind(**fixed, **options)


def relevance_names() -> list[str]:
    """Every plain name that `relevance_by_name` knows."""
    return list(RELEVANCES)
