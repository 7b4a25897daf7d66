"""The text encoder of VSE++, PVSE and PCME: word vectors, a GRU over them, and a head on the word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn import functional as F

from daa.encoders.heads import make_head
from daa.encoders.pooling import LastState
from daa.encoders.pretrained import PretrainedEncoder, pretrained_wanted
from daa.encoders.vocabulary import PADDING, Vocabulary, drop_words, read_word_vectors


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
        marked = self._marked(words[:, : int((words != PADDING).sum(dim=1).max())])
        return self.head(self.dropout(self.words(marked)), mask=marked != PADDING)

    def _marked(self, words: Int[Tensor, "batch words"]) -> Int[Tensor, "batch marked"]:
        marked = F.pad(words, (1, 1), value=PADDING)
        marked[:, 0] = len(self.vocabulary)
        ends = (marked != PADDING).sum(dim=1, keepdim=True)
        return marked.scatter(1, ends, len(self.vocabulary) + 1)
