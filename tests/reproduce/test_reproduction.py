"""The paper's tables: their data, their protocol, and a row of every family from its configuration to its numbers."""

from __future__ import annotations

import json
import math
import os
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import daa.reproduce.reproduction
from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.distribution import configs_folder
from daa.metrics import average_semantic_precision, plausible_match_r_precision, recall_at_k
from daa.relevance import TfidfRelevance
from daa.reproduce import cells, find_table, load_tables, slug
from daa.reproduce.reproduction import evaluate_by, ours_line, read_records, reproduce, with_coco_labels
from daa.reproduce.small import small_size
from daa.training.config import load_config
from daa.training.run import read_log, read_record
from daa.training.stages import rate, stages
from tests.command import call

ROOT = Path(__file__).resolve().parents[2]
TINY = [
    "data.image_size=32",
    "train.epochs=1",
    "train.batch_size=10",
    "train.sampling=image",
    "train.log_every=1",
    "train.device=cpu",
]
ROWS = [(table.name, row) for table in load_tables().values() for row in table.rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reproduce")


def test_every_row_has_its_configurations_and_numbers() -> None:
    tables = load_tables()
    assert [len(table.rows) for table in tables.values()] == [12, 2, 6]
    for table in tables.values():
        for row in table.rows.values():
            assert len(row.configs) == (2 if "SGRAF" in row.name else 1)
            for path in row.configs:
                config = load_config(path)
                assert bool(config.loss.daa_weight) == ("DAA" in row.name), path
            for gallery, direction, metric in row.paper:
                assert 25 < row.paper[gallery, direction, metric] < 100
    printed = tables["table1"].printed()
    assert printed.shape == (12, 12)
    assert printed["5K", "t2i", "ASP"]["PCME-bert + DAA"] == 57.0
    assert printed["1K", "i2t", "PMRP"].isna().sum() == 1
    assert tables["table2"].printed().empty


def test_baseline_and_daa_differ_where_the_paper_says() -> None:
    def flat(name: str) -> dict[str, object]:
        config = load_config(configs_folder() / f"{name}.yaml").to_dict()
        return {f"{section}.{key}": value for section, values in config.items() for key, value in values.items()}

    def different(one: str, other: str) -> set[str]:
        return {key for key, value in flat(one).items() if flat(other)[key] != value}

    assert different("table1/pcme-bert", "table1/pcme-bert-daa") == {"loss.daa_weight"}
    of_daa = {"loss.daa_weight", "loss.daa_temperature"}
    assert different("table1/sgr", "table1/sgr-daa") == of_daa | {"optim.lr", "optim.step_epochs", "train.epochs"}
    assert different("table3/sgr", "table3/sgr-daa") == of_daa | {"optim.lr"}
    assert different("table1/saf", "table1/sgr") == {"encoders.similarity", "encoders.similarity_options"}


@pytest.mark.parametrize(("name", "t_max"), [("table1/pcme", 30), ("table2/pcme", 50)])
def test_rates_are_those_of_the_released_code_epoch_by_epoch(name: str, t_max: int) -> None:
    """Its cosine comes down over `t_max` epochs in either stage, however many the stage has."""
    steps = 10  # an epoch
    for stage in stages(load_config(configs_folder() / f"{name}.yaml"), steps):
        n = stage.end - stage.first
        assert n <= t_max * steps
        for epoch in range(n // steps):
            ours = np.mean([rate(stage.optim, step, n, steps) for step in range(epoch * steps, (epoch + 1) * steps)])
            assert ours == pytest.approx((1 + math.cos(math.pi * epoch / t_max)) / 2, abs=0.09)


def test_an_installed_package_has_every_configuration() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = {
        path.relative_to(ROOT).as_posix(): target
        for target, patterns in project["tool"]["setuptools"]["data-files"].items()
        for pattern in patterns
        for path in ROOT.glob(pattern)
    }
    for path in (ROOT / "configs").rglob("*.yaml"):
        name = path.relative_to(ROOT).as_posix()
        assert shipped.get(name) == f"share/daa/{Path(name).parent.as_posix()}", name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PCME-bert + DA", 'did you mean "PCME-bert + DAA"?'),
        ("vse", 'did you mean "VSE++"?'),
        ("sgraf-plus", "expected a row of table1: VSE++, PVSE K=1"),
    ],
)
def test_rows_by_name(name: str, message: str) -> None:
    table = find_table("Table 1")
    assert table.row("sgraf+daa").name == "SGRAF + DAA"
    assert table.row("pvse k=2").name == table.row("PVSE-K2").name == "PVSE K=2"
    with pytest.raises(ValueError, match="--row") as error:
        table.row(name)
    assert message in str(error.value)


