"""What was installed: its version, the configurations it brings, and how its extras are added.

The package index has another project of the name `daa`, so that the distribution is called `daa-book`.
"""

from __future__ import annotations

import sysconfig
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from daa.names import closest

NAME = "daa-book"
ADDRESS = "https://github.com/daa-book/daa-book"
"""Of the repository; `make address` writes the one of pyproject.toml here."""


def version() -> str:
    """The installed version; `unknown` in a checkout that was never installed.

    >>> version().count(".")
    2
    """
    try:
        return installed_version(NAME)
    except PackageNotFoundError:
        return "unknown"


def install(extra: str) -> str:
    """The command that adds an extra, with or without a clone.

    >>> install("dask")
    'pip install "daa-book[dask] @ git+https://github.com/daa-book/daa-book"'
    """
    return f'pip install "{NAME}[{extra}] @ git+{ADDRESS}"'


def configs_folder() -> Path:
    """The folder of configurations: beside the package in a checkout, under `share/daa` where it was installed.

    Raises:
        FileNotFoundError: neither is there.
    """
    beside = Path(__file__).resolve().parents[1]
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    data = [beside, *(Path(sysconfig.get_path("data", scheme)) for scheme in schemes)]
    for folder in (beside / "configs", *(one / "share/daa/configs" for one in data)):
        if (folder / "tables.yaml").is_file():
            return folder
    raise FileNotFoundError(f"configs: expected tables.yaml in {beside / 'configs'}; install {NAME} again")


def config_names() -> list[str]:
    """The shipped configurations, such as `scenes-daa` and `table1/saf`."""
    folder = configs_folder()
    files = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))
    return sorted(name for name in files if name != "tables")


def find_config(given: str | Path) -> Path:
    """A configuration's file: the one at this path, or else the shipped one of this name, `configs/NAME.yaml` too.

    Raises:
        FileNotFoundError: there is neither; the message has the shipped names and the closest one.

    >>> find_config("scenes-daa").name, find_config("configs/table1/saf.yaml").name
    ('scenes-daa.yaml', 'saf.yaml')
    """
    if Path(given).is_file():
        return Path(given)
    name = Path(given).as_posix().removeprefix("configs/").removesuffix(".yaml")
    known = config_names()
    if name in known:
        return configs_folder() / f"{name}.yaml"
    raise FileNotFoundError(
        f"configuration: expected a YAML file or the name of a shipped one, but there is no {given}"
        f"{closest(name, known) or '.'} Shipped: {', '.join(known)}"
    )
