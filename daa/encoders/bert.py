"""BERT as a text encoder, with the heads of PCME and PVSE on its outputs."""

from __future__ import annotations

import logging
import string
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F

from daa.distribution import install
from daa.encoders.heads import LastState, make_head, mean_over_places
from daa.encoders.pretrained import (
    PretrainedEncoder,
    checkpoints,
    current_fetch,
    fetching_by,
    obtain,
    pretrained_wanted,
)
from daa.encoders.vocabulary import Vocabulary, corrupt_pieces

FILES = ("config.json", "vocab.txt", "model.safetensors")
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class BERTText(PretrainedEncoder):
    """BERT, the rectified mean of its outputs as summary of the caption, and a head on the outputs.

    Args:
        vocabulary: words of the training captions; the pieces of a BERT with random weights.
        embedding_dim: size of the embedding.
        weights: "bert-base-uncased" or another name of Hugging Face's, downloaded once; a folder with `config.json`,
            `vocab.txt` and `model.safetensors`; or None for random weights. A trained model still needs the first two.
        config: for random weights, arguments of `transformers.BertConfig`, such as {num_hidden_layers: 2}.
        frozen: keep BERT as it is, until `set_frozen`.
        always_trained: train BERT in all stages, whatever `set_frozen` says; the released code does.
        head: "pcme" (with a GRU for the variance), "points", "point" or "gaussian".
        k: number of points, for "points".
        noise: share of the words that training masks, replaces or takes out, see `corrupt_pieces`.
        max_pieces: longer captions are cut; the two marks count.
        released_mean: the summary is a mean over `max_pieces` places, padding among them, as in the released code; by
            default over the caption's own.
        released_state: see `LastState`.
        log_var_init: log-variance at the start, for the heads "gaussian" (-6 by default) and "pcme" (0).

    Raises:
        FileNotFoundError: weights that are not here and cannot be had; the message says which file to put where.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        embedding_dim: int = 1024,
        weights: str | None = "bert-base-uncased",
        config: Mapping[str, Any] | None = None,
        frozen: bool = False,
        always_trained: bool = False,
        head: str = "pcme",
        k: int = 1,
        noise: float = 0.0,
        max_pieces: int = 80,
        released_mean: bool = False,
        released_state: bool = False,
        log_var_init: float | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= noise < 1:
            raise ValueError(f"noise: expected a share in [0, 1), got {noise}")
        if config and weights is not None:
            raise ValueError(f"config: expected weights: null beside it, since {weights} brings its own")
        self.vocabulary = vocabulary
        self.weights = weights
        self.always_trained = always_trained
        self.noise = noise
        self.max_pieces = max_pieces
        self.released_mean = released_mean
        self.bert = _random_bert(vocabulary, config or {}) if weights is None else _bert(weights)
        features, self.padding = self.bert.config.hidden_size, self.bert.config.pad_token_id
        summary = partial(RectifiedMean, features, embedding_dim, released_mean)
        spread = partial(LastState, features, embedding_dim, True, released_state)
        self.head = make_head(head, features, embedding_dim, k, log_var_init, summary, spread)
        self._fetch = current_fetch()  # the tokenizer's files may be wanted later
        self.set_frozen(frozen)

    def pretrained(self) -> nn.Module | None:
        return None if self.always_trained else self.bert

    @cached_property
    def tokenizer(self) -> Any:
        """That of the weights; of a BERT with random weights, one that knows the vocabulary's words and all letters."""
        transformers = _transformers()
        if self.weights is not None:
            with fetching_by(self._fetch):
                tokenizer = _from_pretrained(transformers.BertTokenizerFast, self.weights)
            if not len(MARKS) < len(tokenizer) <= self.bert.config.vocab_size:
                raise ValueError(
                    f"weights: {self.weights}: expected a vocab.txt of {self.bert.config.vocab_size} pieces, as "
                    f"config.json says, got {len(tokenizer)}; is it missing?"
                )
            return tokenizer
        with tempfile.TemporaryDirectory() as folder:
            lines = "".join(f"{piece}\n" for piece in _pieces(self.vocabulary))
            Path(folder, "vocab.txt").write_text(lines, encoding="utf-8")
            return transformers.BertTokenizerFast.from_pretrained(folder)

    def tokenize(self, captions: Sequence[str]) -> dict[str, Tensor]:
        """What `forward` takes, one row a caption: the numbers of its word pieces between the two marks."""
        rows = self.tokenizer(
            list(captions), padding=True, truncation=True, max_length=self.max_pieces, return_attention_mask=False
        )
        return {"pieces": torch.tensor(rows["input_ids"])}

    def forward(self, pieces: Int[Tensor, "batch pieces"]) -> Any:
        if self.training and self.noise:
            pieces = self._noisy(pieces)
        longest = int((pieces != self.padding).sum(dim=1).max())
        places = self.max_pieces if self.released_mean else longest
        pieces = F.pad(pieces[:, :longest], (0, places - longest), value=self.padding)
        mask = pieces != self.padding
        return self.head(self.bert(pieces, attention_mask=mask.long()).last_hidden_state, mask=mask)

    def _noisy(self, pieces: Int[Tensor, "batch pieces"]) -> Int[Tensor, "batch pieces"]:
        continues, ordinary = (tensor.to(pieces.device) for tensor in self._kinds)
        mask_token = self.tokenizer.mask_token_id
        return corrupt_pieces(pieces, self.noise, continues, ordinary, mask_token, self.padding)

    @cached_property
    def _kinds(self) -> tuple[Tensor, Tensor]:
        """Which pieces go on with a word, and which are no marks."""
        pieces = self.tokenizer.convert_ids_to_tokens(range(self.bert.config.vocab_size))
        continues = torch.tensor([piece is not None and piece.startswith("##") for piece in pieces])
        marks = set(self.tokenizer.all_special_ids)
        return continues, torch.tensor([number for number in range(len(pieces)) if number not in marks])


