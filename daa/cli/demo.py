"""`daa demo`: the whole story on scenes, from making the data to a page of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from daa.cli.console import show
from daa.names import check_name

if TYPE_CHECKING:
    from daa.training.config import Config

ROWS = {
    ("R@1", "annotated"): "how often the first result is the very pair that was written down",
    ("mAP@R", "exhaustive"): "how much of all that truly fits comes first, which only a data set like this one knows",
    ("PMRP", "labels"): "how many of the first results show the same kinds of objects",
    ("ASP", "tfidf"): "how well the whole ranking agrees with the relevance, what DAA trains for; chance is 50",
    ("QASP", "tfidf"): "the same, without pay for an order that all queries share, and the head counting most",
    ("NDCG@10", "tfidf"): "how relevant the first ten are, the first of them most",
    ("NCS@10", "tfidf"): "the same for all ten alike, the query's own captions left out",
}
"""What the table shows (metric, and what judges it), and what it asks."""

VIEWS = ("facts", "picture")
# Chosen on the validation split for the highest rsum that 40 seconds on two cores buy.
SHARED = [
    "encoders.text=bag",
    "encoders.embedding_dim=64",
    "loss.daa_temperature=0.05",
    "optim.lr=2e-3",
    "train.epochs=10",
    "train.batch_size=64",
    "train.captions_per_image=5",
]
OF_VIEW = {
    "facts": ["data.options={view: facts}", "encoders.image=facts"],
    "picture": ["encoders.image_options.width=16"],
}
OF_LOSS = {"soft-contrastive": ["loss.options={init_scale: 5.0, init_shift: 5.0}", "loss.samples=3", "train.epochs=15"]}
DEFAULT_WEIGHT = {"infonce": 1.0, "triplet": 1.0, "soft-contrastive": 0.03, "closed-form": 0.03}
OF_FACTS = {"infonce": 2.0}  # of 1, 2 and 5 the highest rsum on the validation split


def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, figures and the page.")] = Path("runs/demo"),
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    daa_weight: Annotated[
        list[float] | None, typer.Option(help="Weight of DAA; may be repeated, each is one more arm.")
    ] = None,
    loss: Annotated[str, typer.Option(help="What DAA is added to: infonce, soft-contrastive, ...")] = "infonce",
    view: Annotated[
        str,
        typer.Option(
            help="What the models see: facts (what a perfect detector says of a picture) or picture (pixels)."
        ),
    ] = "facts",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Such as train.epochs=5; may be repeated.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Also write all numbers to this JSON file.")] = None,
) -> None:
    """Train a baseline and the same with DAA on scenes, several seeds each, and show what DAA changes.

    No download and no GPU: under three minutes on two cores. Interrupt it whenever you like; the same command goes on.

    The page `OUT/report.html` is one file with the table and the figures. Examples, the second with two weights of DAA
    and a probabilistic loss, the third with a small convolution that has to read the pictures:

        daa demo

        daa demo --loss soft-contrastive --daa-weight 0.03 --daa-weight 0.1 \\
          --seeds 5 --out runs/weights

        daa demo --view picture --out runs/pictures
    """
    from daa.files import check_writable, write_json

    check_writable("--out", out, folder=True)
    if results is not None:
        check_writable("--results", results)
    check_name("--view", view, VIEWS)
    weights = daa_weight or [default_weight(loss, view)]
    if len(set(weights)) < len(weights):
        raise ValueError(f"--daa-weight: expected distinct weights, got {', '.join(f'{one:g}' for one in weights)}")
    if any(one.startswith("loss.daa_weight=") for one in override or ()):
        raise ValueError("--set: expected all but loss.daa_weight, which the arms differ in; give it as --daa-weight")
    arms = arms_of(loss, weights, override, view)

    from daa.cli.demo_page import demo_page
    from daa.studies import blind_floors, judges, measurements_frame, run_arms, summary

    records = run_arms(arms, range(seeds), out)
    test, relevance = judges(next(iter(arms.values())))
    floors = blind_floors(test.corpus, relevance)
    frame = measurements_frame(records)
    table = summary(frame, list(ROWS), floors)
    show(_terminal_table(table, seeds))
    command = _command(loss, weights, seeds, view, override)
    if results is not None:
        write_json(results, {"command": command, "records": records, "floors": floors.to_dict("records")})
    page = demo_page(frame, table, floors, records, arms, out, test, ROWS, command)
    page.write(out / "report.html")
    Console(soft_wrap=True).print(f"figures and table: {out / 'report.html'}", highlight=False, markup=False)


def default_weight(loss: str, view: str) -> float:
    """Of DAA beside a loss."""
    known = DEFAULT_WEIGHT | (OF_FACTS if view == "facts" else {})
    return known.get(loss, 1.0)


def arms_of(
    loss: str, weights: Sequence[float], overrides: Sequence[str] | None = None, view: str = "facts"
) -> dict[str, Config]:
    """The baseline, DAA with the first weight, and one more arm for each further weight."""
    from daa.training.config import load_config

    shared = [f"loss.kind={loss}", *SHARED, *OF_VIEW[view], *OF_LOSS.get(loss, []), *(overrides or [])]
    arms = {"baseline": load_config(overrides=[*shared, "loss.daa_weight=0"])}
    for i, weight in enumerate(weights):
        name = f"DAA x {weight:g}" if i else "DAA"
        arms[name] = load_config(overrides=[*shared, f"loss.daa_weight={weight}"])
    return arms


def _command(loss: str, weights: list[float], seeds: int, view: str, override: list[str] | None) -> str:
    parts = ["daa demo", f"--seeds {seeds}", f"--loss {loss}", *(f"--daa-weight {weight:g}" for weight in weights)]
    return " ".join([*parts, f"--view {view}", *(f"--set {one}" for one in override or [])])


def _terminal_table(table, seeds: int) -> Table:
    spread = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed: no spread, no conclusion"
    note = "Rankings that ignore the query: in random order, by mean relevance, in the best order known (blind)."
    shown = Table(title="scenes, test split, percent", caption=f"{spread}. {note}")
    shown.add_column("metric")
    shown.add_column("judged by")
    for column in table.columns:
        shown.add_column(str(column), justify="right")
    for (metric, judge, direction), row in table.iterrows():
        shown.add_row(f"{metric} {direction}", judge, *row, end_section=direction == "t2i")
    return shown
