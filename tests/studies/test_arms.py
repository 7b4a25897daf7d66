import json

import numpy as np
import pandas as pd
import pytest
import torch

from daa import studies
from daa.corpus import CaptionCorpus
from daa.embeddings import Gaussian
from daa.evaluation import evaluate
from daa.relevance import relevance_by_name
from daa.similarity import cosine_similarity
from daa.studies import arms as arms_module
from daa.studies.progress import StudyProgress
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


def test_beside_the_arms_stand_rankings_that_ignore_the_query(arms):
    test, relevance = studies.judges(arms["baseline"])
    floors = studies.blind_floors(test.corpus, relevance)
    report = evaluate(np.zeros((24, 120)), test.corpus, relevance, floors=True)
    frame = pd.DataFrame([{"arm": "a", "seed": 0, **one._asdict()} for one in report.measurements])
    rows = [("R@1", "annotated"), ("PMRP", "labels"), ("NDCG@10", "tfidf"), ("NCS@10", "tfidf"), ("not", "measured")]
    table = studies.summary(frame, rows, floors)
    assert list(table.columns) == ["a", "random", "mean", "blind"]
    assert len(table) == 8
    by_key = {one[:3]: one for one in report.measurements}
    for key, row in table.iterrows():
        expected = [by_key[key].random, by_key[key].mean_prior, by_key[key].best_blind]
        assert row[1:].tolist() == [f"{100 * value:.1f}" for value in expected]
    assert table.loc[("R@1", "annotated", "i2t"), "random"] == f"{100 * 5 / 120:.1f}"


def test_gains_are_taken_seed_by_seed_and_in_the_order_of_the_rows():
    columns = ["arm", "seed", "metric", "truth", "direction", "gallery", "value"]
    values = {"a": (0.50, 0.60), "b": (0.53, 0.59), "c": (0.0, 0.0)}
    keys = [("ASP", "tfidf", "i2t"), ("ASP", "tfidf", "t2i"), ("R@1", "annotated", "i2t")]
    rows = [[arm, s, *key, "all", v] for key in keys for arm, both in values.items() for s, v in enumerate(both)]
    found = studies.gains(pd.DataFrame(rows, columns=columns), [("R@1", "annotated"), ("ASP", "tfidf")], "b", "a")
    assert found.index.tolist() == [keys[2], keys[0], keys[1]]
    np.testing.assert_allclose(found.to_numpy(), [[3, -1]] * 3)


def test_all_arms_have_a_seed_before_the_next_begins(arms, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(arms_module, "train", lambda config, folder, **_: trained.append(folder))
    monkeypatch.setattr(arms_module, "run_record", lambda name, config, *_: {"config": config.to_dict()})
    for arm in arms:
        for seed in (0, 1):
            (tmp_path / arm / f"seed-{seed}").mkdir(parents=True)
    studies.run_arms(arms, [0, 1], tmp_path, quiet=True)
    assert [f"{one.parent.name} {one.name}" for one in trained] == [
        "baseline seed-0",
        "DAA seed-0",
        "baseline seed-1",
        "DAA seed-1",
    ]


RUNS = [("baseline", 0), ("DAA", 0), ("baseline", 1), ("DAA", 1)]


def test_without_a_terminal_a_line_comes_every_half_minute_and_says_how_long_it_will_take(capsys):
    now = 0.0
    with StudyProgress(RUNS, found=2, clock=lambda: now) as progress:
        for arm, seed in RUNS:
            progress.begin(arm, seed)
            steps = 20 if arm == "baseline" else 40  # of a second each
            for step in range(steps):
                now += 1
                progress.step(step + 1, steps)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "4 runs to train (baseline, DAA); 2 more are there already",
        "run 1 of 4 (baseline, seed 0): 25 % of it done; 0:05 gone, about 1:15 to go",  # as if all arms were alike
        "run 2 of 4 (DAA, seed 0): 38 % of it done; 0:35 gone, about 1:25 to go",
        "run 3 of 4 (baseline, seed 1): 25 % of it done; 1:05 gone, about 0:55 to go",
        "run 4 of 4 (DAA, seed 1): 38 % of it done; 1:35 gone, about 0:25 to go",
    ]


def test_a_first_step_that_takes_long_is_no_measure_of_the_rest(capsys):
    now = 0.0
    with StudyProgress(RUNS[:1], clock=lambda: now) as progress:
        progress.begin("baseline", 0)
        for step, seconds in enumerate([20.0, 1.0, 1.0, 1.0]):
            now += seconds
            progress.step(step + 1, 101)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "run 1 of 1 (baseline, seed 0): 3 % of it done; 0:22 gone, about 1:38 to go"
    ]


def test_quiet_or_with_nothing_to_train_nothing_is_said(capsys):
    for runs, quiet in (([], False), (RUNS, True)):
        with StudyProgress(runs, quiet=quiet, clock=lambda: 0.0) as progress:
            if runs:
                progress.begin(*runs[0])
                progress.step(1, 1)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_there_is_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    now = 0.0
    with StudyProgress(RUNS, clock=lambda: now) as progress:
        progress.begin("baseline", 0)
        now = 5.0
        progress.step(1, 4)
        now = 10.0
        progress.step(2, 4)
        assert progress.bar.tasks[0].completed == 0.5
    err = capsys.readouterr().err
    assert "run 1 of 4 (baseline, seed 0)" in err
    assert "about 1:10 to go" in err


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
