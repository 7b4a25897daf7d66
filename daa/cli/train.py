"""`daa train` and `daa evaluate`: a run from a configuration, and its report on a split."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from daa.cli.console import show


def train(
    config: Annotated[Path, typer.Argument(help="Configuration: a shipped one, such as `scenes-daa`, or a YAML file.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to it, such as `loss.daa_weight=2 train.epochs=5`.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default runs/ and the configuration's name.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Discard an earlier run in that folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Train an image encoder and a text encoder; interrupted, the same command goes on where it stopped.

    The folder holds run.json (configuration, result, what made it), log.jsonl, best.safetensors and last.safetensors.
    Example:

        daa train scenes-daa loss.daa_weight=5 --out runs/daa-5

    Several GPUs or machines share each batch, which is ranked as a whole; on CPUs, torchrun starts the processes:

        accelerate launch --multi_gpu --num_processes 4 -m daa train CONFIG

        torchrun --nproc-per-node 2 -m daa train CONFIG train.device=cpu
    """
    from daa.distribution import find_config
    from daa.files import check_writable

    found = find_config(config)
    folder = out or Path("runs") / found.stem
    check_writable("--out", folder, folder=True)

    from daa.training.config import load_config

    chosen = load_config(found, overrides or [])

    from daa.training.loop import train as train_run

    record = train_run(chosen, folder, restart=restart, quiet=quiet)
    if int(os.environ.get("RANK", "0")):
        return  # the first of several processes speaks for all
    best = record["best"]
    stopped = "".join(f", stage {one['stage'] + 1} ended early" for one in record.get("stopped", []))
    Console(soft_wrap=True).print(
        f"{folder}: rsum {100 * best['rsum']:.1f} after epoch {best['epoch']} (validation){stopped}, "
        f"{record['seconds']:.0f} s, {record['parameters']:,} parameters",
        highlight=False,
        markup=False,
    )


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder that `daa train` has written.")],
    split: Annotated[str | None, typer.Option(help="By default the configuration's data.test.")] = None,
    which: Annotated[str, typer.Option(help="`best` (highest rsum in a validation) or `last`.")] = "best",
    relevance: Annotated[
        list[str] | None, typer.Option(help="What ASP is judged by, may be repeated; by default as in training.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where the data lie, if not where they did in training.")] = None,
    json: Annotated[Path | None, typer.Option(help="By default RUN/evaluation-SPLIT.json.")] = None,
) -> None:
    """Evaluate a trained run on a split: R@K, rsum, mAP@R, R-Precision against every known truth, and ASP.

    Scores are the model's own, such as cosines of the embeddings' means.

    Example:

        daa evaluate runs/scenes-daa --split test
    """
    from daa.names import check_name, check_relevance

    check_name("--which", which, ("best", "last"))
    for kind in relevance or []:
        check_relevance(kind, "--relevance")
    if not (run / "run.json").is_file():
        raise FileNotFoundError(
            f"run: expected a folder that daa train has written, but there is no {run / 'run.json'}"
        )

    from daa.encoders.embed import score_dataset
    from daa.evaluation import evaluate as make_report
    from daa.files import check_writable, provenance
    from daa.relevance import relevance_by_name
    from daa.training.data import load_split
    from daa.training.loop import load_run

    model, config = load_run(run, which)
    kinds = [relevance_by_name(kind) for kind in dict.fromkeys(relevance or [config.loss.relevance])]
    data = config.data.with_(root=str(root)) if root else config.data
    split = split or data.test
    target = json or run / f"evaluation-{split}.json"
    check_writable("--json", target)
    dataset = load_split(data, split)
    scores = score_dataset(model, dataset)
    fitted = [kind.fit(dataset.corpus) for kind in kinds]
    report = make_report(scores, dataset.corpus, fitted, name=run.resolve().name)
    report = replace(report, provenance={**provenance(seed=config.train.seed), "checkpoint": which})
    try:
        report.to_json(target)
    finally:
        show(report.table.rich())
