"""`daa data`: get a data set, or check one that is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer import Option

from daa.cli.console import Command, takes

if TYPE_CHECKING:
    from rich.progress import TaskID

    from daa.datasets.download import Transfer

HELP = """Download a data set, or check one that is there.

A broken download goes on where it stopped when the same command is given again; a manifest, `daa-data.json`, is written
last. Nothing is taken for right that has not the published checksum; COCO publishes none for single images, so these
must have the length that the server states and decode to their end.

| command | gets | size |
|---|---|---|
| `daa data captions --to data` | the captions of COCO and Flickr30K, in Karpathy's splits | 37 MB |
| `daa data coco-5k --to data` | the captions of the COCO 5K test split, as `daa score` reads them | 2 MB |
| `daa data coco --subset 5000 --to data/coco` | annotations and 5,000 training images | 1.1 GB |
| `daa data coco --to data/coco` | all of COCO 2014 | 20 GB |
| `daa data flickr30k --to data/flickr30k` | captions; says where to ask for the images | 37 MB |
| `daa data flickr8k --to data/flickr8k` | photos, captions, and what people judged to match | 1.1 GB |
| `daa data cub --to data/cub` | images; says where the captions are | 1.2 GB |

`daa data features` keeps what a frozen image encoder makes of the pictures.