def test_the_protocol_of_coco_is_that_of_the_literature() -> None:
    corpus = load_corpus("scenes", n_images=50)
    scores = np.random.default_rng(0).normal(size=(50, 250)) + 2.0 * corpus.annotated.toarray()
    numbers = {one[:3]: one.ours for one in cells("coco", evaluate_by("coco", scores, corpus), {})}
    relevance = TfidfRelevance().fit(corpus).matrix()  # of the whole split, then cut into folds
    rows = np.arange(50)
    for direction in ("i2t", "t2i"):
        expected: dict[str, list[float]] = {"R@5": [], "ASP": [], "PMRP": []}
        for fold in np.split(rows, 5):
            captions = np.isin(corpus.image_of_caption, fold)
            part, image = scores[fold][:, captions], corpus.image_of_caption[captions] - fold[0]
            expected["R@5"].append(recall_at_k(part, image, 5, direction=direction))
            rel = relevance[fold][:, captions]
            expected["ASP"].append(average_semantic_precision(part, rel, direction=direction))
            expected["PMRP"].append(plausible_match_r_precision(part, corpus.labels[fold], image, direction=direction))
        for metric, of_folds in expected.items():
            assert numbers["1K", direction, metric] == pytest.approx(100 * np.mean(of_folds))
        whole = 100 * average_semantic_precision(scores, relevance, direction=direction)
        assert numbers["5K", direction, "ASP"] == pytest.approx(whole)
    with pytest.raises(ValueError, match="multiple of 5 images"):
        evaluate_by("coco", scores[:49, :245], corpus.select(slice(49)))


def test_labels_for_pmrp_come_from_coco_if_it_has_the_same_captions(monkeypatch: pytest.MonkeyPatch) -> None:
    coco = CaptionCorpus(["A dog, running.", "A cat"], [0, 1], labels=np.eye(2, dtype=bool), label_names=["dog", "cat"])
    scan = CaptionCorpus(["a dog , running .", "a cat ."], [0, 1])
    monkeypatch.setattr(daa.reproduce.reproduction, "load_corpus", lambda *arguments, **options: coco)
    labels = with_coco_labels(scan, "data").labels
    assert labels is not None
    assert labels.tolist() == [[True, False], [False, True]]
    with pytest.raises(ValueError, match="testall order"):
        with_coco_labels(CaptionCorpus(scan.captions[::-1], [0, 1]), "data")


