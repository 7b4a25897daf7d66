"""The same evaluation by workers: same bits, nothing sent that lies in a file, and dead workers do no harm."""

import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from daa.corpus import CaptionCorpus
from daa.evaluation import EmbeddingScores, EnsembleScores, evaluate, tasks, workers
from daa.evaluation.workers import open_workers
from daa.matrix import as_matrix
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
def processes():
    with open_workers(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def dask():
    """A Dask client of two processes that listen on this machine only."""
    from distributed import Client, LocalCluster

    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50, "memory_limit": 0}
    with LocalCluster(2, threads_per_worker=1, host="127.0.0.1", **quiet) as cluster, Client(cluster) as client:
        yield client


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
    "an ensemble": lambda folder: EnsembleScores(
        [EmbeddingScores(IMAGES, CAPTIONS), as_matrix(mapped(folder, SCORES), "scores")]
    ),
    "an ensemble, partly in memory": lambda folder: EnsembleScores(
        [EmbeddingScores(IMAGES, CAPTIONS), as_matrix(SCORES, "scores")]
    ),
}


def check_every_form(executor, folder, system):
    scores = SYSTEMS[system](folder)
    fitted = [TfidfRelevance().fit(CORPUS), CiderRelevance().fit(CORPUS)]
    file = mapped(folder, SCORES[::-1] - SCORES.min(), "relevance.npy")
    matrix = {"matrix": GENERATOR.random(SCORES.shape), "file": file}
    for relevance, options in ((fitted, {"fold_size": 4}), (matrix, {"queries": 5})):
        expected = evaluate(scores, CORPUS, relevance, block=2, **options)
        assert_same(evaluate(scores, CORPUS, relevance, block=2, workers=executor, **options), expected)


@pytest.mark.parametrize("system", SYSTEMS)
def test_processes_give_the_same_bits_as_this_one(processes, tmp_path, system):
    check_every_form(processes, tmp_path, system)


@pytest.mark.parametrize("system", ["mapped", "array of float16", "embeddings"])
def test_a_cluster_gives_the_same_bits_as_one_process(dask, tmp_path, system):
    check_every_form(dask.get_executor(), tmp_path, system)


def test_threads_give_the_same_bits(tmp_path):
    with ThreadPoolExecutor(3) as executor:
        check_every_form(executor, tmp_path, "embeddings")
        assert tasks._KEPT == {}  # nothing of it stays in this process


@pytest.mark.parametrize("size", [0, 1 << 30])
def test_a_large_job_goes_to_each_process_about_once(dask, monkeypatch, size):
    """Large and small jobs give the same numbers; a large one is not sent with every task."""
    monkeypatch.setattr(tasks, "SMALL_JOB", size)
    brought = []
    executor = dask.get_executor()

    def submit(function, token, job, *rest):
        brought.append(job is not None)
        return type(executor).submit(executor, function, token, job, *rest, pure=False)

    relevance = TfidfRelevance().fit(CORPUS)
    scores = EmbeddingScores(IMAGES, CAPTIONS)
    expected = evaluate(scores, CORPUS, relevance, block=1)
    monkeypatch.setattr(executor, "submit", submit)
    assert_same(evaluate(scores, CORPUS, relevance, block=1, workers=executor), expected)
    assert len(brought) >= 8 + 24
    if size:
        assert all(brought)
    else:
        assert 2 <= sum(brought) < 16


def test_a_relevance_that_can_be_negative_is_judged_whole(processes, monkeypatch):
    """Its block products may round otherwise than the whole matrix's, and which sign it has shows in the whole."""
    relevance = TfidfRelevance().fit(CORPUS)
    relevance.minimum = -1.0
    expected = evaluate(SCORES, CORPUS, relevance, block=2)
    assert any(one.metric == "NDCG@10" for one in expected.measurements)
    monkeypatch.setattr(relevance, "batch", None)
    assert_same(evaluate(SCORES, CORPUS, relevance, block=2, workers=processes), expected)


class Watching(ThreadPoolExecutor):
    """Threads that note how much each task takes along."""

    def submit(self, function, *arguments):
        self.sent = [*getattr(self, "sent", []), len(pickle.dumps(arguments))]
        return super().submit(function, *arguments)


def test_what_lies_in_a_file_is_not_sent(tmp_path):
    matrix = mapped(tmp_path, GENERATOR.random((200, 1000)))
    sent = pickle.dumps(as_matrix(matrix.T, "scores"))
    assert len(sent) < 1000
    received = pickle.loads(sent)
    np.testing.assert_array_equal(received.rows("t2i", slice(3, 5)), matrix[3:5])
    assert len(pickle.dumps(received)) < 1000  # nor if one worker hands it on to another
    assert received.travels()
    changed = np.load(tmp_path / "matrix.npy", mmap_mode="c")
    changed[0] = 7  # in memory only, so the file will not do
    assert not as_matrix(changed.T, "scores").travels()
    assert pickle.loads(pickle.dumps(as_matrix(changed, "scores"))).rows("i2t", slice(0, 1)).max() == 7


def test_of_a_matrix_in_memory_a_task_gets_its_own_rows():
    corpus = CaptionCorpus(["a"] * 1000, np.repeat(np.arange(200), 5))
    scores = GENERATOR.random((200, 1000))
    with Watching(2) as executor:
        evaluate(scores, corpus, block=10, workers=executor)
        assert len(executor.sent) >= 20 + 100
        assert max(executor.sent) < 10 * 1000 * 8 + 50_000 < scores.nbytes / 10


