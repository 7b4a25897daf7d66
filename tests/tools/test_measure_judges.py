"""People's ratings as judges of relevance: how they are read and correlated, what was stored, and that recomputed."""

import json

import numpy as np
import pytest
from scipy import stats

from daa.corpus import CaptionCorpus, Truth
from daa.datasets import load_corpus
from daa.names import RELEVANCES
from daa.relevance import relevance_by_name
from tools import measure_judges as tool


@pytest.fixture(scope="module")
def stored():
    return json.loads(tool.RESULT.read_text())


@pytest.fixture(scope="module")
def coco(real_data):
    return load_corpus("coco-5k", root=real_data)


@pytest.fixture(scope="module")
def cxc(real_data, coco):
    if not (real_data / "cxc" / "sts_test.csv").is_file():
        pytest.skip("DAA_DATA has no cxc/sts_test.csv: no ratings of CxC to test with")
    return tool.read_cxc(real_data / "cxc", coco)


@pytest.fixture(scope="module")
def flickr(real_data):
    if not (real_data / "flickr8k" / "Flickr8k_text" / tool.EXPERTS).is_file():
        pytest.skip("DAA_DATA has no flickr8k/Flickr8k_text: no ratings of Flickr8k to test with")
    corpus = load_corpus("flickr8k", split="test", root=real_data / "flickr8k")
    return corpus, tool.read_flickr8k(real_data / "flickr8k", corpus)


@pytest.fixture
def small():
    rng = np.random.default_rng(0)
    words = np.array(["dog", "cat", "red", "runs", "on", "beach", "ball"])
    image_of_caption = rng.permutation(np.repeat(np.arange(9), 2 + np.arange(9) % 3))
    captions = [" ".join(rng.choice(words, 3 + k % 4)) for k in range(len(image_of_caption))]
    return CaptionCorpus(captions, image_of_caption)


class TestCorrelate:
    @pytest.mark.parametrize("seed", range(20))
    def test_pairs_that_count_several_times_are_pairs_repeated(self, seed):
        rng = np.random.default_rng(seed)
        values, ratings = rng.integers(0, 12, 40) / 7, rng.integers(0, 5, 40).astype(float)
        weight = rng.integers(0, 4, 40)
        x, y = np.repeat(values, weight), np.repeat(ratings, weight)
        expected = [stats.spearmanr(x, y)[0], stats.kendalltau(x, y)[0], stats.kendalltau(x, y, variant="c")[0]]
        np.testing.assert_allclose(tool.Order.of(values, ratings)(weight.astype(float)), expected, rtol=1e-12)

    def test_each_rater_is_a_row(self):
        rng = np.random.default_rng(0)
        values, ratings = rng.integers(0, 9, 50), rng.integers(1, 5, (50, 3))
        expected = stats.kendalltau(np.repeat(values, 3), ratings.ravel(), variant="c")[0]
        assert tool.Order.of(values, ratings)(np.ones(50))[2] == pytest.approx(expected, rel=1e-12)

    def test_nothing_to_correlate_is_no_number(self):
        assert np.isnan(tool.Order.of(np.ones(5), np.arange(5.0))(np.ones(5))).all()


def test_a_pair_counts_as_often_as_its_two_images_were_drawn():
    units = np.array([[0, 0], [0, 1], [1, 2], [2, 2]])
    assert tool.weights_of(np.array([3.0, 2.0, 0.0]), units).tolist() == [3, 6, 0, 0]


def test_own_captions_are_compared_with_the_image_s_others(small):
    captions, images = (grid.ravel() for grid in np.mgrid[: small.n_captions, : small.n_images])
    for name in ("cider", "tfidf"):
        values = tool.of_image_pairs(lambda name=name: relevance_by_name(name), small, captions, images)
        expected = relevance_by_name(name, leave_out_self=True).fit(small).matrix()[images, captions]
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


def test_captions_are_compared_both_ways(small):
    first, second = np.array([0, 5, 3]), np.array([7, 2, 3])
    values = tool.of_caption_pairs(lambda: relevance_by_name("bleu-1"), small, first, second)
    for a, b, value in zip(first, second, values, strict=True):
        both = [
            relevance_by_name("bleu-1")
            .fit(CaptionCorpus([small.captions[x], small.captions[y]], [0, 1]))
            .matrix()[0, 1]
            for x, y in ((a, b), (b, a))
        ]
        assert value == pytest.approx(np.mean(both), rel=1e-5)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_pairs_above_a_threshold_are_counted_as_one_by_one(small, direction):
    rng = np.random.default_rng(1)
    own = Truth(small.annotated)
    truth = Truth(*(small.annotated.toarray() | (rng.random(small.annotated.shape) < 0.2) for _ in range(2)))
    relevance = relevance_by_name("tfidf").fit(small)
    matrix, positives = relevance.matrix(), (truth.i2t if direction == "i2t" else truth.t2i).toarray()
    counts = tool.above_threshold(relevance, truth, own, direction, 0.3)
    for row, query in enumerate(counts["queries"]):
        pairs = [
            (i, c)
            for i in range(small.n_images)
            for c in range(small.n_captions)
            if (i if direction == "i2t" else c) == query and small.image_of_caption[c] != i
        ]
        above = [pair for pair in pairs if matrix[pair] > 0.3]
        assert counts["above"][row] == len(above)
        assert counts["hits"][row] == sum(positives[pair] for pair in above)
        assert counts["matches"][row] == sum(positives[pair] for pair in pairs)
    as_many = tool.above_threshold(relevance, truth, own, direction, None, int(counts["above"].sum()))
    assert 0 < as_many["above"].sum() <= counts["above"].sum()


