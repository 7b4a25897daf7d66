"""What `daa reproduce` says: the paper's table, the plan of a row, and what came out beside the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.filesize import decimal
from rich.table import Table as RichTable

from daa.reproduce.facts import GPUS, Needed
from daa.reproduce.plan import Plan
from daa.reproduce.protocol import Result
from daa.reproduce.tables import Table


def paper_table(table: Table) -> RichTable:
    """The paper's numbers; a dash where the paper has none or where they were not at hand."""
    frame = table.printed()
    notes = dict.fromkeys(row.note for row in table.rows.values() if row.note)
    shown = RichTable(title=f"{table.title}: {table.source}", caption="; ".join(["Percent", *notes]) + ".")
    shown.add_column("row", no_wrap=True)
    for column in frame.columns:
        shown.add_column("\n".join(column), justify="right")
    for name, values in frame.iterrows():
        shown.add_row(str(name), *("-" if value != value else f"{value:.1f}" for value in values))
    return shown


def plan_lines(name: str, plan: Plan) -> list[str]:
    """What one run takes, and why, a sentence a line."""
    lines = [f"{name}: {plan.parameters / 1e6:,.1f} million parameters"]
    for stage in plan.stages:
        lines.append(
            f"  {stage.epochs} epochs = {stage.steps:,} steps of {plan.batch}; {stage.trained / 1e6:,.1f} million "
            f"parameters trained; {stage.flops / 1e12:.2f} TFLOP a step, forward and backward; "
            f"{decimal(stage.state)} of weights, gradients and moments; "
            f"{decimal(int(stage.kept))} kept a step in float32"
        )
    half = "" if plan.precision == "no" else f", half of what is kept since it is {plan.precision}"
    lines.append(f"  memory: about {decimal(int(plan.memory))} on the device{half}")
    if plan.relevance:
        lines.append(f"  relevance of the training captions: about {decimal(plan.relevance)} of main memory, sparse")
    for gpu in GPUS:
        rate = (gpu.full if plan.precision == "no" else gpu.half) / 1e12
        fits = "" if plan.memory < gpu.memory else f"; does not fit its {decimal(int(gpu.memory))}, set train.chunks"
        lines.append(
            f"  {gpu.name}: {plan.hours(gpu):,.1f} hours = {plan.flops / 1e18:.2f} EFLOP at an assumed {rate:g} TFLOP/s"
            f" ({gpu.why}){fits}"
        )
    if plan.scoring_flops > 1e15:
        lines.append(f"  scoring the test split: {plan.scoring_flops / 1e15:.1f} PFLOP more")
    return lines


def needed_lines(needed: Sequence[Needed]) -> list[str]:
    """What is downloaded and what has to be fetched by hand."""
    total = sum(one.n_bytes for one in needed)
    by_hand = sum(one.by_hand for one in needed)
    files = "1 download" if len(needed) == 1 else f"{len(needed)} downloads"
    lines = [f"Needs {files}, {decimal(total)} as far as sizes are published:"]
    for one in needed:
        size = f" ({decimal(one.n_bytes)})" if one.n_bytes else ""
        where = f": {one.where}" if one.where else ""
        lines.append(f"  {'by hand: ' if one.by_hand else ''}{one.what}{size}{where}")
    if by_hand:
        lines.append(f"  {by_hand} of them by hand: only a person can fetch {'it' if by_hand == 1 else 'them'}.")
    return lines


def result_table(title: str, numbers: Sequence[Result], small: bool) -> RichTable:
    """The paper's number, ours and the difference, one row a number."""
    caption = (
        "Percent. A small run shows that the path works; its numbers compare with nothing, so no difference is taken."
        if small
        else "Percent; difference in points, ours less the paper's."
    )
    shown = RichTable(title=title, caption=caption)
    for column in ("gallery", "direction", "metric"):
        shown.add_column(column)
    for column in ("paper", "ours") if small else ("paper", "ours", "difference"):
        shown.add_column(column, justify="right")
    above = ""
    for one in numbers:
        cells = [_percent(one.paper), _percent(one.ours)]
        if not small:
            cells.append("-" if one.difference is None else f"{one.difference:+.1f}")
        shown.add_row(one.gallery if one.gallery != above else "", one.direction, one.metric, *cells)
        above = one.gallery
    return shown


def ours_line(records: Sequence[Mapping[str, Any]]) -> str:
    """What a row's records say in one line: R@1 in the first gallery (or else its first metric), the mean over seeds.

    >>> number = {"gallery": "1K", "direction": "i2t", "metric": "R@1", "paper": 71.2, "ours": 70.0}
    >>> ours_line([{"numbers": [number, number | {"direction": "t2i"}]}]), ours_line([])
    ('1K R@1 70.0 / 70.0, 1 seed', 'not run')
    """
    if not records:
        return "not run"
    numbers = records[0]["numbers"]
    gallery = numbers[0]["gallery"]
    metric = next((one["metric"] for one in numbers if one["metric"] == "R@1"), numbers[0]["metric"])
    values: dict[str, list[float]] = {}
    for one in (number for record in records for number in record["numbers"]):
        if (one["gallery"], one["metric"]) == (gallery, metric):
            values.setdefault(one["direction"], []).append(one["ours"])
    means = " / ".join(f"{sum(of) / len(of):.1f}" for of in values.values())
    return f"{gallery} {metric} {means}, {len(records)} seed{'s' * (len(records) > 1)}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
