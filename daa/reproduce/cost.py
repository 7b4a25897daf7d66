"""What a run of a configuration takes: parameters, memory, steps, operations, and so hours on a GPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from rich.filesize import decimal
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from daa.embeddings import Embedding
from daa.encoders.pretrained import without_pretrained
from daa.encoders.vocabulary import Vocabulary
from daa.training.config import Config
from daa.training.data import new_model
from daa.training.stages import stages


class SplitSizes(NamedTuple):
    """What is known of a data set before it is downloaded; but for the last two, of its training split."""

    images: int
    captions: int
    words: int  # of the vocabulary
    words_per_caption: int  # on average
    test_images: int
    test_captions: int


SIZES = {
    # words: vocab/coco_precomp_vocab.json of SCAN, its four marks left out; the mean length is that of COCO's captions
    "coco": SplitSizes(113_287, 566_435, 11_349, 11, 5_000, 25_000),
    # words: vocab/f30k_precomp_vocab.json of SCAN
    "flickr30k": SplitSizes(29_000, 145_000, 8_477, 12, 1_000, 5_000),
    # words: no vocabulary is published; 5,000 is a guess. Reed et al. asked for at least ten words.
    "cub": SplitSizes(7_057, 70_570, 5_000, 15, 2_967, 29_670),
}
"""By the protocol of a table."""


class Gpu(NamedTuple):
    """A GPU and what it is assumed to sustain in training, in operations a second."""

    name: str
    memory: float
    full: float
    half: float
    why: str


GPUS = (
    Gpu("T4", 16e9, 3.2e12, 16e12, "40 % of its 8.1 TFLOP/s in float32, a quarter of its 65 in float16"),
    Gpu("A100", 40e9, 40e12, 90e12, "a quarter of its 156 TFLOP/s in TF32, 30 % of its 312 in half precision"),
)
"""The shares are assumptions of this package, not measurements: nothing here has run on a GPU."""

MOMENTS = {"adam": 2, "adamw": 2, "adamp": 2, "sgd": 1}
RELEVANCE_BYTES = 81  # a caption of COCO's training set in the sparse TF-IDF relevance; results/relevance-batch.json
FLOAT = 4
REGIONS = 36
FEW = 4  # captions that are counted
PAIRED, BLOCK = 10, 1 << 20  # images and captions of which the pairs are counted, more than SAF and SGR take as one


@dataclass(frozen=True)
class StagePlan:
    """One stage of a run."""

    epochs: int
    steps: int
    trained: int  # parameters that change
    flops: float  # operations a step, forward and backward
    kept: float  # bytes that a step keeps for its backward pass, in float32
    state: int  # bytes of weights, gradients and the optimizer's moments


@dataclass(frozen=True)
class Plan:
    """What a run takes."""

    parameters: int  # of the model
    stages: tuple[StagePlan, ...]
    scoring_flops: float  # operations to score all pairs of the test split
    relevance: int  # bytes of the training captions' relevance in memory; 0 if no loss asks for it
    precision: str
    batch: int  # pairs a batch

    @property
    def flops(self) -> float:
        """Operations of the whole training."""
        return sum(stage.steps * stage.flops for stage in self.stages)

    @property
    def memory(self) -> float:
        """Bytes on the device: weights, gradients, moments, and what a step keeps; of the hungriest stage.

        In half precision what is kept is taken to be half as large, although some of it stays float32.
        """
        half = 1.0 if self.precision == "no" else 0.5
        return max(stage.state + half * stage.kept for stage in self.stages)

    def rate(self, gpu: Gpu) -> float:
        """Operations a second that a GPU is assumed to sustain in the precision of the run."""
        return gpu.full if self.precision == "no" else gpu.half

    def hours(self, gpu: Gpu) -> float:
        """Of training on one GPU, at the throughput that it is assumed to sustain; reading pictures not counted."""
        return self.flops / self.rate(gpu) / 3600

    def lines(self) -> list[str]:
        """What the run takes, and why, for people."""
        lines = [
            f"  {stage.epochs} epochs = {stage.steps:,} steps of {self.batch}; {stage.trained / 1e6:,.1f} million "
            f"parameters trained; {stage.flops / 1e12:.2f} TFLOP a step, forward and backward; "
            f"{decimal(stage.state)} of weights, gradients and moments; "
            f"{decimal(int(stage.kept))} kept a step in float32"
            for stage in self.stages
        ]
        half = "" if self.precision == "no" else f", half of what is kept since it is {self.precision}"
        lines.append(f"  memory: about {decimal(int(self.memory))} on the device{half}")
        if self.relevance:
            lines.append(
                f"  relevance of the training captions: about {decimal(self.relevance)} of main memory, sparse"
            )
        for gpu in GPUS:
            lines.append(
                f"  {gpu.name}: {self.hours(gpu):,.1f} hours = {self.flops / 1e18:.2f} EFLOP at an assumed "
                f"{self.rate(gpu) / 1e12:g} TFLOP/s ({gpu.why})"
            )
            if self.memory >= gpu.memory:
                lines[-1] += f"; does not fit its {decimal(int(gpu.memory))}, set train.chunks"
        if self.scoring_flops > 1e15:
            lines.append(f"  scoring the test split: {self.scoring_flops / 1e15:.1f} PFLOP more")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {**asdict(self), "memory": self.memory, "hours": {gpu.name: self.hours(gpu) for gpu in GPUS}}


def make_plan(config: Config, protocol: str) -> Plan:
    """Count what a configuration takes, without weights, data or a GPU.

    The model is built on the device "meta", where tensors have shapes and no numbers, and images go through it there as
    one whole batch. Captions and pairs, of which the code looks at the numbers of words, are counted on a few, on the
    CPU with weights that are all 0, and multiplied. Counted are matrix products and convolutions of the encoders and of
    the similarity; losses see a batch of scores or samples and are small beside them. The protocol says the size of the
    data set.
    """
    sizes, train, image_options = SIZES[protocol], config.train, config.encoders.image_options
    by_image = train.sampling == "image"
    n_captions = train.batch_size * (train.captions_per_image if by_image else 1)  # nearly all of different images
    per_epoch = max(1, (sizes.images if by_image else sizes.captions) // train.batch_size)
    with without_pretrained(), torch.device("meta"):
        model = new_model(config, Vocabulary([f"w{k}" for k in range(sizes.words)]))
    if config.encoders.text == "bert":  # its tokenizer comes with the weights; without them, of the vocabulary's words
        model.text_encoder.weights = None  # type: ignore[assignment]
    zeros = cache(torch.zeros)
    for part in (model.text_encoder, model.similarity):
        for tensor in _held(part.to_empty(device="cpu")):
            tensor.data = zeros(tensor.shape, dtype=tensor.dtype)  # in one place for all of one shape
    tokens = model.tokenize([" ".join(f"w{k}" for k in range(sizes.words_per_caption))] * FEW)
    regions = (REGIONS, image_options.get("features", 2048))
    size = regions if config.data.name == "precomputed" else (3, config.data.image_size, config.data.image_size)
    pictures = torch.empty(train.batch_size, *size, device="meta")
    parameters, planned = sum(p.numel() for p in model.parameters()), []
    texts: dict[int, tuple[np.ndarray, Any]] = {}  # by how many parameters learn: a BERT's often do in both stages
    for stage in stages(config, per_epoch):
        stage.prepare(model)
        model.train()
        of_images, images = count(model.image_encoder, pictures)
        learnt = _n_trained(model.text_encoder)
        if learnt not in texts:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)  # words that are taken out at random do not count
                texts[learnt] = count(model.text_encoder, **tokens)
        of_captions, captions = texts[learnt]
        of_pair = _count_pair(model.similarity, images, captions)
        flops, kept = of_images + of_captions * n_captions / FEW + of_pair * train.batch_size * n_captions
        trained = _n_trained(model)
        moments = MOMENTS[config.optim.name] + bool(config.optim.options.get("amsgrad"))
        steps, state = stage.end - stage.first, FLOAT * (parameters + trained * (1 + moments))
        planned.append(StagePlan(steps // per_epoch, steps, trained, float(flops), float(kept), state))
    with torch.no_grad():
        of_pair = _count_pair(model.similarity.eval(), images, captions)
    return Plan(
        parameters=parameters,
        stages=tuple(planned),
        scoring_flops=float(of_pair[0]) * sizes.test_images * sizes.test_captions,
        relevance=RELEVANCE_BYTES * sizes.captions if config.loss.daa_weight else 0,
        precision=train.precision,
        batch=train.batch_size,
    )


def count(module: nn.Module, *inputs: Any, **named: Any) -> tuple[Float[np.ndarray, " 2"], Any]:
    """What a forward pass and the backward pass from the sum of its results take, and these results.

    On tensors of the device "meta", which have shapes and no numbers, nothing is computed. Under `torch.no_grad` there
    is no backward pass, and nothing is kept.

    Returns:
        Operations of matrix products and convolutions, a multiplication and an addition counted as two; and bytes that
        are kept from the forward for the backward pass, weights not counted. Then what the module returns.

    >>> layer = torch.nn.Linear(4, 3, device="meta")
    >>> count(layer, torch.empty(2, 4, device="meta"))[0]
    array([96., 32.])
    """
    held = {tensor.untyped_storage()._cdata for tensor in _held(module)}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (place := tensor.untyped_storage()._cdata) not in held:
            kept[place] = tensor  # holding it, so that its place is not given to another
        return tensor

    with FlopCounterMode(display=False) as counter:
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            result = module(*inputs, **named)
        n_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        tensors = result.tensors().values() if isinstance(result, Embedding) else [result]
        if learnt := [tensor.sum() for tensor in tensors if tensor.requires_grad]:
            used = [p.register_post_accumulate_grad_hook(_forget) for p in module.parameters() if p.requires_grad]
            torch.autograd.backward(learnt)
            for hook in used:
                hook.remove()
    return np.array([counter.get_total_flops(), n_bytes], dtype=float), result


def _count_pair(similarity: nn.Module, images: Embedding, captions: Embedding) -> Float[np.ndarray, " 2"]:
    """Of one pair: what a quadratic function of the number of images and captions has as its second coefficient.

    What SAF and SGR do to each image and caption alone is left out, as is the block they work on.
    """
    if hasattr(similarity, "block"):  # several blocks of even a few pairs are computed again, as in training
        similarity.block = BLOCK  # type: ignore[assignment]
    some, twice = (count(similarity, _ones(images, n), _ones(captions, n))[0] for n in (PAIRED, 2 * PAIRED))
    return (twice - 2 * some) / (2 * PAIRED**2)


def _ones(embedding: Embedding, n: int) -> Embedding:
    """So many embeddings of this kind and size, on the CPU, nothing masked."""
    return embedding.map(lambda t: torch.ones(n, *t.shape[1:], dtype=t.dtype).requires_grad_(t.is_floating_point()))


def _n_trained(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _forget(parameter: Tensor) -> None:
    parameter.grad = None


def _held(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
