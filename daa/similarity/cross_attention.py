"""What stands before SAF and SGR: the words of a caption attend to the regions of an image, pair by pair, in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from daa.embeddings import EPS, LocalFeatures, full_precision

CPU_BLOCK, BLOCK = 1 << 21, 1 << 25
"""Entries of the largest tensor held at a time: about what a CPU's cache holds, and enough to keep a GPU busy."""


class SelfAttention(nn.Module):
    """One vector from many, each weighted by how it goes with their mean.

        a = softmax_p(w (tanh(W x_p) * tanh(U mean_p x))),  out = l2(sum_p a_p x_p)

    Args:
        embedding_dim: size of a local vector.
        dropout: behind both tanh.
        local_norm: normalises W x, [batch, places, embedding_dim].
        mean_norm: normalises U mean x, [batch, embedding_dim].
    """

    def __init__(self, embedding_dim: int, dropout: float, local_norm: nn.Module, mean_norm: nn.Module) -> None:
        super().__init__()
        self.local, self.mean = (
            nn.Sequential(nn.Linear(embedding_dim, embedding_dim), norm, nn.Tanh(), nn.Dropout(dropout))
            for norm in (local_norm, mean_norm)
        )
        self.logit = nn.Linear(embedding_dim, 1)

    def forward(
        self, x: Float[Tensor, "batch places dim"], mask: Bool[Tensor, "batch places"]
    ) -> Float[Tensor, "batch dim"]:
        mean = x.sum(dim=1) / mask.sum(dim=1, keepdim=True)
        logits = self.logit(self.local(x) * self.mean(mean)[:, None]).squeeze(-1)
        weights = logits.masked_fill(~mask, -torch.inf).softmax(dim=1)
        return F.normalize(torch.einsum("np,npd->nd", weights, x), dim=-1, eps=EPS)


