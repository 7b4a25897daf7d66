"""What `import daa` hands on, what was installed, and that no message sends a user to a stranger's package."""

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import daa
from daa import distribution
from daa.distribution import config_names, find_config
from daa.names import CORPORA, RELEVANCES

ROOT = Path(__file__).resolve().parents[1]


def in_its_own_process(script: str, *arguments: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_name_of_the_front_door_is_that_of_its_room():
    stub = (ROOT / "daa" / "__init__.pyi").read_text()
    names = re.findall(r"^from \.([\w.]+) import (\w+) as \2$", stub, re.MULTILINE)
    assert len(names) > 20
    for module, name in names:
        assert getattr(daa, name) is getattr(importlib.import_module(f"daa.{module}"), name)
    assert {name for _, name in names} <= set(dir(daa))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        daa.nothing_of_the_kind  # noqa: B018


def test_importing_the_front_door_loads_nothing_heavy():
    loaded = in_its_own_process(
        "import sys, daa; print(sorted({'torch', 'numpy', 'pandas', 'numba'} & set(sys.modules)))"
    )
    assert loaded == "[]\n"


def test_the_version_is_that_of_pyproject():
    assert daa.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_address_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["urls"]["Repository"]) == (distribution.NAME, distribution.ADDRESS)


def test_nobody_is_told_to_install_a_package_that_is_not_ours():
    """`daa` on the package index is another project."""
    sent = re.compile(r"pip3? install [^\n`]*?(?<![\w/-])daa(?![\w/-])")
    assert sent.search("pip install 'daa[dask]'")
    assert sent.search("pip install -U daa")
    assert not sent.search('pip install "daa-book[dask] @ git+https://github.com/daa-book/daa-book"')
    files = [
        *ROOT.glob("*.*"),
        *(f for part in ("daa", "book", "tools", "configs", ".github") for f in (ROOT / part).rglob("*.*")),
    ]
    texts = [file for file in files if file.suffix in (".py", ".md", ".ipynb", ".yaml", ".yml", ".toml")]
    assert len(texts) > 100
    assert [file.name for file in texts if sent.search(file.read_text(encoding="utf-8"))] == []


def test_a_shipped_configuration_is_found_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("scenes-daa") == find_config("configs/scenes-daa.yaml") == ROOT / "configs" / "scenes-daa.yaml"
    (tmp_path / "scenes-daa").write_text("")
    assert find_config("scenes-daa") == Path("scenes-daa")  # a file that is there goes first
    assert {"scenes-daa", "table1/saf"} <= set(config_names())
    assert "tables" not in config_names()
    with pytest.raises(
        FileNotFoundError, match=r"no scenes-dda; did you mean scenes-daa\? Shipped: coco-small, .*table3/"
    ):
        find_config("scenes-dda")


def test_names_known_beforehand_are_those_that_are_made():
    from daa.datasets import load_corpus
    from daa.relevance import relevance_by_name
    from daa.relevance.combined import _MAKERS

    assert set(RELEVANCES) == set(_MAKERS)
    with pytest.raises(ValueError, match="got 'tdidf'; did you mean tfidf"):
        relevance_by_name("tdidf")
    with pytest.raises(ValueError, match=f"expected one of {', '.join(CORPORA)}"):
        load_corpus("coco5k")


TYPOS = [
    ("score --scores missing.npy", "--scores: there is no file missing.npy"),
    ("score --scores wrong.csv", "--scores: expected a file ending in .npy, .npz"),
    ("score --scores s.npy --relevance tfdif", "--relevance: expected one of tfidf"),
    ("score --scores s.npy --corpus coco5k", "--corpus: expected one of scenes"),
    ("score --scores s.npy --caption-file none.txt", "--caption-file: there is no file none.txt"),
    ("score --images s.npy --captions s.npy --similarity cosin", "did you mean cosine?"),
    ("score --scores s.npy --engine dusk", "--engine: expected one of local, dask, got 'dusk'; did you mean dask?"),
    ("score --scores s.npy --asp-ties averag", "--asp-ties: expected one of average, competition"),
    ("score --scores s.npy --hit-ties x", "--hit-ties: expected one of expected, optimistic"),
    ("score --scores s.npy --orientation x", "--orientation: expected one of auto, i2t, t2i"),
    ("score --scores s.npy --out x.jsn", "--out: expected a file ending in .json, .csv"),
    ("score --scores s.npy --scores s.npy", "--name: expected distinct names"),
    ("relevance --out r.npy --kind cidre", "--kind: expected one of"),
    ("train scenes-dda", "did you mean scenes-daa?"),
    ("train scenes-daa loss.kindd=1", "unknown key loss.kindd; did you mean loss.kind?"),
    ("evaluate nowhere", "run: expected a folder that daa train has written"),
    ("demo --loss info", "--loss: expected one of"),
    ("demo --set train.epoch=1", "--set: unknown key train.epoch; did you mean train.epochs?"),
    ("reproduce table9", "table: expected one of table1, table2, table3"),
    ("reproduce table1 --row nope", "--row: expected a row of table1"),
    ("data features nope --to x", "configuration: expected a YAML file or the name of a shipped one"),
]


def test_a_typo_is_answered_before_anything_heavy_is_loaded(tmp_path):
    (tmp_path / "wrong.csv").write_text("1,2")
    (tmp_path / "s.npy").write_bytes(b"")
    script = (
        "import contextlib, io, json, sys\n"
        "from daa.cli import main\n"
        "answers = []\n"
        "for line in json.loads(sys.argv[1]):\n"
        "    sys.argv = ['daa', *line.split()]\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "        try: main()\n"
        "        except SystemExit as end: code = end.code\n"
        "    heavy = sorted({'torch', 'scipy', 'numba', 'sklearn'} & set(sys.modules))\n"
        "    answers.append([code, said.getvalue(), heavy])\n"
        "print(json.dumps(answers))\n"
    )
    answers = json.loads(in_its_own_process(script, json.dumps([line for line, _ in TYPOS]), cwd=tmp_path))
    for (line, expected), (code, said, heavy) in zip(TYPOS, answers, strict=True):
        assert (line, code, heavy) == (line, 2, [])
        assert said.startswith("error: ")
        assert expected in said
        assert said.count("\n") == 1


def test_the_command_says_its_version(tmp_path):
    said = in_its_own_process(
        "import sys; from daa.cli import main; sys.argv = ['daa', '--version']; main()", cwd=tmp_path
    )
    assert said == f"daa-book {daa.__version__}\n"


def test_the_python_of_the_readme_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    scores = np.array([[0.9, 0.2, 0.4, 0.1], [0.1, 0.3, 0.8, 0.2]])
    names = {"captions": ["a dog", "a hound", "a cat", "a car"], "image_of_caption": [0, 0, 1, 1], "scores": scores}
    exec(blocks[0], names)
    assert "| tfidf " in capsys.readouterr().out
    batch = torch.rand(2, 2, requires_grad=True)
    names |= {"train_corpus": names["corpus"], "images": [0, 1], "captions": [0, 2], "scores": batch}
    exec(blocks[1], names | {"weight": 2.0, "contrastive_loss": batch.mean()})


def test_type_checkers_see_the_names_of_an_installed_package():
    assert (ROOT / "daa" / "py.typed").is_file()
    assert (
        "py.typed" in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["daa"]
    )
