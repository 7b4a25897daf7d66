"""Parts that were trained elsewhere: keeping them as they are, and finding the files of their weights."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from daa.files import atomic_write

Encoder = TypeVar("Encoder", bound="PretrainedEncoder")

_wanted: ContextVar[bool] = ContextVar("_wanted", default=True)


class PretrainedEncoder(nn.Module):
    """An encoder with a part that was trained elsewhere and can be kept as it is while the rest learns.

    Training in two stages calls `set_frozen` between them. A frozen part gets no gradient and stays in evaluation mode,
    so it has no dropout and its batch normalisation keeps its statistics.
    """

    frozen = False
    fixed_statistics = False
    """Batch normalisation keeps its statistics in the part that is trained, too; its scale and shift are trained."""

    def pretrained(self) -> nn.Module | None:
        """The part that `set_frozen` is about; None if there is none."""
        raise NotImplementedError

    def set_frozen(self, frozen: bool) -> None:
        """Keep the pretrained part as it is from now on, or train it."""
        self.frozen = frozen
        if (part := self.pretrained()) is not None:
            part.requires_grad_(not frozen)
        self.train(self.training)

    def train(self: Encoder, mode: bool = True) -> Encoder:
        super().train(mode)
        if (part := self.pretrained()) is None:
            return self
        if self.frozen:
            part.eval()
        elif self.fixed_statistics:
            for module in part.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self


@contextmanager
def without_pretrained() -> Iterator[None]:
    """Encoders made inside do not read the weights that their options name.

    For a checkpoint, which brings all weights itself, and for counting the parameters of a model on the meta device.

    >>> from daa.encoders.image import TorchvisionEncoder
    >>> with without_pretrained(), torch.device("meta"):
    ...     encoder = TorchvisionEncoder("resnet152", weights="IMAGENET1K_V1", head="points")
    >>> sum(p.numel() for p in encoder.body.parameters())
    58143808
    """
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def pretrained_wanted() -> bool:
    """Whether an encoder should read pretrained weights, see `without_pretrained`."""
    return _wanted.get()


def torchvision_weights(backbone: str, weights: str) -> dict[str, Tensor]:
    """The weights of one of torchvision's networks, by name.

    Args:
        backbone: the network, such as "resnet152".
        weights: a file, or torchvision's name of them: "DEFAULT", "IMAGENET1K_V1", ... Those are looked for among the
            checkpoints of torch.hub, in `$TORCH_HOME/hub/checkpoints` (`~/.cache/torch/hub/checkpoints`), and
            downloaded to there once. The first digits of their SHA-256 stand in their name and are checked.

    Raises:
        FileNotFoundError: no such file, and no network; the message says which file to put where.
        ValueError: no such name, or a file that holds no weights.
    """
    path = Path(weights).expanduser()
    if weights.isidentifier() and not path.exists():
        url = weights_url(backbone, weights)
        path = checkpoints() / url.rpartition("/")[2]
        otherwise = ", or give weights: FILE of your own, or null for random ones"
        obtain(url, path, path.stem.rpartition("-")[2], otherwise)
    elif not path.is_file():
        raise FileNotFoundError(f"weights: expected a file or a name such as IMAGENET1K_V1, but there is no {weights}")
    return read_state(path)


def weights_url(backbone: str, weights: str) -> str:
    """Where torchvision has the weights of that name.

    >>> weights_url("resnet152", "IMAGENET1K_V1")
    'https://download.pytorch.org/models/resnet152-394f9c45.pth'
    """
    from torchvision import models

    known: Any = models.get_model_weights(backbone)
    if weights not in known.__members__:
        raise ValueError(f"weights: {backbone} has {', '.join(known.__members__)}, got {weights!r}")
    return known[weights].url


def checkpoints() -> Path:
    """The folder of torch.hub's downloaded weights: `$TORCH_HOME/hub/checkpoints`, or the same in `~/.cache/torch`."""
    return Path(torch.hub.get_dir(), "checkpoints")


