"""The models of the paper's tables, at their full size: every parameter counted, and one pass forwards."""

from __future__ import annotations

import pytest
import torch

from daa.embeddings import Gaussian
from daa.encoders import TEXT_ENCODERS, Model, Vocabulary, build_model, without_pretrained

N_WORDS = 11_000
VOCABULARY = Vocabulary([f"word{i}" for i in range(N_WORDS)])
RESNET152, RESNET50, BERT = 58_143_808, 23_508_032, 109_482_240 - (768 * 768 + 768)
"""As published: 60,192,808 and 25,557,032 less the classifier of 1000 classes; BERT-base less its pooler."""

RESNET = {"weights": "IMAGENET1K_V1", "frozen": True}
GLOVE = {"vectors": "glove.840B.300d.zip", "frozen": True, "word_drop": 0.1}
ROWS = {
    "VSE++": (
        "resnet152",
        {**RESNET, "head": "point"},
        "sentence-gru",
        {"head": "point", "bidirectional": False},
        1024,
    ),
    "PVSE": ("resnet152", {**RESNET, "head": "points"}, "sentence-gru", {**GLOVE, "head": "points"}, 1024),
    "PVSE K=2": (
        "resnet152",
        {**RESNET, "head": "points", "k": 2},
        "sentence-gru",
        {**GLOVE, "head": "points", "k": 2},
        1024,
    ),
    "PCME": ("resnet152", {**RESNET, "head": "pcme"}, "sentence-gru", {**GLOVE, "head": "pcme"}, 1024),
    "PCME CUB": ("resnet50", {**RESNET, "head": "pcme"}, "sentence-gru", {**GLOVE, "head": "pcme"}, 512),
    "PCME-bert": ("resnet152", {**RESNET, "head": "pcme"}, "bert", {"noise": 0.2, "always_trained": True}, 1024),
}


def build(row: str) -> Model:
    image, image_options, text, text_options, dim = ROWS[row]
    similarity = "max-cosine" if image_options["head"].startswith("point") else "cosine"
    with without_pretrained(), torch.device("meta"):
        return build_model(image, text, VOCABULARY, dim, image_options, text_options, similarity).eval()


def linear(i: int, o: int, bias: bool = True) -> int:
    return i * o + o * bias


def gru(i: int, hidden: int, directions: int) -> int:
    return directions * 3 * (linear(i, hidden) + linear(hidden, hidden))


def pie_net(features: int, dim: int, k: int) -> int:
    attention = linear(features, features // 2, False) + linear(features // 2, k, False)
    return attention + linear(features, dim) + 2 * dim  # the last: LayerNorm


def spread(features: int, dim: int) -> int:
    return linear(features, features // 2, False) + linear(features // 2, 1, False) + linear(features, dim)


WORDS = (N_WORDS + 4) * 300  # padding, unknown, and the two marks
IMAGE_COUNTS = {
    "VSE++": RESNET152 + linear(2048, 1024),
    "PVSE": RESNET152 + linear(2048, 1024) + pie_net(2048, 1024, 1),
    "PVSE K=2": RESNET152 + linear(2048, 1024) + pie_net(2048, 1024, 2),
    "PCME": RESNET152 + 2 * linear(2048, 1024) + pie_net(2048, 1024, 1) + spread(2048, 1024),
    "PCME CUB": RESNET50 + 2 * linear(2048, 512) + pie_net(2048, 512, 1) + spread(2048, 512),
    "PCME-bert": RESNET152 + 2 * linear(2048, 1024) + pie_net(2048, 1024, 1) + spread(2048, 1024),
}
TEXT_COUNTS = {
    "VSE++": WORDS + gru(300, 1024, 1),
    "PVSE": WORDS + gru(300, 512, 2) + pie_net(300, 1024, 1),
    "PVSE K=2": WORDS + gru(300, 512, 2) + pie_net(300, 1024, 2),
    "PCME": WORDS + 2 * gru(300, 512, 2) + pie_net(300, 1024, 1) + spread(300, 1024),
    "PCME CUB": WORDS + 2 * gru(300, 256, 2) + pie_net(300, 512, 1) + spread(300, 512),
    "PCME-bert": BERT + linear(768, 1024) + pie_net(768, 1024, 1) + gru(768, 512, 2) + spread(768, 1024),
}


@pytest.mark.parametrize("row", ROWS)
def test_every_parameter_is_accounted_for(row: str) -> None:
    model = build(row)
    assert sum(p.numel() for p in model.image_encoder.parameters()) == IMAGE_COUNTS[row]
    assert sum(p.numel() for p in model.text_encoder.parameters()) == TEXT_COUNTS[row]


@pytest.mark.parametrize("row", ROWS)
def test_what_learns_in_the_first_stage_and_in_the_second(row: str) -> None:
    """First all but the ResNet and GloVe; BERT, as released, and random words learn from the start."""
    model = build(row)
    counts = []
    for frozen in (True, False):
        for encoder in (model.image_encoder, model.text_encoder):
            encoder.set_frozen(frozen)
        counts.append(sum(p.numel() for p in model.parameters() if p.requires_grad))
    assert counts[1] == IMAGE_COUNTS[row] + TEXT_COUNTS[row]
    glove = WORDS if "vectors" in ROWS[row][3] else 0
    assert counts[1] - counts[0] == glove + (RESNET50 if "CUB" in row else RESNET152)


@pytest.mark.parametrize("row", ["VSE++", "PVSE K=2", "PCME", "PCME-bert"])
def test_captions_forwards_at_full_size(row: str) -> None:
    _, _, text, options, dim = ROWS[row]
    with without_pretrained(), torch.no_grad():
        encoder = TEXT_ENCODERS[text](VOCABULARY, dim, **options).eval()
        words = {"pieces": torch.tensor([[101, 1037, 3899, 102], [101, 3899, 102, 0]])}  # a dog, dog
        embedding = encoder(**(words if text == "bert" else encoder.tokenize(["word1 word2 word3", "word4"])))
    if isinstance(embedding, Gaussian):
        assert embedding.log_var.shape == (2, 1024)
        assert embedding.log_var.isfinite().all()
    else:
        assert embedding.points.shape == (2, options.get("k", 1), 1024)
    points = embedding.mean if isinstance(embedding, Gaussian) else embedding.points
    torch.testing.assert_close(points.norm(dim=-1), torch.ones(points.shape[:-1]))


@pytest.mark.parametrize("row", ["VSE++", "PVSE K=2", "PCME"])
def test_images_forwards_at_full_size(row: str) -> None:
    """On the meta device, which follows the shapes and computes nothing."""
    embedding = build(row).image_encoder(torch.empty(2, 3, 224, 224, device="meta"))
    shapes = {name: tuple(tensor.shape) for name, tensor in embedding.tensors().items()}
    k = ROWS[row][1].get("k", 1)
    expected = {"mean": (2, 1024), "log_var": (2, 1024)} if row == "PCME" else {"points": (2, k, 1024)}
    assert shapes == expected | ({"residuals": (2, k, 1024)} if row.startswith("PVSE") else {})
