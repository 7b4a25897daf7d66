"""SAF and SGR: the similarity of an image and a caption as a small network over their regions and words."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from daa.embeddings import EPS, full_precision
from daa.similarity.cross_attention import CrossAttention, initialise_linear


class SAF(CrossAttention):
    """Similarity attention filtration: nodes weighted by a gate each.

        g_j = sigmoid(BN(w s_j + b)),  vector = l2(sum_j g_j s_j / sum_j g_j)

    The batch normalisation takes its mean and variance over the nodes of one caption with all images, caption by
    caption, as the published code does, which calls it once for each; so a caption's scores do not depend on the other
    captions of a batch. Its running averages take up one caption after the other.

    Args: as `CrossAttention`.

    >>> from daa.embeddings import LocalFeatures
    >>> images = LocalFeatures(torch.rand(3, 36, 16), torch.ones(3, 36, dtype=torch.bool))
    >>> captions = LocalFeatures(torch.rand(2, 5, 16), torch.tensor([[True] * 5, [True] * 4 + [False]]))
    >>> SAF(embedding_dim=16, sim_dim=8).eval()(images, captions).shape
    torch.Size([3, 2])

    Source: SGRAF (Diao et al., AAAI 2021), section 3.4.
    """

    def __init__(self, embedding_dim: int = 1024, sim_dim: int = 256, **options: Any) -> None:
        super().__init__(embedding_dim, sim_dim, **options)
        self.gate = nn.Linear(sim_dim, 1)
        self.norm = CaptionNorm(1)
        self.apply(initialise_linear)

    @property
    def whole_columns(self) -> bool:
        return self.training

    def reason(self, nodes: Float[Tensor, "images captions nodes sim_dim"]) -> tuple[Tensor, Tensor | None]:
        logits, seen = self.norm.by_caption(self.gate(nodes).squeeze(-1))
        weights = F.normalize(logits.sigmoid(), p=1, dim=-1, eps=EPS)
        return F.normalize((weights[..., None] * nodes).sum(dim=2), dim=-1, eps=EPS), seen

    def remember(self, statistics: Float[Tensor, "captions 2"]) -> None:
        self.norm.remember(statistics)


class CaptionNorm(nn.BatchNorm1d):
    """Batch normalisation with one mean and variance a caption in training, and running averages that `remember` moves.

    Scores are computed in blocks, some of them twice, so the averages must not move as a side effect of that.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def by_caption(
        self, x: Float[Tensor, "images captions nodes"]
    ) -> tuple[Float[Tensor, "images captions nodes"], Float[Tensor, "captions 2"] | None]:
        """x normalised, and in training the mean and unbiased variance of each caption."""
        (x,) = full_precision(x)
        mean, var, seen = self.running_mean, self.running_var, None
        if self.training:
            mean, var = x.mean(dim=(0, 2)), x.var(dim=(0, 2), correction=0)
            n = x.shape[0] * x.shape[2]
            seen = torch.stack([mean, var * n / (n - 1)], dim=1).detach()
        scale = (var + self.eps).rsqrt() * self.weight
        return (x - mean[:, None]) * scale[:, None] + self.bias, seen

    @torch.no_grad()
    def remember(self, statistics: Float[Tensor, "captions 2"]) -> None:
        """Move the averages by one caption after the other."""
        n, keep = len(statistics), 1 - self.momentum
        ages = torch.arange(n - 1, -1, -1, device=statistics.device, dtype=self.running_mean.dtype)
        weights = self.momentum * keep**ages
        for running, seen in zip((self.running_mean, self.running_var), statistics.T, strict=True):
            running.mul_(keep**n).add_((weights * seen).sum())
        self.num_batches_tracked += n


class SGR(CrossAttention):
    """Similarity graph reasoning: nodes exchange what they hold, and the whole's node speaks for all.

        E_jk = softmax_k((Q s_j + q) . (K s_k + k)),  s_j <- relu(G sum_k E_jk s_k + g), `steps` times; vector = s_0

    Args: as `CrossAttention`, and
        steps: of reasoning, each with weights of its own.

    >>> from daa.embeddings import LocalFeatures
    >>> images = LocalFeatures(torch.rand(3, 36, 16), torch.ones(3, 36, dtype=torch.bool))
    >>> captions = LocalFeatures(torch.rand(2, 5, 16), torch.tensor([[True] * 5, [True] * 4 + [False]]))
    >>> SGR(embedding_dim=16, sim_dim=8).eval()(images, captions).shape
    torch.Size([3, 2])

    Source: SGRAF (Diao et al., AAAI 2021), section 3.3.
    """

    def __init__(self, embedding_dim: int = 1024, sim_dim: int = 256, steps: int = 3, **options: Any) -> None:
        super().__init__(embedding_dim, sim_dim, **options)
        self.steps = nn.ModuleList(GraphStep(sim_dim) for _ in range(steps))
        self.apply(initialise_linear)

    def reason(self, nodes: Float[Tensor, "images captions nodes sim_dim"]) -> tuple[Tensor, Tensor | None]:
        x = nodes.flatten(0, 1)
        for i, step in enumerate(self.steps, 1):
            x = step(x, receivers=1 if i == len(self.steps) else x.shape[1])
        return x[:, 0].unflatten(0, nodes.shape[:2]), None


class GraphStep(nn.Module):
    """One step of reasoning on a complete graph, see `SGR`.

    (Q s_j + q) . (K s_k + k) = (s_j Q'K + q'K) . s_k + (s_j Q'k + const): one product a node instead of two. The second
    bracket cancels in the softmax and stays only so that every weight has a gradient.
    """

    def __init__(self, sim_dim: int) -> None:
        super().__init__()
        self.query, self.key, self.update = (nn.Linear(sim_dim, sim_dim) for _ in range(3))

    def forward(self, nodes: Float[Tensor, "pairs nodes dim"], receivers: int) -> Float[Tensor, "pairs receivers dim"]:
        """The first `receivers` nodes after the step."""
        to = nodes[:, :receivers]
        left = F.linear(to, self.key.weight.T @ self.query.weight, self.query.bias @ self.key.weight)
        logits = nodes @ left.mT + (to @ (self.key.bias @ self.query.weight))[:, None]
        edges = logits.softmax(dim=1)  # [pairs, from, to]: along short rows it would be several times slower
        return self.update(edges.mT @ nodes).relu()