def test_places_say_how_many_tie():
    first, tied = tool.places_of(np.array([[3.0, 1.0, 3.0, 2.0]]), np.zeros(3, int), np.array([0, 3, 1]))
    assert first.tolist() == [1, 3, 4]
    assert tied.tolist() == [2, 1, 1]


class TestReading:
    def test_a_pair_of_other_captions_is_named_by_its_line(self, tmp_path):
        corpus = CaptionCorpus(["a", "b"], [0, 1], image_ids=[7, 8], caption_ids=[1, 2])
        (tmp_path / "sts_test.csv").write_text(
            "caption1,caption2,agg_score,sampling_method\n"
            "COCO_val2014:sentid:1,COCO_val2014:sentid:2,1.5,c2c_isim\n"
            "COCO_val2014:sentid:1,COCO_val2014:sentid:9,1.5,c2c_isim\n"
        )
        with pytest.raises(ValueError, match=r"sts_test.csv, line 3: expected one of COCO 5K, got 'COCO.*:9'"):
            tool.read_cxc(tmp_path, corpus)

    def test_a_missing_file_says_where_it_is_from(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"sts_test.csv: no such file.*Crisscrossed-Captions"):
            tool.read_cxc(tmp_path, CaptionCorpus(["a", "b"], [0, 1], image_ids=[7, 8], caption_ids=[1, 2]))

    def test_own_captions_are_left_out_of_the_experts_and_broken_lines_of_the_crowd(self, tmp_path):
        corpus = CaptionCorpus(["a", "b"], [0, 1], image_ids=["x.jpg", "y.jpg"], caption_ids=["x.jpg#2", "y.jpg#2"])
        (tmp_path / tool.EXPERTS).write_text("x.jpg\tx.jpg#2\t4\t4\t4\nx.jpg\ty.jpg#2\t1\t2\t1\n")
        (tmp_path / tool.CROWD).write_text(
            "x.jpg\tx.jpg#2\t1\t3\t0\nx.jpg\ty.jpg#2\t.25\t1\t3\nx.jpg\t\t\nx.jpg\ty.jpg\t1\t1\tno\n"
        )
        rated = tool.read_flickr8k(tmp_path, corpus)
        assert rated["expert"].ratings.tolist() == [[1, 2, 1]]
        assert rated["expert"].units.tolist() == [[1, 0]]
        assert rated["crowd"].ratings.tolist() == [1, 0.25]
        assert rated["crowd"].parts["foreign"].tolist() == [False, True]


class TestStored:
    def test_every_relevance_is_judged(self, stored):
        names = {*RELEVANCES, "cider-d+bleu-4+rouge-l", "sentence", "sentence-max"} - set(stored["left out"])
        tables = [part["relevances"] for task in ("sts", "sits") for part in stored["cxc"][task].values()]
        tables += [stored["flickr8k"]["expert"]["relevances"], stored["flickr8k"]["crowd"]["all"]["relevances"]]
        assert all(table.keys() == names for table in tables)
        assert stored["flickr8k"]["found"]["relevances"].keys() == names - {"meteor"}

    def test_every_interval_holds_its_number(self, stored):
        found = 0

        def look(at):
            nonlocal found
            if isinstance(at, dict):
                for one in at.values():
                    look(one)
            elif isinstance(at, list) and len(at) == 3 and all(isinstance(x, float) for x in at):
                found += 1
                assert at[1] - 1e-3 <= at[0] <= at[2] + 1e-3

        for judge in ("cxc", "eccv", "flickr8k"):
            look(stored[judge])
        assert found > 200

    def test_the_numbers_are_those_of_the_book(self, stored):
        sts, sits = (stored["cxc"][task] for task in ("sts", "sits"))
        assert sts["all"]["relevances"]["cider"]["spearman"][0] == pytest.approx(0.632, abs=5e-4)
        assert sits["all"]["relevances"]["cider"]["spearman"][0] == pytest.approx(0.481, abs=5e-4)
        assert sits["c2i_intrasim"]["relevances"]["cider"]["spearman"][0] == pytest.approx(0.565, abs=5e-4)
        unlike = stored["cxc"]["unlike though accepted"]
        assert (unlike["pairs"], round(unlike["share"][0], 2)) == (5579, 0.34)
        at = next(step for step in stored["eccv"]["i2t"]["tfidf"] if step["threshold"] == 0.25)
        assert (round(at["precision"][0], 3), round(at["recall"][0], 2)) == (0.073, 0.28)
        expert = stored["flickr8k"]["expert"]
        assert 3 * expert["pairs"] == 16_992
        assert expert["relevances"]["cider"]["tau-c"][0] == pytest.approx(0.441, abs=1e-3)


