"""`daa score` as a user calls it: what it prints and writes, and how it refuses."""

import errno
import io
import json
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest

import daa.datasets
from daa.corpus import CaptionCorpus
from daa.evaluation import Report
from daa.metrics import recall_at_k
from daa.similarity import ensemble
from tests.command import call

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

    return partial(call, monkeypatch, capsys, "score")


def test_prints_the_table_and_writes_the_json(score, tmp_path):
    np.save(tmp_path / "mine.npy", SCORES)
    code, out, err = score("--scores", "mine.npy", "--relevance", "tfidf", "--out", "out.json")
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
    formats = {kind: f"out.{kind}" for kind in ("json", "csv", "md", "tex", "html")}
    options = [word for file in formats.values() for word in ("--out", file)]
    code, out, err = score("--scores", "one.npy", "--scores", "two.npy", "--relevance", "tfidf", *options)
    assert code == 0, err
    assert "one" in out
    assert "two" in out
    texts = {kind: (tmp_path / file).read_text() for kind, file in formats.items()}
    assert [report["name"] for report in json.loads(texts["json"])["reports"]] == ["one", "two"]
    frame = pd.read_csv(tmp_path / "out.csv")
    assert set(frame.system) == {"one", "two"}
    assert texts["md"].startswith("| judged by")
    assert "\\toprule" in texts["tex"]
    assert texts["html"].startswith("<!DOCTYPE html>")
    value = recall_at_k(SCORES, IMAGE_OF_CAPTION, 5)
    row = frame[(frame.system == "one") & (frame.metric == "R@5") & (frame.direction == "i2t")]
    assert row.value.item() == pytest.approx(value)


def test_what_the_former_options_write_is_the_same(score, tmp_path):
    """`--json` and its kin stay for one version."""
    np.save(tmp_path / "one.npy", SCORES)
    former = [("json", "json"), ("csv", "csv"), ("markdown", "md"), ("latex", "tex")]
    old = [word for option, kind in former for word in (f"--{option}", f"old.{kind}")]
    new = [word for _, kind in former for word in ("--out", f"new.{kind}")]
    code, _, err = score("--scores", "one.npy", "--relevance", "none", *old, *new, "--out", "md:table.txt")
    assert code == 0, err
    for _, kind in former:
        assert (tmp_path / f"old.{kind}").read_bytes() == (tmp_path / f"new.{kind}").read_bytes()
    assert (tmp_path / "table.txt").read_bytes() == (tmp_path / "new.md").read_bytes()
    assert "--json" not in score("--help")[1]


def test_the_mean_of_two_systems_is_one_more(score, tmp_path):
    saf, sgr = np.random.default_rng(3).random((2, 4, 12)).astype(np.float32)
    np.save(tmp_path / "saf.npy", saf)
    np.save(tmp_path / "sgr.npy", sgr.T)
    np.save(tmp_path / "sgraf.npy", ensemble(saf, sgr))
    options = ["--relevance", "tfidf", "--folds", 2, "--out", "page.html", "--out"]
    names = [word for name in ("SAF", "SGR", "SGRAF") for word in ("--name", name)]
    code, out, err = score("--scores", "saf.npy", "--scores", "sgr.npy", "--ensemble", *names, *options, "both.json")
    assert code == 0, err
    assert "SGRAF" in out
    assert score("--scores", "sgraf.npy", "--no-floors", *options, "alone.json")[0] == 0
    reports = json.loads((tmp_path / "both.json").read_text())["reports"]
    assert [report["name"] for report in reports] == ["SAF", "SGR", "SGRAF"]
    expected = json.loads((tmp_path / "alone.json").read_text())["measurements"]
    assert reports[2]["measurements"] == expected
    assert reports[0]["measurements"] != expected


def test_what_was_computed_is_shown_if_it_cannot_be_written_and_written_if_nobody_reads(score, tmp_path, monkeypatch):
    np.save(tmp_path / "one.npy", SCORES)
    options = ["--scores", "one.npy", "--relevance", "none", "--out", "out.csv", "--out", "out.md"]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Report, "to_markdown", full)
        code, out, err = score(*options)
    assert (code, err) == (2, "error: No space left on device\n")
    assert "one on toy" in out
    (tmp_path / "out.csv").unlink()
    monkeypatch.setattr("daa.cli.score.show", full)
    assert score(*options)[0] == 2
    assert (tmp_path / "out.csv").exists()


