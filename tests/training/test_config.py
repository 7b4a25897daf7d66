from __future__ import annotations

from pathlib import Path

import pytest

from daa.training.config import Config, LossConfig, load_config, save_config

CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml") if path.name != "tables.yaml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAA_DATA", "data")
    load_config(path)


def test_there_are_shipped_configurations() -> None:
    assert {"scenes-baseline", "scenes-daa"} <= {path.stem for path in CONFIGS}


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("loss: {daa_weight: 3, options: {margin: 0.1}}\ntrain: {epochs: 4}\n")
    config = load_config(file, ["loss.daa_weight=5", "encoders.image_options={width: 8}"])
    assert (config.loss.daa_weight, config.train.epochs) == (5.0, 4)
    assert config.loss.options == {"margin": 0.1}
    assert config.encoders.image_options == {"width": 8}
    assert load_config(file, ["loss.options={}"]).loss.options == {}


def test_saved_and_read_again(tmp_path: Path) -> None:
    config = load_config(overrides=["optim.lr=0.1", "loss.options={margin: 0.3}"])
    save_config(config, tmp_path / "c.yaml")
    assert load_config(tmp_path / "c.yaml") == config
    assert config != Config()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.daa_wieght=2", "unknown key loss.daa_wieght; did you mean loss.daa_weight?"),
        ("los.daa_weight=2", "unknown key los; did you mean loss?"),
        ("daa_weight=2", "unknown key daa_weight; did you mean loss.daa_weight?"),
        ("train.zzz=2", "unknown key train.zzz"),
        ("loss.kind=infonc", "loss.kind: expected one of .*; did you mean infonce?"),
        ("loss.daa_weight=two", "loss.daa_weight: expected a number, got 'two'"),
        ("train.epochs=2.5", "train.epochs: expected a whole number, got 2.5"),
        ("train.epochs=0", "train.epochs: expected at least 1, got 0"),
        ("optim.lr=0", "optim.lr: expected a number above 0, got 0$"),
        ("optim.lr=nan", "optim.lr: expected a finite number, got .nan"),
        ("optim.warmup=1", "optim.warmup: expected a number below 1, got 1$"),
        ("data.train_images=0", "data.train_images: expected at least 1, got 0"),
        ("optim.lr", "expected key=value, got 'optim.lr'"),
        ("=2", "expected key=value, got '=2'"),
        ("loss=3", r"loss: expected keys of it, such as loss\.kind, got 3"),
        ("loss=null", r"loss: expected keys of it, such as loss\.kind, got None"),
        ("loss.options=3", "loss.options: expected a valid dictionary, got 3"),
        ("train.epochs=true", "train.epochs: expected something else than true or false, got True"),
        ("train.epochs=null", "train.epochs: expected a valid integer, got None"),
        ("train.tensorboard=2", "train.tensorboard: expected true or false, got 2"),
        ("data.root=???", "data.root"),
        ("train.epochs=${nothing}", "train.epochs: .*nothing"),
        ("loss.options=[1", "not readable"),
        ("data.root=${oc.env:SURELY_NOT_SET}/x", "data.root: .*SURELY_NOT_SET"),
    ],
)
def test_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_config(overrides=[override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["loss: [1", "- a\n- b\n", "loss:\n\t- x", "\xff"])
def test_files_that_are_no_configuration(content: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad\.yaml") as caught:
        load_config(tmp_path / "bad.yaml")
    assert "\n" not in str(caught.value)


def test_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == Config()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_mistake_in_a_file_is_told_from_one_in_an_override(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text('train: {epochs: 0, seed: "${train.epochs}"}\n')
    with pytest.raises(ValueError, match=r"^.*a\.yaml: train.epochs: expected at least 1, got 0$"):
        load_config(file, ["optim.lr=1"])
    assert load_config(file, ["train.epochs=3"]).train.seed == 3
    with pytest.raises(ValueError, match=r"^overrides: train.epochs: expected at least 1, got -1$"):
        load_config(file, ["train.epochs=-1"])


def test_an_override_makes_an_unset_variable_of_the_file_harmless(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("data: {root: '${oc.env:SURELY_NOT_SET}/coco'}\n")
    assert load_config(file, ["data.root=here"]).data.root == "here"


def test_numbers_of_the_environment_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_EPOCHS", "7")
    assert load_config(overrides=["train.epochs=${oc.env:SOME_EPOCHS}"]).train.epochs == 7


def test_a_changed_copy_is_checked_and_the_original_stays() -> None:
    config = Config()
    changed = config.with_(train={"seed": 3}, loss=LossConfig(kind="triplet", options={"margin": 0.1}))
    assert (changed.train.seed, changed.loss.kind, config.train.seed) == (3, "triplet", 0)
    assert changed.with_(loss={"options": {"hardest": False}}).loss.options == {"hardest": False}, "not merged"
    assert changed.with_(train={"seed": 0}, loss=config.loss) == config
    with pytest.raises(ValueError, match=r"^unknown key train.sed; did you mean train.seed\?$"):
        config.with_(train={"sed": 3})
    with pytest.raises(ValueError, match=r"^optim.warmup: expected a number below 1, got 2$"):
        config.with_(optim={"warmup": 2})
    with pytest.raises(ValueError, match=r"^data.shift: expected 0 beside data.augment erase, got 1$"):
        config.data.with_(shift=1, augment="erase")
    with pytest.raises(ValueError, match="frozen"):
        config.train.seed = 3  # type: ignore[misc]


def test_wrong_values_are_refused_wherever_a_section_is_made() -> None:
    with pytest.raises(ValueError, match=r"expected one of soft-contrastive, .*; did you mean infonce\?"):
        LossConfig(kind="infonc")
    with pytest.raises(ValueError, match="Input should be 'mean' or 'sum'"):
        LossConfig(kl_reduction="median")  # type: ignore[arg-type]


def test_every_value_says_what_it_is() -> None:
    for name, section in Config.model_fields.items():
        for value, field in section.annotation.model_fields.items():  # type: ignore[union-attr]
            assert field.description, f"{name}.{value}"