class TestAgain:
    """What takes seconds: the point values of fast relevances, and one interval."""

    NAMES = ("tfidf", "cider", "cider-d", "bleu-4", "rouge-l")

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("task", ["sts", "sits"])
    def test_cxc(self, stored, coco, cxc, task, name):
        rated, of = cxc[task], {"sts": tool.of_caption_pairs, "sits": tool.of_image_pairs}[task]
        values = of(lambda: relevance_by_name(name), coco, rated.first, rated.second)
        for part, among in rated.parts.items():
            row = stored["cxc"][task][part]
            assert row["pairs"] == among.sum()
            got = tool.Order.of(values[among], rated.ratings[among])(np.ones(among.sum()))
            for k, kind in enumerate(("spearman", "tau-b")):
                # Another processor may round the last bits of a relevance otherwise.
                assert got[k] == pytest.approx(row["relevances"][name][kind][0], abs=1e-4)
        if (task, name) == ("sits", "cider"):
            drawn = np.concatenate(list(tool.draws(coco.n_images, stored["interval"]["resamples"], tool.SEED)))
            again = tool.unlike_though_accepted(values, rated, drawn)
            assert again["pairs"] == stored["cxc"]["unlike though accepted"]["pairs"]
            assert again["share"] == pytest.approx(stored["cxc"]["unlike though accepted"]["share"], abs=1e-3)

    @pytest.mark.parametrize("name", NAMES)
    def test_flickr8k(self, stored, flickr, name):
        corpus, rated = flickr
        for judge, kind, part in (("expert", "tau-c", "all"), ("crowd", "tau-b", "all"), ("crowd", "tau-b", "foreign")):
            pairs = rated[judge]
            among = pairs.parts[part]
            values = tool.of_image_pairs(
                lambda: relevance_by_name(name), corpus, pairs.first[among], pairs.second[among]
            )
            row = stored["flickr8k"][judge] if judge == "expert" else stored["flickr8k"][judge][part]
            assert row["pairs"] == len(values)
            got = tool.Order.of(values, pairs.ratings[among])(np.ones(len(values)))[tool.KINDS.index(kind)]
            assert got == pytest.approx(row["relevances"][name][kind][0], abs=1e-4)

    def test_the_intervals_of_the_experts(self, stored, flickr):
        corpus, rated = flickr
        pairs, names = rated["expert"], ("tfidf", "cider")
        values = {
            name: tool.of_image_pairs(lambda name=name: relevance_by_name(name), corpus, pairs.first, pairs.second)
            for name in names
        }
        drawn = np.concatenate(list(tool.draws(corpus.n_images, stored["interval"]["resamples"], tool.SEED)))
        again = tool.correlations(values, pairs, drawn, "experts", ("tau-c", "tau-b"))["all"]["relevances"]
        for name in names:
            before = stored["flickr8k"]["expert"]["relevances"][name]
            assert again[name].keys() == before.keys()
            for key, value in again[name].items():
                assert value == pytest.approx(before[key], abs=5e-4)
        agree = tool.experts_agree(pairs, drawn)
        assert agree == pytest.approx(stored["flickr8k"]["an expert by the two others"], abs=1e-5)

    def test_the_photos_that_the_crowd_accepts(self, stored, flickr):
        corpus, _ = flickr
        drawn = np.concatenate(list(tool.draws(corpus.n_images, stored["interval"]["resamples"], tool.SEED)))
        again = tool.found_by_crowd({"tfidf": lambda: relevance_by_name("tfidf")}, corpus, drawn)
        before = stored["flickr8k"]["found"]
        assert {key: again[key] for key in ("captions", "photos")} == {
            key: before[key] for key in ("captions", "photos")
        }
        for key, value in again["relevances"]["tfidf"].items():
            assert value == pytest.approx(before["relevances"]["tfidf"][key], abs=1e-3)

    @pytest.mark.parametrize("direction", ["i2t", "t2i"])
    def test_pairs_above_the_threshold(self, stored, coco, direction):
        own = coco.all_truths()["annotated"]
        tfidf = relevance_by_name("tfidf").fit(coco)
        counts = tool.above_threshold(tfidf, coco.truths["ECCV"], own, direction, tool.THRESHOLD)
        at = next(step for step in stored["eccv"][direction]["tfidf"] if step["threshold"] == tool.THRESHOLD)
        image_of = np.arange(coco.n_images) if direction == "i2t" else coco.image_of_caption
        drawn = np.concatenate(list(tool.draws(coco.n_images, stored["interval"]["resamples"], tool.SEED)))
        again = tool.shares_above(counts, image_of, drawn)
        assert again["pairs"] == pytest.approx(at["pairs"], abs=3)
        for share in ("precision", "recall"):
            assert again[share] == pytest.approx(at[share], abs=5e-4)
