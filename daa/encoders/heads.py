"""From local features to an embedding: the heads of VSE++, PVSE and PCME.

Each takes one vector a place, `local [batch, places, features]` with a mask, and adds what attention picks out to a
summary of the whole. Images and captions differ only in the summary: `ProjectedMean` for images, `LastState` and
`RectifiedMean` for captions.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from daa.embeddings import Gaussian, PointSet

HEADS = ("gaussian", "pcme", "points", "point")
"""Names for `make_head`: `GaussianHead`, `PCMEHead`, `PointsHead` (PVSE) and `PointHead` (VSE++)."""


class AttentionPooling(nn.Module):
    """A weighted mean of local features, the weights from a small network that looks at each feature.

    a = softmax_p(w2 tanh(W1 x_p)), out = sum_p a_p x_p (Lin et al. 2017, as in PIE-Net, Song and Soleymani 2019).

    Args:
        features: size of a local feature.
        hidden: size of the hidden layer; by default half of `features`.
    """

    def __init__(self, features: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or features // 2
        self.hidden = nn.Linear(features, hidden, bias=False)
        self.logit = nn.Linear(hidden, 1, bias=False)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Float[Tensor, "batch features"]:
        logits = self.logit(torch.tanh(self.hidden(x))).squeeze(-1)
        if mask is not None:
            logits = logits.masked_fill(~mask, -torch.inf)
        return torch.einsum("bp,bpf->bf", logits.softmax(dim=1), x)


def mean_over_places(
    x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
) -> Float[Tensor, "batch features"]:
    """The mean of the places that the mask does not exclude."""
    if mask is None:
        return x.mean(dim=1)
    return (x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)


class GaussianHead(nn.Module):
    """Mean and log-variance of an embedding, from local features and their global summary.

    mean = l2(LayerNorm(W g + sigmoid(V a(x)))), log_var = U b(x) + T g + c with two attention poolings a and b of their
    own: PIE-Net's pooling and the uncertainty module of PCME (Chun et al., CVPR 2021, section 3.3). The constant c
    starts at `log_var_init`, the matrices U and T near zero, so that training starts from one small variance for all.

    Args:
        features: size of a local feature.
        pooled: size of the global summary.
        embedding_dim: size of the embedding.
        log_var_init: log-variance of every dimension at the start. The mean has length 1, so the expected squared
            length of the noise is embedding_dim * exp(log_var_init) times that of the mean.
    """

    def __init__(self, features: int, pooled: int, embedding_dim: int, log_var_init: float = -6.0) -> None:
        super().__init__()
        self.mean_pooling = AttentionPooling(features)
        self.mean_global = nn.Linear(pooled, embedding_dim)
        self.mean_local = nn.Linear(features, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim)
        self.log_var_pooling = AttentionPooling(features)
        self.log_var_local = nn.Linear(features, embedding_dim)
        self.log_var_global = nn.Linear(pooled, embedding_dim, bias=False)
        for layer in (self.log_var_local, self.log_var_global):
            nn.init.normal_(layer.weight, std=1e-2 * layer.in_features**-0.5)
        nn.init.constant_(self.log_var_local.bias, log_var_init)

    def forward(
        self,
        local: Float[Tensor, "batch places features"],
        pooled: Float[Tensor, "batch pooled"] | None = None,
        mask: Bool[Tensor, "batch places"] | None = None,
    ) -> Gaussian:
        """The global summary is the mean over places where none is given."""
        if pooled is None:
            pooled = mean_over_places(local, mask)
        residual = torch.sigmoid(self.mean_local(self.mean_pooling(local, mask)))
        mean = F.normalize(self.norm(self.mean_global(pooled) + residual).float(), dim=-1)
        log_var = self.log_var_local(self.log_var_pooling(local, mask)) + self.log_var_global(pooled)
        return Gaussian(mean, log_var.float())


class PIENet(nn.Module):
    """Polysemous instance embedding: k attended parts, each added to the summary of the whole.

        a_k = softmax_p(w_k tanh(W1 x_p)),  r_k = sigmoid(V sum_p a_kp x_p + v),  out_k = LayerNorm(summary + r_k)

    Args:
        features: size of a local feature x_p.
        embedding_dim: size of the summary and of each out_k.
        k: number of parts.

    Source: PVSE (Song and Soleymani, CVPR 2019), section 3.2.
    """

    def __init__(self, features: int, embedding_dim: int, k: int = 1) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, features // 2, bias=False)
        self.logits = nn.Linear(features // 2, k, bias=False)
        self.local = nn.Linear(features, embedding_dim)
        self.norm = nn.LayerNorm(embedding_dim)
        for layer in (self.hidden, self.logits, self.local):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.local.bias)

    def forward(
        self,
        summary: Float[Tensor, "batch embedding_dim"],
        local: Float[Tensor, "batch places features"],
        mask: Bool[Tensor, "batch places"] | None = None,
    ) -> tuple[Float[Tensor, "batch k embedding_dim"], Float[Tensor, "batch k embedding_dim"]]:
        """(out, r)."""
        logits = self.logits(torch.tanh(self.hidden(local)))
        if mask is not None:
            logits = logits.masked_fill(~mask[..., None], -torch.inf)
        residuals = torch.sigmoid(self.local(logits.softmax(dim=1).mT @ local))
        return self.norm(summary[:, None] + residuals), residuals


class PointHead(nn.Module):
    """One point of length 1, the direction of the summary: VSE++.

    >>> from daa.encoders.image import ProjectedMean
    >>> PointHead(ProjectedMean(8, 4, unit=True))(torch.rand(3, 49, 8)).points.shape
    torch.Size([3, 1, 4])

    Source: VSE++ (Faghri et al., BMVC 2018).
    """

    def __init__(self, summary: nn.Module) -> None:
        super().__init__()
        self.summary = summary

    def forward(
        self, local: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> PointSet:
        return PointSet(F.normalize(self.summary(local, mask).float(), dim=-1)[:, None])


class PointsHead(nn.Module):
    """k points of length 1 and their residuals: PVSE.

    Args:
        summary: makes one vector of the local features.
        features, embedding_dim, k: see `PIENet`.

    Source: PVSE (Song and Soleymani, CVPR 2019), section 3.2.
    """

    def __init__(self, summary: nn.Module, features: int, embedding_dim: int, k: int = 1) -> None:
        super().__init__()
        self.summary = summary
        self.pie_net = PIENet(features, embedding_dim, k)

    def forward(
        self, local: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> PointSet:
        points, residuals = self.pie_net(self.summary(local, mask), local, mask)
        return PointSet(F.normalize(points.float(), dim=-1), residuals.float())


class PCMEHead(nn.Module):
    """The Gaussian of PCME: the mean by PIE-Net with one part, the variance by a head of its own.

        log sigma = U b(x) + u + spread(x),  log_var = 2 log sigma

    with an attention pooling b of its own. The paper's head outputs log sigma, for it draws mean + sigma * noise. We
    keep log_var = 2 log sigma, twice what stands in its logs: their -6.6 at the end of training is a log_var of -13.2.
    (Its KL term takes log sigma for the log-variance; ours, on log_var, does not.)

    Args:
        summary: makes one vector of the local features, for the mean.
        spread: the same for log sigma; in PCME a linear layer for images and a GRU of its own for captions.
        features: size of a local feature.
        embedding_dim: size of the embedding.
        log_var_init: where u starts, as a log-variance. In the released code 0: noise of the size of one in every
            dimension, against a mean of length 1 in all.

    Source: PCME (Chun et al., CVPR 2021), section 3.3.
    """

    def __init__(
        self, summary: nn.Module, spread: nn.Module, features: int, embedding_dim: int, log_var_init: float = 0.0
    ) -> None:
        super().__init__()
        self.summary = summary
        self.pie_net = PIENet(features, embedding_dim)
        self.spread = spread
        self.spread_pooling = AttentionPooling(features)
        self.spread_local = nn.Linear(features, embedding_dim)
        for layer in (self.spread_pooling.hidden, self.spread_pooling.logit, self.spread_local):
            nn.init.xavier_uniform_(layer.weight)
        nn.init.constant_(self.spread_local.bias, log_var_init / 2)

    def forward(
        self, local: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Gaussian:
        points, _ = self.pie_net(self.summary(local, mask), local, mask)
        log_std = self.spread_local(self.spread_pooling(local, mask)) + self.spread(local, mask)
        return Gaussian(F.normalize(points[:, 0].float(), dim=-1), 2 * log_std.float())


class LastState(nn.Module):
    """The state of a recurrent network (GRU) that has read all places.

    Read in both directions, either half has read all places, last of all the last or the first. The code of PVSE and
    PCME takes both halves at the last place, where the backward half has read that one place only: `as_released`.

    Args:
        features: size of a local feature.
        embedding_dim: size of the summary, of which each direction has its share.
        bidirectional: read backwards as well.
        as_released: take the backward half at the last place.

    Raises:
        ValueError: an odd `embedding_dim` for two directions.
    """

    def __init__(
        self, features: int, embedding_dim: int, bidirectional: bool = True, as_released: bool = False
    ) -> None:
        super().__init__()
        if bidirectional and embedding_dim % 2:
            raise ValueError(f"embedding_dim: expected an even number for two directions, got {embedding_dim}")
        self.as_released = as_released
        hidden = embedding_dim // 2 if bidirectional else embedding_dim
        self.gru = nn.GRU(features, hidden, batch_first=True, bidirectional=bidirectional)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"]
    ) -> Float[Tensor, "batch embedding_dim"]:
        lengths = mask.sum(dim=1)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, last = self.gru(packed)
        if not self.as_released:
            return last.transpose(0, 1).flatten(1)
        padded = pad_packed_sequence(states, batch_first=True)[0]
        return padded[torch.arange(len(padded), device=x.device), lengths - 1]


def make_head(
    head: str,
    features: int,
    embedding_dim: int,
    k: int,
    log_var_init: float | None,
    summary: Callable[[], nn.Module],
    spread: Callable[[], nn.Module],
) -> nn.Module:
    """A head by its name: a module that makes an `Embedding` of `local` and `mask=`.

    Args:
        head: one of `HEADS`.
        features: size of a local feature.
        embedding_dim: size of the embedding.
        k: number of points, for "points".
        log_var_init: log-variance at the start, for the two Gaussian heads; None for what they have by default.
        summary: makes the module that sums up the whole.
        spread: makes the one for the variance.

    Raises:
        ValueError: another name, or k where it has no meaning.
    """
    if k < 1 or (k > 1 and head != "points"):
        raise ValueError(f'k: expected 1, or more with head "points", got {k} with {head!r}')
    start = {} if log_var_init is None else {"log_var_init": log_var_init}
    if head == "gaussian":
        return GaussianHead(features, features, embedding_dim, **start)
    if head == "pcme":
        return PCMEHead(summary(), spread(), features, embedding_dim, **start)
    if log_var_init is not None:
        raise ValueError(f'log_var_init: points have no variance; expected head "gaussian" or "pcme", got {head!r}')
    if head == "points":
        return PointsHead(summary(), features, embedding_dim, k)
    if head == "point":
        return PointHead(summary())
    raise ValueError(f"head: expected one of {', '.join(HEADS)}, got {head!r}")
