"""What a run of a configuration takes: parameters, memory, steps, operations, and so hours on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from daa.embeddings import Embedding
from daa.encoders.model import Model
from daa.encoders.pretrained import without_pretrained
from daa.encoders.vocabulary import Vocabulary
from daa.reproduce.cost import Cost, cost_of
from daa.reproduce.facts import FACTS, GPUS, Facts, Gpu
from daa.training.config import Config
from daa.training.data import new_model
from daa.training.stages import stages

MOMENTS = {"adam": 2, "adamw": 2, "adamp": 2, "sgd": 1}
RELEVANCE_BYTES = 81  # a caption of COCO's training set in the sparse TF-IDF relevance; results/relevance-batch.json
FLOAT = 4
REGIONS = 36
PIECES, BERT_LAYERS = 30_522, 12  # of bert-base-uncased
FEATURES = 8
FEW = 4  # captions that are counted
PAIRED, BLOCK = 10, 1 << 20  # images and captions of which the pairs are counted, more than SAF and SGR take as one


@dataclass(frozen=True)
class StagePlan:
    """One stage of a run.

    Args:
        epochs: in it.
        steps: in it.
        trained: parameters that change.
        flops: operations a step, forward and backward.
        kept: bytes a step keeps for its backward pass, in float32.
        state: bytes of weights, gradients and the optimizer's moments.
    """

    epochs: int
    steps: int
    trained: int
    flops: float
    kept: float
    state: int


@dataclass(frozen=True)
class Plan:
    """What a run takes.

    Args:
        parameters: of the model.
        stages: one or two.
        scoring_flops: operations to score all pairs of the test split.
        relevance: bytes of the training captions' relevance in memory; 0 if no loss asks for it.
        precision: of the configuration.
        batch: pairs a batch.
    """

    parameters: int
    stages: tuple[StagePlan, ...]
    scoring_flops: float
    relevance: int
    precision: str
    batch: int

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

    def hours(self, gpu: Gpu) -> float:
        """Of training on one GPU, at the throughput that it is assumed to sustain; reading pictures not counted."""
        return self.flops / (gpu.full if self.precision == "no" else gpu.half) / 3600

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        hours = {gpu.name: self.hours(gpu) for gpu in GPUS}
        return {**asdict(self), "stages": [asdict(s) for s in self.stages], "memory": self.memory, "hours": hours}


def make_plan(config: Config, protocol: str) -> Plan:
    """Count what a configuration takes, without weights, data or a GPU.

    The model is built on the device "meta", where tensors have shapes and no numbers, and images go through it there as
    one whole batch. Captions and pairs, of which the code looks at the numbers of words, are counted on a few, on the
    CPU with random weights, and multiplied. Counted are matrix products and convolutions of the encoders and of the
    similarity; losses see a batch of scores or samples and are small beside them.

    Args:
        config: of the run.
        protocol: of its table, which says the size of the data set.
    """
    facts = FACTS[protocol]
    vocabulary = Vocabulary([f"w{k}" for k in range(facts.words)])
    with without_pretrained():
        with torch.device("meta"):
            model = new_model(config, vocabulary)
        few = [new_model(_light(config, layers), vocabulary) for layers in _layers(config)]
    batch, n_captions = _batch(config)
    items = facts.images if config.train.sampling == "image" else facts.captions
    per_epoch = max(1, items // config.train.batch_size)
    planned = []
    for stage in stages(config, per_epoch):
        for one in (model, *few):
            stage.prepare(one)
        step = _image_cost(model, config, batch).plus(_text_cost(few, facts).times(n_captions / FEW))
        step = step.plus(_pair_cost(few[0], config, facts, training=True).times(batch * n_captions))
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        moments = MOMENTS[config.optim.name] + bool(config.optim.options.get("amsgrad"))
        state = FLOAT * (_n_parameters(model) + trained * (1 + moments))
        steps = stage.end - stage.first
        planned.append(StagePlan(steps // per_epoch, steps, trained, step.flops, step.kept, state))
    one_pair = _pair_cost(few[0].eval(), config, facts, training=False).flops
    return Plan(
        parameters=_n_parameters(model),
        stages=tuple(planned),
        scoring_flops=one_pair * facts.test_images * facts.test_captions,
        relevance=RELEVANCE_BYTES * facts.captions if config.loss.daa_weight else 0,
        precision=config.train.precision,
        batch=batch,
    )


def _layers(config: Config) -> tuple[int, ...]:
    """Layers of BERT that are counted; all are alike, so two tell what one more costs."""
    return (1, 2) if config.encoders.text == "bert" else (0,)


def _light(config: Config, layers: int) -> Config:
    """The same captions and pairs without what they do not depend on: no network for pictures, no files."""
    encoders, changes = config.encoders, {}
    if encoders.image != "regions":
        kept = {key: value for key, value in encoders.image_options.items() if key in ("head", "k")}
        changes = {"image": "features", "image_options": {"features": FEATURES, **kept}}
    if encoders.text == "bert":  # its tokenizer would be a file
        sizes = {"vocab_size": PIECES, "num_hidden_layers": layers}
        changes["text_options"] = {**encoders.text_options, "weights": None, "config": sizes}
    return config.with_(encoders=changes)


def _batch(config: Config) -> tuple[int, int]:
    """Images and captions a step. Captions drawn at random are nearly all of different images."""
    train = config.train
    each = train.captions_per_image if train.sampling == "image" else 1
    return train.batch_size, train.batch_size * each


def _image_cost(model: Model, config: Config, n: int) -> Cost:
    encoder = model.image_encoder.train()
    if config.data.name == "precomputed":
        images = torch.empty(n, REGIONS, config.encoders.image_options.get("features", 2048), device="meta")
    else:
        images = torch.empty(n, 3, config.data.image_size, config.data.image_size, device="meta")
    return cost_of(lambda: encoder(images).tensors().values(), _held(encoder))[0]


def _text_cost(few: Sequence[Model], facts: Facts) -> Cost:
    """Of FEW captions; of BERT with all its layers, from what the second one adds."""
    costs = []
    for model in few:
        costs.append(_cost_of_captions(model, model.tokenize(_captions(facts))))
    first, *more = costs
    return first.plus(more[0].plus(first.times(-1)).times(BERT_LAYERS - 1)) if more else first


def _cost_of_captions(model: Model, tokens: Mapping[str, Tensor]) -> Cost:
    encoder = model.text_encoder.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # words that are taken out at random do not count
        return cost_of(lambda: encoder(**tokens).tensors().values(), _held(encoder))[0]


def _pair_cost(model: Model, config: Config, facts: Facts, training: bool) -> Cost:
    """Of one pair: what a quadratic function of the number of images and captions has as its second coefficient.

    What SAF and SGR do to each image and caption alone is left out, as is the block they work on.
    """
    similarity = model.similarity
    if hasattr(similarity, "block"):  # several blocks of even a few pairs are computed again, as in training
        similarity.block = BLOCK  # type: ignore[assignment]
    costs = []
    for n in (PAIRED, 2 * PAIRED):
        score = partial(_scores, similarity, *_few(model, config, facts, n))
        costs.append(cost_of(score, _held(similarity), training)[0])
    return costs[1].plus(costs[0].times(-2)).times(1 / (2 * PAIRED**2))


def _scores(similarity: nn.Module, images: Embedding, captions: Embedding) -> list[Tensor]:
    return [similarity(images, captions)]


@torch.no_grad()
def _few(model: Model, config: Config, facts: Facts, n: int) -> tuple[Embedding, Embedding]:
    encoders = config.encoders
    features = encoders.image_options.get("features", 2048) if encoders.image == "regions" else FEATURES
    images: Embedding = model.encode_images(torch.rand(n, REGIONS, features))
    captions: Embedding = model.encode_captions(_captions(facts, n))
    return tuple(one.map(lambda t: t.requires_grad_(t.is_floating_point())) for one in (images, captions))  # type: ignore[return-value]


def _captions(facts: Facts, n: int = FEW) -> list[str]:
    return [" ".join(f"w{k}" for k in range(facts.words_per_caption))] * n


def _held(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def _n_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