class Killing:
    """Kills processes with SIGKILL, once, when the first blocks are done."""

    def __init__(self, processes_of, n_workers):
        self.processes_of, self.n_workers, self.n_done, self.killed = processes_of, n_workers, 0, []

    def __call__(self, n_queries):
        self.n_done += n_queries
        if self.n_done > 4 and not self.killed:
            self.killed = self.processes_of()[: self.n_workers]
            for process in self.killed:
                os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("n_workers", [1, 2])
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_killed_workers_do_not_lose_the_run(request, kind, n_workers):
    executor = request.getfixturevalue(kind)
    processes_of = partial(_children, executor)
    if kind == "dask":
        client, executor = executor, executor.get_executor()
        client.wait_for_workers(2)
        processes_of = partial(_workers_of, client)
    relevance = {"matrix": SCORES - SCORES.min(), "streamed": TfidfRelevance().fit(CORPUS)}
    expected = evaluate(SCORES, CORPUS, relevance, block=2)
    evaluate(SCORES, CORPUS, block=2, workers=executor)  # all are there
    killing = Killing(processes_of, n_workers)
    report = evaluate(SCORES, CORPUS, relevance, block=2, workers=executor, progress=killing)
    assert len(killing.killed) == n_workers
    assert killing.n_done == 8 + 24  # no block is lost and none counts twice
    assert_same(report, expected)


def _children(executor):
    return list(executor._pool._processes)


def _workers_of(client):
    return list(client.run(os.getpid).values())


def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_block_that_always_kills_its_process_is_blamed(monkeypatch):
    """After so many starts, in one line; and a pool that somebody else started is left alone."""
    monkeypatch.setattr(tasks, "_values", end)
    monkeypatch.setattr(tasks, "ALLOWED_FAILURES", 2)
    message = r"workers: the processes ended before their blocks .* is their memory enough\?.*__main__"
    with pytest.raises(ConnectionError, match=message):
        evaluate(SCORES, CORPUS, block=20, workers=1)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool, pytest.raises(ConnectionError, match=message):
        evaluate(SCORES, CORPUS, block=20, workers=pool)


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Even if that is killed, which leaves it no time to tell them."""
    script = tmp_path / "starts.py"
    script.write_text(
        "import os, time\n"
        "from daa.evaluation.workers import Processes\n"
        "if __name__ == '__main__':\n"
        "    print(Processes(1).submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(600)\n"
    )
    started = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = int(started.stdout.readline())
    started.kill()
    started.wait()
    until = time.monotonic() + 20
    while os.path.exists(f"/proc/{worker}") and time.monotonic() < until:
        time.sleep(0.1)
    assert not os.path.exists(f"/proc/{worker}")


def test_a_process_computes_by_one_thread(processes):
    assert processes.submit(torch.get_num_threads).result() == 1


def test_bad_scores_are_refused_as_in_one_process(processes):
    scores = SCORES.copy()
    scores[6, 2] = np.inf
    with pytest.raises(ValueError, match=r"scores: expected finite numbers, got inf at image 6, caption 2"):
        evaluate(scores, CORPUS, block=2, workers=processes)
    with pytest.raises(ValueError, match=r"scores: expected finite numbers, got \S+ at image \d, caption \d+"):
        evaluate(EmbeddingScores(IMAGES * 1e30, CAPTIONS * 1e30, "dot"), CORPUS, block=2, workers=processes)


def test_a_file_that_the_workers_do_not_see_is_named(processes, tmp_path):
    scores = mapped(tmp_path, SCORES)
    (tmp_path / "matrix.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"scores: the file has to be there for every worker: .*matrix.npy"):
        evaluate(scores, CORPUS, block=2, workers=processes)


def test_a_cluster_that_cannot_be_had_is_one_line(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(workers, "SECONDS_TO_ANSWER", 0.5)
    for wrong in (address, "nonsense"):
        with pytest.raises(ConnectionError, match=f"scheduler: no Dask scheduler answers at {wrong} .*dask scheduler"):
            evaluate(SCORES, CORPUS, workers=wrong)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r'needs the package dask; pip install "daa-book\[dask\] @ git'):
        evaluate(SCORES, CORPUS, workers="inproc://here")


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("wrong", [0, -1, True, 2.5])
def test_what_are_no_workers_is_refused(wrong):
    with pytest.raises(ValueError, match="workers: expected a number of processes from 1, the address"):
        evaluate(SCORES, CORPUS, workers=wrong)


def test_an_address_within_this_process_is_taken():
    from distributed import LocalCluster

    quiet = {"dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    threads = torch.get_num_threads()
    with LocalCluster(1, threads_per_worker=2, processes=False, **quiet) as cluster:
        report = evaluate(SCORES, CORPUS, block=2, workers=cluster.scheduler_address)
    assert_same(report, evaluate(SCORES, CORPUS, block=2))
    assert torch.get_num_threads() == threads


def test_a_scheduler_without_workers_is_named(monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(workers, "SECONDS_TO_ANSWER", 0.5)
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster,
        pytest.raises(ConnectionError, match=r"scheduler: tcp://127.0.0.1:\d+ has no worker; start some with `dask wo"),
        open_workers(cluster.scheduler_address),
    ):
        pass
