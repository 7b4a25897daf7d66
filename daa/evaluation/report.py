"""The numbers of an evaluation, alone or of several systems side by side, and the forms in which they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from daa.evaluation import tables
from daa.evaluation.statistics import bootstrap, check_per_query, notes, paired_tests
from daa.evaluation.tables import Measurement
from daa.files import write_json
from daa.metrics.metric import UNITS_NOTE

FORMAT = "daa report 1"
COMPARISON_FORMAT = "daa comparison 1"
_FLOORS = ("random", "mean_prior", "best_blind", "blind_at_most")


class Readable:
    """What has a `table` and can be a dictionary, in every form in which people and programs read it."""

    @property
    def table(self) -> tables.TextTable:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """All but the per-query values, as JSON can hold it."""
        raise NotImplementedError

    def to_json(self, path: str | PathLike | None = None) -> str:
        """All but the per-query values as JSON text, also written to `path` (whole or not at all) if given."""
        content = self.to_dict()
        if path is not None:
            write_json(path, content)
        return json.dumps(content, indent=1, allow_nan=False)

    def to_markdown(self) -> str:
        """A table in percent, with the chance level of ASP beside it."""
        return self.table.markdown()

    def to_latex(self) -> str:
        """The same as a `tabular` for the package booktabs."""
        return self.table.latex()

    def __rich__(self) -> Table:
        return self.table.rich()

    def _repr_html_(self) -> str:
        return self.table.html()


@dataclass(frozen=True, eq=False)
class Report(Readable):
    """Every metric of one system on one corpus.

    Attributes:
        measurements: the numbers; `to_frame` gives them as a tidy table.
        per_query: per-query values by direction and (metric, truth), for statistics; not kept in JSON.
        image_of_query: by direction the image that each query shows or describes; not kept in JSON.
        queries: by direction which queries the per-query values are of; not kept in JSON.
        settings: the tie policies, how queries were sampled and intervals made, which truths rank judged pairs only.
        provenance: what made the numbers, if whoever ran the evaluation noted it.
    """

    name: str
    corpus: str
    n_images: int
    n_captions: int
    measurements: tuple[Measurement, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    per_query: dict[str, dict[tuple[str, str], np.ndarray]] = field(default_factory=dict, repr=False)
    image_of_query: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    queries: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def value(self, metric: str, truth: str, direction: str, gallery: str = "all") -> float:
        """One number: a fraction, a rank or a correlation.

        Raises:
            ValueError: if the report has no such number; the message lists what there is.
        """
        for one in self.measurements:
            if (one.metric, one.truth, one.direction, one.gallery) == (metric, truth, direction, gallery):
                return one.value
        known = sorted({f"{one.metric} by {one.truth}" for one in self.measurements})
        raise ValueError(
            f"metric: no {metric} by {truth}, {direction}, gallery {gallery}; this report has {', '.join(known)}"
        )

    def with_intervals(self, level: float = 0.95, n_resamples: int = 1000, seed: int = 0) -> Report:
        """This report with confidence intervals, by a bootstrap over images; averages over folds get none.

        Images are drawn with replacement, each with all its captions: the captions of one image are no independent
        queries.

        Raises:
            ValueError: if the report was read from JSON, which keeps no per-query values, or is of sampled queries.
        """
        if "sampled" in self.settings:
            raise ValueError("intervals: expected all queries; numbers of sampled queries have standard errors instead")
        check_per_query(self.name, self.per_query)
        intervals = bootstrap(self.per_query, self.image_of_query, self.n_images, level, n_resamples, seed)
        measurements = []
        for one in self.measurements:
            key = (one.metric, one.truth, one.direction)
            low, high = intervals[key] if one.gallery == "all" else (None, None)
            measurements.append(one._replace(low=low, high=high))
        made = {"level": level, "n_resamples": n_resamples, "seed": seed, "resampled": "images with their captions"}
        return replace(self, measurements=tuple(measurements), settings=self.settings | {"intervals": made})

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a number; columns metric, truth, direction, gallery, value, chance, n_queries, low, high.

        If queries were sampled also standard_error; if floors were measured also random, mean_prior, best_blind,
        blind_at_most, floor and above_floor.
        """
        frame = pd.DataFrame(list(self.measurements), columns=list(Measurement._fields))
        frame = frame.drop(columns=self._unknown)
        if tables.have_floors(self.measurements):
            frame["floor"] = [one.floor for one in self.measurements]
            frame["above_floor"] = [one.above_floor for one in self.measurements]
        text = ("metric", "truth", "direction", "gallery")
        return frame.astype({name: int if name == "n_queries" else float for name in frame if name not in text})

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "corpus": {"name": self.corpus, "images": self.n_images, "captions": self.n_captions},
            "settings": self.settings,
            "measurements": [
                {key: value for key, value in one._asdict().items() if key not in self._unknown}
                for one in self.measurements
            ],
            "provenance": self.provenance,
        }

    @property
    def _unknown(self) -> list[str]:
        """Fields of measurements that nobody asked for."""
        floors = [] if tables.have_floors(self.measurements) else list(_FLOORS)
        return floors if "sampled" in self.settings else ["standard_error", *floors]

    @classmethod
    def from_json(cls, source: str | PathLike) -> Report:
        """The report whose JSON text, or whose JSON file, this is.

        Raises:
            ValueError: if it is not the JSON of a report.
        """
        is_text = isinstance(source, str) and source.lstrip().startswith("{")
        text = str(source) if is_text else Path(source).read_text(encoding="utf-8")
        where = "the given text" if is_text else str(source)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"report: expected JSON in {where}, got {error}") from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f'report: expected JSON with "format": "{FORMAT}" in {where}')
        corpus = content["corpus"]
        return cls(
            name=content["name"],
            corpus=corpus["name"],
            n_images=corpus["images"],
            n_captions=corpus["captions"],
            measurements=tuple(Measurement(**one) for one in content["measurements"]),
            settings=content["settings"],
            provenance=content["provenance"],
        )

    @property
    def table(self) -> tables.TextTable:
        """With floors if they were measured; with intervals in their place if there are any."""
        title = f"{self.name} on {self.corpus}: {self.n_images:,} images, {self.n_captions:,} captions"
        if tables.have_floors(self.measurements) and "intervals" not in self.settings:
            return tables.floors_table(title, self.measurements, notes(self.settings))
        return tables.report_table(title, self.measurements, notes(self.settings))


