"""Numbers, and tables of them for every place where they are read: terminal, notebook, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment
from rich.table import Table
from rich.text import Text

from daa.metrics.metric import UNITS_NOTE, metric_of
from daa.names import DIRECTIONS

_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<table class="daa-report">
<caption>{{ title }}</caption>
<thead><tr>{% for cell in header %}<th scope="col">{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for group, rows in groups %}
<tr><th scope="rowgroup" colspan="{{ header | length }}">{{ group }}</th></tr>
{% for row in rows %}
<tr>
{% for cell in row %}
{% if loop.index0 < n_labels %}
<th scope="row" style="font-weight: 400">{{ cell }}</th>
{% else %}
<td>{{ cell }}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
{% endfor %}
</tbody>
</table>
<p>{{ footnote }}</p>
"""
)


class Measurement(NamedTuple):
    """One number: `metric` in one direction, judged by `truth` (a set of positives, or for ASP a relevance).

    `gallery` is `"all"` or the folds averaged over, `chance` what a random ranking gets where that is known,
    `n_queries` how many queries had a value, `low` and `high` a confidence interval if one was asked for,
    `standard_error` that of an estimate from a sample of queries (see `daa.evaluation.statistics`). If floors were
    measured, `random`, `mean_prior` and `best_blind` are what rankings that ignore the query get, and `blind_at_most`
    is what none of them exceeds (see `daa.evaluation.floors`).
    """

    metric: str
    truth: str
    direction: str
    gallery: str
    value: float
    chance: float | None
    n_queries: int
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    random: float | None = None
    mean_prior: float | None = None
    best_blind: float | None = None
    blind_at_most: float | None = None

    @property
    def floor(self) -> float | None:
        """The best that is known of any ranking that ignores the query."""
        known = [one for one in (self.random, self.mean_prior, self.best_blind) if one is not None]
        if not known:
            return None
        return max(known) if metric_of(self.metric).higher_is_better else min(known)

    @property
    def above_floor(self) -> float | None:
        """(value - floor) / (best - floor): 0 is what ignoring the query gets, 1 is perfect."""
        best = metric_of(self.metric).best(self.metric)
        return None if self.floor is None or self.floor == best else (self.value - self.floor) / (best - self.floor)


def have_floors(measurements: Iterable[Measurement]) -> bool:
    """Whether any of them says what rankings that ignore the query score."""
    return any(one.floor is not None for one in measurements)


