"""`daa demo`: the whole story on scenes, from drawing the pictures to a page of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from daa.cli.console import show

if TYPE_CHECKING:
    from daa.training.config import Config

ROWS = [("R@1", "annotated"), ("ASP", "tfidf"), ("mAP@R", "exhaustive")]
SHOWN_QUERIES, SHOWN_CAPTIONS = 3, 3

# Chosen on the validation split for the highest rsum that 40 seconds on two cores buy.
SCENES = [
    "encoders.image_options.width=16",
    "encoders.text=bag",
    "encoders.embedding_dim=64",
    "loss.daa_temperature=0.05",
    "optim.lr=2e-3",
    "train.epochs=10",
    "train.batch_size=64",
    "train.captions_per_image=5",
]
OF_LOSS = {"soft-contrastive": ["loss.options={init_scale: 5.0, init_shift: 5.0}", "loss.samples=3", "train.epochs=15"]}
DEFAULT_WEIGHT = {"infonce": 1.0, "triplet": 1.0, "soft-contrastive": 0.03, "closed-form": 0.03}


def demo(
    out: Annotated[Path, typer.Option(help="Folder for runs, figures and the page.")] = Path("runs/demo"),
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0.")] = 3,
    daa_weight: Annotated[
        list[float] | None, typer.Option(help="Weight of DAA; may be repeated, each is one more arm.")
    ] = None,
    loss: Annotated[str, typer.Option(help="What DAA is added to: infonce, soft-contrastive, ...")] = "infonce",
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Such as train.epochs=5; may be repeated.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="Also write all numbers to this JSON file.")] = None,
) -> None:
    """Train a baseline and the same with DAA on scenes, several seeds each, and show what DAA changes.

    No download and no GPU: a few minutes on two cores. Interrupt it whenever you like; the same command goes on.

    The page `OUT/report.html` is one file with the table and the figures. Examples, the second with two weights of DAA
    and a probabilistic loss:

        daa demo

        daa demo --loss soft-contrastive --daa-weight 0.03 --daa-weight 0.1 \\
          --seeds 5 --out runs/weights
    """
    from daa.files import check_writable, write_json

    check_writable("--out", out, folder=True)
    if results is not None:
        check_writable("--results", results)
    weights = daa_weight or [DEFAULT_WEIGHT.get(loss, 1.0)]
    if len(set(weights)) < len(weights):
        raise ValueError(f"--daa-weight: expected distinct weights, got {', '.join(f'{one:g}' for one in weights)}")
    if any(one.startswith("loss.daa_weight=") for one in override or ()):
        raise ValueError("--set: expected all but loss.daa_weight, which the arms differ in; give it as --daa-weight")
    arms = arms_of(loss, weights, override)

    from daa.studies import measurements_frame, run_arms, summary

    records = run_arms(arms, range(seeds), out)
    frame = measurements_frame(records)
    table = summary(frame, [*ROWS, ("rsum", "annotated")])
    show(_terminal_table(table, seeds))
    if results is not None:
        write_json(results, {"command": _command(loss, weights, seeds, override), "records": records})
    page = _page(frame, table, records, arms, out, weights)
    page.write(out / "report.html")
    Console(soft_wrap=True).print(f"figures and table: {out / 'report.html'}", highlight=False, markup=False)


def arms_of(loss: str, weights: Sequence[float], overrides: Sequence[str] | None = None) -> dict[str, Config]:
    """The baseline, DAA with the first weight, and one more arm for each further weight."""
    from daa.training.config import load_config

    shared = [f"loss.kind={loss}", *SCENES, *OF_LOSS.get(loss, []), *(overrides or [])]
    arms = {"baseline": load_config(overrides=[*shared, "loss.daa_weight=0"])}
    for i, weight in enumerate(weights):
        name = f"DAA x {weight:g}" if i else "DAA"
        arms[name] = load_config(overrides=[*shared, f"loss.daa_weight={weight}"])
    return arms


def _command(loss: str, weights: list[float], seeds: int, override: list[str] | None) -> str:
    parts = ["daa demo", f"--seeds {seeds}", f"--loss {loss}", *(f"--daa-weight {weight:g}" for weight in weights)]
    return " ".join([*parts, *(f"--set {one}" for one in override or [])])


def _terminal_table(table, seeds: int) -> Table:
    spread = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "one seed: no spread, no conclusion"
    shown = Table(title="scenes, test split, percent", caption=spread)
    for column in (*table.index.names, *table.columns):
        shown.add_column(str(column), justify="right" if column in table.columns else "left")
    for index, row in table.iterrows():
        shown.add_row(*index, *row)
    return shown


def _page(frame, table, records, arms, out: Path, weights: list[float]):
    import matplotlib

    from daa.page import Page
    from daa.plots import arm_dots, use_style, variance_against_ambiguity
    from daa.studies import ambiguity, load_embeddings
    from daa.training.data import load_split

    matplotlib.use("Agg")
    use_style()
    data = next(iter(arms.values())).data.with_(image_size=160)
    test = load_split(data, data.test)
    embeddings = {arm: load_embeddings(out / arm / "seed-0" / "test.safetensors") for arm in arms}
    page = Page("DAA on scenes")
    page.text(
        "Scenes are small drawn pictures whose every true caption is known. Training sees only which five captions "
        "were written for a picture; the test asks how well a model ranks all captions, by annotation (R@1), by "
        f"semantic relevance (ASP, chance 50) and by the exhaustive truth (mAP@R). DAA is added with weight "
        f"{', '.join(f'{weight:g}' for weight in weights)}; {table.columns.size} arms, {len(records)} runs."
    )
    page.table(table)
    page.figure(
        arm_dots(frame, ROWS, chance={"ASP": 0.5}),
        alt="R@1, ASP and exhaustive mAP@R of each arm, one dot a seed, both directions",
        caption="A dot is a run with its own seed, a bar their mean; the dotted line is what a random ranking gets.",
    )
    log_var = {arm: captions.log_var.mean(dim=1).numpy() for arm, (_, captions) in embeddings.items()}
    if any(values.std() > 1e-3 for values in log_var.values()):  # a deterministic loss leaves the variance as it was
        page.text("Does a model know which captions are vague?", heading="Variance and ambiguity")
        page.figure(
            variance_against_ambiguity(
                log_var, ambiguity(test.corpus)["captions"], "images that the caption truly fits"
            ),
            alt="Predicted log-variance of captions against the number of images they fit, for each arm",
            caption="Median and quartiles of the predicted log-variance of captions, first seed.",
        )
    page.text("The first captions that each arm finds for the same pictures, first seed.", heading="Pictures")
    page.figure(
        _gallery(test, embeddings),
        alt="Pictures with the best captions of each arm, each marked annotated, true or wrong",
        caption="Most of what fits was never annotated: Recall@K counts it as wrong.",
    )
    return page


def _gallery(test, embeddings):
    import numpy as np

    from daa.plots import caption_gallery, result_marks
    from daa.similarity import cosine_similarity

    annotated, true = test.corpus.annotated.toarray(), test.corpus.positives.toarray()
    pictures, captions, marks, titles = [], [], [], []
    for image in range(SHOWN_QUERIES):
        for arm, (images, texts) in embeddings.items():
            best = np.argsort(-cosine_similarity(images[[image]], texts)[0].numpy(), kind="stable")[:SHOWN_CAPTIONS]
            pictures.append(np.asarray(test.load_image(image)))
            captions.append([test.corpus.captions[c] for c in best])
            marks.append(result_marks(best, annotated[image], true[image]))
            titles.append(arm)
    return caption_gallery(pictures, captions, marks, titles)
