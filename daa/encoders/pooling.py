"""One vector for the whole from one vector a place: what the heads of VSE++, PVSE and PCME stand on."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


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


class ProjectedMean(nn.Module):
    """W m + b of the mean m over places: a convolutional network's average pooling and a linear layer.

    Args:
        features: size of a local feature.
        embedding_dim: size of the summary.
        unit: give m the length 1 first, as VSE++ does.
    """

    def __init__(self, features: int, embedding_dim: int, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        self.project = nn.Linear(features, embedding_dim)
        if unit:
            nn.init.xavier_uniform_(self.project.weight)
            nn.init.zeros_(self.project.bias)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Float[Tensor, "batch embedding_dim"]:
        mean = mean_over_places(x, mask)
        return self.project(F.normalize(mean, dim=-1) if self.unit else mean)


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


class RectifiedMean(nn.Module):
    """mean_p relu(l2(W x_p + b)): the summary that PCME-bert takes of BERT's outputs.

    Args:
        features: size of a local feature.
        embedding_dim: size of the summary.
        over_padding: the mean runs over all places, those that the mask excludes among them, as in the released code.
    """

    def __init__(self, features: int, embedding_dim: int, over_padding: bool = False) -> None:
        super().__init__()
        self.over_padding = over_padding
        self.project = nn.Linear(features, embedding_dim)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Float[Tensor, "batch embedding_dim"]:
        rectified = F.normalize(self.project(x), dim=-1).relu()
        return mean_over_places(rectified, None if self.over_padding else mask)