Then `DAA_DATA=data` makes every command and `load_dataset(NAME)` find them. A mirror: `--mirror http://host/base`, or
the environment variable `DAA_MIRROR`, is asked for `http://host/base/images.cocodataset.org/zips/val2014.zip` in the
place of `http://images.cocodataset.org/zips/val2014.zip`, the layout that `wget -x` leaves behind. Proxies are those
of the environment variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
"""

data = typer.Typer(name="data", help=HELP, no_args_is_help=True, rich_markup_mode="markdown")

Quiet = Annotated[bool, Option("--quiet", help="No progress.")]


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """The options of every command that gets a data set."""

    to: Annotated[Path, Option(help="Folder of the data set.")]
    timeout: Annotated[float, Option(help="Seconds without a byte after which a connection counts as broken.")] = 30.0
    mirror: Annotated[
        str | None, Option(help="Base address that stands in for all servers; see `daa data --help`.")
    ] = None
    verify: Annotated[bool, Option("--verify", help="Only check what is there, by size and checksum.")] = False
    quiet: Quiet = False


@dataclass(frozen=True, kw_only=True)
class FetchCoco(Fetch):
    subset: Annotated[
        int | None, Option(help="Only so many images of each split: of train at random, of val and test the first.")
    ] = None
    split: Annotated[
        list[str] | None,
        Option(help="`train`, `val` or `test`, may be repeated; by default all, with --subset train."),
    ] = None
    captions: Annotated[bool, Option("--captions", help="Only the captions (37 MB).")] = False
    annotations: Annotated[bool, Option("--annotations", help="Only captions and instance labels.")] = False
    labels: Annotated[bool, Option(help="With the instance labels that PMRP needs (253 MB).", show_default=True)] = True
    workers: Annotated[int, Option(help="Images at a time.")] = 8


@data.command(cls=Command)
@takes(FetchCoco)
def coco(asked: FetchCoco) -> None:
    """MS-COCO 2014 in Karpathy's splits, all of it or a subset.

    Subsets add up: another --split, or a larger --subset, keeps what is there. Example, for a laptop:

        daa data coco --subset 5000 --to data/coco

        daa data coco --subset 1000 --split val --split test --to data/coco

    `load_dataset("coco", split="train", root="data/coco")` reads it.
    """
    from daa.datasets.obtain import obtain_coco

    subset, only_captions = asked.subset, asked.captions
    splits = tuple(asked.split or (["train"] if subset is not None else []))
    words = [f"--subset {subset}"] if subset is not None else []
    words += [f"--split {name}" for name in asked.split or ()]
    words += ["--captions"] * only_captions + ["--annotations"] * asked.annotations

    def get(transfer: Transfer) -> None:
        images = not (only_captions or asked.annotations)
        obtain_coco(transfer, splits, subset, asked.labels and not only_captions, images)

    _run(get, " ".join(["coco", *words]), asked, asked.workers)


@data.command(cls=Command)
@takes(Fetch)
def flickr30k(asked: Fetch) -> None:
    """Flickr30K in Karpathy's splits: the captions, and where to ask for the images.

    The images are given out on request only. Once they are in TO/flickr30k-images/, the same command checks each of
    them and writes them into the manifest. Example:

        daa data flickr30k --to data/flickr30k

    `load_corpus("flickr30k", split="test", root="data/flickr30k")` needs no image.
    """
    from daa.datasets.obtain import obtain_flickr30k

    _run(obtain_flickr30k, "flickr30k", asked)


@data.command(cls=Command)
@takes(Fetch)
def flickr8k(asked: Fetch) -> None:
    """Flickr8k: 8,000 photos with their captions, and what experts and a crowd judged to match (1.1 GB).

    From a mirror on GitHub, which publishes no checksums: every photo of the three splits must decode. Example:

        daa data flickr8k --to data/flickr8k

    `load_dataset("flickr8k", split="test", root="data/flickr8k")` reads it.
    """
    from daa.datasets.obtain import obtain_flickr8k

    _run(obtain_flickr8k, "flickr8k", asked)


@data.command(cls=Command)
@takes(Fetch)
def cub(asked: Fetch) -> None:
    """CUB Captions: the images (1.2 GB), and where captions and split are.

    The captions of Reed et al. lie where only a browser gets them, and the lists of the zero-shot split of Xian et al.
    in a repository; the command says what is still missing, and where to put it. Example:

        daa data cub --to data/cub

    `load_dataset("cub", split="train", root="data/cub")` reads it.
    """
    from daa.datasets.obtain import obtain_cub

    _run(obtain_cub, "cub", asked)


@data.command(cls=Command)
@takes(Fetch)
def captions(asked: Fetch) -> None:
    """The captions of COCO and Flickr30K in Karpathy's splits, without images (37 MB).

    They go to TO/coco/ and TO/flickr30k/, so that TO may serve as `DAA_DATA`. Example:

        daa data captions --to data

    `load_corpus("coco", split="test", root="data/coco")` reads them.
    """
    from daa.datasets.obtain import obtain_captions

    _run(obtain_captions, "captions", asked)


@data.command(name="coco-5k", cls=Command)
@takes(Fetch)
def coco_5k(asked: Fetch) -> None:
    """The captions of the COCO 5K test split as SCAN's files have them, in TO/coco-5k/ (2 MB).

    This is what `daa score --corpus coco-5k` and the book's numbers on COCO stand on.

    Example:

        daa data coco-5k --to data

        DAA_DATA=data daa score --scores scores.npy --corpus coco-5k
    """
    from daa.datasets.obtain import obtain_coco_5k

    _run(obtain_coco_5k, "coco-5k", asked)


@data.command(cls=Command)
def features(
    config: Annotated[Path, typer.Argument(help="Configuration whose image encoder is a network such as resnet50.")],
    to: Annotated[Path, Option("--to", help="Folder of the features, and of a configuration that reads them.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to it, such as `data.train_images=1000`.")
    ] = None,
    dtype: Annotated[str, Option(help="`float16`, or `float32` for twice the size and no rounding.")] = "float16",
    batch_size: Annotated[int, Option(min=1, help="Images at a time; few are faster on a CPU.")] = 8,
    quiet: Quiet = False,
) -> None:
    """Keep what a frozen image encoder makes of the pictures, so that training opens none of them any more.

    Writes the last map of features of each picture, for the three splits of the configuration, in the layout of SCAN's
    region features, and train.yaml, which trains on them. For resnet50 at 224 pixels that is 0.2 MB a picture; with
    `encoders.image_options.pool=true` it is the mean over the map's places only, 4 kB.
    Interrupted, the same command goes on where it stopped. Example:

        daa data features coco-subset --to data/coco-features

        daa train data/coco-features/train.yaml loss.daa_weight=1 \\
          --out runs/coco-daa
    """
    from rich.progress import Progress

    from daa.files import atomic_write, check_writable
    from daa.training.config import load_config, save_config

    console = Console(soft_wrap=True)
    notes = Console(stderr=True)
    check_writable("--to", to, folder=True)
    chosen = load_config(config, overrides or [])

    from daa.training.features import cache_features

    with Progress(console=notes, transient=True, disable=quiet or not notes.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(split: str, n_images: int, of: int) -> None:
            if split not in tasks:
                tasks[split] = bars.add_task(f"features of {split}", total=of)
            bars.advance(tasks[split], n_images)

        result = cache_features(chosen, to.resolve(), dtype=dtype, batch_size=batch_size, progress=show)
    with atomic_write(to / "train.yaml") as aside:
        save_config(result, aside)
    console.print(f"{to}: complete; `daa train {to / 'train.yaml'}` trains on it", highlight=False, markup=False)


def _run(get: Callable[[Transfer], list[str] | None], name: str, asked: Fetch, workers: int = 2) -> None:
    """Get a data set and say what is there, or only check it; `name` is the command's, with what it asks for."""
    from daa.datasets.download import Transfer
    from daa.datasets.manifest import verify
    from daa.files import check_writable

    check_writable("--to", asked.to, folder=True)
    command = f"daa data {name} --to {asked.to}"
    console = Console(soft_wrap=True, highlight=False, markup=False)
    transfer = Transfer(asked.to, workers, asked.timeout, asked.mirror, asked.quiet)
    if asked.verify:
        with transfer.bars:
            line = verify(asked.to, command, transfer.track("checksums"))
        console.print(line)
        return
    to_do = get(transfer) or []
    console.print(f"{asked.to}: complete; `{command} --verify` checks it again")
    for line in to_do:
        console.print(f"By hand, {line}")