@dataclass(frozen=True, eq=False)
class Comparison(Readable):
    """Reports of several systems on one corpus; `tests` holds the paired tests against the first."""

    reports: tuple[Report, ...]
    tests: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: the rows of every report's `to_frame`, after a column `system`."""
        frames = [report.to_frame().assign(system=report.name) for report in self.reports]
        frame = pd.concat(frames, ignore_index=True)
        return frame[["system", *(column for column in frame if column != "system")]]

    def to_dict(self) -> dict[str, Any]:
        """The reports and the tests, as JSON can hold them."""
        return {
            "format": COMPARISON_FORMAT,
            "reports": [report.to_dict() for report in self.reports],
            "tests": json.loads(self.tests.to_json(orient="records", double_precision=15)),
            "settings": self.settings,
        }

    @property
    def table(self) -> tables.TextTable:
        """One row a number, one column a system; p-values of the paired tests against the first system."""
        first, *others = self.reports
        tested = self.tests.set_index(["system", "metric", "truth", "direction"])["p"].to_dict()
        rows = []
        for one in sorted(first.measurements, key=tables.order(first.measurements)):
            cells = [tables.cell(one)]
            for other in others:
                theirs = next((m for m in other.measurements if m[:4] == one[:4]), None)
                p = tested.get((other.name, one.metric, one.truth, one.direction)) if one.gallery == "all" else None
                cells.append("" if theirs is None else tables.cell(theirs))
                cells.append("" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}")
            chance = "" if one.chance is None else tables.number(one.metric, one.chance)
            rows.append([one.gallery, one.truth, one.metric, one.direction, *cells, chance])
        columns = [column for other in others for column in (other.name, "p")]
        header = ("gallery", "judged by", "metric", "", first.name, *columns, "chance")
        title = f"{first.corpus}: {first.n_images:,} images, {first.n_captions:,} captions"
        footnote = (
            f"{UNITS_NOTE} p: paired sign-flip test over images against {first.name}, "
            "not corrected for the number of tests. Chance: what a random ranking scores."
        )
        footnote = f"{footnote} {notes(first.settings)}".strip()
        return tables.TextTable(title, header, rows, 4, footnote).without_needless_gallery()


def compare(reports: Sequence[Report], *, level: float = 0.95, n_resamples: int = 2000, seed: int = 0) -> Comparison:
    """Put systems side by side and test each against the first, query by query.

    The paired test asks whether the difference of the means could be luck: under the null hypothesis the two systems
    may be swapped on any image (with all its captions), so the difference is set against its values under random signs.
    The interval of the difference is a percentile bootstrap over the same images.

    Args:
        reports: two or more, of the same corpus, with per-query values; the others are tested against the first.
        level: coverage of the intervals.
        n_resamples: random signs, and bootstrap resamples.
        seed: of the random numbers.

    Returns:
        A `Comparison`; its `tests` has the columns system, against, metric, truth, direction, difference, low, high, p.

    Raises:
        ValueError: for fewer than two reports, equal names, different corpora, different samples of queries or missing
            per-query values.
    """
    if len(reports) < 2:
        raise ValueError(f"reports: expected two or more, got {len(reports)}")
    names = [report.name for report in reports]
    if len(set(names)) < len(names):
        raise ValueError(f"reports: expected distinct names, got {', '.join(names)}")
    for report in reports:
        check_per_query(report.name, report.per_query)
        if any(getattr(report, name) != getattr(reports[0], name) for name in ("corpus", "n_images", "n_captions")):
            raise ValueError(f"reports: expected one corpus, got {reports[0].corpus} and {report.corpus}")
        if report.settings.get("sampled") != reports[0].settings.get("sampled"):
            raise ValueError(
                f"reports: expected the same queries, but {report.name} was evaluated on other ones than "
                f"{reports[0].name}; sample both with the same number of queries and seed"
            )
    first, *others = reports
    rows = [
        (other.name, first.name, *numbers)
        for other in others
        for numbers in paired_tests(
            first.per_query, other.per_query, first.image_of_query, first.n_images, level, n_resamples, seed
        )
    ]
    columns = ["system", "against", "metric", "truth", "direction", "difference", "low", "high", "p"]
    settings = {"level": level, "n_resamples": n_resamples, "seed": seed, "resampled": "images with their captions"}
    return Comparison(tuple(reports), pd.DataFrame(rows, columns=columns), settings)
