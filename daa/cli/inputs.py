"""What `daa score` is asked: its options, their check before anything heavy is loaded, and the reading of its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.console import Console
from typer import Option

from daa.names import CORPORA, HIT_POLICIES, TIE_POLICIES, check_name, check_relevance
from daa.scores import ORIENTATIONS, check_matrix_file

if TYPE_CHECKING:
    from daa.corpus import CaptionCorpus
    from daa.matrix import Matrix

Paths = list[Path] | None
Names = list[str] | None
File = Path | None


FLOORS_UP_TO = 1 << 28  # pairs, which take minutes


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options of `daa score`."""

    scores: Annotated[
        Paths, Option(help="Similarity matrix: .npy, .npz, .safetensors or .pt; repeat it to compare systems.")
    ] = None
    corpus: Annotated[str | None, Option(help="Which images and captions: `coco-5k` (the default), `scenes`, ...")] = (
        None
    )
    caption_file: Annotated[
        File, Option(help="Your own captions, instead of --corpus: UTF-8 text, one caption a line.")
    ] = None
    image_ids: Annotated[File, Option(help="The image identifier of each line of --caption-file, one a line.")] = None
    captions_per_image: Annotated[
        int | None, Option(help="How many lines of --caption-file in a row belong to one image; 5 by default.")
    ] = None
    relevance: Annotated[
        Names, Option(help="What ASP is judged by: `tfidf`, `cider-d`, ..., or `none`; may be repeated.")
    ] = None
    out: Annotated[
        Names,
        Option(
            help="Write the numbers as .json or tidy .csv, the table as .md or .tex, or one self-contained page with "
            "plots and examples as .html; may be repeated. `json:/dev/stdout` names the format where the file does not."
        ),
    ] = None
    images: Annotated[File, Option(help="Image embeddings, instead of --scores.")] = None
    captions: Annotated[File, Option(help="Caption embeddings, instead of --scores.")] = None
    similarity: Annotated[str, Option(help="How embeddings are compared: `cosine` or `dot`.")] = "cosine"
    split: Annotated[str | None, Option(help="Which split of the corpus.")] = None
    root: Annotated[File, Option(help="Where the corpus lies, if not in $DAA_DATA.")] = None
    ensemble: Annotated[bool, Option("--ensemble", help="Also score the mean of the matrices, as one more system.")] = (
        False
    )
    key: Annotated[str | None, Option(help="Name of the array, in a file of several.")] = None
    orientation: Annotated[
        str, Option(help="`i2t`: rows are images; `t2i`: rows are captions; `auto`: see from the shape.")
    ] = "auto"
    folds: Annotated[
        int | None, Option(help="Also average over folds of this many images; 1000 by default for 5,000 images.")
    ] = None
    graded: Annotated[bool, Option(help="Also NCS, NDCG, tau and further forms of ASP.")] = True
    floors: Annotated[
        bool | None,
        Option(
            help="What rankings that ignore the query score, beside every metric; by default where one system is "
            "scored whole."
        ),
    ] = None
    intervals: Annotated[bool, Option(help="Confidence intervals, by a bootstrap over images.")] = False
    queries: Annotated[
        int | None,
        Option(
            help="Estimate from this many random images (i2t) and this many random captions (t2i), each ranked against "
            "all candidates; every number gets its standard error."
        ),
    ] = None
    seed: Annotated[int, Option(min=0, help="Of the random queries.")] = 0
    workers: Annotated[
        int | None, Option(min=1, help="Rank blocks of queries in this many processes; same numbers.")
    ] = None
    scheduler: Annotated[
        str | None, Option(help="Rank them on a running Dask cluster, tcp://host:port; same numbers.")
    ] = None
    asp_ties: Annotated[str, Option(help="Ties in ASP: average, competition, ordinal or expected.")] = "average"
    hit_ties: Annotated[
        str, Option(help="Ties in recall and precision: expected, optimistic, pessimistic or ordinal.")
    ] = "expected"
    name: Annotated[Names, Option(help="What to call each system, the ensemble last; by default its file's name.")] = (
        None
    )
    # What version 0.1 called them.
    json: Annotated[File, Option(hidden=True)] = None
    csv: Annotated[File, Option(hidden=True)] = None
    markdown: Annotated[File, Option(hidden=True)] = None
    latex: Annotated[File, Option(hidden=True)] = None
    html: Annotated[File, Option(hidden=True)] = None
    engine: Annotated[str, Option(hidden=True)] = "local"

    @property
    def matrices(self) -> list[Path]:
        return self.scores or []

    @property
    def kinds(self) -> list[str]:
        """The relevances, each once."""
        return [kind for kind in dict.fromkeys(self.relevance or ["tfidf"]) if kind != "none"]

    @property
    def files(self) -> list[tuple[str, Path]]:
        """What is read, by the option that names it."""
        single = {option: getattr(self, option) for option in ("images", "captions", "caption_file", "image_ids")}
        named = [(f"--{option.replace('_', '-')}", path) for option, path in single.items() if path is not None]
        return [*(("--scores", path) for path in self.matrices), *named]

    @property
    def where(self) -> int | str | None:
        """What ranks the blocks of queries: this process, several of this machine, or a cluster by its address."""
        return self.scheduler or self.workers or (os.cpu_count() if self.engine == "dask" else None)

    def settings(self, n_images: int, n_captions: int) -> dict[str, Any]:
        """What `evaluate` is told of a corpus of so many images and captions."""
        whole = self.queries is None and n_images == 5000
        folds = 1000 if self.folds is None and whole else self.folds
        same = {option: getattr(self, option) for option in ("graded", "asp_ties", "hit_ties", "queries", "seed")}
        one_whole = self.queries is None and not self.intervals and len(self.matrices) < 2
        floors = one_whole and n_images * n_captions <= FLOORS_UP_TO if self.floors is None else self.floors
        return {**same, "fold_size": folds, "floors": floors}


