"""A report as a table: Markdown, terminal, HTML. Percent, the truths under one another, the directions side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import Environment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from daa.evaluation.report import Measurement

HEADER = ("gallery", "judged by", "metric", "i2t", "t2i", "both", "chance")
N_TEXT_COLUMNS = 3
FOOTNOTE = "Percent. Chance: what a random ranking scores."

_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
    """<table class="daa-report">
<caption>{{ title }}</caption>
<thead><tr>{% for cell in header %}<th>{{ cell }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
<p>{{ footnote }}</p>
"""
)


def percent(fraction: float) -> str:
    """
    >>> percent(0.4321)
    '43.2'
    """
    return f"{100 * fraction:.1f}"


def cells(measurements: Iterable[Measurement]) -> list[list[str]]:
    """Rows of text under `HEADER`, one a metric and truth, directions in columns."""
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in measurements:
        row = rows.setdefault((one.gallery, one.truth, one.metric), {})
        row[one.direction] = percent(one.value)
        if one.chance is not None:
            row[f"{one.direction} chance"] = percent(one.chance)
    result = []
    for key in sorted(rows, key=lambda key: _place(key, list(rows))):
        row = rows[key]
        chances = dict.fromkeys(row[f"{d} chance"] for d in ("i2t", "t2i") if f"{d} chance" in row)
        result.append([*key, row.get("i2t", ""), row.get("t2i", ""), row.get("both", ""), " / ".join(chances)])
    return result


def _place(key: tuple[str, str, str], keys: list[tuple[str, str, str]]) -> tuple[int, int, int]:
    """Galleries and truths in the order in which they first come, each metric after those of its truth."""
    galleries = [gallery for gallery, _, _ in keys]
    truths = [truth for _, truth, _ in keys]
    return galleries.index(key[0]), truths.index(key[1]), keys.index(key)


def _sparing(rows: list[list[str]]) -> list[list[str]]:
    """The rows without repeating a gallery and truth that stand in the row above."""
    result, above = [], ["", ""]
    for row in rows:
        gallery, truth = row[:2]
        result.append([gallery if gallery != above[0] else "", truth if row[:2] != above else "", *row[2:]])
        above = row[:2]
    return result


def markdown(measurements: Iterable[Measurement]) -> str:
    lines = [HEADER, ["---"] * N_TEXT_COLUMNS + ["---:"] * (len(HEADER) - N_TEXT_COLUMNS)]
    lines += [[cell.replace("|", "\\|") for cell in row] for row in cells(measurements)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def rich_table(title: str, measurements: Iterable[Measurement]) -> Table:
    table = Table(title=Text(title), caption=FOOTNOTE)
    for j, column in enumerate(HEADER):
        table.add_column(column, justify="left" if j < N_TEXT_COLUMNS else "right")
    rows = _sparing(cells(measurements))
    for row, below in zip(rows, [*rows[1:], ["", "x"]], strict=True):
        table.add_row(*(Text(cell) for cell in row), end_section=bool(below[1]))
    return table


def html(title: str, measurements: Iterable[Measurement]) -> str:
    return _HTML.render(title=title, header=HEADER, rows=_sparing(cells(measurements)), footnote=FOOTNOTE)
