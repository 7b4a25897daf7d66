"""Two encoders side by side, and their construction by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.encoders.bert import BERTText
from daa.encoders.efficientnet import EfficientNetLite0
from daa.encoders.facts import FactsEncoder
from daa.encoders.image import ConvSmall, FeatureEncoder, Regions, TorchvisionEncoder
from daa.encoders.text import BagText, ConvText, GRUText, SentenceGRU, WordGRU
from daa.encoders.vocabulary import Vocabulary
from daa.names import closest
from daa.similarity import SIMILARITIES, CosineSimilarity

IMAGE_ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "conv-small": ConvSmall,
    **{name: partial(TorchvisionEncoder, name) for name in ("resnet18", "resnet50", "resnet101", "resnet152")},
    "torchvision": TorchvisionEncoder,
    "efficientnet-lite0": partial(EfficientNetLite0, "efficientnet-lite0"),
    "features": FeatureEncoder,
    "regions": Regions,
    "facts": FactsEncoder,
}
"""Image encoders by name: called with `embedding_dim` and options; map a batch of images to an `Embedding`."""

TEXT_ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "gru": GRUText,
    "conv": ConvText,
    "bag": BagText,
    "sentence-gru": SentenceGRU,
    "bert": BERTText,
    "words": WordGRU,
}
"""Text encoders by name: called with a `Vocabulary`, `embedding_dim` and options.

`tokenize(captions)` gives a dictionary of tensors, one row a caption, and `forward(**tokens)` an `Embedding`.
"""


class Model(nn.Module):
    """An image encoder, a text encoder, and how their embeddings are compared.

    The encoders look at each item alone. What looks across items, from the similarity on, comes after, so that a batch
    can be embedded in parts.

    Args:
        image_encoder: maps images to an `Embedding`, one row an image.
        text_encoder: `tokenize(captions)` and `forward(**tokens)`, see `TEXT_ENCODERS`.
        similarity: maps both embeddings to scores, see `SIMILARITIES`; by default the cosine of the means of Gaussians.
    """

    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, similarity: nn.Module | None = None) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.similarity = similarity or CosineSimilarity()

    def forward(self, images: Float[Tensor, "images ..."], tokens: Mapping[str, Tensor]) -> tuple[Any, Any]:
        """Embeddings of images and of tokenised captions, for training."""
        return self.image_encoder(images), self.text_encoder(**tokens)

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """The captions as the text encoder reads them, one row a caption."""
        tokenize: Callable[[Sequence[str]], dict[str, Tensor]] = self.text_encoder.tokenize  # type: ignore[assignment]
        return tokenize(captions)

    def encode_images(self, images: Float[Tensor, "images ..."]) -> Any:
        """Embeddings of images, one row an image."""
        return self.image_encoder(images.to(self.device))

    def encode_captions(self, captions: Sequence[str]) -> Any:
        """Embeddings of texts, one row a caption."""
        return self.text_encoder(**{name: rows.to(self.device) for name, rows in self.tokenize(captions).items()})

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device


def build_model(
    image: str,
    text: str,
    vocabulary: Vocabulary,
    embedding_dim: int = 256,
    image_options: Mapping[str, Any] | None = None,
    text_options: Mapping[str, Any] | None = None,
    similarity: str = "cosine",
    similarity_options: Mapping[str, Any] | None = None,
) -> Model:
    """A model from the names of its encoders.

    Args:
        image: a name in `IMAGE_ENCODERS`.
        text: a name in `TEXT_ENCODERS`.
        vocabulary: words of the training captions.
        embedding_dim: size of both embeddings.
        image_options: further arguments of the image encoder, such as {"width": 32}.
        text_options: further arguments of the text encoder.
        similarity: a name in `SIMILARITIES`.
        similarity_options: further arguments of the similarity.

    Raises:
        ValueError: an unknown name or option; the message has the closest known one.

    >>> model = build_model("conv-small", "gru", Vocabulary(["dog"]), embedding_dim=8)
    >>> model.encode_captions(["a dog", "dog"]).mean.shape
    torch.Size([2, 8])
    """
    image_encoder = build_image_encoder(image, embedding_dim, image_options)
    text_encoder = _build(TEXT_ENCODERS, text, "encoders.text", (vocabulary,), embedding_dim, text_options or {})
    compare = _build(SIMILARITIES, similarity, "encoders.similarity", (), embedding_dim, similarity_options or {})
    return Model(image_encoder, text_encoder, compare)


def build_image_encoder(
    image: str, embedding_dim: int = 256, image_options: Mapping[str, Any] | None = None
) -> nn.Module:
    """An image encoder alone, from its name in `IMAGE_ENCODERS`; arguments as for `build_model`."""
    return _build(IMAGE_ENCODERS, image, "encoders.image", (), embedding_dim, image_options or {})


def _build(
    known: Mapping[str, Callable[..., nn.Module]],
    name: str,
    argument: str,
    arguments: tuple[Any, ...],
    embedding_dim: int,
    options: Mapping[str, Any],
) -> nn.Module:
    if name not in known:
        raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {name!r}{closest(name, known)}")
    parameters = _parameters(known[name])
    allowed = [p for p in parameters if p not in ("embedding_dim", "vocabulary")]
    for option in options:
        if option not in allowed:
            raise ValueError(
                f"{argument}_options: {name} takes {', '.join(allowed)}, not {option!r}{closest(option, allowed)}"
            )
    width = {"embedding_dim": embedding_dim} if "embedding_dim" in parameters else {}
    return known[name](*arguments, **width, **options)


def _parameters(make: Callable[..., Any]) -> list[str]:
    """The names of its arguments, those that a class passes on to the class it derives from among them."""
    found = inspect.signature(make).parameters
    names = [name for name, one in found.items() if one.kind is not one.VAR_KEYWORD]
    if len(names) < len(found) and isinstance(make, type):
        names += [name for name in _parameters(make.__mro__[1]) if name not in names]
    return names