class RectifiedMean(nn.Module):
    """mean_p relu(l2(W x_p + b)): the summary that PCME-bert takes of BERT's outputs.

    Args:
        features: size of a local feature.
        embedding_dim: size of the summary.
        over_padding: the mean runs over all places, those that the mask excludes among them, as in the released code.
    """

    def __init__(self, features: int, embedding_dim: int, over_padding: bool = False) -> None:
        super().__init__()
        self.over_padding = over_padding
        self.project = nn.Linear(features, embedding_dim)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Float[Tensor, "batch embedding_dim"]:
        rectified = F.normalize(self.project(x), dim=-1).relu()
        return mean_over_places(rectified, None if self.over_padding else mask)


def _pieces(vocabulary: Vocabulary) -> list[str]:
    """Marks, the vocabulary's words, and each letter at the head of a word and within one."""
    letters = string.ascii_lowercase + string.digits
    return list(dict.fromkeys([*MARKS, *vocabulary.words, *letters, *(f"##{letter}" for letter in letters)]))


def _random_bert(vocabulary: Vocabulary, config: Mapping[str, Any]) -> Any:
    transformers = _transformers()
    try:
        made = transformers.BertConfig(**{"vocab_size": len(_pieces(vocabulary)), **config})
        return transformers.BertModel(made, add_pooling_layer=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"config: {error}") from None


def _bert(weights: str) -> Any:
    transformers = _transformers()
    if pretrained_wanted():
        return _from_pretrained(transformers.BertModel, weights, add_pooling_layer=False)
    base = weights in ("bert-base-uncased", "google-bert/bert-base-uncased")  # whose sizes are the default ones
    config = transformers.BertConfig() if base else _from_pretrained(transformers.BertConfig, weights)
    return transformers.BertModel(config, add_pooling_layer=False)


def _from_pretrained(kind: Any, weights: str, **arguments: Any) -> Any:
    """From a folder, from what Hugging Face's libraries have downloaded before, or else from a folder of ours."""
    folder = Path(weights).expanduser()
    with _quiet():
        if not folder.is_dir():
            with suppress(OSError, ValueError):
                return kind.from_pretrained(weights, local_files_only=True, **arguments)
            folder = _downloaded(weights)
        try:
            return kind.from_pretrained(str(folder), local_files_only=True, **arguments)
        except (OSError, ValueError, SafetensorError) as error:
            fault = str(error).splitlines()[0]
    raise ValueError(f"weights: {folder}: expected config.json, vocab.txt and model.safetensors of a BERT; {fault}")


def _downloaded(weights: str) -> Path:
    """The folder with the files of a repository of Hugging Face, each of them fetched once."""
    repository = weights if "/" in weights else f"google-bert/{weights}"
    folder = checkpoints() / repository.replace("/", "--")
    otherwise = f", with {', '.join(FILES[1:])} beside it, or give weights: FOLDER of your own, or null for random ones"
    for name in FILES:
        obtain(f"https://huggingface.co/{repository}/resolve/main/{name}", folder / name, otherwise=otherwise)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """No remarks on weights of the parts that are not used, and no bar for what takes a second."""
    from transformers.utils import logging as messages

    before, bars = messages.get_verbosity(), messages.is_progress_bar_enabled()
    messages.set_verbosity(logging.CRITICAL)
    messages.disable_progress_bar()
    try:
        yield
    finally:
        messages.set_verbosity(before)
        if bars:
            messages.enable_progress_bar()


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"bert: needs the package transformers; {install('bert')}") from None
    return transformers
