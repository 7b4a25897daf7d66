"""Relevance by sentence embeddings: cosine of a caption with an image's captions under any model of sentences."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daa.corpus import CaptionCorpus
from daa.distribution import install
from daa.relevance.base import Relevance

IMAGES_AT_ONCE = 50  # whose references' cosines are held together


class SentenceRelevance(Relevance):
    r"""Cosine of sentence embeddings, the mean or the largest over the image's captions; from -1 to 1.

    $$ C(i, c) = \frac{1}{|R_i|} \sum_{r \in R_i} \cos(e_r, e_c) \quad\text{or}\quad \max_{r \in R_i} \cos(e_r, e_c) $$

    Args:
        model: the folder of a sentence-transformers model, a loaded `SentenceTransformer`, or any function from a list
            of texts to an array [texts, dimensions]. Nothing is downloaded.
        pooling: `"mean"` or `"max"` over the image's captions.
        batch_size: how many captions the model reads at once.

    Source: Reimers and Gurevych, Sentence-BERT, EMNLP 2019.

    >>> corpus = CaptionCorpus(["a red dog", "a dog", "two cats", "some cats"], [0, 0, 1, 1])
    >>> lengths = lambda texts: [[len(text), 1.0] for text in texts]
    >>> print(SentenceRelevance(lengths).fit(corpus).matrix().round(3))
    [[0.998 0.998 0.999 0.998]
     [1.    0.997 1.    1.   ]]
    """

    name = "sentence"
    minimum = -1.0

    def __init__(self, model: Any, pooling: str = "mean", batch_size: int = 64) -> None:
        if pooling not in ("mean", "max"):
            raise ValueError(f'pooling: expected "mean" or "max", got {pooling!r}')
        self.pooling, self.batch_size = pooling, batch_size
        if isinstance(model, str | Path):
            self.model_name = "/".join(Path(model).parts[-2:])
            self.model = _load(Path(model))
        else:
            self.model_name = getattr(model, "__name__", type(model).__name__)
            self.model = model
        if not callable(self.model) and not hasattr(self.model, "encode"):
            raise ValueError(
                f"model: expected the folder of a sentence-transformers model, a SentenceTransformer or a function "
                f"from texts to an array, got {type(model).__name__}"
            )

    def describe(self) -> str:
        return f"cosine of sentence embeddings of {self.model_name}, {self.pooling} over the image's captions, -1 to 1"

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        embeddings = self._encode(list(corpus.captions))
        if embeddings.ndim != 2 or len(embeddings) != corpus.n_captions:
            raise ValueError(
                f"model: expected an embedding a caption, [{corpus.n_captions}, dimensions], got {embeddings.shape}"
            )
        if not np.isfinite(embeddings).all():
            caption = int(np.argmin(np.isfinite(embeddings).all(axis=1)))
            raise ValueError(f"model: expected finite embeddings, but that of caption {caption} is not")
        norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
        self._embeddings: NDArray[np.float32] = (embeddings / np.where(norms > 0, norms, 1)).astype(np.float32)
        indptr, own = self.captions_by_image
        sums = np.add.reduceat(self._embeddings[own], indptr[:-1], axis=0)
        self._means: NDArray[np.float32] = (sums / np.diff(indptr)[:, None]).astype(np.float32)

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if hasattr(self.model, "encode"):
            encoded = self.model.encode(texts, batch_size=self.batch_size, show_progress_bar=False)
            return np.asarray(encoded, dtype=np.float32)
        blocks = [texts[at : at + self.batch_size] for at in range(0, len(texts), self.batch_size)]
        return np.concatenate([np.asarray(self.model(block), dtype=np.float32) for block in blocks])

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._product(images, self._embeddings)

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._product(images, self._embeddings[captions])

    def _product(self, images: NDArray[np.int64], candidates: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.pooling == "mean":
            return self._means[images] @ candidates.T
        out = np.empty((len(images), len(candidates)), dtype=np.float32)
        for start in range(0, len(images), IMAGES_AT_ONCE):
            some = images[start : start + IMAGES_AT_ONCE]
            own = [self.captions_by_image.of(image) for image in some]
            first = np.cumsum([0, *map(len, own[:-1])])
            cosines = self._embeddings[np.concatenate(own)] @ candidates.T
            np.maximum.reduceat(cosines, first, axis=0, out=out[start : start + IMAGES_AT_ONCE])
        return out


def _load(folder: Path) -> Callable[[Sequence[str]], Any]:
    if not (folder / "modules.json").is_file():
        raise FileNotFoundError(
            f"{folder}: expected the folder of a sentence-transformers model, with modules.json in it; "
            f"save one there with SentenceTransformer(...).save(folder)"
        )
    if importlib.util.find_spec("sentence_transformers") is None:
        raise ModuleNotFoundError(f"model: a folder needs sentence-transformers; {install('sentence')}")
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