def test_swapped_embeddings(score, tmp_path):
    np.save(tmp_path / "i.npy", np.ones((4, 2), np.float32))
    np.save(tmp_path / "c.npy", np.ones((12, 2), np.float32))
    code, _, err = score("--images", "c.npy", "--captions", "i.npy")
    assert code == 2
    assert err == (
        "error: --images, --captions: expected 4 and 12 rows like the corpus toy, got 12 and 4; they look swapped\n"
    )


def test_embeddings_instead_of_a_matrix(score, tmp_path):
    generator = np.random.default_rng(1)
    images, captions = generator.normal(size=(4, 8)), generator.normal(size=(12, 8)).astype(np.float16)
    np.save(tmp_path / "i.npy", images)
    np.save(tmp_path / "c.npy", captions)
    options = ["--images", "i.npy", "--captions", "c.npy", "--relevance", "none", "--out", "out.json", "--intervals"]
    code, _, err = score(*options, "--similarity", "dot")
    assert code == 0, err
    measurements = json.loads((tmp_path / "out.json").read_text())["measurements"]
    one = next(m for m in measurements if (m["metric"], m["direction"]) == ("R@5", "t2i"))
    assert one["value"] == recall_at_k(images @ captions.T.astype(float), IMAGE_OF_CAPTION, 5, direction="t2i")
    assert one["low"] <= one["value"] <= one["high"]


def test_your_own_captions(score, tmp_path):
    np.save(tmp_path / "mine.npy", SCORES)
    (tmp_path / "caps.txt").write_text("".join(f"a {word}\n" for word in "abcdefghijkl"))
    (tmp_path / "ids.txt").write_text("".join(f"image {i}\n" for i in IMAGE_OF_CAPTION))
    tables = []
    for options in (["--captions-per-image", 3], ["--image-ids", "ids.txt"]):
        code, out, err = score("--scores", "mine.npy", "--relevance", "none", "--caption-file", "caps.txt", *options)
        assert code == 0, err
        assert "mine on caps: 4 images, 12 captions" in out
        tables.append(out)
    assert tables[0] == tables[1]


def test_estimates_from_random_queries(score, tmp_path):
    np.save(tmp_path / "one.npy", SCORES)
    options = ["--queries", 5, "--seed", 2, "--relevance", "tfidf", "--out", "out.csv", "--out", "out.html"]
    code, out, err = score("--scores", "one.npy", *options)
    assert code == 0, err
    assert "4 of 4 images (i2t)" in " ".join(out.split())
    frame = pd.read_csv(tmp_path / "out.csv").set_index(["metric", "truth", "direction"])
    assert frame.standard_error["R@1", "annotated", "i2t"] == 0
    assert frame.standard_error["ASP", "tfidf", "t2i"] > 0
    assert frame.n_queries["ASP", "tfidf", "t2i"] == 5
    assert "best queries" in (tmp_path / "out.html").read_text()


def test_in_other_processes_and_on_a_cluster_the_numbers_are_the_same(score, tmp_path):
    from distributed import LocalCluster

    np.save(tmp_path / "one.npy", SCORES)
    np.save(tmp_path / "two.npy", SCORES**3)
    options = ["--scores", "one.npy", "--scores", "two.npy", "--relevance", "tfidf", "--relevance", "cider-d"]
    options += ["--ensemble"]
    expected = score(*options, "--out", "local.json")
    assert expected[0] == 0, expected
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0") as cluster:
        address = ["--scheduler", cluster.scheduler_address]
        assert score(*options, "--json", "engine.json", "--engine", "dask", *address)[:2] == expected[:2]
        assert score(*options, "--out", "dask.json", *address)[:2] == expected[:2]
    assert score(*options, "--out", "workers.json", "--workers", 2)[:2] == expected[:2]
    for where in ("engine", "dask", "workers"):
        assert (tmp_path / f"{where}.json").read_text() == (tmp_path / "local.json").read_text()


