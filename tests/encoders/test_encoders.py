from __future__ import annotations

import pytest
import torch
from PIL import Image

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageInputs, ImageTextDataset
from daa.embeddings import Gaussian
from daa.encoders import IMAGE_ENCODERS, TEXT_ENCODERS, Model, Vocabulary, build_model
from daa.encoders.embed import embed_captions, embed_dataset
from daa.encoders.heads import AttentionPooling, GaussianHead

CAPTIONS = ["a dog", "a red ball left of a dog", "ball"]
VOCABULARY = Vocabulary.build(CAPTIONS)
HOUSE_TEXT = ("gru", "conv", "bag")


def make(image: str = "conv-small", text: str = "gru", **options: object) -> Model:
    torch.manual_seed(0)
    return build_model(image, text, VOCABULARY, embedding_dim=16, **options).eval()  # type: ignore[arg-type]


def check(embedding: Gaussian, n: int) -> None:
    assert embedding.mean.shape == embedding.log_var.shape == (n, 16)
    torch.testing.assert_close(embedding.mean.norm(dim=1), torch.ones(n))
    assert embedding.log_var.isfinite().all()


@pytest.mark.parametrize(("name", "size"), [("conv-small", 64), ("conv-small", 80), ("resnet18", 80), ("resnet50", 64)])
def test_image_encoders_give_unit_means_for_any_size(name: str, size: int) -> None:
    check(make(image=name).encode_images(torch.rand(3, 3, size, size)), 3)


def test_facts_are_a_set_and_their_encoder_sees_each_of_them() -> None:
    model, regions = make(image="facts"), torch.rand(3, 5, 54)
    embedding = model.encode_images(regions)
    check(embedding, 3)
    turned = model.encode_images(regions[:, [4, 2, 0, 1, 3]])
    torch.testing.assert_close(turned.mean, embedding.mean)
    torch.testing.assert_close(turned.log_var, embedding.log_var)
    for region in range(5):
        other = regions.clone()
        other[:, region, 7] += 1
        assert (model.encode_images(other).mean - embedding.mean).abs().max() > 1e-4
    twice = regions.clone()
    twice[:, 0] = twice[:, 1]
    assert (model.encode_images(twice).mean - model.encode_images(twice[:, 1:]).mean).abs().max() > 1e-4, "they count"


def test_facts_refuse_pictures_and_say_where_facts_are(own_errors) -> None:
    with pytest.raises(ValueError, match=r"regions of 54 numbers .*data.options.view: facts\), got .*64"):
        make(image="facts").encode_images(torch.rand(2, 3, 64, 64))
    make(image="facts", image_options={"features": 7}).encode_images(torch.rand(2, 9, 7))


@pytest.mark.parametrize("name", HOUSE_TEXT)
def test_text_encoders_give_unit_means(name: str) -> None:
    check(make(text=name).encode_captions(CAPTIONS), 3)


@pytest.mark.parametrize("name", HOUSE_TEXT)
def test_a_caption_does_not_depend_on_the_others_of_its_batch(name: str) -> None:
    """Nor, therefore, on how far it is padded."""
    model = make(text=name)
    together = model.encode_captions(CAPTIONS)
    for i, caption in enumerate(CAPTIONS):
        alone = model.encode_captions([caption])
        torch.testing.assert_close(together[i].mean, alone.mean, rtol=0, atol=1e-6)
        torch.testing.assert_close(together[i].log_var, alone.log_var, rtol=0, atol=1e-5)


def test_gru_reads_both_ways() -> None:
    """Against torch's own bidirectional GRU on packed sequences."""
    encoder = make().text_encoder
    both = torch.nn.GRU(128, 128, batch_first=True, bidirectional=True)
    weights = dict(encoder.forwards.named_parameters())
    weights |= {f"{name}_reverse": p for name, p in encoder.backwards.named_parameters()}
    both.load_state_dict(weights)
    words = VOCABULARY.encode(CAPTIONS)
    x, mask = encoder.words(words), words != 0
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, mask.sum(1), batch_first=True, enforce_sorted=False)
    expected = torch.nn.utils.rnn.pad_packed_sequence(both(packed)[0], batch_first=True)[0]
    torch.testing.assert_close(encoder.context(x, mask)[mask], expected[mask])


def test_word_order_and_places_matter() -> None:
    model = make()
    means = model.encode_captions(["dog left of ball", "ball left of dog"]).mean
    assert not torch.allclose(means[0], means[1], atol=1e-4)
    image = torch.zeros(1, 3, 64, 64)
    image[..., :20, :20] = 1
    means = model.encode_images(torch.cat([image, image.flip(-1)])).mean
    assert not torch.allclose(means[0], means[1], atol=1e-4)


@pytest.mark.parametrize(
    ("image", "text"), [("conv-small", "gru"), ("resnet18", "conv"), ("conv-small", "bag"), ("facts", "bag")]
)
def test_every_parameter_learns(image: str, text: str) -> None:
    model = make(image, text).train()
    seen = torch.rand(4, 5, 54) if image == "facts" else torch.rand(4, 3, 64, 64)
    images, captions = model(seen, model.tokenize([*CAPTIONS, "dog ball"]))
    weights = torch.rand(4, 16)
    sum((e.mean * weights).sum() + (e.log_var * weights).sum() for e in (images, captions)).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_variance_starts_where_it_was_told() -> None:
    log_var = make(image_options={"log_var_init": -3.0}).encode_images(torch.rand(5, 3, 64, 64)).log_var
    assert (log_var + 3).abs().max() < 0.1


