"""`daa score` as a user calls it: what it prints and writes, and how it refuses."""

import json

import numpy as np
import pandas as pd
import pytest

import daa.datasets
from daa import cli
from daa.corpus import CaptionCorpus
from daa.metrics import recall_at_k

IMAGE_OF_CAPTION = np.repeat(np.arange(4), 3)
SCORES = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)


@pytest.fixture
def score(monkeypatch, capsys, tmp_path):
    """Runs `daa score` on four images with three captions each; gives exit code, stdout and stderr."""
    corpus = CaptionCorpus(
        captions=[
            f"a {thing} {place}" for thing in ("dog", "cat", "cow", "car") for place in ("here", "there", "away")
        ],
        image_of_caption=IMAGE_OF_CAPTION,
        name="toy",
    )
    monkeypatch.setattr(daa.datasets, "load_corpus", lambda name, split=None, root=None: corpus)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["daa", "score", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return run


def test_prints_the_table_and_writes_the_json(score, tmp_path):
    np.save(tmp_path / "mine.npy", SCORES)
    code, out, err = score("--scores", "mine.npy", "--relevance", "tfidf", "--json", "out.json")
    assert code == 0, err
    report = json.loads((tmp_path / "out.json").read_text())
    assert "mine on toy" in out
    assert "tfidf" in out
    value = next(m["value"] for m in report["measurements"] if (m["metric"], m["direction"]) == ("R@1", "t2i"))
    assert value == recall_at_k(SCORES, IMAGE_OF_CAPTION, direction="t2i")
    assert f"{100 * value:.1f}" in out
    assert report["provenance"]["versions"]["numpy"] == np.__version__


def test_a_transposed_matrix_is_turned_and_says_so(score, tmp_path):
    np.save(tmp_path / "i2t.npy", SCORES)
    np.save(tmp_path / "t2i.npy", SCORES.T)
    _, expected, _ = score("--scores", "i2t.npy", "--relevance", "none", "--name", "x")
    code, out, err = score("--scores", "t2i.npy", "--relevance", "none", "--name", "x")
    assert (code, out) == (0, expected)
    assert "transposed" in err


def test_two_systems_side_by_side_in_every_format(score, tmp_path):
    np.save(tmp_path / "one.npy", SCORES)
    np.save(tmp_path / "two.npy", SCORES + 3 * (IMAGE_OF_CAPTION[None] == np.arange(4)[:, None]))
    formats = {kind: f"out.{kind}" for kind in ("json", "csv", "markdown", "latex", "html")}
    options = [word for kind, file in formats.items() for word in (f"--{kind}", file)]
    code, out, err = score("--scores", "one.npy", "--scores", "two.npy", "--relevance", "tfidf", *options)
    assert code == 0, err
    assert "one" in out
    assert "two" in out
    texts = {kind: (tmp_path / file).read_text() for kind, file in formats.items()}
    assert [report["name"] for report in json.loads(texts["json"])["reports"]] == ["one", "two"]
    frame = pd.read_csv(tmp_path / "out.csv")
    assert set(frame.system) == {"one", "two"}
    assert texts["markdown"].startswith("| judged by")
    assert "\\toprule" in texts["latex"]
    assert texts["html"].startswith("<!DOCTYPE html>")
    value = recall_at_k(SCORES, IMAGE_OF_CAPTION, 5)
    row = frame[(frame.system == "one") & (frame.metric == "R@5") & (frame.direction == "i2t")]
    assert row.value.item() == pytest.approx(value)


def test_embeddings_instead_of_a_matrix(score, tmp_path):
    generator = np.random.default_rng(1)
    images, captions = generator.normal(size=(4, 8)), generator.normal(size=(12, 8)).astype(np.float16)
    np.save(tmp_path / "i.npy", images)
    np.save(tmp_path / "c.npy", captions)
    options = ["--images", "i.npy", "--captions", "c.npy", "--relevance", "none", "--json", "out.json", "--intervals"]
    code, _, err = score(*options, "--similarity", "dot")
    assert code == 0, err
    measurements = json.loads((tmp_path / "out.json").read_text())["measurements"]
    one = next(m for m in measurements if (m["metric"], m["direction"]) == ("R@5", "t2i"))
    assert one["value"] == recall_at_k(images @ captions.T.astype(float), IMAGE_OF_CAPTION, 5, direction="t2i")
    assert one["low"] <= one["value"] <= one["high"]


def with_nan():
    scores = SCORES.copy()
    scores[1, 2] = np.nan
    return scores


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (None, [], "scores: there is no file bad.npy"),
        (SCORES[:, :5], [], "scores: expected [4 images, 12 captions], got shape (4, 5)"),
        (SCORES.T, ["--orientation", "i2t"], "it looks transposed"),
        (with_nan(), [], "scores: expected finite numbers, got nan at image 1, caption 2"),
        (SCORES.astype(int), [], "scores: expected floating-point numbers, got int64"),
        (SCORES, ["--relevance", "nonsense"], "nonsense"),
        (SCORES, ["--folds", "3"], "fold_size: expected a divisor"),
        (SCORES, ["--images", "bad.npy"], "--scores: expected --scores FILE, or both --images"),
        (SCORES, ["--images", "bad.npy", "--captions", "bad.npy"], "--scores: expected --scores FILE, or both"),
        (SCORES, ["--name", "a", "--name", "b"], "--name: expected 1, one a system, got 2"),
        (SCORES, ["--scores", "bad.npy"], "--name: expected distinct names for the systems, got bad, bad"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_nothing_is_written(score, tmp_path, scores, options, message):
    if scores is not None:
        np.save(tmp_path / "bad.npy", scores)
    before = sorted(tmp_path.iterdir())
    default = [] if "--relevance" in options else ["--relevance", "none"]
    code, out, err = score("--scores", "bad.npy", "--json", "out.json", *default, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
