"""Flickr8k: 8,000 photos with five captions each, and what people said of captions beside photos of others."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth
from daa.datasets.karpathy import IMAGE_FOLDERS, SPLIT_SIZES, read_karpathy
from daa.datasets.reading import ImageFiles, Split, check_counts, data_root, first_file, image_paths, read_lines
from daa.names import check_name

TOKENS, CROWD, EXPERTS = "Flickr8k.token.txt", "CrowdFlowerAnnotations.txt", "ExpertAnnotations.txt"
LISTS = {name: f"Flickr_8k.{part}Images.txt" for name, part in (("train", "train"), ("val", "dev"), ("test", "test"))}
TEXT_FOLDERS = ("Flickr8k_text", "", "Flickr8k_text/Flickr8k_text")
JSON_FOLDERS = ("", "annotations", "karpathy")  # of `read_karpathy`
WITHOUT_PHOTO = "2258277193_586949ec62.jpg"  # whose captions are said to be of "<photo>.1", and which some copies lack
_CAPTION = re.compile(r"(.+\.jpg)#(\d)")


def read_flickr8k(split: str = "test", root: str | PathLike[str] | None = None, n_images: int | None = None) -> Split:
    """The official split, its captions, and on the test photos what people judged; its images may be of any size.

    Train 6,000 photos (5,999 in copies without the one whose captions bear another name), val 1,000, test 1,000, in
    the order of the lists, with captions #0 to #4. The test split knows four truths beside `"annotated"`; in all of
    them a photo's own captions match:

    - `"expert"`: the mean of three experts' ratings, from 1 to 4, is at least 3;
    - `"crowd"`: most of those who were asked, three or more, said that the caption describes the photo;
    - `"expert (judged)"` and `"crowd (judged)"`: the same, where each query ranks only its own and what was judged
      for it (`Truth.among_judged`). In the two others a pair that nobody judged counts as no match.

    The judged pairs were pooled from retrieval systems of 2013, with one caption (#2) of each photo: captions that
    share words with a photo's own are over-represented.

    Without the official files, `dataset_flickr8k.json` of Karpathy and Fei-Fei is read: a split without judgements.

    Args:
        split: `"train"`, `"val"` (`"dev"`) or `"test"`.
        root: the folder with the files of `Flickr8k_text.zip`, there or in its `Flickr8k_text/`, and the photos in
            `Flicker8k_Dataset/` (so spelt) or `Images/`; by default `flickr8k/` under `DAA_DATA`.
        n_images: keep only the first so many.

    Raises:
        FileNotFoundError: naming the file or the photo that is missing and the command that gets it.
        ValueError: if a list or the captions are not those of the split.

    Source: Hodosh, Young and Hockenmaier, JAIR 47 (2013).
    """
    split = "val" if split == "dev" else split
    check_name("split", split, LISTS)
    check_counts(n_images=n_images)
    folder = data_root(root, "flickr8k", "Flickr8k_text/ and, for more than captions, Flicker8k_Dataset/")
    texts = [folder / place for place in TEXT_FOLDERS if (folder / place / TOKENS).is_file()]
    if not texts and any((folder / place / "dataset_flickr8k.json").is_file() for place in JSON_FOLDERS):
        return read_karpathy("flickr8k", split, folder, n_images)
    if not texts:
        raise FileNotFoundError(
            f"{folder / TEXT_FOLDERS[0] / TOKENS}: no such file (nor dataset_flickr8k.json in {folder}); "
            f"{_command(folder)}"
        )
    corpus = _official(texts[0], split, _command(folder))
    if n_images is not None and n_images < corpus.n_images:
        corpus = corpus.select(slice(n_images))
    files = corpus.image_ids.tolist()
    return Split(corpus, lambda: ImageFiles(tuple(_find_images(folder, files))))


def _official(folder: Path, split: str, mend: str) -> CaptionCorpus:
    listed = read_lines(first_file(folder, (LISTS[split],), mend), "a photo")
    captions = _captions(folder / TOKENS)
    files = [file for file in listed if file in captions]
    lost = [file for file in listed if file not in captions and file != WITHOUT_PHOTO]
    size = SPLIT_SIZES["flickr8k"][split]
    if lost or size - len(files) not in (0, split == "train"):
        missing = f"; {TOKENS} has no captions of {len(lost)} of them, such as {lost[0]}" if lost else ""
        raise ValueError(
            f"{folder / LISTS[split]}: expected the {size:,} photos of the {split} split, got {len(listed):,}{missing}"
            f"; {mend}"
        )
    rows = [(i, k, text) for i, file in enumerate(files) for k, text in sorted(captions[file].items())]
    corpus = CaptionCorpus(
        captions=[text for _, _, text in rows],
        image_of_caption=[i for i, _, _ in rows],
        image_ids=files,
        caption_ids=[f"{files[i]}#{k}" for i, k, _ in rows],
        name=f"flickr8k {split}",
    )
    if split != "test":
        return corpus
    truths: dict[str, Truth] = {}
    for name, file in (("expert", EXPERTS), ("crowd", CROWD)):
        matching, judged = _judgements(first_file(folder, (file,), mend), corpus)
        matching, judged = matching + corpus.annotated, judged + corpus.annotated
        truths |= {name: Truth(matching), f"{name} (judged)": Truth.among_judged(matching, judged)}
    return replace(corpus, truths=truths)


def _captions(path: Path) -> dict[str, dict[int, str]]:
    """The captions of each photo by their numbers; lines of no photo, such as "<photo>.jpg.1", are left out."""
    captions: dict[str, dict[int, str]] = {}
    for number, line in enumerate(read_lines(path, "a caption"), start=1):
        name, tab, text = line.partition("\t")
        if not tab or "#" not in name or not text.strip():
            raise ValueError(f"{path}, line {number}: expected <photo>.jpg#<number>, a tab and a caption, got {line!r}")
        if found := _CAPTION.fullmatch(name):
            captions.setdefault(found[1], {})[int(found[2])] = " ".join(text.split())
    return captions


def _judgements(path: Path, corpus: CaptionCorpus) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Which pairs match by a file of judgements, and which were judged, boolean [images, captions].

    Warns of lines that are broken, and of pairs that are not in the corpus, both of which are passed over.
    """
    row = {identifier: i for i, identifier in enumerate(corpus.image_ids.tolist())}
    column = {identifier: c for c, identifier in enumerate(corpus.caption_ids.tolist())}
    judged: dict[tuple[int, int], bool] = {}
    n_broken = n_foreign = 0
    with open(path, encoding="utf-8", errors="replace") as lines:
        for fields in (line.rstrip("\n").split("\t") for line in lines):
            image, caption, *answers = [field.strip() for field in fields] if len(fields) == 5 else ("", "")
            match = _is_match(path.name, answers)
            if match is None or not _CAPTION.fullmatch(caption):
                n_broken += any(fields)
            elif image not in row or caption not in column:
                n_foreign += 1
            else:
                pair = row[image], column[caption]
                judged[pair] = judged.get(pair, False) or match
    for n, fault in ((n_broken, "broken lines"), (n_foreign, "lines on other photos or captions")):
        if n:
            warnings.warn(f"{path}: {n} {fault} passed over", stacklevel=2)
    if not judged:
        raise ValueError(f"{path}: expected judgements of the test photos, got none; it belongs to Flickr8k_text.zip")
    pairs, shape = np.array(list(judged)).T, (corpus.n_images, corpus.n_captions)
    matching = np.array(list(judged.values()))
    looked_at = sparse.csr_array((np.ones(len(matching), bool), tuple(pairs)), shape=shape)
    return sparse.csr_array((matching[matching], tuple(pairs[:, matching])), shape=shape), looked_at


def _is_match(file: str, answers: list[str]) -> bool | None:
    """What the last three fields of a line say, or None if they are broken.

    Of experts: three ratings from 1 to 4. Of the crowd: the share of yes, the number of yes and of no.
    """
    try:
        numbers = [float(answer) for answer in answers]
    except ValueError:
        return None
    if len(numbers) != 3:
        return None
    if file == EXPERTS:
        return sum(numbers) >= 9 if all(number in (1, 2, 3, 4) for number in numbers) else None
    share, yes, no = numbers
    whole = yes >= 0 and no >= 0 and yes + no >= 1 and yes == int(yes) and no == int(no)
    return yes > no if whole and abs(share - yes / (yes + no)) < 0.01 else None


def _find_images(folder: Path, files: list[str]) -> list[Path]:
    places = [folder / place for place in IMAGE_FOLDERS["flickr8k"]]
    place = next((place for place in places if (place / files[0]).is_file()), places[0])
    return image_paths(place, files, _command(folder))


def _command(folder: Path) -> str:
    return f"`daa data flickr8k --to {folder}` gets it"