def test_a_square_matrix_is_taken_as_images_by_captions_and_says_so(score, tmp_path):
    np.save(tmp_path / "square.npy", SCORES[:, :4])
    (tmp_path / "caps.txt").write_text("a\nb\nc\nd\n")
    own = ["--caption-file", "caps.txt", "--captions-per-image", 1, "--relevance", "none"]
    code, rows, err = score("--scores", "square.npy", *own)
    assert (code, err) == (
        0,
        "--scores square.npy: square; rows are taken as images, unless --orientation t2i\n",
    )
    assert score("--scores", "square.npy", *own, "--orientation", "t2i")[1] != rows


def with_bad(value):
    scores = SCORES.copy()
    scores[1, 2] = value
    return scores


def file_of(scores):
    file = io.BytesIO()
    np.save(file, scores, allow_pickle=True)
    return file.getvalue()


UNREADABLE = "--scores: bad.npy is not a readable .npy file of plain numbers, it may be cut short or hold Python"
OWN = ["--caption-file", "caps.txt", "--image-ids", "ids.txt"]


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (None, [], "--scores: there is no file bad.npy"),
        (SCORES[:, :5], [], "--scores bad.npy: expected [4 images, 12 captions] like the corpus toy, got shape (4, 5)"),
        (SCORES.T, ["--orientation", "i2t"], "it looks transposed"),
        (with_bad(np.nan), [], "--scores bad.npy: expected finite numbers, got nan at image 1, caption 2"),
        (
            with_bad(-np.inf),
            ["--queries", "3"],
            "--scores bad.npy: expected finite numbers, got -inf at image 1",
        ),
        (file_of(SCORES)[:-9], [], UNREADABLE),
        (file_of(np.array([[print]], dtype=object)), [], UNREADABLE),
        (pickle.dumps(SCORES), [], UNREADABLE),
        (SCORES.astype(int), [], "--scores bad.npy: expected floating-point numbers, got int64"),
        (SCORES, ["--relevance", "nonsense"], "nonsense"),
        (SCORES, ["--folds", "3"], "--folds: expected a divisor"),
        (SCORES, ["--images", "bad.npy"], "--scores: expected --scores FILE, or both --images"),
        (SCORES, ["--images", "bad.npy", "--captions", "bad.npy"], "--scores: expected --scores FILE, or both"),
        (SCORES, ["--name", "a", "--name", "b"], "--name: expected 1, one a system, got 2"),
        (SCORES, ["--queries", "1"], "--queries: expected an integer from 2"),
        (SCORES, ["--queries", "3", "--folds", "2"], "--queries: expected no --folds with it"),
        (SCORES, ["--queries", "3", "--intervals"], "--queries: expected no --intervals with it"),
        (SCORES, ["--engine", "spark"], "--engine: expected one of local, dask, got 'spark'"),
        (SCORES, ["--scheduler", "tcp://127.0.0.1:9"], "--scheduler: no Dask scheduler answers at tcp"),
        (SCORES, ["--scheduler", "tcp://x:1", "--workers", "2"], "--workers: expected no --scheduler with it"),
        (SCORES, ["--workers", "0"], "--workers"),
        (
            SCORES,
            ["--engine", "dask", "--scheduler", "tcp://127.0.0.1:9"],
            "--scheduler: no Dask scheduler answers at tcp",
        ),
        (SCORES, ["--image-ids", "ids.txt"], "--caption-file: expected it where --image-ids"),
        (SCORES, [*OWN, "--corpus", "scenes"], "--caption-file: expected no --corpus"),
        (
            SCORES,
            ["--caption-file", "none.txt"],
            "--caption-file: there is no file none.txt; expected text with a caption on every line",
        ),
        (SCORES, ["--caption-file", "latin.txt"], "latin.txt, line 2: expected UTF-8 text, got byte 0xe9"),
        (SCORES, ["--caption-file", "blank.txt"], "blank.txt, line 2: expected a caption, got a blank line"),
        (SCORES, OWN, "ids.txt, line 3: expected as many lines as caps.txt has captions, 3, got 2"),
        (
            SCORES,
            [*OWN[:2], "--image-ids", "twice.txt", "--captions-per-image", "1"],
            "twice.txt, line 3: expected every",
        ),
        (
            SCORES,
            [*OWN[:2], "--captions-per-image", "2"],
            "caps.txt: expected 2 lines an image, but 3 lines are no mult",
        ),
        (SCORES, [*OWN[:2], "--captions-per-image", "1"], "expected [3 images, 3 captions] like the corpus caps, got"),
        (SCORES, ["--ensemble"], "--ensemble: expected two or more --scores, whose mean it is, got 1"),
        (
            SCORES,
            ["--ensemble", "--scores", "ok/bad.npy", "--name", "a", "--name", "b"],
            "--name: expected 3, one a system and one of the mean, got 2",
        ),
        (
            with_bad(np.nan),
            ["--scores", "ok/bad.npy", "--name", "a", "--name", "b"],
            "--scores bad.npy: expected finite numbers, got nan",
        ),
        (SCORES, ["--csv", "./bad.npy"], "--csv: expected a file of its own, but bad.npy is read"),
        (SCORES, ["--csv", "out.json"], "--csv: expected a file of its own, but out.json is written by --out"),
        (SCORES, ["--html", "ok"], "--html: expected a file to write, but ok is a folder"),
        (SCORES, ["--html", "bad.npy/x.html"], "bad.npy is a file, not a folder"),
        (SCORES, ["--asp-ties", "averag"], "--asp-ties: expected one of average"),
        (SCORES, ["--hit-ties", "pesimistic"], "did you mean pessimistic?"),
        (SCORES, ["--orientation", "t2t"], "--orientation: expected one of auto, i2t, t2i, got 't2t'"),
        (
            SCORES,
            ["--out", "x.jsn"],
            "--out: expected a file ending in .json, .csv, .md, .tex, .html, or json:FILE",
        ),
        (SCORES, ["--out", "x.jsn"], "got x.jsn; did you mean .json?"),
        (
            SCORES,
            ["--out", "a.csv", "--out", "a.csv"],
            "--out: expected a file of its own, but a.csv is written by --out",
        ),
        (SCORES, ["--out", "md:bad.npy"], "--out: expected a file of its own, but bad.npy is read"),
        (SCORES, ["--out", "ok.csv/x.csv", "--out", "ok"], "--out: expected a file ending in"),
        (SCORES, ["--seed", "-1"], "--seed"),
        (SCORES, ["--scor", "bad.npy"], "No such option: --scor"),
        (SCORES, ["--scores", "bad.npy"], "--name: expected distinct names for the systems, got bad, bad"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_nothing_is_written(score, tmp_path, scores, options, message):
    if scores is not None:
        (tmp_path / "bad.npy").write_bytes(scores if isinstance(scores, bytes) else file_of(scores))
    texts = {
        "caps": b"a\nb\nc\n",
        "ids": b"1\n2\n",
        "twice": b"1\n2\n1\n",
        "latin": b"a\ncaf\xe9\n",
        "blank": b"a\n \nc\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_bytes(text)
    (tmp_path / "ok").mkdir()
    np.save(tmp_path / "ok" / "bad.npy", SCORES)
    before = sorted(tmp_path.iterdir())
    default = [] if "--relevance" in options else ["--relevance", "none"]
    code, out, err = score("--scores", "bad.npy", "--out", "out.json", *default, *options)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_one_system_is_printed_with_its_floors(score, tmp_path):
    np.save(tmp_path / "saf.npy", np.random.default_rng(3).random((4, 12)).astype(np.float32))
    code, out, err = score("--scores", "saf.npy", "--out", "floors.json")
    assert code == 0, err
    assert "above" in out
    assert "QASP t2i" in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert all("best_blind" in one for one in json.loads((tmp_path / "floors.json").read_text())["measurements"])
    code, _, err = score("--scores", "saf.npy", "--queries", 2, "--floors")
    assert code != 0
    assert "--queries: expected no --floors with it" in err
