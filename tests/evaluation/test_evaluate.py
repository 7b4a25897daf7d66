import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation import Report, compare, evaluate
from daa.metrics import average_semantic_precision, map_at_r, r_precision, recall_at_k

N_IMAGES, N_CAPTIONS = 6, 14
GENERATOR = np.random.default_rng(0)
SCORES = GENERATOR.normal(size=(N_IMAGES, N_CAPTIONS)).astype(np.float32)
SEMANTIC = GENERATOR.random((N_IMAGES, N_CAPTIONS)).astype(np.float32)


@pytest.fixture(scope="module")
def corpus():
    generator = np.random.default_rng(1)
    image_of_caption = np.concatenate([np.arange(N_IMAGES), generator.integers(0, N_IMAGES, N_CAPTIONS - N_IMAGES)])
    own = image_of_caption[None] == np.arange(N_IMAGES)[:, None]
    images, captions = (np.arange(N_IMAGES) < 2)[:, None], np.arange(N_CAPTIONS) < 3
    some = Truth(sparse.csr_array(own & images), sparse.csr_array(own & captions))
    return CaptionCorpus(
        captions=[f"caption <{c}>" for c in range(N_CAPTIONS)],
        image_of_caption=image_of_caption,
        positives=own | (generator.random(own.shape) < 0.2),
        truths={"verified": some},
        name="toy",
    )


class Semantic:
    name = "semantic"

    def matrix(self):
        return SEMANTIC


@pytest.fixture(scope="module")
def report(corpus):
    return evaluate(SCORES, corpus, Semantic(), name="a <b> | c", fold_size=3)


def test_every_number_equals_the_metric_called_by_itself(report, corpus):
    for name, truth in corpus.all_truths().items():
        recalls = 0.0
        for direction in ("i2t", "t2i"):
            assert report.value("mAP@R", name, direction) == map_at_r(SCORES, truth, direction=direction)
            assert report.value("R-Precision", name, direction) == r_precision(SCORES, truth, direction=direction)
            for k in (1, 5, 10):
                recall = recall_at_k(SCORES, truth, k, direction=direction)
                assert report.value(f"R@{k}", name, direction) == recall
                recalls += recall
        assert report.value("rsum", name, "both") == pytest.approx(recalls)
    for direction in ("i2t", "t2i"):
        asp = average_semantic_precision(SCORES, SEMANTIC, direction=direction)
        assert report.value("ASP", "semantic", direction) == asp


def test_folds_are_averages_over_blocks_of_images_with_their_captions(report, corpus):
    values = {"ASP": [], "R@1": []}
    for start in (0, 3):
        images = slice(start, start + 3)
        captions = np.flatnonzero(np.isin(corpus.image_of_caption, range(start, start + 3)))
        scores, semantic = SCORES[images][:, captions], SEMANTIC[images][:, captions]
        values["ASP"].append(average_semantic_precision(scores, semantic, direction="t2i"))
        values["R@1"].append(recall_at_k(scores, corpus.image_of_caption[captions] - start, 1, direction="t2i"))
    for metric, truth in (("ASP", "semantic"), ("R@1", "annotated")):
        assert report.value(metric, truth, "t2i", gallery="2 x 3") == pytest.approx(np.mean(values[metric]))


def test_the_frame_is_tidy(report, corpus):
    frame = report.to_frame()
    assert {"metric", "truth", "direction", "value"} <= set(frame.columns)
    assert not frame.duplicated(["metric", "truth", "direction", "gallery"]).any()
    assert set(frame.truth) == {"annotated", "exhaustive", "verified", "semantic"}
    chance = frame[frame.metric == "ASP"].set_index(["gallery", "direction"]).chance
    assert chance["all", "i2t"] == (N_CAPTIONS + 1) / (2 * N_CAPTIONS)
    assert chance["all", "t2i"] == (N_IMAGES + 1) / (2 * N_IMAGES)
    verified = frame[(frame.truth == "verified") & (frame.metric == "R@1")].set_index("direction").n_queries
    assert verified.to_dict() == {"i2t": 2, "t2i": 3}  # only the queries that have a positive count


def test_json_keeps_everything_but_the_per_query_values(report, tmp_path):
    text = report.to_json(tmp_path / "report.json")
    assert json.loads(text) == json.loads((tmp_path / "report.json").read_text())
    for source in (text, tmp_path / "report.json", str(tmp_path / "report.json")):
        again = Report.from_json(source)
        assert again.measurements == report.measurements
        assert (again.name, again.corpus, again.settings) == (report.name, report.corpus, report.settings)
        assert again.to_markdown() == report.to_markdown()


