"""Typed sections of a configuration: checked when they are made, never changed, read from YAML and `key=value`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from yaml import YAMLError

from daa.distribution import find_config
from daa.names import closest

EXPECTED = {
    "greater_than_equal": "at least {ge:g}",
    "greater_than": "a number above {gt:g}",
    "less_than": "a number below {lt:g}",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
}
"""What pydantic would say at greater length, by its kinds of error."""


S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """Values by name, each with its type, its range and what it means beside it.

    Frozen: `with_` makes a changed copy. A validator of several values raises a `ValueError` whose text is complete.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: Any) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation is not bool:
            raise PydanticCustomError("truth_value", "something else than true or false")
        return value

    def with_(self: S, **changes: Any) -> S:
        """A checked copy with other values. Of a section inside, a dictionary has what changes in it.

        >>> class Inner(Section):
        ...     lr: float = 0.1
        ...     options: dict[str, int] = {}
        >>> class Outer(Section):
        ...     inner: Inner = Inner()
        >>> Outer().with_(inner={"options": {"a": 1}})
        Outer(inner=Inner(lr=0.1, options={'a': 1}))
        >>> Outer().with_(inner={"rl": 1})
        Traceback (most recent call last):
        ValueError: unknown key inner.rl; did you mean inner.lr?
        """
        values = dict(self)
        for name, value in changes.items():
            inside = isinstance(values.get(name), Section) and isinstance(value, Mapping)
            values[name] = {**dict(values[name]), **value} if inside else value
        return checked(type(self), values)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, for JSON and YAML."""
        return self.model_dump()


def checked(section: type[S], values: Mapping[str, Any], prefix: str = "") -> S:
    """A section from its values.

    Args:
        section: which.
        values: by name; what is missing is as by default.
        prefix: of its keys in messages, such as `"finetune.optim."`.

    Raises:
        ValueError: one line that names the key, what was expected and what came, and the closest known key.
    """
    try:
        return section.model_validate(values)
    except ValidationError as error:
        raise ValueError(_problem(section, error, prefix)[1]) from None


def load_section(section: type[S], path: str | Path | None, overrides: Sequence[str]) -> S:
    """A section from a YAML file, or a shipped configuration by its name, and `key=value` overrides; all else as by
    default. Dictionaries are merged; `${...}` is filled in when all is there.

    Raises:
        FileNotFoundError: no such file.
        ValueError: as of `checked`, in front of it the file or `overrides`; or what is not readable.
    """
    given = [] if path is None else [(str(path), _file(path))]
    given += [("overrides", _override(one)) for one in overrides]
    values: Any = section().to_dict()
    for _, changes in given:
        values = _merged(values, changes)
    try:
        filled: Any = OmegaConf.to_container(OmegaConf.create(values), resolve=True, throw_on_missing=True)
        return section.model_validate(filled)
    except OmegaConfBaseException as error:
        raise ValueError(f"{path or 'overrides'}: {_one_line(error)}") from None
    except ValidationError as error:
        place, text = _problem(section, error)
        source = next((f"{name}: " for name, changes in reversed(given) if place and _has(changes, place)), "")
        raise ValueError(source + text) from None


def _problem(section: type[Section], error: ValidationError, prefix: str = "") -> tuple[tuple[str, ...], str]:
    """Where the first problem is, an unknown key before all others, and the line that says so."""
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    place, kind, came = tuple(str(name) for name in first["loc"]), first["type"], first["input"]
    key, context = prefix + ".".join(place), first.get("ctx", {})
    if kind == "value_error":
        return place, str(context["error"])
    if kind == "extra_forbidden":
        return place, f"unknown key {key}{_near(key, [prefix + name for name in _keys(section)])}"
    if kind == "model_type":
        inside = next(name for name in _keys(section) if name.startswith(f"{'.'.join(place)}."))
        return place, f"{key}: expected keys of it, such as {prefix}{inside}, got {came!r}"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return place, f"{key}: expected one of {', '.join(choices)}, got {came!r}{closest(str(came), choices)}"
    expected = EXPECTED[kind].format(**context) if kind in EXPECTED else first["msg"].removeprefix("Input should be ")
    return place, f"{key}: expected {expected}, got {came!r}"


def _keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    """The dotted names of all sections and values."""
    for name, field in section.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _keys(field.annotation, f"{prefix}{name}.")


def _file(path: str | Path) -> Any:
    try:
        loaded = OmegaConf.load(find_config(path))
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as YAML: {_one_line(error)}") from None
    if not isinstance(loaded, DictConfig):
        raise ValueError(f"{path}: expected sections such as data, loss and train, got a list")
    return OmegaConf.to_container(loaded)


def _override(given: str) -> Any:
    if not given.partition("=")[0].strip() or "=" not in given:
        raise ValueError(f"overrides: expected key=value, got {given!r}")
    try:
        return OmegaConf.to_container(OmegaConf.from_dotlist([given]))
    except (YAMLError, OmegaConfBaseException) as error:
        raise ValueError(f"overrides: {given!r} is not readable: {_one_line(error)}") from None


def _merged(values: Any, changes: Any) -> Any:
    """Dictionaries are merged key by key; anything else, and an empty dictionary, takes the place of what was there."""
    if not (isinstance(values, Mapping) and isinstance(changes, Mapping) and changes):
        return changes
    return {**values, **{name: _merged(values.get(name), change) for name, change in changes.items()}}


def _has(values: Any, place: Sequence[str]) -> bool:
    for name in place:
        if not (isinstance(values, Mapping) and name in values):
            return False
        values = values[name]
    return True


def _one_line(error: Exception) -> str:
    key = getattr(error, "full_key", None)
    lines = str(error).splitlines() or [type(error).__name__]
    # OmegaConf's message is its first line, the parser's needs all of them
    message = lines[0] if isinstance(error, OmegaConfBaseException) else " ".join(" ".join(lines).split())
    return f"{key}: {message}" if key else message


def _near(key: str, known: list[str]) -> str:
    """The known key that has its name in another section, or else one that is spelt alike."""
    elsewhere = [other for other in sorted(known) if other.split(".")[-1] == key.split(".")[-1]]
    return f"; did you mean {elsewhere[0]}?" if elsewhere else closest(key, known)
