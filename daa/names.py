"""Names that are known before what they name is imported, and what was meant by one that nobody knows."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

RELEVANCES = ("tfidf", "cider-d", "cider", "bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l", "meteor")
"""What `daa.relevance.relevance_by_name` makes, beside `sentence:FOLDER` and sums."""
CORPORA = ("scenes", "coco-5k", "coco", "flickr30k", "flickr8k", "cub", "precomputed")
"""What `daa.datasets.load_corpus` reads."""

DIRECTIONS = ("i2t", "t2i")
"""Of retrieval: captions ranked for each image, images ranked for each caption."""
TIE_POLICIES = ("average", "competition", "ordinal", "expected")
"""Which ranks equal scores get, see `daa.ranks`."""
HIT_POLICIES = ("expected", "optimistic", "pessimistic", "ordinal")
"""Where a match among equal scores stands, see `daa.metrics.placement`."""
RELEVANCE_FORMS = ("raw", "centred", "doubly_ranked")
"""What of a relevance DAA ranks, see `daa.losses.daa_loss`."""
AUGMENTATIONS = ("none", "crop-flip", "crop-flip-erase", "erase")
"""Random views of training pictures, see `daa.datasets.base`."""
CONTRASTIVE_LOSSES = {
    "soft-contrastive": "daa.losses.pairs:SoftContrastiveLoss",
    "closed-form": "daa.losses.pairs:ClosedFormContrastiveLoss",
    "infonce": "daa.losses.pairs:InfoNCELoss",
    "triplet": "daa.losses.pairs:TripletLoss",
    "smooth-ap": "daa.losses.ranking:SmoothAPLoss",
}
"""What `loss.kind` of a configuration may be, and where its module is. Its constructor's arguments are `loss.options`;
its `forward` names what it takes of a batch: `scores`, `positives`, `relevance`, `images`, `captions`, `generator`."""


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


def check_name(argument: str, name: str, known: Collection[str]) -> None:
    """Refuse a name that is not known.

    Raises:
        ValueError: with the known names and the closest one.

    >>> check_name("--similarity", "cosin", ("cosine", "dot"))
    Traceback (most recent call last):
    ValueError: --similarity: expected one of cosine, dot, got 'cosin'; did you mean cosine?
    """
    if name not in known:
        raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {name!r}{closest(str(name), known)}")


def check_relevance(name: str, argument: str = "relevance") -> None:
    """Refuse a name that `relevance_by_name` does not know, before anything is loaded for it.

    Raises:
        ValueError: with the known names and the closest one.

    >>> check_relevance("cider-d+sentence:models/minilm")
    """
    for part in name.split("+"):
        if part not in RELEVANCES and not part.startswith("sentence:"):
            raise ValueError(
                f"{argument}: expected one of {', '.join(RELEVANCES)}, sentence:FOLDER, or several joined by +, "
                f"got {part!r}{closest(part, RELEVANCES)}"
            )
