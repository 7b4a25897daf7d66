"""Weighted means of relevances, and relevances by name."""

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.names import RELEVANCES
from daa.relevance import CiderRelevance, CombinedRelevance, OverlapRelevance, TfidfRelevance, relevance_by_name
from daa.relevance import combined as combined_module

CORPUS = CaptionCorpus(
    ["a red dog", "the dog runs", "two red cats", "some cats sleep", "a cat"], [0, 0, 1, 1, 2], name="five"
)
OTHER = CaptionCorpus(["a dog", "a dog and a cat", "cats"], [0, 1, 2], name="other")


def parts():
    return {"cider-d": CiderRelevance(), "rouge-l": OverlapRelevance("rouge-l")}


def test_scales(monkeypatch):
    monkeypatch.setattr(combined_module, "ROWS_AT_ONCE", 2)
    cider, rouge = (kind.fit(CORPUS).matrix() for kind in parts().values())
    own = CORPUS.annotated.toarray()
    for scale, factors in [
        ("none", (1, 1)),
        ("range", (0.1, 1)),
        ("annotated", (1 / cider[own].mean(), 1 / rouge[own].mean())),
    ]:
        relevance = CombinedRelevance(parts(), {"cider-d": 1, "rouge-l": 3.0}, scale=scale).fit(CORPUS)
        expected = 0.25 * factors[0] * cider + 0.75 * factors[1] * rouge
        np.testing.assert_allclose(relevance.matrix(), expected, rtol=1e-5)
        np.testing.assert_allclose(relevance.batch([2, 0], [1, 4]).numpy(), expected[[2, 0]][:, [1, 4]], rtol=1e-5)
    assert relevance.name == "cider-d+rouge-l"
    assert relevance.describe().startswith("weighted mean, scale rule 'annotated': 0.25 x (CIDEr-D")


def test_document_frequencies_reach_the_parts():
    relevance = CombinedRelevance({"tfidf": TfidfRelevance()}).fit(CORPUS, df_corpus=OTHER)
    np.testing.assert_allclose(relevance.matrix(), TfidfRelevance().fit(CORPUS, df_corpus=OTHER).matrix(), rtol=1e-6)
    assert "document frequencies of other" in relevance.describe()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "relevances: expected at least one"),
        ((parts(), {"cider-d": 1}), "weights: expected one for each of cider-d, rouge-l, got cider-d"),
        ((parts(), {"cider-d": 1, "rouge-l": -1}), "weights: expected finite numbers from 0, not all 0"),
        ((parts(), {"cider-d": 0, "rouge-l": 0}), "weights: expected finite numbers from 0, not all 0"),
        ((parts(), {"cider-d": float("nan"), "rouge-l": 0}), "weights: expected finite numbers from 0, not all 0"),
        ((parts(), None, "rank"), "scale: expected one of range, annotated, none, got 'rank'"),
    ],
)
def test_wrong_combinations(arguments, message):
    with pytest.raises(ValueError, match=message):
        CombinedRelevance(*arguments)


def test_names():
    for name in RELEVANCES:
        if name != "meteor":  # needs Java
            assert relevance_by_name(name).name == name
    assert relevance_by_name("tfidf", leave_out_self=True).leave_out_self
    mean = relevance_by_name("cider-d+bleu-4+rouge-l").fit(CORPUS).matrix()
    one_by_one = [relevance_by_name(name).fit(CORPUS).matrix() for name in ("cider-d", "bleu-4", "rouge-l")]
    np.testing.assert_allclose(mean, (one_by_one[0] / 10 + one_by_one[1] + one_by_one[2]) / 3, rtol=1e-5)
    with pytest.raises(FileNotFoundError, match=r"nowhere: expected the folder of a sentence-transformers model"):
        relevance_by_name("sentence:nowhere")
    with pytest.raises(ValueError, match=r"relevance: expected one of tfidf, .* several joined by \+, got 'cidre'"):
        relevance_by_name("cidre")