def check(asked: Asked) -> None:
    """Refuse mistyped files and names, and options that do not go together, within a moment.

    Raises:
        ValueError: naming the option.
        FileNotFoundError: likewise.
    """
    texts = {"--caption-file": "a caption", "--image-ids": "an image identifier"}
    for option, path in asked.files:
        if option not in texts:
            check_matrix_file(path, option)
        elif not path.exists():
            raise FileNotFoundError(
                f"{option}: there is no file {path}; expected text with {texts[option]} on every line"
            )
    if asked.corpus is not None:
        check_name("--corpus", asked.corpus, CORPORA)
    for kind in asked.kinds:
        check_relevance(kind, "--relevance")
    check_name("--similarity", asked.similarity, ("cosine", "dot"))
    check_name("--orientation", asked.orientation, ORIENTATIONS)
    check_name("--asp-ties", asked.asp_ties, TIE_POLICIES)
    check_name("--hit-ties", asked.hit_ties, HIT_POLICIES)
    check_name("--engine", asked.engine, ("local", "dask"))
    embeddings = {"--images": asked.images, "--captions": asked.captions}
    if len(set(map(bool, embeddings.values()))) > 1 or bool(asked.matrices) == bool(asked.images):
        given = [option for option, value in {"--scores": asked.matrices, **embeddings}.items() if value]
        raise ValueError(
            "--scores: expected --scores FILE, or both --images FILE and --captions FILE, got "
            + (" and ".join(given) or "neither")
        )
    if asked.ensemble and len(asked.matrices) < 2:
        raise ValueError(
            f"--ensemble: expected two or more --scores, whose mean it is, got {len(asked.matrices) or 'embeddings'}"
        )
    if asked.queries is not None and asked.intervals:
        raise ValueError("--queries: expected no --intervals with it; each number has its standard error instead")
    if asked.queries is not None and asked.floors:
        raise ValueError("--queries: expected no --floors with it, since they are learnt from all queries")
    if asked.queries is not None and asked.folds is not None:
        raise ValueError("--queries: expected no --folds with it, since a fold needs all queries of its own")
    if asked.workers is not None and asked.scheduler is not None:
        raise ValueError("--workers: expected no --scheduler with it, since a cluster has workers of its own")
    if asked.caption_file is None:
        if asked.image_ids is not None or asked.captions_per_image is not None:
            raise ValueError("--caption-file: expected it where --image-ids or --captions-per-image is given")
    elif not (asked.corpus is asked.split is asked.root is None):
        raise ValueError("--caption-file: expected no --corpus, --split or --root with it, since it is the corpus")


