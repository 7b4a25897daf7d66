"""SAF, SGR and their encoders against a loop over captions and images, written from the formulas."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F

from daa.embeddings import LocalFeatures, concatenate
from daa.encoders.image import Regions
from daa.encoders.text import WordGRU
from daa.encoders.vocabulary import Vocabulary
from daa.similarity import ensemble
from daa.similarity.cross_attention import CrossAttention
from daa.similarity.sgraf import SAF, SGR
from tests.similarity.slow_cross_attention import slow_scores, unit

REGIONS, DIM, SIM = 5, 12, 7
LENGTHS = (4, 1, 6, 4, 2, 4, 9)
NETWORKS = {"saf": SAF, "sgr": SGR}


def make(name: str, **options: object) -> CrossAttention:
    """A network in double precision whose every parameter and running average has some value of its own."""
    torch.manual_seed(1)
    network = NETWORKS[name](embedding_dim=DIM, sim_dim=SIM, regions=REGIONS, dropout=0.0, **options).double()  # type: ignore[arg-type]
    for parameter in network.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    for key, buffer in network.named_buffers():
        if "running" in key:
            buffer += torch.rand_like(buffer)
    return network.eval()


def inputs(n_images: int = 6, lengths: tuple[int, ...] = LENGTHS) -> tuple[LocalFeatures, LocalFeatures]:
    generator = torch.Generator().manual_seed(0)

    def units(*shape: int) -> torch.Tensor:
        return F.normalize(torch.randn(shape, generator=generator, dtype=torch.float64) + 0.3, dim=-1)

    images = LocalFeatures(units(n_images, REGIONS, DIM), torch.ones(n_images, REGIONS, dtype=torch.bool))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return images, LocalFeatures(units(*mask.shape, DIM).masked_fill(~mask[..., None], torch.nan), mask)


def gradients(network: CrossAttention, scores: torch.Tensor, *leaves: torch.Tensor) -> list[torch.Tensor]:
    weights = torch.linspace(-1, 2, scores.numel(), dtype=scores.dtype).view_as(scores)
    return list(torch.autograd.grad((scores * weights).sum(), [*leaves, *network.parameters()]))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_equals_the_slow_loop_forwards_and_backwards(name: str, training: bool) -> None:
    """In training too, with the running averages it leaves behind, whatever the order and the length of captions."""
    images, captions = inputs()
    fast = make(name, block=DIM * 30).train(training)
    slow = copy.deepcopy(fast)
    # The features are leaves here, NaN where the mask is False: padding must reach neither scores nor gradients.
    leaves = [x.features.requires_grad_() for x in (images, captions)]
    ours, expected = fast(images, captions), slow_scores(slow, images, captions)
    assert expected.std(0).min() > 1e-4
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)
    for got, wanted in zip(gradients(fast, ours, *leaves), gradients(slow, expected, *leaves), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-7, atol=1e-10)
    for (key, got), wanted in zip(fast.named_buffers(), slow.buffers(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-12, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", NETWORKS)
def test_single_precision_is_within_1e_5(name: str) -> None:
    images, captions = inputs()
    expected = slow_scores(make(name), images, captions)
    single = [e.from_tensors({"features": e.features.float(), "mask": e.mask}) for e in (images, captions)]
    torch.testing.assert_close(make(name).float()(*single), expected.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_stays_close_where_squares_of_similarities_vanish(name: str, dtype: torch.dtype) -> None:
    """A caption of one word that is nearly at right angles to a region, on the far side."""
    images, captions = inputs()
    word = captions.features[1, 0]
    word -= (word @ images.features[0, 0] + 1e-3) * images.features[0, 0]
    expected = make(name)(images, captions).float()
    single = [e.from_tensors({"features": e.features.float(), "mask": e.mask}) for e in (images, captions)]
    leaf = single[0].features.requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        scores = make(name).float()(*single)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected, rtol=0, atol=0.01)
    scores.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True])
def test_neither_blocks_nor_padding_nor_company_matter(name: str, training: bool) -> None:
    images, captions = inputs()
    network = make(name).train(training)
    expected = network(images, captions)
    for block in (1, DIM * 10, DIM * 70):
        other = make(name, block=block).train(training)
        torch.testing.assert_close(other(images, captions), expected, rtol=0, atol=1e-12)
        with torch.no_grad():
            torch.testing.assert_close(other(images, captions), expected.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(network(images, captions.padded(15)), expected, rtol=0, atol=1e-12)
    # The mask need not be a prefix: here padding stands in front.
    shifted = LocalFeatures(captions.padded(11).features.roll(2, 1), captions.padded(11).mask.roll(2, 1))
    torch.testing.assert_close(network(images, shifted), expected, rtol=0, atol=1e-12)
    one_by_one = torch.cat([network(images, captions[i]) for i in range(len(captions))], dim=1)
    torch.testing.assert_close(one_by_one, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_memory_in_training_is_that_of_a_block(name: str) -> None:
    """Nothing as large as pairs x words x embedding_dim is kept for the backward pass, unless asked for."""
    images, captions = inputs(n_images=20, lengths=(9,) * 20)
    everything = 20 * 20 * 9 * DIM * 8  # bytes of (v - t)^2

    def kept(recompute: bool) -> int:
        network, sizes = make(name, block=DIM * 9 * 20, recompute=recompute), {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            scores = network(images, captions)
        assert scores.requires_grad
        return sum(sizes.values())

    assert kept(recompute=True) < everything / 2
    assert kept(recompute=False) > 2 * everything


@pytest.mark.parametrize(("name", "extra"), [("saf", 256 + 1 + 2), ("sgr", 3 * 3 * (256 * 256 + 256))])
def test_number_of_parameters_at_the_papers_sizes(name: str, extra: int) -> None:
    d, s = 1024, 256
    linear = d * d + d
    image_whole = 2 * linear + 2 * 36 + 2 * d + d + 1
    caption_whole = 2 * linear + d + 1
    shared = image_whole + caption_whole + 2 * (d * s + s) + s + 1
    with torch.device("meta"):
        network = NETWORKS[name]()
    assert sum(p.numel() for p in network.parameters()) == shared + extra


def test_number_of_parameters_of_the_encoders() -> None:
    with torch.device("meta"):
        regions, words = Regions(), WordGRU(Vocabulary([f"w{i}" for i in range(100)]))
    assert sum(p.numel() for p in regions.parameters()) == 2048 * 1024 + 1024
    gru = 2 * (3 * 1024 * (300 + 1024) + 2 * 3 * 1024)
    assert sum(p.numel() for p in words.parameters()) == 104 * 300 + gru


def test_every_parameter_learns_from_a_batch() -> None:
    captions = ["a dog", "a red ball left of a dog", "ball"]
    text, image = WordGRU(Vocabulary.build(captions), DIM, word_dim=6, dropout=0.0), Regions(DIM, features=4)
    for network in (make("saf").train(), make("sgr").train()):
        network.float()(image(torch.rand(3, REGIONS, 4)), text(**text.tokenize(captions))).var().backward()
    parameters = [*text.named_parameters(), *image.named_parameters()]
    assert [key for key, p in parameters if p.grad is None or not p.grad.any()] == []


def test_words_do_not_depend_on_their_company_and_have_length_one() -> None:
    captions = ["a dog", "a red ball left of a dog", "ball"]
    encoder = WordGRU(Vocabulary.build(captions), DIM, word_dim=6, layers=2).eval()
    together = encoder(**encoder.tokenize(captions))
    assert together.mask.sum(1).tolist() == [4, 9, 3]
    torch.testing.assert_close(together.features.norm(dim=-1), together.mask.float())
    for i, caption in enumerate(captions):
        alone = encoder(**encoder.tokenize([caption]))
        torch.testing.assert_close(together.features[i][together.mask[i]], alone.features[0], rtol=0, atol=1e-6)
    reordered = encoder(**encoder.tokenize(["dog a"]))
    assert not torch.allclose(reordered.features[0, 0], together.features[0, 0], atol=1e-4), "reads backwards too"


def test_regions_are_projected_one_by_one_to_length_one() -> None:
    encoder, x = Regions(DIM, features=4), torch.rand(2, REGIONS, 4)
    local = encoder(x).features
    torch.testing.assert_close(local.norm(dim=-1), torch.ones(2, REGIONS))
    torch.testing.assert_close(local[1, 3], unit(encoder.project(x[1, 3])))
    assert concatenate([encoder(x[:1]), encoder(x[1:])]).features.shape == local.shape


@pytest.mark.parametrize("name", NETWORKS)
def test_a_thousand_pictures_with_many_captions(name: str) -> None:
    """The path of a test set, the blocks cut through both sides; the benchmark does 1,000 x 5,000."""
    n_images, n_captions = 1000, 120
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(6, 20, (n_captions,), generator=generator)
    mask = torch.arange(20) < lengths[:, None]
    images = LocalFeatures(torch.randn(n_images, REGIONS, DIM), torch.ones(n_images, REGIONS, dtype=torch.bool))
    captions = LocalFeatures(torch.randn(n_captions, 20, DIM), mask)
    network = make(name, block=DIM * 20_000).float()
    with torch.no_grad():
        scores = network(images, captions)
        corner = network(images[995:], captions[[0, 119]])
    assert scores.shape == (n_images, n_captions)
    torch.testing.assert_close(scores[995:][:, [0, 119]], corner, rtol=0, atol=1e-5)


def test_bad_input_is_named() -> None:
    images, captions = inputs()
    network = make("sgr")
    with pytest.raises(ValueError, match=r"images: expected 5 regions of 12 numbers.*got 6 places of 12, 6 masked"):
        network(images.padded(6), captions)
    with pytest.raises(ValueError, match=r"captions: expected words of 12 numbers, got 3"):
        network(images, LocalFeatures(captions.features[..., :3], captions.mask))
    with pytest.raises(ValueError, match=r"images: expected at least two in training, .* got 1"):
        make("saf").train()(images[:1], captions)
    with pytest.raises(ValueError, match=r"a word in each caption, got 6 images and 7 captions, 1 of them without"):
        network(images, LocalFeatures(captions.features, captions.mask & (torch.arange(7) != 3)[:, None]))


def test_ensemble_is_the_mean_of_two_matrices() -> None:
    a, b = torch.tensor([[0.2, 0.4]]), torch.tensor([[0.4, 0.0]])
    torch.testing.assert_close(ensemble(a, b), torch.tensor([[0.3, 0.2]]))
    torch.testing.assert_close(torch.as_tensor(ensemble(a.numpy(), b.numpy())), torch.tensor([[0.3, 0.2]]))
    with pytest.raises(ValueError, match=r"scores_b: expected the shape of scores_a, \(1, 2\), got \(2, 1\)"):
        ensemble(a, b.T)
    with pytest.raises(ValueError, match=r"scores_b: expected finite numbers, got 1 that are not"):
        ensemble(a, torch.tensor([[torch.nan, 1.0]]))
    with pytest.raises(ValueError, match=r"scores_a: expected a float matrix \[images, captions\], got torch.float32"):
        ensemble(torch.zeros(3), b)
    torch.testing.assert_close(ensemble(a, a, b), (2 * a + b) / 3)
    with pytest.raises(ValueError, match=r"more\[0\]: expected the shape"):
        ensemble(a, b, b.T)
