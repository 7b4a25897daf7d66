"""What `daa score` is given: the corpus, the systems, their names, and which way round a matrix lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from daa.names import CORPORA, check_name, check_relevance
from daa.scores import check_matrix_file

if TYPE_CHECKING:
    from daa.corpus import CaptionCorpus
    from daa.evaluation import EmbeddingScores
    from daa.matrix import ArrayMatrix, Matrix


def check_typed(
    files: list[Path],
    images: Path | None,
    captions: Path | None,
    caption_file: Path | None,
    image_ids: Path | None,
    corpus: str | None,
    relevance: list[str],
    similarity: str,
    engine: str,
) -> None:
    """Refuse a mistyped file or name within a moment: what takes seconds to load is loaded afterwards."""
    embeddings = [("--images", images), ("--captions", captions)]
    for option, path in [*(("--scores", file) for file in files), *embeddings]:
        if path is not None:
            check_matrix_file(path, option)
    texts = (("--caption-file", caption_file, "a caption"), ("--image-ids", image_ids, "an image identifier"))
    for option, path, what in texts:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"{option}: there is no file {path}; expected text with {what} on every line")
    if corpus is not None:
        check_name("--corpus", corpus, CORPORA)
    for kind in relevance:
        check_relevance(kind, "--relevance")
    check_name("--similarity", similarity, ("cosine", "dot"))
    check_name("--engine", engine, ("local", "dask"))


def read_corpus(
    name: str | None,
    split: str | None,
    root: Path | None,
    caption_file: Path | None,
    image_ids: Path | None,
    captions_per_image: int | None,
) -> CaptionCorpus:
    """A corpus by its name, or the caller's own captions."""
    from daa.datasets import load_corpus
    from daa.datasets.caption_files import read_caption_files

    if caption_file is None:
        if image_ids is not None or captions_per_image is not None:
            raise ValueError("--caption-file: expected it where --image-ids or --captions-per-image is given")
        try:
            return load_corpus(name or "coco-5k", split=split, root=root)
        except FileNotFoundError as error:
            if name in (None, "coco-5k"):
                fetch = "`daa data coco-5k --to FOLDER` and DAA_DATA=FOLDER get it"
                raise FileNotFoundError(f"{error}; {fetch}, and --caption-file takes your own captions") from None
            raise
    if not (name is split is root is None):
        raise ValueError("--caption-file: expected no --corpus, --split or --root with it, since it is the corpus")
    return read_caption_files(caption_file, image_ids, captions_per_image=captions_per_image)


def read_systems(
    files: list[Path], images: Path | None, captions: Path | None, similarity: str, key: str | None
) -> list[ArrayMatrix] | list[EmbeddingScores]:
    """Matrices of unknown orientation, or `EmbeddingScores`."""
    from daa.evaluation import EmbeddingScores
    from daa.matrix import ArrayMatrix
    from daa.scores import read_matrix

    if (images is None) != (captions is None) or bool(files) == (images is not None):
        given = {"--scores": files, "--images": images, "--captions": captions}
        raise ValueError(
            "--scores: expected --scores FILE, or both --images FILE and --captions FILE, got "
            + (" and ".join(option for option, value in given.items() if value) or "neither")
        )
    if images is not None and captions is not None:
        embeddings = (read_matrix(images, key, "images"), read_matrix(captions, key, "captions"))
        return [EmbeddingScores(*embeddings, similarity)]
    return [ArrayMatrix(read_matrix(file, key), f"scores {file}") for file in files]


def system_names(names: list[str] | None, files: list[Path], ensemble: bool) -> list[str]:
    """What was asked for; otherwise the files' names, with their folders if those alone tell them apart."""
    n = len(files) + ensemble
    if names and len(names) != n:
        raise ValueError(f"--name: expected {n}, one a system{' and one of the mean' * ensemble}, got {len(names)}")
    chosen = names or [file.stem for file in files]
    if len(set(chosen)) < len(chosen) and not names:
        chosen = [str(file.with_suffix("")) for file in files]
    chosen = chosen if names or not ensemble else [*chosen, "ensemble"]
    if len(set(chosen)) < n or not all(one.strip() for one in chosen):
        raise ValueError(
            f"--name: expected distinct names for the systems, got {', '.join(chosen)}; give one --name for each"
        )
    return chosen


def oriented(system: ArrayMatrix | EmbeddingScores, texts: CaptionCorpus, orientation: str, notes: Console) -> Matrix:
    from daa.evaluation import EmbeddingScores
    from daa.matrix import ArrayMatrix
    from daa.scores import orient

    shape = (texts.n_images, texts.n_captions)
    if isinstance(system, EmbeddingScores):
        if system.shape != shape:
            swapped = "; they look swapped" if system.shape == shape[::-1] else ""
            raise ValueError(
                f"--images, --captions: expected {shape[0]} and {shape[1]} rows like the corpus {texts.name}, got "
                f"{system.shape[0]} and {system.shape[1]}{swapped}"
            )
        return system
    matrix, transposed = orient(system.array, shape, orientation, system.argument, f"the corpus {texts.name}")
    if transposed:
        notes.print(f"{system.argument}: rows are captions, columns are images; transposed", soft_wrap=True)
    elif orientation == "auto" and texts.n_images == texts.n_captions:
        notes.print(
            f"{system.argument}: square; rows are taken as images, unless --orientation t2i",
            soft_wrap=True,
        )
    return ArrayMatrix(matrix, system.argument)