def test_attention_is_a_weighted_mean_and_ignores_masked_places() -> None:
    pooling = AttentionPooling(6)
    x = torch.randn(2, 5, 6)
    mask = torch.tensor([[True, True, False, False, False], [True] * 5])
    pooled = pooling(x, mask)
    changed = x.masked_fill(~mask[..., None], 100.0)
    torch.testing.assert_close(pooled, pooling(changed, mask))
    torch.testing.assert_close(pooling(torch.ones(2, 5, 6), mask), torch.ones(2, 6))


def test_head_mean_follows_its_formula() -> None:
    head = GaussianHead(features=4, pooled=3, embedding_dim=5)
    local, pooled = torch.randn(2, 7, 4), torch.randn(2, 3)
    attention = torch.softmax(
        torch.tanh(local @ head.mean_pooling.hidden.weight.T) @ head.mean_pooling.logit.weight[0], 1
    )
    attended = (attention[..., None] * local).sum(1)
    summed = head.mean_global(pooled) + torch.sigmoid(head.mean_local(attended))
    expected = torch.nn.functional.normalize(torch.nn.functional.layer_norm(summed, (5,)), dim=1)
    torch.testing.assert_close(head(local, pooled).mean, expected)


def test_frozen_body_keeps_weights_and_batch_statistics() -> None:
    model = make("resnet18", image_options={"frozen": True}).train()
    before = {name: p.clone() for name, p in model.image_encoder.body.state_dict().items()}
    model.encode_images(torch.rand(2, 3, 64, 64)).mean.sum().backward()
    assert all(p.equal(before[name]) for name, p in model.image_encoder.body.state_dict().items())
    assert all(p.grad is None for p in model.image_encoder.body.parameters())
    assert model.image_encoder.head.mean_global.weight.grad is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image": "conv-smal"}, "encoders.image: expected one of conv-small, .*did you mean conv-small"),
        ({"text": "grue"}, "encoders.text: expected one of gru, conv, bag, .*, got 'grue'; did you mean gru"),
        (
            {"image_options": {"widht": 3}},
            "encoders.image_options: conv-small takes .* not 'widht'; did you mean width",
        ),
        ({"text_options": {"hiden": 3}}, "encoders.text_options: gru takes .* not 'hiden'; did you mean hidden"),
        ({"image": "resnet18", "image_options": {"depth": 5}}, "encoders.image_options: resnet18 takes"),
    ],
)
def test_unknown_names_and_options(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**arguments)  # type: ignore[arg-type]


def test_resnet_names_the_missing_weights(tmp_path: object) -> None:
    with pytest.raises(FileNotFoundError, match=r"no-such\.pth"):
        make("resnet18", image_options={"weights": f"{tmp_path}/no-such.pth"})


def grey_dataset(n: int = 5, transform: object = None) -> ImageTextDataset:
    corpus = CaptionCorpus(captions=[f"grey {i % 3}" for i in range(2 * n)], image_of_caption=[*range(n), *range(n)])
    load = lambda i: Image.new("RGB", (64, 64), (50 * i,) * 3)  # noqa: E731
    return ImageTextDataset(corpus, load, transform, image_size=64)  # type: ignore[arg-type]


def test_embed_dataset_keeps_the_order_of_the_corpus() -> None:
    model, dataset = make().train(), grey_dataset()
    images, captions = embed_dataset(model, dataset, batch_size=2)
    assert model.training
    model.eval()
    direct = model.encode_images(torch.stack([dataset.image(i) for i in range(5)]))
    torch.testing.assert_close(images.mean, direct.mean)
    torch.testing.assert_close(captions.mean, model.encode_captions(dataset.corpus.captions).mean, rtol=0, atol=1e-6)
    assert captions.mean[0].equal(captions.mean[3]), "equal texts have equal embeddings"
    assert not images.mean.requires_grad
    assert embed_captions(model, ["a dog", "a", "a dog"], batch_size=1).mean.shape == (3, 16)


def test_inputs_are_the_images_whether_kept_or_not() -> None:
    dataset = grey_dataset()
    expected = torch.stack([dataset.image(i) for i in (3, 0, 3)])
    for inputs in (ImageInputs(dataset), ImageInputs(dataset, keep=False), ImageInputs(dataset, limit=10)):
        torch.testing.assert_close(inputs.batch([3, 0, 3]), expected, rtol=0, atol=1e-7)
    kept = ImageInputs(dataset)
    assert kept._kept is not None
    assert kept._kept.dtype == torch.uint8
    assert ImageInputs(dataset, limit=10)._kept is None


def test_inputs_that_are_no_bytes_stay_floats() -> None:
    dataset = grey_dataset(transform=lambda image: torch.full((3, 2, 2), image.getpixel((0, 0))[0] / 255 - 0.5))
    assert ImageInputs(dataset).batch([0, 1])[:, 0, 0, 0].tolist() == pytest.approx([-0.5, 50 / 255 - 0.5])


def test_registries_hold_what_the_paper_needs() -> None:
    assert {"conv-small", "resnet18", "resnet50", "resnet152", "torchvision", "features"} <= IMAGE_ENCODERS.keys()
    assert {*HOUSE_TEXT, "sentence-gru", "bert"} <= TEXT_ENCODERS.keys()


def test_images_of_different_shapes_are_refused() -> None:
    dataset = grey_dataset(transform=lambda image: torch.zeros(3, 2, 2 + image.getpixel((0, 0))[0] // 200))
    with pytest.raises(ValueError, match="expected images of one shape, but image 0 is"):
        ImageInputs(dataset)
