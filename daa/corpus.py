"""Captions, the images they belong to, and what is known to match: everything an evaluation needs except scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Truth:
    """Which pairs match, per direction of retrieval.

    The two directions may differ: ECCV Caption, for example, verified other pairs for its image queries than for its
    caption queries. A query without positives in a direction is not evaluated there.

    Args:
        i2t: boolean matrix [images, captions], dense or sparse; row i holds the captions that answer image query i.
        t2i: boolean matrix [images, captions]; column c holds the images that answer caption query c.
            Defaults to `i2t`.
        outside: by direction, how many positives of each query are known that are not among the candidates. No ranking
            can find them, yet they count in the query's R, as in the `eccv_caption` package. None by default.
        judged: boolean [images, captions], the pairs that somebody judged: only these are ranked, the others are taken
            out of every ranking. By default all of them, so that whatever is not positive counts as no match. See
            `among_judged`.
    """

    i2t: Any
    t2i: Any = None
    outside: Mapping[str, Any] = field(default_factory=dict)
    judged: Any = None

    def __post_init__(self) -> None:
        i2t = _as_bool_csr(self.i2t, "i2t")
        t2i = i2t if self.t2i is None else _as_bool_csr(self.t2i, "t2i")
        if i2t.shape != t2i.shape:
            raise ValueError(f"t2i: expected the [images, captions] shape of i2t, {i2t.shape}, got {t2i.shape}")
        object.__setattr__(self, "i2t", i2t)
        object.__setattr__(self, "t2i", t2i)
        if self.judged is not None:
            judged = _as_bool_csr(self.judged, "judged")
            if judged.shape != i2t.shape:
                raise ValueError(
                    f"judged: expected the [images, captions] shape of i2t, {i2t.shape}, got {judged.shape}"
                )
            for name, positives in (("i2t", i2t), ("t2i", t2i)):
                if (positives > judged).nnz:
                    raise ValueError(f"judged: expected all positives among the judged pairs, got others in {name}")
            object.__setattr__(self, "judged", judged)
        for direction, counts in self.outside.items():
            if np.shape(counts) != (self.positives_of(direction).shape[0],):
                raise ValueError(
                    f"outside[{direction!r}]: expected one count a query, {self.positives_of(direction).shape[0]}, "
                    f"got shape {np.shape(counts)}"
                )

    @classmethod
    def among_judged(cls, positives: Any, judged: Any) -> Truth:
        """What matches among the pairs that were judged, each query ranking only the candidates judged for it.

        Such are the condensed lists of Sakai (SIGIR 2007): where nobody looked, nothing is assumed. A query whose
        judged candidates all match says nothing of a ranking and is not evaluated.

        Args:
            positives: boolean [images, captions], the pairs that match.
            judged: boolean [images, captions], the pairs that somebody judged, those that match among them.

        >>> truth = Truth.among_judged([[True, False], [False, True]], [[True, True], [False, True]])
        >>> truth.n_positives("i2t").tolist(), truth.n_positives("t2i").tolist()
        ([1, 0], [0, 1])
        """
        matches, judged = _as_bool_csr(positives, "positives"), _as_bool_csr(judged, "judged")
        open_ = [judged.sum(axis) > matches.sum(axis) for axis in (1, 0)]
        i2t, t2i = matches.multiply(open_[0][:, None]), matches.multiply(open_[1][None])
        return cls(i2t, t2i, judged=judged)

    def positives_of(self, direction: str) -> sparse.csr_array:
        """Positives [queries, candidates]: images x captions for `"i2t"`, captions x images for `"t2i"`."""
        if direction == "i2t":
            return self.i2t
        if direction == "t2i":
            return sparse.csr_array(self.t2i.T)
        raise ValueError(f'direction: expected "i2t" or "t2i", got {direction!r}')

    def judged_of(self, direction: str) -> sparse.csr_array | None:
        """The judged pairs [queries, candidates], as `positives_of`; None where what is not positive is no match."""
        if self.judged is None or direction == "i2t":
            return self.judged
        return sparse.csr_array(self.judged.T)

    def n_positives(self, direction: str) -> np.ndarray:
        """R of each query: its positives among the candidates, and those known outside of them."""
        n_inside = np.diff(self.positives_of(direction).indptr).astype(np.int64)
        return n_inside + np.asarray(self.outside.get(direction, 0), dtype=np.int64)

    def select(self, images: np.ndarray, captions: np.ndarray) -> Truth:
        """The truth among some images and some captions; what is left out no longer counts in any R."""
        judged = None if self.judged is None else self.judged[images][:, captions]
        return Truth(self.i2t[images][:, captions], self.t2i[images][:, captions], judged=judged)


class CaptionsByImage(NamedTuple):
    """Which captions each image has, as a compressed sparse row structure that compiled kernels can take.

    Args:
        indptr: int64 [images + 1]; image i owns the entries indptr[i] to indptr[i + 1].
        captions: int64 [captions], indices of captions, image by image, ascending within an image.
    """

    indptr: np.ndarray
    captions: np.ndarray

    @classmethod
    def group(cls, image_of_caption: np.ndarray) -> CaptionsByImage:
        """Group captions by their images.

        >>> CaptionsByImage.group(np.array([0, 1, 0])).of(0).tolist()
        [0, 2]
        """
        captions = np.argsort(image_of_caption, kind="stable")
        return cls(np.concatenate([[0], np.cumsum(np.bincount(image_of_caption))]), captions)

    @property
    def counts(self) -> np.ndarray:
        """How many captions each image has."""
        return np.diff(self.indptr)

    def of(self, image: int | np.integer) -> np.ndarray:
        """The captions of an image."""
        return self.captions[self.indptr[image] : self.indptr[image + 1]]


class _WhenAsked:
    """The field `positives` of a corpus: a function that was given for it is called when the field is first read."""

    def __get__(self, corpus: CaptionCorpus | None, owner: type | None = None) -> Any:
        if corpus is None:
            return None  # the default of the field
        given = vars(corpus)["positives"]
        if callable(given):
            vars(corpus)["positives"] = given = _as_bool_csr(given(), "positives")
            corpus._check_shape("exhaustive", given.shape)
        return given

    def __set__(self, corpus: CaptionCorpus, given: Any) -> None:
        vars(corpus)["positives"] = given if given is None or callable(given) else _as_bool_csr(given, "positives")


@dataclass(frozen=True, eq=False)
class CaptionCorpus:
    """Captions and the images they were collected for, in the order of the matrices' axes.

    Every matrix in this package is images x captions: row i is image i of this corpus, column c its caption c.
    An image may have any number (>= 1) of captions, in any order.

    Args:
        captions: the texts, one a caption; none may be blank.
        image_of_caption: for each caption the index (0-based) of its image; every image needs a caption.
        image_ids: the data set's own identifier of each image; defaults to 0, 1, ...
        caption_ids: the data set's own identifier of each caption; defaults to 0, 1, ...
        labels: optional boolean [images, classes], the object categories seen in each image (what PMRP compares).
        label_names: the name of each class.
        positives: optional exhaustive truth, boolean [images, captions], dense or sparse, or a function without
            arguments that gives it and is called when it is first asked for: it grows with images x captions.
        truths: further truths by name, such as `"ECCV"` and `"CxC"`.
        name: what reports call this corpus.

    Raises:
        ValueError: naming the argument, what was expected and what came.

    >>> corpus = CaptionCorpus(captions=["a dog", "an animal", "a cat"], image_of_caption=[0, 0, 1])
    >>> corpus.n_images, corpus.n_captions, corpus.captions_of_image(0).tolist()
    (2, 3, [0, 1])
    """

    captions: Sequence[str]
    image_of_caption: Any
    image_ids: Any = None
    caption_ids: Any = None
    labels: Any = None
    label_names: Sequence[str] = ()
    positives: Any = _WhenAsked()
    truths: Mapping[str, Truth] = field(default_factory=dict)
    name: str = "corpus"

    def __post_init__(self) -> None:
        captions = tuple(self.captions)
        for c, caption in enumerate(captions):
            if not isinstance(caption, str) or not caption.strip():
                raise ValueError(f"captions: expected text, but caption {c} (counted from 0) is {caption!r}")
        if not captions:
            raise ValueError("captions: expected at least one caption, got none")
        image_of_caption = np.asarray(self.image_of_caption)
        if image_of_caption.shape != (len(captions),) or image_of_caption.dtype.kind not in "iu":
            raise ValueError(
                f"image_of_caption: expected {len(captions)} integers, one a caption, "
                f"got shape {image_of_caption.shape} of {image_of_caption.dtype}"
            )
        image_of_caption = image_of_caption.astype(np.int64)
        n_images = self._count_images(image_of_caption)
        set_field = object.__setattr__
        set_field(self, "captions", captions)
        set_field(self, "image_of_caption", image_of_caption)
        set_field(self, "image_ids", _as_ids(self.image_ids, n_images, "image_ids"))
        set_field(self, "caption_ids", _as_ids(self.caption_ids, len(captions), "caption_ids"))
        if self.labels is not None:
            labels = np.asarray(self.labels).astype(bool)
            if labels.ndim != 2 or len(labels) != n_images:
                raise ValueError(f"labels: expected [{n_images} images, classes], got shape {labels.shape}")
            set_field(self, "labels", labels)
        given = vars(self)["positives"]
        if given is not None and not callable(given):
            self._check_shape("exhaustive", given.shape)
        for name, truth in self.truths.items():
            self._check_shape(name, truth.i2t.shape)

    def _check_shape(self, truth: str, shape: tuple[int, ...]) -> None:
        if shape != (self.n_images, self.n_captions):
            raise ValueError(
                f"{truth} positives: expected [{self.n_images} images, {self.n_captions} captions], got {shape}"
            )

    @staticmethod
    def _count_images(image_of_caption: np.ndarray) -> int:
        if image_of_caption.min() < 0:
            raise ValueError(f"image_of_caption: expected indices from 0, got {image_of_caption.min()}")
        counts = np.bincount(image_of_caption)
        if (counts == 0).any():
            raise ValueError(
                f"image_of_caption: every image needs a caption, but image {int(np.argmin(counts))} "
                f"of 0..{len(counts) - 1} has none"
            )
        return len(counts)

    @property
    def n_images(self) -> int:
        return len(self.image_ids)

    @property
    def n_captions(self) -> int:
        return len(self.captions)

    @cached_property
    def captions_by_image(self) -> CaptionsByImage:
        """The captions of every image; not to be written to."""
        return CaptionsByImage.group(self.image_of_caption)

    def captions_of_image(self, image: int) -> np.ndarray:
        """Indices of the captions that were collected for an image, ascending.

        Raises:
            ValueError: if there is no such image.
        """
        if not 0 <= image < self.n_images:
            raise ValueError(f"image: expected an index from 0 to {self.n_images - 1}, got {image}")
        return self.captions_by_image.of(image).copy()

    @property
    def annotated(self) -> sparse.csr_array:
        """What COCO-style annotation knows: boolean [images, captions], each caption with its own image only."""
        indptr, captions = self.captions_by_image
        known = np.ones(self.n_captions, dtype=bool)
        return sparse.csr_array((known, captions, indptr), shape=(self.n_images, self.n_captions), copy=True)

    @property
    def has_exhaustive_truth(self) -> bool:
        """Whether `positives` are known, which asks for none of them."""
        return vars(self)["positives"] is not None

    def all_truths(self) -> dict[str, Truth]:
        """Every truth the corpus knows, by name: `"annotated"`, then `"exhaustive"` and the named ones where known."""
        known = {"annotated": Truth(self.annotated)}
        if self.has_exhaustive_truth:
            known["exhaustive"] = Truth(self.positives)
        return known | dict(self.truths)

    def select(self, images: Sequence[int] | np.ndarray | slice, name: str | None = None) -> CaptionCorpus:
        """The sub-corpus of some images (distinct indices or a slice) with their captions, which keep their order.

        >>> corpus = CaptionCorpus(captions=["a dog", "a cat", "a hound"], image_of_caption=[0, 1, 0])
        >>> corpus.select([0]).captions
        ('a dog', 'a hound')
        """
        chosen = np.arange(self.n_images)[images]
        if len(chosen) == 0 or len(np.unique(chosen)) != len(chosen):
            raise ValueError("images: expected at least one index and none twice")
        new_index = np.full(self.n_images, -1)
        new_index[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(new_index[self.image_of_caption] >= 0)
        return replace(
            self,
            captions=[self.captions[int(c)] for c in kept],
            image_of_caption=new_index[self.image_of_caption[kept]],
            image_ids=self.image_ids[chosen],
            caption_ids=self.caption_ids[kept],
            labels=None if self.labels is None else self.labels[chosen],
            positives=partial(self._positives_among, chosen, kept) if self.has_exhaustive_truth else None,
            truths={name: truth.select(chosen, kept) for name, truth in self.truths.items()},
            name=name or self.name,
        )

    def _positives_among(self, images: np.ndarray, captions: np.ndarray) -> sparse.csr_array:
        return self.positives[images][:, captions]

    def folds(self, n_images: int = 1000) -> Iterator[CaptionCorpus]:
        """Consecutive blocks of `n_images` images with their captions, as COCO 1K is cut from COCO 5K."""
        if n_images < 1 or self.n_images % n_images:
            raise ValueError(f"n_images: expected a divisor of the corpus's {self.n_images} images, got {n_images}")
        for start in range(0, self.n_images, n_images):
            yield self.select(slice(start, start + n_images), name=f"{self.name}[{start}:{start + n_images}]")

    def __repr__(self) -> str:
        truths = ", ".join(["annotated", *(["exhaustive"] if self.has_exhaustive_truth else []), *self.truths])
        return f"CaptionCorpus({self.name!r}, {self.n_images} images, {self.n_captions} captions, truths: {truths})"


def _as_ids(ids: Iterable | None, n: int, argument: str) -> np.ndarray:
    array = np.arange(n) if ids is None else np.asarray(list(ids))
    if array.shape != (n,):
        raise ValueError(f"{argument}: expected {n} identifiers, got shape {array.shape}")
    values, counts = np.unique(array, return_counts=True)
    if len(values) != n:
        raise ValueError(
            f"{argument}: expected distinct identifiers, but {values[counts.argmax()]} comes {counts.max()} times"
        )
    return array


def _as_bool_csr(matrix: Any, argument: str) -> sparse.csr_array:
    if not sparse.issparse(matrix) and np.ndim(matrix) != 2:
        raise ValueError(f"{argument}: expected a matrix [images, captions], got {np.ndim(matrix)} dimensions")
    csr = sparse.csr_array(matrix, dtype=bool)
    csr.eliminate_zeros()
    csr.sort_indices()
    return csr