class TextTable(NamedTuple):
    """A table whose cells are text; the first columns are labels, the others numbers."""

    title: str
    header: Sequence[str]
    rows: list[list[str]]
    n_labels: int
    footnote: str

    def without_needless_gallery(self) -> TextTable:
        """Without its first column, which says over which candidates was ranked, if that is the same everywhere."""
        if len({row[0] for row in self.rows}) > 1:
            return self
        return self._replace(header=self.header[1:], rows=[row[1:] for row in self.rows], n_labels=self.n_labels - 1)

    def markdown(self) -> str:
        """Every row says all its labels, so that rows can be found by searching."""
        header, *rows = (
            [cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row] for row in [self.header, *self.rows]
        )
        lines = [header, ["---"] * self.n_labels + ["---:"] * (len(header) - self.n_labels), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

    def latex(self) -> str:
        """A `tabular` that needs the package booktabs."""
        frame = pd.DataFrame(self._sparing(), columns=list(self.header))
        columns = "l" * self.n_labels + "r" * (len(self.header) - self.n_labels)
        return frame.to_latex(index=False, escape=True, column_format=columns)

    def rich(self) -> Table:
        table = Table(title=Text(self.title), caption=Text(self.footnote))
        for j, column in enumerate(self.header):
            is_label = j < self.n_labels
            table.add_column(Text(column), justify="left" if is_label else "right", no_wrap=is_label, overflow="fold")
        rows = self._sparing()
        n_groups = self._n_groups
        for row, below in zip(rows, [*rows[1:], ["", "", "last"]], strict=True):
            new_section = any(below[:n_groups]) or below[-1] == "last"
            table.add_row(*(Text(cell) for cell in row), end_section=new_section)
        return table

    def html(self) -> str:
        """What stands before the metric heads a group of rows, so that the table fits a narrow screen."""
        n_groups = self._n_groups
        groups: dict[str, list[list[str]]] = {}
        for row, sparing in zip(self.rows, self._sparing(), strict=True):
            groups.setdefault(", ".join(row[:n_groups]), []).append(sparing[n_groups:])
        return _HTML.render(
            title=self.title,
            header=self.header[n_groups:],
            groups=list(groups.items()),
            n_labels=self.n_labels - n_groups,
            footnote=self.footnote,
        )

    @property
    def _n_groups(self) -> int:
        """Labels before the metric: a change of one starts a new section."""
        return list(self.header).index("metric")

    def _sparing(self) -> list[list[str]]:
        """The rows without those leading labels that the row above already says."""
        result: list[list[str]] = []
        above: list[str] = []
        for row in self.rows:
            same = 0
            while same < min(self.n_labels - 1, len(above)) and row[same] == above[same]:
                same += 1
            result.append([""] * same + row[same:])
            above = row
        return result


def number(metric: str, value: float) -> str:
    """A metric's value as tables print it: fractions in percent, ranks and correlations as they are.

    >>> number("R@1", 0.4321), number("median rank", 3.0), number("tau@100", 0.1234)
    ('43.2', '3.0', '0.123')
    """
    return metric_of(metric).unit.text(value)


def cell(one: Measurement) -> str:
    """The value of a measurement, with its standard error if it has one."""
    text = number(one.metric, one.value)
    return text if one.standard_error is None else f"{text} ± {number(one.metric, one.standard_error)}"


def report_table(title: str, measurements: Iterable[Measurement], note: str = "") -> TextTable:
    """One row a metric and truth, the directions side by side; the note is a further sentence at the foot."""
    by_row: dict[tuple[str, str, str], dict[str, str]] = {}
    with_intervals = False
    several = list(measurements)
    for one in sorted(several, key=order(several)):
        row = by_row.setdefault((one.gallery, one.truth, one.metric), {})
        row[one.direction] = cell(one)
        if one.low is not None and one.high is not None:
            with_intervals = True
            row[one.direction] += f" [{number(one.metric, one.low)},{number(one.metric, one.high)}]"
        if one.chance is not None:
            row[f"chance {one.direction}"] = number(one.metric, one.chance)
    rows = []
    for key, row in by_row.items():
        chances = dict.fromkeys(row[f"chance {d}"] for d in DIRECTIONS if f"chance {d}" in row)
        rows.append([*key, row.get("i2t", ""), row.get("t2i", ""), row.get("both", ""), " / ".join(chances)])
    footnote = f"{UNITS_NOTE} Chance: what a random ranking scores."
    if with_intervals:
        footnote += " In brackets: bootstrap confidence interval over images."
    footnote = f"{footnote} {note}".strip()
    header = ("gallery", "judged by", "metric", "i2t", "t2i", "both", "chance")
    return TextTable(title, header, rows, 3, footnote).without_needless_gallery()


def floors_table(title: str, measurements: Iterable[Measurement], note: str = "") -> TextTable:
    """One row a metric, truth and direction: value, what rankings that ignore the query get, what is above; a note."""
    several = list(measurements)
    rows = []
    for one in sorted(several, key=order(several)):
        floors = (one.random, one.mean_prior, one.best_blind)
        values = ["" if value is None else _short(number(one.metric, value)) for value in (one.value, *floors)]
        above = "" if one.above_floor is None else _short(f"{100 * one.above_floor:.1f}")
        rows.append([one.gallery, one.truth, f"{one.metric} {one.direction}", *values, above])
    header = ("gallery", "judged by", "metric", "value", "random", "mean", "blind", "above")
    return TextTable(title, header, rows, 3, f"{UNITS_NOTE} {FLOORS_NOTE} {note}".strip()).without_needless_gallery()


def _short(text: str) -> str:
    """A number in five characters if its decimals are what is too much."""
    return text if len(text) <= 5 else f"{float(text):.0f}"


FLOORS_NOTE = (
    "random, mean, blind: what rankings that ignore the query score; all candidates in random order, by their mean "
    "relevance, and in the best order learnt on the other half of the images. above: (value - floor) / (perfect - "
    "floor), floor the best of the three. Text to image, such an order knows the images by their captions: it is blind "
    "to the query, not to what the images show."
)


def order(measurements: Iterable[Measurement]) -> Callable[[Measurement], tuple[int, ...]]:
    """Galleries, truths and metrics in the order in which they first come, each metric's directions together."""
    several = list(measurements)
    places = [{one[j]: place for place, one in reversed(list(enumerate(several)))} for j in (3, 1)]
    rows = {one[:2] + one[3:4]: place for place, one in reversed(list(enumerate(several)))}

    def place(one: Measurement) -> tuple[int, ...]:
        row = rows[one[:2] + one[3:4]]
        return places[0][one.gallery], places[1][one.truth], row, (*DIRECTIONS, "both").index(one.direction)

    return place
