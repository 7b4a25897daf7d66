"""What the tool that judges relevances stands on: own captions out of the way, without themselves, in the middle."""

import numpy as np
import pytest

from daa.corpus import CaptionCorpus, Truth
from daa.metrics import average_semantic_precision, map_at_r, r_precision, recall_at_k
from daa.relevance import CiderRelevance, OverlapRelevance, TfidfRelevance
from tools import measure_relevance as tool


@pytest.fixture(scope="module")
def corpus():
    """Thirty images with one to four captions of few words, so that scores tie, and random further matches."""
    rng = np.random.default_rng(2)
    image_of_caption = rng.permutation(np.repeat(np.arange(30), 1 + np.arange(30) % 4))
    words = np.array(["a", "a", "dog", "cat", "red", "runs", "on", "the", "beach"])
    captions = [" ".join(rng.choice(words, 3)) for _ in image_of_caption]
    annotated = np.arange(30)[:, None] == image_of_caption
    more = [annotated | (rng.random(annotated.shape) < 0.1) for _ in range(2)]
    return CaptionCorpus(captions, image_of_caption, truths={name: Truth(*more) for name in ("ECCV", "CxC")})


def test_without_self_is_what_leave_out_self_gives(corpus):
    two_or_more = corpus.select(np.flatnonzero(np.bincount(corpus.image_of_caption) > 1))
    own = (two_or_more.image_of_caption, np.arange(two_or_more.n_captions))
    for kind in (TfidfRelevance, CiderRelevance):
        expected = kind(leave_out_self=True).fit(two_or_more).matrix()[own]
        np.testing.assert_allclose(tool.without_self(kind, two_or_more)["value"], expected, atol=1e-5)
    alone = tool.without_self(lambda: OverlapRelevance("rouge-l"), two_or_more)["value"]
    with_self = OverlapRelevance("rouge-l").fit(two_or_more).matrix()[own]
    assert (alone < with_self - 0.05).mean() > 0.5


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_a_block_equals_the_metrics_on_candidates_cut_out(corpus, direction):
    annotated = corpus.all_truths()["annotated"]
    truths = corpus.all_truths() | {f"{n} extra": tool.extra(corpus.truths[n], annotated) for n in ("ECCV", "CxC")}
    relevances = {"tfidf": TfidfRelevance().fit(corpus), "bleu-1": OverlapRelevance("bleu-1").fit(corpus)}
    alone = {name: np.zeros(corpus.n_captions, np.float32) for name in relevances}
    blind = {name: tool.mean_relevance(relevance) for name, relevance in relevances.items()}
    start, stop = 3, 17
    got = tool.measure_block(relevances, truths, alone, blind, direction, start, stop)

    scores = {name: r.matrix() if direction == "i2t" else r.matrix().T for name, r in relevances.items()}
    mean = scores["tfidf"].mean(axis=0)
    for q in range(start, stop):
        own = annotated.positives_of(direction)[[q]].toarray()[0]
        match = truths["ECCV"].positives_of(direction)[[q]].toarray()[0]
        rows = {name: np.ascontiguousarray(score[q][~own])[None] for name, score in scores.items()}
        if (match & ~own).any():
            row, matches = rows["tfidf"], (match & ~own)[~own][None]
            expected = [metric(row, matches) for metric in (r_precision, map_at_r, recall_at_k)]
            np.testing.assert_allclose(got["extra/tfidf/ECCV extra"][q - start], expected, atol=1e-12)
            first = (row[0][:, None] < row[0]).sum(axis=1) + 1
            size = (row[0][:, None] == row[0]).sum(axis=1)
            share = [np.mean(np.clip(k - first + 1, 0, size)[matches[0]] / size[matches[0]]) for k in (1, 3, 10)]
            np.testing.assert_allclose(got["found/tfidf/ECCV extra"][q - start, :3], share)
        asp = average_semantic_precision(rows["tfidf"], rows["bleu-1"])
        assert got["asp without own/tfidf/bleu-1"][q - start] == pytest.approx(asp, abs=1e-12)
        whole = [np.ascontiguousarray(score[q])[None] for score in scores.values()]
        assert got["asp/tfidf/bleu-1"][q - start] == pytest.approx(average_semantic_precision(*whole), abs=1e-12)
        expected = average_semantic_precision(mean[None].astype(np.float32), whole[0])
        assert got["blind/tfidf"][q - start] == pytest.approx(expected, abs=5e-3)


def test_an_interrupted_run_goes_on(tmp_path):
    calls = []

    def compute(value):
        calls.append(value)
        if value < 0:
            raise KeyboardInterrupt
        return {"a": np.array([value])}

    with pytest.raises(KeyboardInterrupt):
        tool.kept(tmp_path / "x.npz", compute, -1)
    assert list(tmp_path.iterdir()) == []
    for _ in range(2):
        assert tool.kept(tmp_path / "x.npz", compute, 5)["a"].tolist() == [5]
    assert calls == [-1, 5]
