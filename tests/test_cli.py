"""The command as a user meets it: help that teaches, one line for an error, and a demo that shows something."""

import json

import numpy as np
import pytest

from daa import cli
from daa.training.load import load_config

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

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["daa", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("command", ["demo", "score", "relevance", "train", "evaluate"])
def test_help_says_what_a_command_does_and_how(daa, command):
    code, out, _ = daa(command, "--help")
    assert code == 0
    assert "Usage:" in out
    assert len(out.split()) > 60


def test_demo_prints_a_table_and_writes_one_page_and_all_numbers(daa, tmp_path):
    options = [word for one in TINY for word in ("--set", one)]
    code, out, err = daa("demo", "--seeds", 1, "--out", "demo", "--results", "numbers.json", *options)
    assert code == 0, err
    for expected in ("baseline", "DAA", "mAP@R", "one seed: no spread"):
        assert expected in out
    page = (tmp_path / "demo" / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["command"].startswith("daa demo --seeds 1 --loss infonce --daa-weight 1 --set data.train_images=32")
    assert [run["arm"] for run in numbers["records"]] == ["baseline", "DAA"]


def test_the_demo_trains_what_the_shipped_configurations_say():
    from pathlib import Path

    from daa.cli.demo import DEFAULT_WEIGHT, arms_of

    configs = Path(__file__).parents[1] / "configs"
    for loss, names in {"infonce": ("baseline", "daa"), "soft-contrastive": ("pcme", "pcme-daa")}.items():
        arms = arms_of(loss, [DEFAULT_WEIGHT[loss]])
        for arm, name in zip(arms.values(), names, strict=True):
            assert arm == load_config(configs / f"scenes-{name}.yaml")


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
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_nothing_is_written(daa, tmp_path, arguments, message):
    code, _, err = daa(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())
