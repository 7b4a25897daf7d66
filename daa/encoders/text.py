"""Text encoders that learn their words from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from daa.embeddings import EPS, Gaussian, LocalFeatures
from daa.encoders.heads import GaussianHead, LastState, make_head
from daa.encoders.pretrained import PretrainedEncoder, pretrained_wanted
from daa.encoders.vocabulary import PADDING, Vocabulary, drop_words, read_word_vectors

GROUP = 96
"""Captions that are read together."""


class WordEncoder(nn.Module):
    """What encoders of words share: a vocabulary, word vectors, and a Gaussian head over the contextual words.

    Args:
        vocabulary: the known words.
        embedding_dim: size of the embedding.
        word_dim: size of a word vector.
        features: size of a contextual word, as `context` returns it.
        dropout: share of the word-vector entries set to 0 in training.
        max_words: longer captions are cut.
        log_var_init: see `GaussianHead`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int,
        word_dim: int,
        features: int,
        dropout: float,
        max_words: int,
        log_var_init: float,
    ) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.max_words = max_words
        self.words = nn.Embedding(len(vocabulary), word_dim, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        self.head = GaussianHead(features, features, embedding_dim, log_var_init)

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """What `forward` takes, one row a caption."""
        return {"words": self.vocabulary.encode(captions, self.max_words)}

    def context(
        self, x: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words features"]:
        """Each word in the light of its neighbours."""
        raise NotImplementedError

    def forward(self, words: Int[Tensor, "batch words"]) -> Gaussian:
        # Captions of like length go together, each group cut at its longest: half the work where lengths differ.
        order = (words != PADDING).sum(dim=1).argsort(stable=True)
        groups = [self._encode(words[rows]) for rows in order.split(GROUP)]
        back = order.argsort()
        return Gaussian(torch.cat([g.mean for g in groups])[back], torch.cat([g.log_var for g in groups])[back])

    def _encode(self, words: Int[Tensor, "batch words"]) -> Gaussian:
        words = words[:, : max(1, int((words != PADDING).any(dim=0).sum()))]
        mask = words != PADDING
        local = self.context(self.dropout(self.words(words)), mask)
        pooled = local.masked_fill(~mask[..., None], -torch.inf).amax(dim=1)
        return self.head(local, pooled, mask)


class GRUText(WordEncoder):
    """Word vectors, a bidirectional GRU, the maximum over words as global summary."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 256,
        word_dim: int = 128,
        hidden: int = 128,
        dropout: float = 0.0,
        max_words: int = 40,
        log_var_init: float = -6.0,
    ) -> None:
        super().__init__(vocabulary, embedding_dim, word_dim, 2 * hidden, dropout, max_words, log_var_init)
        self.forwards = nn.GRU(word_dim, hidden, batch_first=True)
        self.backwards = nn.GRU(word_dim, hidden, batch_first=True)

    def context(
        self, x: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words features"]:
        # Padding stands behind the words, so only the backward half must skip it: each caption is turned round within
        # its own length, read, and turned back. Packed sequences do the same, more slowly on a CPU.
        places = torch.arange(x.shape[1], device=x.device)
        turned = torch.where(mask, mask.sum(dim=1, keepdim=True) - 1 - places, places)[..., None]
        behind = self.backwards(x.gather(1, turned.expand_as(x)))[0]
        ahead = self.forwards(x)[0]
        return torch.cat([ahead, behind.gather(1, turned.expand_as(behind))], dim=-1)


class ConvText(WordEncoder):
    """Word vectors and residual convolutions over three words each: no recurrence, and cheap."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 256,
        word_dim: int = 128,
        layers: int = 2,
        dropout: float = 0.0,
        max_words: int = 40,
        log_var_init: float = -6.0,
    ) -> None:
        super().__init__(vocabulary, embedding_dim, word_dim, word_dim, dropout, max_words, log_var_init)
        self.convolutions = nn.ModuleList(nn.Conv1d(word_dim, word_dim, 3, padding=1) for _ in range(layers))

    def context(
        self, x: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words features"]:
        keep = mask[..., None]
        for convolution in self.convolutions:
            x = (x + torch.relu(convolution(x.transpose(1, 2)).transpose(1, 2))) * keep
        return x


class BagText(WordEncoder):
    """Word vectors alone, in no order: the cheapest, so that a step can afford all captions of an image."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 256,
        word_dim: int = 128,
        dropout: float = 0.0,
        max_words: int = 40,
        log_var_init: float = -6.0,
    ) -> None:
        super().__init__(vocabulary, embedding_dim, word_dim, word_dim, dropout, max_words, log_var_init)

    def context(
        self, x: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch words features"]:
        return x


class SentenceGRU(PretrainedEncoder):
    """Word vectors and a GRU whose last state sums up the caption; attention, where the head has it, sees the words.

    A mark stands before the first word and one behind the last, and both are words like any other.

    Args:
        vocabulary: the known words.
        embedding_dim: size of the embedding and of the GRU's state, of both directions together.
        word_dim: size of a word vector.
        vectors: a file of word vectors, see `read_word_vectors`; None for random ones that are trained from the start.
            Marks and words that are not in the file start at random, from the normal distribution N(0, 1).
        frozen: keep word vectors that were read from a file as they are, until `set_frozen`. Random ones always learn.
        head: "pcme" (a second GRU for the variance), "points" (PVSE) or "point" (VSE++).
        k: number of points, for "points".
        bidirectional: read backwards as well; VSE++ does not.
        word_drop: share of the words that training makes unknown, and again that it takes out, see `drop_words`.
        dropout: share of the word-vector entries set to 0 in training.
        max_words: longer captions are cut; the two marks do not count.
        released_state: take the GRU's backward half where the released code does, see `LastState`.
        log_var_init: see `PCMEHead`.

    >>> encoder = SentenceGRU(Vocabulary(["dog"]), embedding_dim=8, word_dim=6, head="points", k=2)
    >>> encoder(**encoder.tokenize(["a dog", "dog"])).points.shape
    torch.Size([2, 2, 8])
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 1024,
        word_dim: int = 300,
        vectors: str | None = None,
        frozen: bool = False,
        head: str = "pcme",
        k: int = 1,
        bidirectional: bool = True,
        word_drop: float = 0.0,
        dropout: float = 0.0,
        max_words: int = 60,
        released_state: bool = False,
        log_var_init: float | None = None,
    ) -> None:
        super().__init__()
        if head == "gaussian":
            raise ValueError('head: expected "pcme", "points" or "point", got "gaussian", which has no use for the GRU')
        if not 0 <= word_drop < 1:
            raise ValueError(f"word_drop: expected a share in [0, 1), got {word_drop}")
        self.vocabulary = vocabulary
        self.vectors = vectors
        self.word_drop = word_drop
        self.max_words = max_words
        self.words = nn.Embedding(len(vocabulary) + 2, word_dim, padding_idx=PADDING)
        self.found = 0
        """How many words of the vocabulary have their vector from the file."""
        if vectors is None:
            nn.init.uniform_(self.words.weight, -0.1, 0.1)
            self.words.weight.data[PADDING] = 0
        elif pretrained_wanted():
            self._read(vectors)
        self.dropout = nn.Dropout(dropout)
        state = partial(LastState, word_dim, embedding_dim, bidirectional, released_state)
        self.head = make_head(head, word_dim, embedding_dim, k, log_var_init, state, state)
        self.set_frozen(frozen)

    def _read(self, vectors: str) -> None:
        read = read_word_vectors(vectors, self.vocabulary.words, self.words.embedding_dim)
        self.found = len(read)
        with torch.no_grad():
            for number, word in enumerate(self.vocabulary.words, start=2):
                if word in read:
                    self.words.weight[number] = torch.from_numpy(read[word])

    def pretrained(self) -> nn.Module | None:
        return None if self.vectors is None else self.words

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """What `forward` takes, one row a caption: the numbers of its words, without the marks."""
        return {"words": self.vocabulary.encode(captions, self.max_words)}

    def forward(self, words: Int[Tensor, "batch words"]) -> Any:
        if self.training and self.word_drop:
            words = drop_words(words, self.word_drop)
        marked = self.vocabulary.marked(words[:, : int((words != PADDING).sum(dim=1).max())])
        return self.head(self.dropout(self.words(marked)), mask=marked != PADDING)


class WordGRU(nn.Module):
    """Word vectors and a bidirectional GRU, its two directions averaged: one vector of length 1 a word.

    A mark stands before the first word and one behind the last, and both are words like any other to the similarity.

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
        return {"words": self.vocabulary.marked(self.vocabulary.encode(captions, self.max_words))}

    def forward(self, words: Int[Tensor, "batch words"]) -> LocalFeatures:
        mask = words != PADDING
        packed = pack_padded_sequence(
            self.dropout(self.words(words)), mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        both = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=words.shape[1])[0]
        return LocalFeatures(F.normalize(both.unflatten(-1, (2, -1)).mean(dim=-2), dim=-1, eps=EPS), mask)
