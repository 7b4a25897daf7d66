"""Several systems side by side, each tested against the first on the same queries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from daa.evaluation import tables
from daa.evaluation.report import Report
from daa.evaluation.sampling import notes
from daa.evaluation.statistics import check_per_query, draws, image_sums, interval, resampled, sign_flips
from daa.files import write_json
from daa.metrics.metric import UNITS_NOTE, Quantity, metric_of, totals

FORMAT = "daa comparison 1"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Reports of several systems on one corpus; `tests` holds the paired tests against the first."""

    reports: tuple[Report, ...]
    tests: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: the rows of every report's `to_frame`, after a column `system`."""
        frames = [report.to_frame().assign(system=report.name) for report in self.reports]
        frame = pd.concat(frames, ignore_index=True)
        return frame[["system", *(column for column in frame if column != "system")]]

    def to_json(self, path: str | PathLike | None = None) -> str:
        """The reports and the tests as JSON text, also written to `path` (whole or not at all) if given."""
        content = {
            "format": FORMAT,
            "reports": [report.to_dict() for report in self.reports],
            "tests": json.loads(self.tests.to_json(orient="records", double_precision=15)),
            "settings": self.settings,
        }
        if path is not None:
            write_json(path, content)
        return json.dumps(content, indent=1, allow_nan=False)

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

    def to_markdown(self) -> str:
        return self.table.markdown()

    def to_latex(self) -> str:
        return self.table.latex()

    def __rich__(self) -> Table:
        return self.table.rich()

    def _repr_html_(self) -> str:
        return self.table.html()


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
        if (report.corpus, report.n_images, report.n_captions) != (
            reports[0].corpus,
            reports[0].n_images,
            reports[0].n_captions,
        ):
            raise ValueError(f"reports: expected one corpus, got {reports[0].corpus} and {report.corpus}")
        if report.settings.get("sampled") != reports[0].settings.get("sampled"):
            raise ValueError(
                f"reports: expected the same queries, but {report.name} was evaluated on other ones than "
                f"{reports[0].name}; sample both with the same number of queries and seed"
            )
    rows = [row for other in reports[1:] for row in _tests(reports[0], other, level, n_resamples, seed)]
    columns = ["system", "against", "metric", "truth", "direction", "difference", "low", "high", "p"]
    settings = {"level": level, "n_resamples": n_resamples, "seed": seed, "resampled": "images with their captions"}
    return Comparison(tuple(reports), pd.DataFrame(rows, columns=columns), settings)


def _tests(first: Report, other: Report, level: float, n_resamples: int, seed: int) -> list[tuple]:
    keys: list[Quantity] = []
    units: list[np.ndarray] = []  # difference that each image adds to the difference of the means
    for direction, by_key in first.per_query.items():
        for name, truth in by_key:
            is_mean = metric_of(name).over_queries == "mean"  # else it gets no paired test
            if not is_mean or (name, truth) not in other.per_query[direction]:
                continue
            difference = other.per_query[direction][name, truth] - by_key[name, truth]
            sums, counts = image_sums(difference, first.image_of_query[direction], first.n_images)
            if counts.sum():
                keys.append((name, truth, direction))
                units.append(sums / counts.sum())
    for total, summed in totals(keys).items():
        units.append(np.sum([units[keys.index(one)] for one in summed], axis=0))
        keys.append(total)
    matrix = np.stack(units, axis=1)
    observed = matrix.sum(axis=0)
    as_large = np.zeros(len(keys))
    for signs in sign_flips(first.n_images, n_resamples, seed):
        as_large += (np.abs(signs @ matrix) >= np.abs(observed) * (1 - 1e-12)).sum(axis=0)
    p = (1 + as_large) / (1 + n_resamples)
    differences: dict[Quantity, list[np.ndarray]] = {key: [] for key in keys}
    for weights in draws(first.n_images, n_resamples, seed):
        of_first, of_other = (
            resampled(report.per_query, report.image_of_query, weights, medians=False) for report in (first, other)
        )
        for key in keys:
            differences[key].append(of_other[key] - of_first[key])
    return [
        (
            other.name,
            first.name,
            *key,
            float(observed[j]),
            *interval(np.concatenate(differences[key]), level),
            float(p[j]),
        )
        for j, key in enumerate(keys)
    ]
