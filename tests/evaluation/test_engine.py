"""The same evaluation on a Dask cluster: same bits, nothing sent that lies in a file, and dead workers do no harm."""

import os
import pickle
import signal
import socket
import sys

import numpy as np
import pytest
import torch

from daa.corpus import CaptionCorpus
from daa.evaluation import DaskEngine, EmbeddingScores, engine, evaluate
from daa.evaluation.sending import Job, pieces_of
from daa.metrics.inputs import Blocks
from daa.metrics.stream import Pass
from daa.relevance import CiderRelevance, TfidfRelevance

GENERATOR = np.random.default_rng(0)
THINGS = ["dog", "cat", "cow", "car", "bus", "tree", "red bus", "old tree"]
CORPUS = CaptionCorpus(
    captions=[f"a {thing} {place}" for thing in THINGS for place in ("here", "near a tree", "by a red car")],
    image_of_caption=np.repeat(np.arange(8), 3),
    labels=GENERATOR.random((8, 3)) < 0.5,
    positives=GENERATOR.random((8, 24)) < 0.2,
    name="toy",
)
IMAGES = GENERATOR.normal(size=(8, 5)).astype(np.float32)
CAPTIONS = (IMAGES[CORPUS.image_of_caption] + GENERATOR.normal(size=(24, 5))).astype(np.float32)
SCORES = IMAGES @ CAPTIONS.T


@pytest.fixture(scope="module")
def dask():
    with DaskEngine(n_workers=2) as opened:
        yield opened


def assert_same(one, other):
    assert one.measurements == other.measurements
    for direction, by_key in one.per_query.items():
        assert by_key.keys() == other.per_query[direction].keys()
        for key, values in by_key.items():
            np.testing.assert_array_equal(values, other.per_query[direction][key], strict=True)


def mapped(folder, matrix, name="matrix.npy"):
    np.save(folder / name, matrix)
    return np.load(folder / name, mmap_mode="r")


SYSTEMS = {
    "mapped": lambda folder: mapped(folder, SCORES),
    "mapped, transposed": lambda folder: mapped(folder, np.ascontiguousarray(SCORES.T)).T,
    "mapped, a part": lambda folder: mapped(folder, np.tile(SCORES, (2, 2)))[4:12:1, 1:25],
    "array of float16": lambda folder: SCORES.astype(np.float16),
    "tensor of float64": lambda folder: torch.from_numpy(SCORES).double(),
    "embeddings": lambda folder: EmbeddingScores(IMAGES, CAPTIONS),
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_cluster_gives_the_same_bits_as_one_process(dask, tmp_path, system):
    scores = SYSTEMS[system](tmp_path)
    fitted = [TfidfRelevance().fit(CORPUS), CiderRelevance().fit(CORPUS)]
    file = mapped(tmp_path, SCORES[::-1] - SCORES.min(), "relevance.npy")
    matrix = {"matrix": GENERATOR.random(SCORES.shape), "file": file}
    for relevance, options in ((fitted, {"fold_size": 4}), (matrix, {"queries": 5})):
        expected = evaluate(scores, CORPUS, relevance, block=2, **options)
        assert_same(evaluate(scores, CORPUS, relevance, block=2, engine=dask, **options), expected)


def test_what_lies_in_a_file_is_not_sent(tmp_path):
    matrix = mapped(tmp_path, GENERATOR.random((200, 1000)))
    one_pass = Pass({}, "t2i", Blocks(matrix.T, "scores"), {"in memory": Blocks(np.ones((1000, 200)), "relevance")}, {})
    sent = pickle.dumps(Job(one_pass))
    assert len(sent) < 2000
    received = pickle.loads(sent).one_pass.scores
    np.testing.assert_array_equal(received.block("t2i", 3, 5), matrix[3:5])
    assert len(pickle.dumps(received)) < 1000  # nor if one worker hands it on to another
    pieces = pieces_of(one_pass, slice(3, 5))
    assert {key: piece.shape for key, piece in pieces.items()} == {"relevance in memory": (2, 1000)}
    changed = np.load(tmp_path / "matrix.npy", mmap_mode="c")
    changed[0] = 7  # in memory only, so the file will not do
    assert pieces_of(one_pass._replace(scores=Blocks(changed.T, "scores")), slice(0, 1))["scores"].max() == 7


class Killing:
    """Kills workers with SIGKILL, once, when the first blocks are done."""

    def __init__(self, dask, n_workers):
        self.dask, self.n_workers, self.n_done, self.killed = dask, n_workers, 0, []

    def __call__(self, n_queries):
        self.n_done += n_queries
        if self.n_done > 4 and not self.killed:
            self.killed = list(self.dask.client.run(os.getpid).values())[: self.n_workers]
            for process in self.killed:
                os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_killed_workers_do_not_lose_the_run(dask, n_workers):
    dask.client.wait_for_workers(2)
    relevance = {"matrix": SCORES - SCORES.min(), "streamed": TfidfRelevance().fit(CORPUS)}
    expected = evaluate(SCORES, CORPUS, relevance, block=2)
    killing = Killing(dask, n_workers)
    report = evaluate(SCORES, CORPUS, relevance, block=2, engine=dask, progress=killing)
    assert len(killing.killed) == n_workers
    assert killing.n_done == 8 + 24  # no block is lost and none counts twice
    assert_same(report, expected)


def test_bad_scores_are_refused_as_in_one_process(dask):
    scores = SCORES.copy()
    scores[6, 2] = np.inf
    with pytest.raises(ValueError, match=r"scores: expected finite numbers, got inf at image 6, caption 2"):
        evaluate(scores, CORPUS, block=2, engine=dask)


def test_a_file_that_the_workers_do_not_see_is_named(dask, tmp_path):
    scores = mapped(tmp_path, SCORES)
    (tmp_path / "matrix.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"scores: the file has to be there for every worker: .*matrix.npy"):
        evaluate(scores, CORPUS, block=2, engine=dask)


def test_a_cluster_that_cannot_be_had_is_one_line(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(engine, "SECONDS_TO_ANSWER", 0.5)
    for wrong in (address, "nonsense"):
        with pytest.raises(ConnectionError, match=f"scheduler: no Dask scheduler answers at {wrong} .*dask scheduler"):
            evaluate(SCORES, CORPUS, engine="dask", scheduler=wrong)
    with pytest.raises(ValueError, match="engine: expected one of local, dask, got 'spark'"):
        evaluate(SCORES, CORPUS, engine="spark")
    with pytest.raises(ValueError, match='scheduler: expected one with engine "dask" only'):
        evaluate(SCORES, CORPUS, scheduler=address)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs the package dask; pip install "daa-book\[dask\] @ git'):
        evaluate(SCORES, CORPUS, engine="dask")


def test_a_scheduler_without_workers_is_named(monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(engine, "SECONDS_TO_ANSWER", 0.5)
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(ConnectionError, match=r"scheduler: tcp://127.0.0.1:\d+ has no worker; start some with `dask wo"),
    ):
        DaskEngine(cluster.scheduler_address)
