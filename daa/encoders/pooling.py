"""From a set of local features to one Gaussian: global and attention pooling, a mean head and a variance head."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from daa.encoders.gaussian import Gaussian


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


def mean_over_places(
    x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
) -> Float[Tensor, "batch features"]:
    """The mean of the places that the mask does not exclude."""
    if mask is None:
        return x.mean(dim=1)
    return (x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
