"""What is read off trained models: what the variance knows, and where an ASP comes from."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import spearmanr

from daa.corpus import CaptionCorpus
from daa.embeddings import Gaussian
from daa.metrics import average_semantic_precision

MODALITIES = ("images", "captions")


def uncertainty(images: Gaussian, captions: Gaussian, corpus: CaptionCorpus) -> dict[str, Any]:
    """Mean log-variance of each modality, and its Spearman correlation with the true ambiguity.

    The ambiguity of a caption is the number of images it truly fits, that of an image the number of captions that
    truly fit it. Without an exhaustive truth, or with a variance that is the same everywhere, the correlation is None.
    """
    result: dict[str, Any] = {}
    for modality, embedding in zip(MODALITIES, (images, captions), strict=True):
        log_var = embedding.log_var.double().mean(dim=1).numpy()
        rho = None
        if corpus.has_exhaustive_truth and np.ptp(log_var) > 0:
            rho = float(spearmanr(log_var, ambiguity(corpus)[modality]).statistic)
        result[modality] = {"mean_log_var": float(log_var.mean()), "spearman_ambiguity": rho}
    return result


def ambiguity(corpus: CaptionCorpus) -> dict[str, np.ndarray]:
    """How many captions truly fit each image and how many images each caption truly fits.

    Raises:
        ValueError: if the corpus knows no exhaustive truth.
    """
    if not corpus.has_exhaustive_truth:
        raise ValueError(f"corpus: expected an exhaustive truth (positives), but {corpus.name} has none")
    return {
        "images": np.asarray(corpus.positives.sum(axis=1)).ravel(),
        "captions": np.asarray(corpus.positives.sum(axis=0)).ravel(),
    }


def query_blind_parts(
    scores: Float[np.ndarray, "images captions"], relevance: Float[np.ndarray, "images captions"], direction: str
) -> dict[str, float]:
    r"""Where an ASP comes from: an order of the candidates that all queries share, or what is said of each query.

    $$s_{ic} = \bar s_{\cdot c} + (s_{ic} - \bar s_{\cdot c})$$

    for image to text, and with the mean over the captions for text to image.

    Args:
        scores: similarity, any range.
        relevance: semantic relevance, any range.
        direction: `"i2t"` or `"t2i"`.

    Returns:
        ASP of the scores (`all`), of their mean over the queries (`query-blind part`) and of what is left without it
        (`rest`).

    Raises:
        ValueError: for empty, non-finite or ill-shaped input.

    >>> scores = np.array([[2.0, 1.0], [4.0, 1.5]])  # the first caption first for both, by more for the second image
    >>> query_blind_parts(scores, np.eye(2), "i2t")
    {'all': 0.75, 'query-blind part': 0.75, 'rest': 0.5}

    Source: ours, not the paper's; chapter *Baseline against DAA on scenes*.
    """
    axis = 0 if direction == "i2t" else 1
    shared = np.broadcast_to(scores.mean(axis, keepdims=True, dtype=np.float64), scores.shape)
    ranked_by = {"all": scores, "query-blind part": shared, "rest": scores - shared}
    return {
        name: float(average_semantic_precision(part, relevance, direction=direction))
        for name, part in ranked_by.items()
    }
