"""Encoders of one vector a place, for cross-attention: the regions of an image, the words of a caption."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from daa.embeddings import EPS, LocalFeatures
from daa.encoders.vocabulary import PADDING, Vocabulary


class Regions(nn.Module):
    """Each region by itself: x -> l2(W x + b), from precomputed features such as those of SCAN.

    Args:
        embedding_dim: size of a region's vector.
        features: size of a region's precomputed feature.

    >>> Regions(embedding_dim=8, features=4)(torch.rand(2, 36, 4)).features.shape
    torch.Size([2, 36, 8])

    Source: SGRAF (Diao et al., AAAI 2021), section 3.1, after SCAN (Lee et al., ECCV 2018).
    """

    def __init__(self, embedding_dim: int = 1024, features: int = 2048) -> None:
        super().__init__()
        self.project = nn.Linear(features, embedding_dim)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, images: Float[Tensor, "images regions features"]) -> LocalFeatures:
        local = F.normalize(self.project(images), dim=-1, eps=EPS)
        return LocalFeatures(local, torch.ones(local.shape[:2], dtype=torch.bool, device=local.device))


class WordGRU(nn.Module):
    """Word vectors and a bidirectional GRU, its two directions averaged: one vector of length 1 a word.

    A mark stands before the first word and one behind the last, and both are words like any other to the similarity.
    Their numbers follow those of the vocabulary.

    Args:
        vocabulary: the known words.
        embedding_dim: size of a word's vector in context, and of each direction's state.
        word_dim: size of a word vector.
        layers: of the GRU.
        dropout: share of the word-vector entries set to 0 in training.
        max_words: longer captions are cut; the two marks do not count.

    >>> encoder = WordGRU(Vocabulary(["dog"]), embedding_dim=8)
    >>> encoder.tokenize(["a dog", "dog"])["words"].tolist()
    [[3, 1, 2, 4], [3, 2, 4, 0]]
    >>> encoder(**encoder.tokenize(["a dog", "dog"])).mask.sum(dim=1)
    tensor([4, 3])

    Source: SGRAF (Diao et al., AAAI 2021), section 3.1, after SCAN (Lee et al., ECCV 2018).
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 1024,
        word_dim: int = 300,
        layers: int = 1,
        dropout: float = 0.4,
        max_words: int = 60,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.words = nn.Embedding(len(vocabulary) + 2, word_dim, padding_idx=PADDING)
        nn.init.uniform_(self.words.weight, -0.1, 0.1)
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(word_dim, embedding_dim, layers, batch_first=True, bidirectional=True)

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """What `forward` takes, one row a caption: the numbers of its words between the two marks."""
        words = F.pad(self.vocabulary.encode(captions, self.max_words), (1, 1), value=PADDING)
        words[:, 0] = len(self.vocabulary)
        ends = (words != PADDING).sum(dim=1, keepdim=True)
        return {"words": words.scatter(1, ends, len(self.vocabulary) + 1)}

    def forward(self, words: Int[Tensor, "batch words"]) -> LocalFeatures:
        mask = words != PADDING
        packed = pack_padded_sequence(
            self.dropout(self.words(words)), mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        both = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=words.shape[1])[0]
        return LocalFeatures(F.normalize(both.unflatten(-1, (2, -1)).mean(dim=-2), dim=-1, eps=EPS), mask)
