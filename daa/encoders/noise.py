"""Captions made harder in training: words lost, masked or replaced. Draws come from torch's own generator."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from daa.encoders.vocabulary import PADDING, UNKNOWN


def drop_words(words: Int[Tensor, "batch words"], share: float) -> Int[Tensor, "batch words"]:
    """Each word becomes unknown with probability `share`; then floor(share * n) of a caption's n words are taken out.

    Args:
        words: numbers of words, `PADDING` behind the last.
        share: in [0, 1).

    >>> drop_words(torch.tensor([[5, 6, 7, 8], [9, 0, 0, 0]]), 0.0).tolist()
    [[5, 6, 7, 8], [9, 0, 0, 0]]

    Source: PCME (Chun et al., CVPR 2021), released code, share 0.1.
    """
    real = words != PADDING
    unknown = (torch.rand(words.shape, device=words.device) < share) & real
    order = torch.rand(words.shape, device=words.device).masked_fill(~real, 2).argsort(dim=1).argsort(dim=1)
    lost = order < (share * real.sum(dim=1, keepdim=True)).floor()
    return without(words.masked_fill(unknown, UNKNOWN), lost, PADDING)


def corrupt_pieces(
    pieces: Int[Tensor, "batch pieces"],
    share: float,
    continues: Bool[Tensor, " vocabulary"],
    ordinary: Int[Tensor, " ordinary"],
    mask_token: int,
    padding: int,
) -> Int[Tensor, "batch pieces"]:
    """Each word is chosen with probability `share`; of those 50 % are masked, 10 % replaced and 40 % taken out.

    Whole words: all pieces of one share its fate. The first piece of a caption and its last, the marks, stay.

    Args:
        pieces: numbers of word pieces, `padding` behind the last.
        share: in [0, 1).
        continues: for each number whether that piece goes on with the word before it.
        ordinary: the numbers that a replacement is drawn from.
        mask_token: stands for a masked piece.
        padding: stands behind the last.

    Source: PCME-bert of the paper's released code, share 0.2.
    """
    real = pieces != padding
    last = real.sum(dim=1, keepdim=True) - 1
    places = torch.arange(pieces.shape[1], device=pieces.device)
    inner = (places > 0) & (places < last)
    word = (~continues[pieces]).cumsum(dim=1) - 1  # which word of the caption a piece belongs to
    draw = torch.rand(pieces.shape, device=pieces.device).gather(1, word.clamp_min(0)) / max(share, 1e-12)
    other = ordinary[torch.randint(len(ordinary), pieces.shape, device=pieces.device)]
    changed = pieces.masked_fill(inner & (draw < 0.5), mask_token)
    changed = torch.where(inner & (draw >= 0.5) & (draw < 0.6), other, changed)
    return without(changed, inner & (draw >= 0.6) & (draw < 1), padding)


def without(
    numbers: Int[Tensor, "batch places"], lost: Bool[Tensor, "batch places"], padding: int
) -> Int[Tensor, "batch places"]:
    """The rows without what is lost, moved together, padded behind.

    >>> without(torch.tensor([[1, 2, 3]]), torch.tensor([[False, True, False]]), 0).tolist()
    [[1, 3, 0]]
    """
    order = lost.to(torch.uint8).argsort(dim=1, stable=True)
    return numbers.masked_fill(lost, padding).gather(1, order)
