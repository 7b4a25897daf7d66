"""Noticing a model whose similarities have all become one, or whose variances have gone."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from daa.embeddings import Embedding, Gaussian
from daa.losses import InfoNCELoss, TripletLoss

LOG_LINES = 5
"""So many logged steps in a row make a collapse; a model often passes through such a state at its start."""
LEAST_SPREAD, MOST_AT_MARGIN, LEAST_LOG_VAR = 1e-3, 0.9, -20.0


@torch.no_grad()
def vital_signs(
    contrastive: nn.Module,
    scores: Float[Tensor, "images captions"],
    positives: Bool[Tensor, "images captions"],
    images: Embedding,
    captions: Embedding,
) -> dict[str, float]:
    """What shows a collapse early.

    Args:
        contrastive: the loss, for its margin and what it has learned.
        scores: of a batch.
        positives: which of them match.
        images: embeddings of its images.
        captions: embeddings of its captions.

    Returns:
        "spread", the standard deviation of the scores; for a triplet loss "at_margin", the share of hinges against the
        hardest negative that equal the margin within 1 %, so that positives score like negatives; for Gaussians
        "log_var_images" and "log_var_captions", the mean log-variances; and the loss's "scale", "shift" and
        "temperature" where it has learned them.
    """
    signs = {"spread": scores.float().std(correction=0).item()}
    if isinstance(contrastive, TripletLoss) and contrastive.margin > 0:
        signs["at_margin"] = share_at_margin(scores.float(), positives, contrastive.margin)
    for name, embedding in (("images", images), ("captions", captions)):
        if isinstance(embedding, Gaussian):
            signs[f"log_var_{name}"] = embedding.log_var.float().mean().item()
    learned: dict[str, Any] = dict(contrastive.named_parameters())
    if isinstance(contrastive, InfoNCELoss) and contrastive.log_excess is not None:
        learned = {"temperature": contrastive.temperature}
    return signs | {name: float(value) for name, value in learned.items()}


def share_at_margin(
    scores: Float[Tensor, "images captions"], positives: Bool[Tensor, "images captions"], margin: float
) -> float:
    """The share of positives whose hardest negative scores as they do, to 1 % of the margin; both directions.

    >>> [share_at_margin(scores, torch.eye(3).bool(), 0.2) for scores in (torch.zeros(3, 3), torch.eye(3))]
    [1.0, 0.0]
    """
    differences = []
    for s, matches in ((scores, positives), (scores.T, positives.T)):
        queries, items = matches.nonzero(as_tuple=True)
        differences.append(s.masked_fill(matches, -torch.inf).amax(1)[queries] - s[queries, items])
    return (torch.cat(differences).abs() <= 0.01 * margin).float().mean().item()


class CollapseWatch:
    """Counts how long a run has shown each sign of a collapse, and says once what to try.

    Args:
        state: what it has seen so far; a dictionary for JSON, kept with the run, changed in place.

    >>> watch = CollapseWatch({})
    >>> said = [watch({"spread": 1e-5}) for _ in range(6)]
    >>> [bool(one) for one in said]
    [False, False, False, False, True, False]
    """

    def __init__(self, state: dict[str, int]) -> None:
        self.state = state

    def __call__(self, signs: dict[str, float]) -> list[str]:
        """Warnings that are due after a logged step with these signs; each comes once a run."""
        log_var = min((value for name, value in signs.items() if name.startswith("log_var")), default=0.0)
        shown = {
            "scores": signs["spread"] < LEAST_SPREAD or signs.get("at_margin", 0.0) > MOST_AT_MARGIN,
            "variances": log_var < LEAST_LOG_VAR,
        }
        at_margin = f", {100 * signs['at_margin']:.0f} % of the hinges at the margin" if "at_margin" in signs else ""
        texts = {
            "scores": f"the similarities are all alike (standard deviation {signs['spread']:.1e}{at_margin}): "
            + (
                "try loss.warmup_epochs=1 or 2 (all negatives before the hardest), a lower optim.lr or a longer warm-up"
                if "at_margin" in signs
                else "try a lower optim.lr, a longer optim.warmup, or another loss.options init_scale and init_shift"
            ),
            "variances": f"the variances have gone (mean log-variance {log_var:.1f}): "
            "try a larger loss.kl_weight, or a lower optim.lr",
        }
        due = []
        for sign, now in shown.items():
            if self.state.get(sign, 0) < LOG_LINES:
                self.state[sign] = self.state.get(sign, 0) + 1 if now else 0
                if self.state[sign] == LOG_LINES:
                    due.append(texts[sign])
        return due