@pytest.mark.parametrize("text", ["{", "{}", '{"format": "something else"}'])
def test_json_that_is_no_report_is_refused(text):
    with pytest.raises(ValueError, match="report: expected JSON"):
        Report.from_json(text)


def test_tables_print_percent_with_chance_beside_asp_and_escape_names(report):
    markdown = report.to_markdown()
    row = next(line for line in markdown.splitlines() if line.startswith("| all | semantic | ASP"))
    asp = {d: f"{100 * report.value('ASP', 'semantic', d):.1f}" for d in ("i2t", "t2i")}
    assert row == f"| all | semantic | ASP | {asp['i2t']} | {asp['t2i']} |  | 53.6 / 58.3 |"
    html = report._repr_html_()
    assert "a &lt;b&gt; | c" in html
    assert "<b>" not in html
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(report)
    printed = console.export_text()
    assert "a <b> | c on toy" in printed
    assert asp["i2t"] in printed


def test_forms_of_relevance(corpus):
    expected = evaluate(SCORES, corpus, Semantic()).value("ASP", "semantic", "i2t")
    for relevance in ([Semantic()], {"semantic": SEMANTIC}, {"semantic": torch.from_numpy(SEMANTIC), "b": Semantic()}):
        assert evaluate(torch.from_numpy(SCORES), corpus, relevance).value("ASP", "semantic", "i2t") == expected
    assert "ASP" not in set(evaluate(SCORES, corpus).to_frame().metric)


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("scores", "relevance", "options", "message"),
    [
        (SCORES.T, None, {}, r"scores: expected \[6 images, 14 captions\] like the corpus toy.*transposed"),
        (SCORES[:, :3], None, {}, r"scores: expected .* got shape \(6, 3\)"),
        (SCORES, SEMANTIC, {}, "relevance: .* an ASP has to name its relevance"),
        (SCORES, [Semantic(), Semantic()], {}, "relevance: expected distinct names"),
        (SCORES, {"x": SEMANTIC.T}, {}, "relevance x: .*transposed"),
        (SCORES, {"x": SEMANTIC * np.nan}, {}, "relevance x: expected finite numbers, got nan at image 0, caption 0"),
        (SCORES, None, {"fold_size": 4}, "fold_size: expected a divisor"),
        (SCORES, None, {"hit_ties": "average"}, "ties: expected one of"),
        (SCORES, {"x": SEMANTIC}, {"asp_ties": "optimistic"}, "ties: expected one of"),
    ],
)
def test_bad_input_is_refused(corpus, scores, relevance, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(scores, corpus, relevance, **options)


def test_an_unknown_number_is_refused_with_what_there_is(report):
    with pytest.raises(ValueError, match=r"no R@2 by annotated.*R@1 by annotated"):
        report.value("R@2", "annotated", "i2t")


def test_a_report_says_which_truths_rank_judged_pairs_only(tmp_path):
    judged = np.array([[1, 1, 0], [0, 1, 1]], dtype=bool)
    matches = np.array([[1, 0, 0], [0, 1, 1]], dtype=bool)
    truths = {"crowd": Truth(matches), "crowd (judged)": Truth.among_judged(matches, judged)}
    corpus = CaptionCorpus(captions=["a", "b", "c"], image_of_caption=[0, 1, 1], truths=truths)
    scores = np.array([[0.2, 0.1, 0.9], [0.0, 0.3, 0.4]])
    report = evaluate(scores, corpus)
    assert report.value("R@1", "crowd", "i2t") == 0.5
    assert report.value("R@1", "crowd (judged)", "i2t") == 1.0  # caption c was not judged for image 0
    assert [one.n_queries for one in report.measurements if one.truth == "crowd (judged)" and one.metric == "R@1"] == [
        1, 1,
    ]  # fmt: skip
    report.to_json(tmp_path / "r.json")
    for one in (report, Report.from_json(tmp_path / "r.json"), compare([report, replace(report, name="other")])):
        assert "By crowd (judged), a query ranks only the candidates judged for it" in one.table.footnote
    assert "among_judged" not in evaluate(scores, replace(corpus, truths={})).settings
