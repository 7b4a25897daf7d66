import json

import numpy as np
import pandas as pd
import pytest
import torch

from daa import studies
from daa.corpus import CaptionCorpus
from daa.embeddings import Gaussian
from daa.relevance import relevance_by_name
from daa.similarity import cosine_similarity
from daa.studies import arms as arms_module
from daa.training.config import load_config
from daa.training.data import load_split
from tests.oracles import slow_asp

TINY = [
    "data.train_images=24",
    "data.val_images=8",
    "data.image_size=16",
    "data.options.n_images=24",
    "encoders.text=bag",
    "encoders.embedding_dim=8",
    "encoders.image_options.width=4",
    "train.epochs=1",
    "train.batch_size=12",
    "train.device=cpu",
]


@pytest.fixture(scope="module")
def arms():
    kind = "loss.kind=infonce"
    return {
        "baseline": load_config(overrides=[*TINY, kind]),
        "DAA": load_config(overrides=[*TINY, kind, "loss.daa_weight=1"]),
    }


def test_a_comparison_is_recorded_and_taken_up_again_without_training(arms, tmp_path, monkeypatch):
    records = studies.run_arms(arms, [0, 1], tmp_path, quiet=True)
    assert [(run["arm"], run["seed"]) for run in records] == [
        ("baseline", 0),
        ("baseline", 1),
        ("DAA", 0),
        ("DAA", 1),
    ]
    json.dumps(records, allow_nan=False)
    images, captions = studies.load_embeddings(tmp_path / "DAA" / "seed-1" / "test.safetensors")
    assert (len(images), len(captions)) == (24, 120)
    frame = studies.measurements_frame(records)
    assert {"ASP", "R@1", "mAP@R", "rsum"} <= set(frame["metric"])
    assert {"annotated", "exhaustive", "tfidf"} <= set(frame["truth"])

    monkeypatch.setattr(arms_module, "train", lambda *_, **__: pytest.fail("a finished run was trained again"))
    assert studies.run_arms(arms, [0, 1], tmp_path, quiet=True) == records


@pytest.mark.parametrize("relevance", ["rouge-l", "cider", "cider-d+rouge-l"])
def test_a_study_is_judged_by_the_relevance_that_was_asked_for(relevance, tmp_path):
    config = load_config(overrides=[*TINY, "loss.kind=infonce", f"loss.relevance={relevance}"])
    [record] = studies.run_arms({"baseline": config}, [0], tmp_path, quiet=True)
    images, captions = studies.load_embeddings(tmp_path / "baseline" / "seed-0" / "test.safetensors")
    corpus = load_split(config.data, config.data.test).corpus
    judged = relevance_by_name(relevance).fit(corpus).matrix()
    rows = zip(cosine_similarity(images, captions).numpy(), judged, strict=True)
    expected = np.mean([slow_asp(scores, relevant) for scores, relevant in rows])
    [asp] = [
        one["value"]
        for one in record["measurements"]
        if (one["metric"], one["truth"], one["direction"]) == ("ASP", relevance, "i2t")
    ]
    assert asp == pytest.approx(expected, abs=2e-3)  # embeddings are kept as float16


def test_nothing_to_compare_or_unlike_data_is_refused(arms, tmp_path):
    with pytest.raises(ValueError, match="at least one of each, got 2 and 0"):
        studies.run_arms(arms, [], tmp_path)
    other = load_config(overrides=[*TINY, "data.image_size=32"])
    with pytest.raises(ValueError, match="other differs"):
        studies.run_arms(arms | {"other": other}, [0], tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_summary_is_mean_and_sample_standard_deviation_in_percent():
    columns = ["arm", "seed", "metric", "truth", "direction", "gallery", "value"]
    rows = [["a", s, "ASP", "tfidf", "i2t", "all", v] for s, v in enumerate((0.5, 0.6))]
    rows += [["b", 0, "ASP", "tfidf", "i2t", "all", 0.7], ["a", 0, "ASP", "tfidf", "i2t", "5 x 200", 0.1]]
    table = studies.summary(pd.DataFrame(rows, columns=columns), [("ASP", "tfidf")])
    assert table.loc[("ASP", "tfidf", "i2t")].to_dict() == {"a": "55.0 ± 7.1", "b": "70.0"}


def test_uncertainty_correlates_with_the_true_ambiguity():
    positives = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1]])
    corpus = CaptionCorpus(captions=["a", "b", "c"], image_of_caption=[0, 1, 2], positives=positives)
    assert studies.ambiguity(corpus)["captions"].tolist() == [1, 2, 3]
    rising = Gaussian(torch.eye(3), torch.arange(3.0)[:, None].expand(3, 3))
    constant = Gaussian(torch.eye(3), torch.zeros(3, 3))
    result = studies.uncertainty(constant, rising, corpus)
    assert result["captions"]["spearman_ambiguity"] == pytest.approx(1)
    assert result["images"]["spearman_ambiguity"] is None
    with pytest.raises(ValueError, match="exhaustive truth"):
        studies.ambiguity(CaptionCorpus(captions=["a"], image_of_caption=[0]))


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_the_parts_of_an_asp_are_those_of_the_formula(direction):
    rng = np.random.default_rng(0)
    scores, relevance = rng.normal(size=(4, 6)) + rng.normal(size=6), rng.integers(0, 3, size=(4, 6)) / 2
    by_query, relevant = (scores, relevance) if direction == "i2t" else (scores.T, relevance.T)
    mean_score = sum(by_query) / len(by_query)
    expected = {
        "all": [slow_asp(s, c) for s, c in zip(by_query, relevant, strict=True)],
        "query-blind part": [slow_asp(mean_score, c) for c in relevant],
        "rest": [slow_asp(s - mean_score, c) for s, c in zip(by_query, relevant, strict=True)],
    }
    parts = studies.query_blind_parts(scores, relevance, direction)
    assert parts == pytest.approx({name: np.mean(values) for name, values in expected.items()})
    assert len(set(parts.values())) == 3