class CrossAttention(nn.Module):
    """What SAF and SGR share: a similarity vector for the whole and one for each word, and a score from them.

    Word j of a caption attends to the regions r of an image (SCAN, text to image):

        e_rj = leaky_relu(V_r . t_j, 0.1),  c_rj = e_rj / |e_r|_2 over the caption's words,
        a_j = softmax_r(smooth c_rj),  v_j = l2(sum_r a_jr V_r),  s_j = l2(W (v_j - t_j)^2 + b)

    and s_0 = l2(W_0 (v - t)^2 + b_0) compares the two wholes, each a `SelfAttention` over its places. A subclass makes
    one vector of s_0, s_1, ...; the score is the sigmoid of a linear function of it.

    Captions are sorted by length, so that those of one length form a dense tensor without padding, and are scored in
    blocks of images x captions x words. In training a block is computed again in the backward pass instead of kept, so
    that memory does not grow with the batch. Neither blocks nor padding change a score.

    Everything that sees more than one item stands here, not in the encoders: the batch normalisation over images of the
    image's `SelfAttention`, and SAF's.

    Args:
        embedding_dim: size of a region's and a word's vector.
        sim_dim: size of a similarity vector.
        smooth: inverse temperature of the attention.
        regions: places of every image; the batch normalisation has one scale for each.
        dropout: in both `SelfAttention`.
        block: entries of the largest tensor held at a time; by default 2^21 on a CPU and 2^25 elsewhere.
        recompute: False keeps all blocks for the backward pass: a quarter less work, and memory that grows with
            images x words x embedding_dim.
    """

    def __init__(
        self,
        embedding_dim: int = 1024,
        sim_dim: int = 256,
        smooth: float = 9.0,
        regions: int = 36,
        dropout: float = 0.4,
        block: int | None = None,
        recompute: bool = True,
    ) -> None:
        super().__init__()
        self.smooth = smooth
        self.regions = regions
        self.block = block
        self.recompute = recompute
        self.image_whole = SelfAttention(embedding_dim, dropout, nn.BatchNorm1d(regions), nn.BatchNorm1d(embedding_dim))
        self.caption_whole = SelfAttention(embedding_dim, dropout, nn.Identity(), nn.Identity())
        self.compare_whole = nn.Linear(embedding_dim, sim_dim)
        self.compare_local = nn.Linear(embedding_dim, sim_dim)
        self.score = nn.Linear(sim_dim, 1)

    def reason(self, nodes: Float[Tensor, "images captions nodes sim_dim"]) -> tuple[Tensor, Tensor | None]:
        """One vector [images, captions, sim_dim] from s_0, s_1, ..., and for each caption what `remember` asks for."""
        raise NotImplementedError

    def remember(self, statistics: Float[Tensor, "captions k"]) -> None:
        """Take note of what `reason` saw, all captions in their order, once a call."""

    @property
    def whole_columns(self) -> bool:
        """Whether `reason` must see a caption with all images at once."""
        return False

    def forward(self, images: LocalFeatures, captions: LocalFeatures) -> Float[Tensor, "images captions"]:
        """Scores in (0, 1).

        Args:
            images: `regions` places each, none of them masked.
            captions: at least one word each.

        Raises:
            ValueError: another number of regions, vectors of another size, a caption without words, or in training one
                image alone.
        """
        regions, words, lengths = self._checked(images, captions)
        image_whole = self.image_whole(regions, images.mask)
        caption_whole = self.caption_whole(words, captions.mask)
        order = lengths.argsort(stable=True)
        flat = words[order][captions.mask[order]]  # all words one after the other, short captions first
        tiles = list(self._tiles(len(regions), lengths[order].tolist(), regions.shape[-1], regions.device))
        again = self.recompute and torch.is_grad_enabled() and sum(len(blocks) for *_, blocks in tiles) > 1
        columns: list[Tensor] = []
        statistics: list[Tensor] = []
        for captions_here, words_here, blocks in tiles:
            here = flat[words_here].unflatten(0, (captions_here.stop - captions_here.start, -1))
            whole_here = caption_whole[order[captions_here]]
            parts = []
            for i in blocks:
                arguments = (regions[i], image_whole[i], here, whole_here)
                parts.append(
                    checkpoint(self._tile, *arguments, use_reentrant=False, preserve_rng_state=False)
                    if again
                    else self._tile(*arguments)
                )
            columns.append(torch.cat([scores for scores, _ in parts]))
            statistics += [seen for _, seen in parts if seen is not None]
        back = order.argsort()
        if statistics:
            self.remember(torch.cat(statistics)[back])
        return torch.cat(columns, dim=1)[:, back]

    def _checked(self, images: LocalFeatures, captions: LocalFeatures) -> tuple[Tensor, Tensor, Tensor]:
        width = self.compare_local.in_features
        if images.features.shape[1:] != (self.regions, width) or not images.mask.all():
            raise ValueError(
                f"images: expected {self.regions} regions of {width} numbers, none of them masked, got "
                f"{images.features.shape[1]} places of {images.features.shape[2]}, {int((~images.mask).sum())} masked"
            )
        if captions.features.shape[-1] != width:
            raise ValueError(f"captions: expected words of {width} numbers, got {captions.features.shape[-1]}")
        if self.training and len(images) == 1:
            raise ValueError("images: expected at least two in training, since they are normalised together, got 1")
        lengths = captions.mask.sum(dim=1)
        if len(images) == 0 or len(captions) == 0 or not lengths.all():
            raise ValueError(
                f"captions: expected at least one image and one caption, and a word in each caption, got {len(images)} "
                f"images and {len(captions)} captions, {int((lengths == 0).sum())} of them without a word"
            )
        return images.features, captions.features.masked_fill(~captions.mask[..., None], 0), lengths

    def _tiles(
        self, n_images: int, lengths: list[int], width: int, device: torch.device
    ) -> Iterator[tuple[slice, slice, list[slice]]]:
        """Captions of one length, their words, and the images to go with them, within `block`."""
        block = self.block or (CPU_BLOCK if device.type == "cpu" else BLOCK)
        pairs = max(1, block // max(width, self.regions))  # of an image and a word
        start = first_word = 0
        while start < len(lengths):
            length = lengths[start]
            fit = pairs // (n_images * length)
            # Matrix products like some 128 words at a time; what is left of the block goes to images.
            n = max(1, fit if fit or self.whole_columns else 128 // length)
            stop = start + 1
            while stop < min(start + n, len(lengths)) and lengths[stop] == length:
                stop += 1
            n = stop - start
            rows = n_images if self.whole_columns else max(1, min(n_images, pairs // (n * length)))
            blocks = [slice(i, min(i + rows, n_images)) for i in range(0, n_images, rows)]
            yield slice(start, stop), slice(first_word, first_word + n * length), blocks
            start, first_word = stop, first_word + n * length

    def _tile(
        self,
        regions: Float[Tensor, "i regions dim"],
        image_whole: Float[Tensor, "i dim"],
        words: Float[Tensor, "c length dim"],
        caption_whole: Float[Tensor, "c dim"],
    ) -> tuple[Tensor, Tensor | None]:
        """Scores [i, c] of some images and captions of one length."""
        flat = words.flatten(0, 1)
        difference = self._attended(regions, words) - flat
        local = F.normalize(self.compare_local(difference.square()), dim=-1, eps=EPS)
        whole = F.normalize(self.compare_whole((image_whole[:, None] - caption_whole).square()), dim=-1, eps=EPS)
        nodes = torch.cat([whole[:, :, None], local.unflatten(1, words.shape[:2])], dim=2)
        vector, seen = self.reason(nodes)
        with torch.autocast(vector.device.type, enabled=False):  # ranks hang on the last digits
            (vector,) = full_precision(vector)
            return self.score(vector).squeeze(-1).sigmoid(), seen

    def _attended(
        self,
        regions: Float[Tensor, "i regions dim"],
        words: Float[Tensor, "c length dim"],
    ) -> Float[Tensor, "i c*length dim"]:
        """v_j for every image and word."""
        # Squares of small similarities are 0 in float16.
        (similar,) = full_precision(words.flatten(0, 1) @ regions.flatten(0, 1).T)
        e = F.leaky_relu(similar, 0.1).view(*words.shape[:2], *regions.shape[:2])
        # What F.normalize does over dim 1, at a tenth of its time there.
        scale = self.smooth * e.square().sum(dim=1, keepdim=True).clamp_min(EPS**2).rsqrt()
        weights = (e * scale).softmax(dim=-1).flatten(0, 1).transpose(0, 1)
        return F.normalize(weights @ regions, dim=-1, eps=EPS)


def initialise_linear(module: nn.Module) -> None:
    """Xavier's uniform weights and no bias, for `Module.apply`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
