"""Views of pictures: fixed for evaluation, and random ones that are functions of (image, seed) alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms

from daa.corpus import CaptionCorpus
from daa.datasets.base import AUGMENTATIONS, IMAGENET_MEAN, ImageTextDataset, evaluation_transform

PIXELS = np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), dtype=np.uint8)


def picture(i):
    return Image.fromarray(PIXELS[i])


def dataset(augment, **options):
    corpus = CaptionCorpus(captions=["a", "b", "c", "d"], image_of_caption=[0, 1, 2, 3])
    return ImageTextDataset(corpus, picture, image_size=32, augment=augment, **options)


class Views(torch.utils.data.Dataset):
    def __init__(self, data):
        self.data = data

    def __len__(self):
        return 4

    def __getitem__(self, i):
        torch.rand(i)  # what others draw in between must not matter
        return self.data.augmented(i, seed=7)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_a_view_depends_on_image_and_seed_alone(augment):
    data = dataset(augment)
    torch.manual_seed(0)
    views = [data.augmented(i, seed=7) for i in range(4)]
    state = torch.get_rng_state()
    again = [data.augmented(i, seed=7) for i in (3, 1, 0, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    for i, view in zip((3, 1, 0, 2), again, strict=True):
        assert torch.equal(view, views[i])
    loaded = list(DataLoader(Views(data), batch_size=None, num_workers=2))
    assert all(torch.equal(view, other) for view, other in zip(views, loaded, strict=True))
    assert all(view.shape == (3, 32, 32) and 0 <= view.min() <= view.max() <= 1 for view in views)
    if augment == "none":
        assert torch.equal(views[2], data.image(2))
    elif augment != "erase":
        assert not torch.equal(data.augmented(0, seed=8), views[0])


def test_evaluation_is_torchvisions_resize_and_centre_crop():
    peer = transforms.Compose([transforms.Resize(40), transforms.CenterCrop(32), transforms.ToTensor()])
    ours = evaluation_transform(32, 40)(picture(0))
    assert (ours - peer(picture(0))).abs().max() <= 1.5 / 255
    assert torch.equal(dataset("none", resize=40).image(0), ours)
    assert not torch.equal(dataset("none").image(0), ours)
    with pytest.raises(ValueError, match="resize: expected at least image_size, 32 pixels, got 31"):
        evaluation_transform(32, 31)


def test_half_of_the_views_are_mirrored_and_a_fifth_erased():
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (48, 1)))
    corpus = CaptionCorpus(captions=["ramp"], image_of_caption=[0])
    both = ImageTextDataset(corpus, lambda i: ramp.convert("RGB"), image_size=32, augment="crop-flip-erase")
    views = torch.stack([both.augmented(0, seed) for seed in range(600)])
    mirrored = (views[:, 1, :, 0].median(1).values > views[:, 1, :, -1].median(1).values).float().mean()
    assert 0.42 < mirrored < 0.58
    erased = (views == torch.tensor(IMAGENET_MEAN)[:, None, None]).all(1)
    share = erased.any(dim=2).any(dim=1).float().mean()
    assert 0.14 < share < 0.26
    area = erased.float().mean(dim=(1, 2))
    assert 0.01 < area[area > 0].min() < area.max() < 0.36
    only = ImageTextDataset(corpus, lambda i: ramp.convert("RGB"), image_size=32, augment="erase")
    assert sum(torch.equal(only.augmented(0, seed), only.image(0)) for seed in range(100)) in range(65, 95)


def test_images_of_one_batch_are_not_cropped_alike():
    corpus = CaptionCorpus(captions=["a", "a"], image_of_caption=[0, 1])
    twice = ImageTextDataset(corpus, lambda i: picture(0), image_size=32, augment="crop-flip")
    assert not torch.equal(twice.augmented(0, seed=7), twice.augmented(1, seed=7))


def test_a_part_of_a_data_set_counts_anew():
    part = dataset("crop-flip").select([2, 0])
    assert part.corpus.captions == ("a", "c")
    assert torch.equal(part.image(0), dataset("none").image(2))
    assert part.augmented(1, seed=3).shape == (3, 32, 32)
    with pytest.raises(
        ValueError, match="augment: expected one of none, crop-flip, crop-flip-erase, erase, got 'flip'"
    ):
        dataset("flip")
