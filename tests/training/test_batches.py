from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daa.datasets.base import training_transform
from daa.training.batches import Batches, Sampler, _shifted
from tests.training.tiny import tiny_config, tiny_data


@st.composite
def corpora(draw: st.DrawFn) -> np.ndarray:
    """For each caption its image: any number of captions an image, in any order."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=9))
    return np.array(draw(st.permutations(np.repeat(np.arange(len(counts)), counts).tolist())))


@given(corpora(), st.integers(2, 5), st.sampled_from(["image", "caption"]), st.integers(1, 3), st.integers(0, 3))
def test_batches_are_drawn_without_repetition(
    image_of_caption: np.ndarray, batch_size: int, sampling: str, per_image: int, epoch: int
) -> None:
    sampler = Sampler(image_of_caption, batch_size, sampling, per_image, seed=3)
    steps = range(epoch * sampler.steps_per_epoch, (epoch + 1) * sampler.steps_per_epoch)
    drawn = [sampler.step(step) for step in steps]
    for images, captions in drawn:
        assert len(set(images)) == len(images)
        assert set(image_of_caption[captions]) == set(images)
    captions = np.concatenate([captions for _, captions in drawn])
    assert len(set(captions)) == len(captions), "no caption twice in an epoch"
    n_items = image_of_caption.max() + 1 if sampling == "image" else len(image_of_caption)
    if sampling == "image":
        images = np.concatenate([images for images, _ in drawn])
        assert len(set(images)) == len(images) == min(n_items, max(1, n_items // batch_size) * batch_size)
        counts = np.bincount(image_of_caption)
        assert len(captions) == np.minimum(counts[images], per_image).sum()
    else:
        assert len(captions) == min(n_items, max(1, n_items // batch_size) * batch_size)


@given(corpora(), st.integers(0, 30))
def test_a_step_does_not_depend_on_the_steps_before(image_of_caption: np.ndarray, step: int) -> None:
    walked, jumped = (Sampler(image_of_caption, 2, captions_per_image=2, seed=1) for _ in range(2))
    for earlier in range(step):
        walked.step(earlier)
    for a, b in zip(walked.step(step), jumped.step(step), strict=True):
        assert a.tolist() == b.tolist()


def test_seeds_and_epochs_differ() -> None:
    image_of_caption = np.arange(64)
    order = [Sampler(image_of_caption, 64, seed=seed).step(step)[1].tolist() for seed, step in ((0, 0), (0, 1), (1, 0))]
    assert order[0] != order[1] != order[2] != order[0]


def test_two_captions_of_one_image_are_both_positives() -> None:
    data = tiny_data()
    tokens = {"words": torch.zeros(96, 3, dtype=torch.long)}
    for overrides in (["train.captions_per_image=2"], ["train.sampling=caption", "train.batch_size=40"]):
        batch = Batches(data.train, tokens, tiny_config(*overrides), data.relevance)[1]
        own = data.train.dataset.corpus.image_of_caption[batch.caption_index]
        assert batch.positives.tolist() == [[bool(i == j) for j in own] for i in batch.image_index.tolist()]
        assert batch.positives.sum(dim=0).eq(1).all(), "each caption has its one image, once in the batch"
        assert batch.positives.sum(dim=1).max() == 2
        assert len(batch.images) == len(batch.image_index) == len(batch.positives)
        expected = data.relevance.matrix()[np.ix_(batch.image_index, batch.caption_index)]
        torch.testing.assert_close(batch.relevance, torch.from_numpy(expected))


def test_images_belong_to_their_captions() -> None:
    data = tiny_data()
    tokens = {"words": torch.arange(96)[:, None]}
    batch = Batches(data.train, tokens, tiny_config("data.shift=0"))[2]
    assert batch.tokens["words"][:, 0].tolist() == batch.caption_index.tolist()
    for image, i in zip(batch.images, batch.image_index, strict=True):
        torch.testing.assert_close(image, data.train.dataset.image(int(i)), rtol=0, atol=1e-6)


@settings(max_examples=10)
@given(st.integers(1, 3))
def test_shifting_moves_without_wrapping(pixels: int) -> None:
    image = torch.zeros(200, 1, 9, 9)
    image[:, :, 4, 4] = 1
    shifted = _shifted(image, pixels, np.random.default_rng(0).integers(0, 2 * pixels + 1, size=(200, 2)))
    where = shifted.flatten(1).argmax(1)
    moves = {(int(w) // 9 - 4, int(w) % 9 - 4) for w in where}
    assert shifted.sum() == 200
    assert max(max(abs(y), abs(x)) for y, x in moves) == pixels
    assert len(moves) == (2 * pixels + 1) ** 2 or pixels == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_hands_the_batches_out_in_order(workers: int) -> None:
    batches = Batches(tiny_data().train, {"words": torch.zeros(96, 3, dtype=torch.long)}, tiny_config())
    loader = torch.utils.data.DataLoader(batches, batch_size=None, sampler=range(3, 6), num_workers=workers)
    got = list(loader)
    assert [batch.step for batch in got] == [3, 4, 5]
    assert got[1].caption_index.equal(batches[4].caption_index)


def test_class_sampling_takes_one_caption_of_each_class() -> None:
    image_of_caption, classes = np.repeat(np.arange(12), 2), np.arange(12) % 4
    sampler = Sampler(image_of_caption, 4, "class", seed=2, labels=np.eye(4, dtype=bool)[classes])
    assert sampler.steps_per_epoch == 6
    drawn = [sampler.step(step) for step in range(6)]
    for images, captions in drawn:
        assert sorted(classes[images]) == [0, 1, 2, 3]
        assert set(image_of_caption[captions]) == set(images)
    assert len({tuple(captions) for _, captions in drawn}) > 1
    assert drawn[3][1].tolist() == sampler.step(3)[1].tolist()
    with pytest.raises(ValueError, match="labels of 0"):
        Sampler(image_of_caption, 4, "class")


def test_random_views_hang_on_the_seed_the_step_and_the_image_alone() -> None:
    data, tokens = tiny_data(), {"words": torch.zeros(96, 3, dtype=torch.long)}
    data.train.dataset._random_view = training_transform("crop-flip", 16)
    options = ["data.augment=crop-flip", "data.shift=0"]
    whole = Batches(data.train, tokens, tiny_config(*options))
    shares = [Batches(data.train, tokens, tiny_config(*options), share=(k, 3)) for k in range(3)]
    torch.testing.assert_close(torch.cat([share[2].images for share in shares]), whole[2].images, rtol=0, atol=0)
    plain = Batches(data.train, tokens, tiny_config("data.shift=0"))[2]
    assert not whole[2].images.equal(plain.images)
    other_seed = Batches(data.train, tokens, tiny_config(*options, "train.seed=1"))
    again = [batches[2].images[0] for batches in (whole, other_seed)]
    assert not again[0].equal(again[1])


@pytest.mark.parametrize("sampling", ["image", "caption"])
def test_shares_add_up_to_the_batch(sampling: str) -> None:
    tokens = {"words": torch.arange(96)[:, None]}
    config = tiny_config(f"train.sampling={sampling}", "data.shift=2")
    whole = Batches(tiny_data().train, tokens, config)[1]
    shares = [Batches(tiny_data().train, tokens, config, share=(k, 5))[1] for k in range(5)]
    assert torch.cat([share.images for share in shares]).equal(whole.images)
    assert torch.cat([share.tokens["words"] for share in shares]).equal(whole.tokens["words"])
    assert all(share.positives.equal(whole.positives) for share in shares)
