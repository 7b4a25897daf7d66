from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.embeddings import Gaussian, LocalFeatures, PointSet, concatenate
from daa.encoders import Vocabulary, build_model, embed
from daa.similarity import max_cosine


def words(n: int, places: int) -> LocalFeatures:
    return LocalFeatures(torch.rand(n, places, 4), torch.arange(places) < torch.randint(1, places + 1, (n, 1)))


@pytest.mark.parametrize(
    "embedding",
    [
        Gaussian(torch.rand(6, 3), torch.rand(6, 3)),
        PointSet(torch.rand(6, 2, 3)),
        PointSet(torch.rand(6, 2, 3), torch.rand(6, 2, 5)),
        words(6, 5),
    ],
)
def test_parts_joined_are_the_whole(embedding: Gaussian | PointSet | LocalFeatures) -> None:
    again = concatenate([embedding[:2], embedding[torch.tensor([2])], embedding[3:]])
    assert type(again) is type(embedding)
    assert len(again) == 6
    for name, tensor in embedding.tensors().items():
        assert torch.equal(tensor, again.tensors()[name])


def test_local_features_are_padded_to_the_longest() -> None:
    short, long = words(2, 3), words(1, 5)
    joined = concatenate([short, long])
    assert joined.features.shape == (3, 5, 4)
    assert torch.equal(joined.mask[:2, :3], short.mask)
    assert not joined.mask[:2, 3:].any()


@pytest.mark.usefixtures("own_errors")
def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="points: expected floats"):
        PointSet(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="residuals"):
        PointSet(torch.zeros(2, 2, 3), torch.zeros(2, 1, 3))
    with pytest.raises(ValueError, match="mask: expected booleans"):
        LocalFeatures(torch.zeros(2, 3, 4), torch.ones(2, 3))
    with pytest.raises(ValueError, match="one kind, got Gaussian, PointSet"):
        concatenate([PointSet(torch.zeros(1, 1, 1)), Gaussian(torch.zeros(1, 1), torch.zeros(1, 1))])


class Points(torch.nn.Module):
    """Mean colours and word numbers as sets of two points, to see that scores land in the right places."""

    def forward(self, images: torch.Tensor) -> PointSet:
        return PointSet(torch.stack([images.mean((2, 3)), images.amax((2, 3))], dim=1))


class Words(torch.nn.Module):
    def tokenize(self, captions: list[str]) -> dict[str, torch.Tensor]:
        return {"numbers": torch.tensor([[len(c), c.count("a"), c.count(" ")] for c in captions]).float()}

    def forward(self, numbers: torch.Tensor) -> PointSet:
        return PointSet(torch.stack([numbers, numbers.flip(1)], dim=1))


def test_scores_by_blocks_are_the_scores_of_all_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    captions = ["a cat", "a dog and a cat", "a cat", "aa", "b a a a", "dog"]
    corpus = CaptionCorpus(captions=captions, image_of_caption=[0, 1, 2, 0, 1, 2])
    dataset = ImageTextDataset(corpus, lambda i: Image.new("RGB", (4, 4), (80 * i, 9, 30)), image_size=4)
    model = build_model("conv-small", "gru", Vocabulary(["dog"]), 8, similarity="max-cosine")
    model.image_encoder, model.text_encoder = Points(), Words()
    model.similarity.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))  # a model has a device
    images, texts = embed.embed_dataset(model, dataset, batch_size=2)
    expected = max_cosine(images.points, texts.points).numpy()
    monkeypatch.setattr(embed, "CAPTIONS_AT_A_TIME", 2)
    done: list[int] = []
    scores = embed.score_dataset(model, dataset, batch_size=2, progress=done.append)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    np.testing.assert_allclose(scores, embed.score_dataset(model, dataset, images=images, captions=texts), rtol=1e-6)
    assert sum(done) == len(captions)
    assert model.training
