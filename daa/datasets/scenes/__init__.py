"""`scenes`: a procedural data set of little pictures, each described by five people, whose truth is known exhaustively.

Each picture shows one to four objects in one of nine places. Five describers write a caption each, from exact ("a small
brown dog to the left of a red ball in the park") to hopelessly vague ("a picture with an animal in it"). A caption
states facts and fits a scene exactly if they are true of it, so the matches of all captions with all images are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import sparse
from torch import Tensor

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.datasets.scenes.art import draw_scene
from daa.datasets.scenes.describe import DESCRIBERS, Describer, Description, describe_all
from daa.datasets.scenes.facts import Facts, Mention, TruthTable, witness
from daa.datasets.scenes.regions import scene_regions
from daa.datasets.scenes.world import KINDS, Dice, Scene, SceneObject, random_scene
from daa.names import check_name

SPLIT_SIZES = {"train": 3000, "val": 500, "test": 1000}
SCENE_VIEWS = ("picture", "facts")


class ScenesDataset(ImageTextDataset):
    """The pictures of `scenes` with their captions, and all that the generator knows about them.

    A picture is drawn when it is first asked for and kept in memory as bytes. Captions speak of left and right, so
    mirrored pictures are no augmentation.

    Args:
        corpus: the captions of the scenes.
        scenes: for each image what it shows.
        descriptions: for each caption what it states and who wrote it.
        image_size: side of the pictures in pixels.
        view: what `image(i)` is: "picture", or "facts", the regions of `scene_regions`.
        noise: of the regions, see `scene_regions`.

    Raises:
        ValueError: an unknown view, a size outside 16 to 2048, a noise that is negative, or one for pictures.
    """

    def __init__(
        self,
        corpus: CaptionCorpus,
        scenes: Sequence[Scene],
        descriptions: Sequence[Description],
        image_size: int = 64,
        view: str = "picture",
        noise: float = 0.0,
    ) -> None:
        check_name("view", view, SCENE_VIEWS)
        if not (isinstance(noise, int | float) and 0 <= noise < np.inf) or (noise and view != "facts"):
            raise ValueError(f'noise: expected a number >= 0 with view "facts", 0 with "picture", got {noise!r}')
        if view == "facts":
            super().__init__(corpus, self._regions, transform=torch.from_numpy)
        else:
            super().__init__(corpus, self._picture, transform=_to_tensor)
        self.noise = noise
        if not isinstance(image_size, int) or not 16 <= image_size <= 2048:
            raise ValueError(f"image_size: expected a whole number of pixels from 16 to 2048, got {image_size!r}")
        self.image_size = image_size
        self.scenes = list(scenes)
        self.descriptions = list(descriptions)
        self._pixels: np.ndarray | None = None
        self._drawn = np.zeros(len(self.scenes), dtype=bool)

    @property
    def facts(self) -> list[Facts]:
        """What each caption states, in the order of the captions."""
        return [description.facts for description in self.descriptions]

    @property
    def describers(self) -> list[str]:
        """Who wrote each caption, in the order of the captions."""
        return [DESCRIBERS[description.describer].name for description in self.descriptions]

    @property
    def images_uint8(self) -> UInt8[Tensor, "images 3 size size"]:
        """All pictures as one tensor of bytes: what a training loop that indexes batches itself should use.

        `images_uint8[indices].float() / 255` equals the stacked `image(i)`.
        """
        for i in np.flatnonzero(~self._drawn):
            self._draw(int(i))
        return torch.from_numpy(self._storage())

    def _storage(self) -> np.ndarray:
        if self._pixels is None:
            self._pixels = np.empty((len(self.scenes), 3, self.image_size, self.image_size), dtype=np.uint8)
        return self._pixels

    def _draw(self, i: int) -> np.ndarray:
        pixels = self._storage()
        if not self._drawn[i]:
            pixels[i] = np.asarray(draw_scene(self.scenes[i], self.image_size)).transpose(2, 0, 1)
            self._drawn[i] = True
        return pixels[i]

    def _regions(self, i: int) -> np.ndarray:
        return scene_regions(self.scenes[i], self.noise)

    def _picture(self, i: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(self._draw(i).transpose(1, 2, 0)))


class _World(NamedTuple):
    corpus: CaptionCorpus
    scenes: list[Scene]
    descriptions: list[Description]


def scenes_corpus(split: str = "test", seed: int = 0, n_images: int | Mapping[str, int] | None = None) -> CaptionCorpus:
    """The captions of `scenes` with their exhaustive truth, and the kinds of objects in each image as labels.

    Args:
        split: `"train"`, `"val"` or `"test"`: 3,000, 500 or 1,000 images that share no random number with each other.
        seed: another seed gives other scenes and captions.
        n_images: how many images instead, of any split or by split, as in {"train": 50000}. The first ones are the same
            whatever the number, and each costs the same; only the exhaustive truth, made when it is first asked for,
            grows with images x captions.

    Raises:
        ValueError: if a split is unknown, or the seed or `n_images` is no whole number from 0 or from 1.

    >>> corpus = scenes_corpus("test", n_images=2)
    >>> corpus.n_captions, corpus.positives.shape, len(corpus.label_names)
    (10, (2, 10), 27)
    """
    return _world(split, seed, n_images).corpus


def scenes_dataset(
    split: str = "test",
    image_size: int = 64,
    seed: int = 0,
    n_images: int | Mapping[str, int] | None = None,
    view: str = "picture",
    noise: float = 0.0,
) -> ScenesDataset:
    """The images of `scenes_corpus(split, seed, n_images)`; the other arguments as for `ScenesDataset`.

    >>> scenes_dataset("val", n_images=3, view="facts").image(0).shape
    torch.Size([5, 54])
    """
    world = _world(split, seed, n_images)
    return ScenesDataset(world.corpus, world.scenes, world.descriptions, image_size, view, noise)


def _world(split: str, seed: int, n_images: int | Mapping[str, int] | None) -> _World:
    if split not in SPLIT_SIZES:
        raise ValueError(f"split: expected one of {', '.join(SPLIT_SIZES)}, got {split!r}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed: expected a whole number >= 0, got {seed!r}")
    given = n_images if isinstance(n_images, Mapping) else {split: n_images}
    for name, n in given.items():
        check_name("n_images", name, tuple(SPLIT_SIZES))
        if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer)):
            raise ValueError(f"n_images: expected a whole number >= 1, some by split, or None, got {n!r}")
        if n is not None and n < 1:
            raise ValueError(f"n_images: expected at least 1, got {n}")
    return _build(split, int(seed), int(given.get(split) or SPLIT_SIZES[split]))


@lru_cache(maxsize=6)
def _build(split: str, seed: int, n_images: int) -> _World:
    of_scenes, of_captions = np.random.SeedSequence([seed, list(SPLIT_SIZES).index(split)]).spawn(2)
    scene_dice, caption_dice = Dice(of_scenes), Dice(of_captions)
    scenes = [random_scene(scene_dice) for _ in range(n_images)]
    descriptions = [description for scene in scenes for description in describe_all(scene, caption_dice)]
    kinds = list(KINDS)
    labels = np.zeros((n_images, len(kinds)), dtype=bool)
    for i, scene in enumerate(scenes):
        labels[i, [kinds.index(thing.kind) for thing in scene.objects]] = True
    corpus = CaptionCorpus(
        captions=[description.text for description in descriptions],
        image_of_caption=np.repeat(np.arange(n_images), len(DESCRIBERS)),
        labels=labels,
        label_names=kinds,
        positives=partial(_exhaustive_truth, scenes, descriptions),
        name=f"scenes-{split}",
    )
    return _World(corpus, scenes, descriptions)


def _exhaustive_truth(scenes: list[Scene], descriptions: list[Description]) -> sparse.csr_array:
    return TruthTable(scenes).matrix([description.facts for description in descriptions])


def _to_tensor(picture: Image.Image) -> Float[Tensor, "3 height width"]:
    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).astype(np.float32) / 255)


__all__ = [
    "DESCRIBERS",
    "KINDS",
    "SPLIT_SIZES",
    "Describer",
    "Description",
    "Facts",
    "Mention",
    "Scene",
    "SceneObject",
    "ScenesDataset",
    "draw_scene",
    "scenes_corpus",
    "scenes_dataset",
    "witness",
]
