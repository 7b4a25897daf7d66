"""The paper's tables: their rows, the numbers printed there, and the configurations that make each row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import yaml

from daa.distribution import configs_folder
from daa.names import DIRECTIONS, closest

if TYPE_CHECKING:
    from daa.evaluation import Report

FOLDS = 5
METRICS = {
    "coco": {"PMRP": "labels", "R@1": "annotated", "R@5": "annotated", "R@10": "annotated", "ASP": "tfidf"},
    "flickr30k": {"R@1": "annotated", "R@5": "annotated", "R@10": "annotated", "ASP": "tfidf"},
    "cub": {"R-Precision": "exhaustive", "mAP@R": "exhaustive", "R@1": "exhaustive", "ASP": "tfidf"},
}
"""By protocol of evaluation: the metrics, and what judges each."""
IN_THE_PAPER = ("PMRP", "R@1", "ASP")
"""The metrics of its tables."""
Column = tuple[str, str, str]
"""Gallery ("1K", "5K"), direction, metric."""


def slug(name: str) -> str:
    """A name for a folder.

    >>> slug("PCME-bert + DAA"), slug("PVSE K=2"), slug("VSE++")
    ('pcme-bert-daa', 'pvse-k2', 'vsepp')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("++", "pp").replace("=", "")).strip("-")


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Args:
        name: as the paper calls it.
        configs: of the runs that make it; the scores of several are averaged.
        paper: the paper's numbers, in percent.
        note: what there is to say about them, such as why some are missing.
    """

    name: str
    configs: tuple[Path, ...]
    paper: Mapping[Column, float]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """One table: its rows by name, and the protocol by which they are evaluated."""

    name: str
    title: str
    protocol: str
    source: str
    rows: Mapping[str, Row]

    def row(self, name: str) -> Row:
        """The row of a name; capitals, blanks and signs do not matter.

        Raises:
            ValueError: no such row; the message has the closest one.

        >>> load_tables()["table1"].row("pcme-bert+daa").name
        'PCME-bert + DAA'
        """
        known = {_plain(one): row for one, row in self.rows.items()}
        if _plain(name) in known:
            return known[_plain(name)]
        hint = closest(_plain(name), known)
        hint = hint and f'; did you mean "{known[hint.removeprefix("; did you mean ").rstrip("?")].name}"?'
        raise ValueError(f"--row: expected a row of {self.name}: {', '.join(self.rows)}; got {name!r}{hint}")

    def printed(self) -> pd.DataFrame:
        """The paper's numbers, one row a row of the table; NaN where there is none.

        >>> load_tables()["table3"].printed()["1K", "i2t", "R@1"]["SGRAF + DAA"]
        np.float64(78.0)
        """
        numbers = [number for row in self.rows.values() for number in row.paper if number[2] in IN_THE_PAPER]
        galleries = dict.fromkeys(gallery for gallery, _, _ in numbers)
        columns = [
            (gallery, direction, metric)
            for gallery, direction, metric in product(galleries, DIRECTIONS, IN_THE_PAPER)
            if (gallery, direction, metric) in numbers
        ]
        values = [[row.paper.get(column, float("nan")) for column in columns] for row in self.rows.values()]
        index = pd.MultiIndex.from_tuples(columns, names=["gallery", "direction", "metric"])
        return pd.DataFrame(values, index=list(self.rows), columns=index, dtype=float)


def load_tables(path: Path | None = None) -> dict[str, Table]:
    """All tables by name, from `configs/tables.yaml`.

    >>> sorted(load_tables())
    ['table1', 'table2', 'table3']
    """
    path = path or configs_folder() / "tables.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: _table(name, one, path.parent) for name, one in content.items()}


def find_table(name: str) -> Table:
    """The table of a name: "table1", "Table 1" or "1".

    Raises:
        ValueError: no such table.

    >>> find_table("3").title
    'Flickr30K'
    """
    tables = load_tables()
    known = {key: table for table in tables.values() for key in (table.name, table.name.removeprefix("table"))}
    if _plain(name) not in known:
        raise ValueError(f"table: expected one of {', '.join(tables)}, got {name!r}")
    return known[_plain(name)]


class Cell(NamedTuple):
    """One number of a table, in percent: the paper's, ours, or both."""

    gallery: str
    direction: str
    metric: str
    paper: float | None
    ours: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's, in points."""
        return None if self.paper is None or self.ours is None else self.ours - self.paper


def galleries(protocol: str, n_images: int) -> dict[str, str]:
    """The galleries of a table, and what a report calls each.

    >>> galleries("coco", 5000)
    {'1K': '5 x 1000', '5K': 'all'}
    """
    if protocol == "coco":
        return {"1K": f"{FOLDS} x {n_images // FOLDS}", "5K": "all"}
    return {"1K" if protocol == "flickr30k" else "test": "all"}


def cells(protocol: str, report: Report, paper: Mapping[Column, float]) -> list[Cell]:
    """The numbers of a table, those of the paper beside those of a report; a metric that neither has is left out."""
    values = {(m.gallery, m.direction, m.metric, m.truth): 100 * m.value for m in report.measurements}
    found = [
        Cell(*column, paper.get(column), values.get((name, direction, metric, truth)))
        for gallery, name in galleries(protocol, report.n_images).items()
        for metric, truth in METRICS[protocol].items()
        for direction in DIRECTIONS
        for column in [(gallery, direction, metric)]
    ]
    return [one for one in found if one.paper is not None or one.ours is not None]


def _table(name: str, content: Mapping[str, Any], folder: Path) -> Table:
    if content["protocol"] not in METRICS:
        raise ValueError(f"{name}: expected a protocol of {', '.join(METRICS)}, got {content['protocol']!r}")
    rows = {
        row: Row(row, tuple(folder / file for file in one["configs"]), _numbers(one["paper"]), one.get("note", ""))
        for row, one in content["rows"].items()
    }
    return Table(name, content["title"], content["protocol"], content["source"], rows)


def _numbers(paper: Mapping[str, Any]) -> dict[Column, float]:
    return {
        (gallery, direction, metric): float(value)
        for gallery, by_direction in paper.items()
        for direction, by_metric in by_direction.items()
        for metric, value in by_metric.items()
    }


def _plain(name: str) -> str:
    return slug(name).replace("-", "")