def system_names(asked: Asked) -> list[str]:
    """What was asked for; otherwise the files' names, with their folders if those alone tell them apart."""
    files = asked.matrices or [Path("embeddings")]
    n = len(files) + asked.ensemble
    if asked.name and len(asked.name) != n:
        mean = " and one of the mean" * asked.ensemble
        raise ValueError(f"--name: expected {n}, one a system{mean}, got {len(asked.name)}")
    names = asked.name or [file.stem for file in files]
    if len(set(names)) < len(names) and not asked.name:
        names = [str(file.with_suffix("")) for file in files]
    names = names if asked.name or not asked.ensemble else [*names, "ensemble"]
    if len(set(names)) < n or not all(one.strip() for one in names):
        raise ValueError(
            f"--name: expected distinct names for the systems, got {', '.join(names)}; give one --name for each"
        )
    return names


def read_corpus(asked: Asked) -> CaptionCorpus:
    """A corpus by its name, or the caller's own captions."""
    from daa.datasets import load_corpus
    from daa.datasets.reading import read_caption_files

    if asked.caption_file is not None:
        return read_caption_files(asked.caption_file, asked.image_ids, captions_per_image=asked.captions_per_image)
    try:
        return load_corpus(asked.corpus or "coco-5k", split=asked.split, root=asked.root)
    except FileNotFoundError as error:
        if asked.corpus in (None, "coco-5k"):
            raise FileNotFoundError(f"{error}; or --caption-file takes your own captions") from None
        raise


def read_systems(asked: Asked, texts: CaptionCorpus, notes: Console) -> list[Matrix]:
    """The matrices as [images, captions] of the corpus, or `EmbeddingScores`; the ensemble comes last."""
    from daa.evaluation import EmbeddingScores, EnsembleScores
    from daa.matrix import as_matrix
    from daa.scores import is_transposed, read_matrix

    shape = (texts.n_images, texts.n_captions)
    if asked.images is not None and asked.captions is not None:
        images = read_matrix(asked.images, asked.key, "--images")
        embedded = EmbeddingScores(images, read_matrix(asked.captions, asked.key, "--captions"), asked.similarity)
        if embedded.shape != shape:
            swapped = "; they look swapped" if embedded.shape == shape[::-1] else ""
            raise ValueError(
                f"--images, --captions: expected {shape[0]} and {shape[1]} rows like the corpus {texts.name}, got "
                f"{embedded.shape[0]} and {embedded.shape[1]}{swapped}"
            )
        return [embedded]
    systems: list[Matrix] = []
    for file in asked.matrices:
        argument = f"--scores {file}"
        array = read_matrix(file, asked.key, "--scores")
        transposed = is_transposed(array.shape, shape, asked.orientation, argument, f"the corpus {texts.name}")
        if transposed:
            notes.print(f"{argument}: rows are captions, columns are images; transposed", soft_wrap=True)
        elif asked.orientation == "auto" and texts.n_images == texts.n_captions:
            notes.print(f"{argument}: square; rows are taken as images, unless --orientation t2i", soft_wrap=True)
        systems.append(as_matrix(array.T if transposed else array, argument))
    return [*systems, EnsembleScores(systems)] if asked.ensemble else systems
