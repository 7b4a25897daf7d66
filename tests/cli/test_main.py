"""The command as a user meets it: help that teaches, one line for an error, and a demo that shows something."""

import inspect
import json
import re
import resource
from functools import partial

import numpy as np
import pytest
import torch
from rich.table import Table

from daa.cli import _register, app
from daa.cli.console import show
from daa.training.config import load_config
from tests.command import call

TINY = [
    "data.train_images=32",
    "data.val_images=16",
    "data.options.n_images=32",
    "train.epochs=1",
    "data.image_size=16",
]


@pytest.fixture
def daa(monkeypatch, capsys, tmp_path):
    """Runs `daa ...` in an empty folder; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(call, monkeypatch, capsys)


@pytest.mark.parametrize("command", [None, "demo", "score", "relevance", "train", "evaluate", "reproduce"])
def test_help_says_what_a_command_does_and_gives_an_example(daa, command):
    code, out, _ = daa(*filter(None, [command]), "--help")
    assert code == 0
    assert "Usage:" in out
    assert f"\n  daa {command or 'score'} " in out
    assert len(out.split()) > 60


def test_no_example_is_longer_than_a_narrow_terminal():
    """Such a line would be broken in two, and the first half of it run when it is pasted."""
    _register()
    commands = [
        *app.registered_commands,
        *(one for group in app.registered_groups for one in group.typer_instance.registered_commands),
    ]
    lines = [line for one in commands for line in inspect.getdoc(one.callback).splitlines() if line.startswith("    ")]
    assert len(lines) > 20
    assert [line for line in lines if len(line.strip()) > 76] == []


def test_demo_prints_a_table_and_writes_one_page_and_all_numbers(daa, tmp_path):
    options = [word for one in TINY for word in ("--set", one)]
    code, out, err = daa("demo", "--seeds", 1, "--out", "demo", "--results", "numbers.json", *options)
    assert code == 0, err
    for expected in ("baseline", "DAA", "mAP@R i2t", "PMRP t2i", "NDCG@10 i2t", "NCS@10 t2i", "blind", "one seed: no"):
        assert expected in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert "2 runs to train (baseline, DAA)" in err
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3  # InfoNCE trains no variance, so there is none to draw
    assert "ariance" not in page
    assert "http" not in page
    assert "One seed" in page
    for expected in ("NCS@10 i2t", "random", "blind", "first picture, true"):
        assert f"<th>{expected}</th>" in page
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    command = "daa demo --seeds 1 --loss infonce --daa-weight 2 --view facts --set data.train_images=32"
    assert numbers["command"].startswith(command)
    assert [run["arm"] for run in numbers["records"]] == ["baseline", "DAA"]
    assert {run["config"]["encoders"]["image"] for run in numbers["records"]} == {"facts"}
    floor = {one["metric"]: one["best_blind"] for one in numbers["floors"] if one["direction"] == "i2t"}
    assert 0 < floor["NDCG@10"] < 1

    code, out, err = daa("demo", "--seeds", 1, "--out", "demo", *options)
    assert (code, err) == (0, ""), "what is there is shown without a word of training"


def test_a_page_of_several_seeds_says_what_moved_on_all_and_draws_a_variance_that_is_trained(daa, tmp_path):
    options = [word for one in TINY for word in ("--set", one)]
    code, _, err = daa("demo", "--seeds", 2, "--out", "demo", "--loss", "soft-contrastive", *options)
    assert code == 0, err
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4
    assert "Variance and ambiguity" in page
    said = dict(re.findall(r"<dt>DAA against baseline, ([^<]*)</dt><dd>([^<]*)</dd>", page))
    assert set(said) <= {"higher on every seed", "lower on every seed", "not told apart"}
    points = {where: re.findall(r"(\S+ \S+) \(([-+0-9.]+) to ([-+0-9.]+)\)", text) for where, text in said.items()}
    assert sum(map(len, points.values())) == 14
    assert all(float(low) >= 0 for _, low, _ in points.get("higher on every seed", []))
    assert all(float(high) <= 0 for _, _, high in points.get("lower on every seed", []))
    assert all(float(low) <= 0 <= float(high) for _, low, high in points.get("not told apart", []))


def test_the_demo_trains_what_the_shipped_configurations_say():
    from pathlib import Path

    from daa.cli.demo import VIEWS, arms_of, default_weight
    from daa.datasets.scenes import SCENE_VIEWS

    configs = Path(__file__).parents[2] / "configs"
    shipped = {
        ("infonce", "facts"): ("facts-infonce", "facts-daa"),
        ("soft-contrastive", "facts"): ("facts-pcme",),
        ("infonce", "picture"): ("baseline", "daa"),
        ("soft-contrastive", "picture"): ("pcme", "pcme-daa"),
    }
    for (loss, view), names in shipped.items():
        arms = arms_of(loss, [default_weight(loss, view)], view=view)
        for arm, name in zip(arms.values(), names, strict=False):
            assert arm == load_config(configs / f"scenes-{name}.yaml")
    assert set(VIEWS) == set(SCENE_VIEWS)


def test_relevance_is_written_as_a_matrix(daa, tmp_path):
    code, out, _ = daa("relevance", "--corpus", "scenes", "--split", "val", "--kind", "tfidf", "--out", "r.npy")
    assert code == 0
    assert "500 images x 2500 captions" in out
    from daa.datasets import load_corpus
    from daa.relevance import TfidfRelevance

    expected = TfidfRelevance().fit(load_corpus("scenes", split="val")).matrix()
    np.testing.assert_array_equal(np.load(tmp_path / "r.npy"), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "no.yaml"], "there is no no.yaml"),
        (["evaluate", "no-run"], "no-run"),
        (["relevance", "--out", "r.txt"], "--out: expected a file ending in .npy, got r.txt"),
        (["relevance", "--corpus", "coco5k", "--out", "r.npy"], "coco-5k"),
        (["relevance", "--corpus", "scenes", "--kind", "cider-dd", "--out", "r.npy"], "cider-d"),
        (["demo", "--loss", "infonse"], "did you mean infonce?"),
        (["demo", "--set", "train.epoch=1"], "did you mean train.epochs?"),
        (["demo", "--set", "loss.daa_weight=1"], "give it as --daa-weight"),
        (["demo", "--daa-weight", "1", "--daa-weight", "1"], "--daa-weight: expected distinct weights, got 1, 1"),
        (["demo", "--results", "."], "--results: expected a file to write, but . is a folder"),
        (["demo", "--seeds", "0"], "--seeds"),
        (["demo", "--view", "fact"], "--view: expected one of facts, picture, got 'fact'; did you mean facts?"),
        (["reproduce", "table1", "--row", "SAF", "--small", "--images", "0"], "--images"),
        (["scor"], "No such command 'scor'. Did you mean 'score'? See `daa --help`"),
        (["train", "x.yaml", "--epochs", "3"], "No such option: --epochs. See `daa train --help`"),
        (["train"], "Missing argument"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_written(daa, tmp_path, arguments, message):
    code, _, err = daa(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "runs/x.json"), 2, "error: runs/x.json: No space left on device\n"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device\n"),
        (MemoryError("Unable to allocate 9 GiB"), 2, "error: not enough memory. Unable to allocate 9 GiB\n"),
        (
            torch.OutOfMemoryError("CUDA out of memory.\n Tried to allocate 9 GiB"),
            2,
            "error: not enough memory on the device; try a smaller batch, or train.chunks. CUDA out of memory. "
            "Tried to allocate 9 GiB\n",
        ),
        (
            KeyboardInterrupt(),
            130,
            "interrupted: nothing half-written is left; the same command goes on where it can\n",
        ),
    ],
)
def test_what_the_system_refuses_is_one_line(daa, monkeypatch, error, code, line):
    def refuse(*_):
        raise error

    monkeypatch.setattr("daa.training.config.load_config", refuse)
    assert daa("train", "scenes-daa") == (code, "", line)


def test_a_disk_that_is_full_leaves_no_part_of_a_matrix(daa, tmp_path):
    """A limit to the size of files stands for the disk; a memory map would kill the process on a real one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        code, _, err = daa("relevance", "--corpus", "scenes", "--split", "val", "--out", "r.npy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (code, err) == (2, "error: r.npy: File too large\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("terminal", [True, False])
def test_no_number_is_broken_over_lines(monkeypatch, capsys, terminal):
    monkeypatch.setenv("TTY_COMPATIBLE", str(int(terminal)))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    table = Table(title="of ten systems " * 5, caption="percent")
    row = [f"{10 * i}.5" for i in range(10)]
    for i in range(10):
        table.add_column(f"s{i}", justify="right")
    table.add_row(*row)
    show(table)
    out = re.sub("\x1b.*?m", "", capsys.readouterr().out)
    assert any(line.replace("│", " ").split() == row for line in out.splitlines())
    assert (max(map(len, out.splitlines())) <= 60) is terminal
