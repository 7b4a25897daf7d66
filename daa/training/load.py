"""Reading a configuration from YAML and `key=value` overrides, refusing what is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from daa.distribution import find_config
from daa.names import closest
from daa.training.config import Config, check_config


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """A configuration from a YAML file and overrides, all else as in `Config`.

    Args:
        path: the file, or the name of a shipped one such as "scenes-daa"; None for the defaults.
        overrides: such as `"loss.daa_weight=2"`; the value is read as YAML. Dictionaries are merged, and
            `"loss.options={}"` empties one.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, an unknown key (the message has the closest known one), or a value of the wrong type or
            outside its range.

    >>> load_config(overrides=["loss.daa_weight=2", "optim.lr=1e-3"]).loss.daa_weight
    2.0
    >>> load_config(overrides=["loss.daa_wieght=2"])
    Traceback (most recent call last):
    ValueError: overrides: unknown key loss.daa_wieght; did you mean loss.daa_weight?
    """
    given: list[tuple[str, DictConfig]] = []
    if path is not None:
        try:
            loaded = OmegaConf.load(find_config(path))
        except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not readable as YAML: {_one_line(error)}") from None
        if not isinstance(loaded, DictConfig):
            raise ValueError(f"{path}: expected sections such as data, loss and train, got a list")
        given.append((str(path), loaded))
    for override in overrides:
        if not override.partition("=")[0].strip() or "=" not in override:
            raise ValueError(f"overrides: expected key=value, got {override!r}")
        try:
            given.append(("overrides", OmegaConf.from_dotlist([override])))
        except (YAMLError, OmegaConfBaseException) as error:
            raise ValueError(f"overrides: {override!r} is not readable: {_one_line(error)}") from None
    config = OmegaConf.structured(Config)
    known = _keys(OmegaConf.to_container(config))
    for source, part in given:
        _refuse_unknown(source, OmegaConf.to_container(part), known)
        try:
            for key in _emptied(OmegaConf.to_container(part)):
                OmegaConf.update(config, key, {}, merge=False)
            config = OmegaConf.merge(config, part)
        except OmegaConfBaseException as error:
            raise ValueError(f"{source}: {_one_line(error)}") from None
    try:
        result = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ValueError(f"{path or 'overrides'}: {_one_line(error)}") from None
    assert isinstance(result, Config)
    check_config(result)
    return result


def save_config(config: Config, path: str | Path) -> None:
    """Write a configuration as YAML that `load_config` reads."""
    OmegaConf.save(OmegaConf.create(config.to_dict()), path)


def _keys(tree: Any, prefix: str = "") -> set[str]:
    """Dotted names of all sections and values; free dictionaries (options) end with `.*`."""
    keys: set[str] = set()
    for name, value in tree.items():
        keys.add(prefix + name)
        if isinstance(value, Mapping):
            keys |= _keys(value, f"{prefix}{name}.") if value else {f"{prefix}{name}.*"}
    return keys


def _refuse_unknown(source: str, tree: Any, known: set[str], prefix: str = "") -> None:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key not in known:
            raise ValueError(f"{source}: unknown key {key}{_suggestion(key, known)}")
        inside = sorted(other for other in known if other.startswith(f"{key}."))
        if inside and not isinstance(value, Mapping):
            raise ValueError(f"{source}: {key}: expected keys of it, such as {inside[0]}, got {value!r}")
        if isinstance(value, Mapping) and f"{key}.*" not in known:
            _refuse_unknown(source, value, known, f"{key}.")


def _emptied(tree: Any, prefix: str = "") -> list[str]:
    """Keys given as `{}`, which a merge would leave as they were."""
    keys: list[str] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            keys += _emptied(value, f"{prefix}{name}.") if value else [prefix + name]
    return keys


def _suggestion(key: str, known: set[str]) -> str:
    """The known key that is spelt alike, or the one in another section with that very name."""
    elsewhere = [other for other in sorted(known) if other.split(".")[-1] == key.split(".")[-1]]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else closest(key, sorted(k for k in known if "*" not in k))


def _one_line(error: Exception) -> str:
    key = getattr(error, "full_key", None)
    lines = str(error).splitlines() or [type(error).__name__]
    # OmegaConf's message is its first line, the parser's needs all of them
    message = lines[0] if isinstance(error, OmegaConfBaseException) else " ".join(" ".join(lines).split())
    return f"{key}: {message}" if key else message