@pytest.mark.parametrize(("table", "row"), ROWS, ids=lambda name: slug(name))
def test_a_row_trains_and_ends_in_its_table(table: str, row: str, folder: Path) -> None:
    """On real images of COCO where the environment variable DAA_DATA says they are; rows of CUB always on scenes."""
    chosen = find_table(table)
    small = small_size(chosen, chosen.row(row), None, folder / table, TINY, images=20)
    real = table != "table2" and Path(os.environ.get("DAA_DATA") or "nowhere", "coco").is_dir()
    assert ("Data: COCO's train2017" if real else "Data: drawn scenes") in small.small[0]
    report, numbers = reproduce(small, quiet=True)
    for name, config in small.configs.items():
        steps = read_log(small.out / name, "step")
        assert len(steps) == len({step["step"] for step in steps}) >= 2
        assert all(math.isfinite(step["loss"]) for step in steps)
        assert ("daa" in steps[0]) == ("DAA" in row)
        assert len(read_log(small.out / name, "validation")) == (2 if config.finetune.epochs else 1)
    assert report.n_images == 5
    assert {one.gallery for one in numbers} == {"table1": {"1K", "5K"}, "table2": {"test"}, "table3": {"1K"}}[table]
    assert all(one.ours is not None and 0 <= one.ours <= 100 for one in numbers)
    assert {(one.gallery, one.direction, one.metric): one.paper for one in numbers if one.paper} == dict(
        chosen.row(row).paper
    )
    record = json.loads(small.record.read_text())
    assert record["row"] == row
    assert [one["ours"] for one in record["numbers"]] == [one.ours for one in numbers]
    assert all(one["difference"] is None for one in record["numbers"])  # of a small run it would mean nothing
    if "SGRAF" in row:
        saf, sgr = (np.load(small.out / name / "scores.npy") for name in small.configs)
        ours = next(one.ours for one in reversed(numbers) if one[1:3] == ("i2t", "ASP"))  # of the whole split
        assert small.corpus is not None
        relevance = TfidfRelevance().fit(small.corpus).matrix()
        assert ours == pytest.approx(100 * average_semantic_precision((saf + sgr) / 2, relevance))
        assert ours != pytest.approx(100 * average_semantic_precision(saf, relevance))
        test = next(iter(small.configs.values())).data.test
        assert np.load(folder / table / "features" / f"{test}_ims.npy").shape == (5, 36, 32)
    before = {name: (small.out / name / "best.safetensors").stat().st_mtime_ns for name in small.configs}
    assert reproduce(small, quiet=True)[1] == numbers  # nothing is trained twice
    assert {name: (small.out / name / "best.safetensors").stat().st_mtime_ns for name in small.configs} == before
    assert read_record(small.out / next(iter(small.configs)))["status"] == "finished"
    if row == "VSE++":
        kept = replace(small, results=folder / "results")
        reproduce(kept, quiet=True)
        assert kept.record == folder / "results" / f"{table}-vsepp-seed0.json"
        records = read_records(chosen, chosen.row(row), folder / "results")
        assert [one["numbers"] for one in records] == [record["numbers"]]
        i2t, t2i = (next(one.ours for one in numbers if one[:3] == ("1K", d, "R@1")) for d in ("i2t", "t2i"))
        assert ours_line(records * 2) == f"1K R@1 {i2t:.1f} / {t2i:.1f}, 2 seeds"
        assert read_records(chosen, chosen.row("SAF"), folder / "results") == []


def test_the_command_lists_and_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAA_DATA", raising=False)
    code, out, _ = call(monkeypatch, capsys, "reproduce", "table3")
    assert code == 0
    assert "SGRAF + DAA" in out
    assert "78.0" in out
    code, out, err = call(monkeypatch, capsys, "reproduce", "table3", "--row", "saf+daa", "--dry-run")
    assert (code, err) == (0, "")
    for said in ("million parameters", "by hand: SCAN's region features", "11.5 GB", "T4:", "A100:"):
        assert said in out
    code, out, err = call(monkeypatch, capsys, "reproduce", "table3", "--row", "saf+daa", "--small", "--dry-run")
    assert code == 0
    assert "drawn scenes in the place of Flickr30K" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table4"], "expected one of table1, table2, table3, got 'table4'"),
        (["table1", "--row", "SGRAFF"], 'did you mean "SGRAF"?'),
        (["table1", "--row", "SAF", "--images", "40"], "expected --small with it"),
        (["table1", "--row", "SAF", "--small", "--images", "3"], "expected at least 20, got 3"),
        (["table1", "--row", "SAF", "--small", "optim.lrr=1"], "did you mean optim.lr?"),
        (["table1", "optim.lr=1"], "expected one beside the overrides"),
        (["table3", "--row", "SAF"], "expected the folder of the data sets, or the environment variable DAA_DATA"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DAA_DATA", raising=False)
    code, _, err = call(monkeypatch, capsys, "reproduce", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.rglob("*.safetensors")) == []