@runtime_checkable
class Fetch(Protocol):
    """Gets one file: has what is at `url` at `path`, or raises OSError (or what `check` raised), leaving nothing there.

    `check` looks at what came and raises ValueError if it is not right. `daa.datasets.download.fetch` is one.
    """

    def __call__(self, url: str, path: Path, *, check: Callable[[Path], None]) -> object: ...


def fetch_by_hub(url: str, path: Path, *, check: Callable[[Path], None]) -> None:
    """By torch.hub, from the first byte, with a bar on a terminal."""
    with atomic_write(path) as aside:
        torch.hub.download_url_to_file(url, str(aside), progress=sys.stderr.isatty())
        check(aside)


_fetch: ContextVar[Fetch] = ContextVar("_fetch", default=fetch_by_hub)


@contextmanager
def fetching_by(fetch: Fetch) -> Iterator[None]:
    """Encoders made inside get weights that are not here yet by this function, in place of torch.hub's.

    `daa train` gives `daa.datasets.download.fetch`, which goes on after a broken connection and knows mirrors.

    >>> def refuse(url, path, *, check):
    ...     raise OSError(f"{url}: not today")
    >>> from pathlib import Path
    >>> with fetching_by(refuse):
    ...     obtain("https://example.org/a.pth", Path("/nowhere/a.pth"))
    Traceback (most recent call last):
    FileNotFoundError: weights: no a.pth here and none to be had (https://example.org/a.pth: not today); put ...
    """
    token = _fetch.set(fetch)
    try:
        yield
    finally:
        _fetch.reset(token)


def current_fetch() -> Fetch:
    """What weights are got by, see `fetching_by`."""
    return _fetch.get()


def obtain(url: str, path: Path, sha256_begins: str = "", otherwise: str = "") -> None:
    """Have a file at `path`, from the network if need be, see `fetching_by`.

    Args:
        url: where it comes from.
        path: where it goes.
        sha256_begins: what its SHA-256 must begin with, in hexadecimal.
        otherwise: what else can be done where there is no network, for the message.

    Raises:
        FileNotFoundError: it is not there and cannot be had; the message says what to put where.
        OSError: what is there has another SHA-256.
    """

    def check(file: Path) -> None:
        if not sha256_begins:
            return
        with open(file, "rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        if not digest.startswith(sha256_begins):
            raise ValueError(f"expected a SHA-256 that begins with {sha256_begins}, got {digest[:8]}")

    if path.is_file():
        try:
            return check(path)
        except ValueError as error:
            raise OSError(f"{path}: {error}; remove this file, and the same command gets it again") from None
    try:
        current_fetch()(url, path, check=check)
    except (OSError, ValueError) as error:
        begins = f" (SHA-256 begins with {sha256_begins})" if sha256_begins else ""
        raise FileNotFoundError(
            f"weights: no {path.name} here and none to be had ({str(error).partition('; ')[0]}); put {url}{begins} at "
            f"{path}{otherwise}"
        ) from None


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file that `torch.save` wrote, by name; no code in it is run.

    Raises:
        ValueError: the file holds anything else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: expected a file of weights as torch.save writes them, got: {first[:200]}") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise ValueError(f"{path}: expected tensors by name, got {type(state).__name__}")
    return state


def load_state(module: nn.Module, state: dict[str, Tensor], source: str, may_lack: str = "") -> None:
    """Give a module these weights.

    Args:
        module: gets them.
        state: tensors by name.
        source: where they come from, for the message.
        may_lack: names that begin so need not be there, such as the classifier's.

    Raises:
        ValueError: a tensor is missing, left over or of another shape.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state and not (may_lack and name.startswith(may_lack))]
    # Old files have no counter of batches.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    left = [name for name in state if name not in own]
    other = [name for name, tensor in state.items() if name in own and tensor.shape != own[name].shape]
    for names, fault in ((missing, "missing"), (left, "not of this network"), (other, "of another shape")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ValueError(f"weights: {source}: {names[0]}{more} {fault}; are they those of another network?")
    module.load_state_dict(state, strict=False)
