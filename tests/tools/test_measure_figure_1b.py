"""The counts of the paper's Figure 1b: how they are counted, what was stored, and the stored ones counted again."""

import json

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.relevance import relevance_by_name
from tools import measure_figure_1b as tool


@pytest.fixture(scope="module")
def stored():
    return json.loads(tool.RESULT.read_text())


def test_a_value_on_a_threshold_is_not_above_it():
    above = tool.n_above(np.array([[0.25, 0.5], [0.75, 1.0]], dtype=np.float32), np.array([0.0, 0.25, 0.3, 0.75, 1.0]))
    assert above.tolist() == [4, 3, 3, 1, 0]


def test_pairs_are_counted_as_one_by_one():
    rng = np.random.default_rng(0)
    words = np.array(["dog", "cat", "red", "runs", "on", "beach"])
    image_of_caption = rng.permutation(np.repeat(np.arange(8), 1 + np.arange(8) % 3))
    corpus = CaptionCorpus([" ".join(rng.choice(words, 3)) for _ in image_of_caption], image_of_caption)
    relevances = {name: relevance_by_name(name).fit(corpus) for name, _ in tool.CURVES.values()}
    parts = [tool.count_pairs(relevances, corpus, slice(start, start + 3)) for start in (0, 3, 6)]
    counts = tool.add(parts)
    for label, (name, divisor) in tool.CURVES.items():
        matrix = relevances[name].matrix()
        for p in (0, 7, 25, 50, 99):
            pairs = [
                (i, c)
                for i in range(corpus.n_images)
                for c in range(corpus.n_captions)
                if float(matrix[i, c]) > divisor * (p / 100)
            ]
            assert counts[label]["pairs"][p] == len(pairs)
            assert counts[label]["annotated"][p] == sum(corpus.image_of_caption[c] == i for i, c in pairs)


@pytest.mark.parametrize(
    ("label", "percent", "pairs", "annotated"),
    [
        ("TF-IDF", 25, 260_581, 23_876),
        ("TF-IDF", 55, 3_953, 2_762),
        ("CIDEr / 10", 25, 18_721, 16_120),
        ("CIDEr", 25, 3_024_398, 25_000),
    ],
)
def test_the_stored_counts_are_those_of_the_book(stored, label, percent, pairs, annotated):
    assert stored["thresholds"][percent] == percent / 100
    assert stored["counts"][label]["pairs"][percent] == pairs
    assert stored["counts"][label]["annotated"][percent] == annotated


def test_the_stored_counts_of_the_first_images_are_counted_again(real_data, stored):
    corpus, first = load_corpus("coco-5k"), stored["first"]
    own = np.arange(first["images"])[:, None] == corpus.image_of_caption
    for name in dict.fromkeys(name for name, _ in tool.CURVES.values()):
        relevance = relevance_by_name(name).fit(corpus)
        assert relevance.describe() == stored["relevances"][name]
        values = relevance.matrix(slice(0, first["images"]))
        for label, (of, divisor) in tool.CURVES.items():
            if of == name:
                for which, among in (("pairs", values), ("annotated", values[own])):
                    counts = np.array(first["counts"][label][which])
                    # Another processor may round the last bits of a relevance otherwise.
                    fewest = tool.n_above(among, divisor * tool.THRESHOLDS * (1 + 1e-6))
                    most = tool.n_above(among, divisor * tool.THRESHOLDS * (1 - 1e-6))
                    assert (fewest <= counts).all()
                    assert (counts <= most).all()
                    assert (counts <= stored["counts"][label][which]).all()
