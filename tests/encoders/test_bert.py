from __future__ import annotations

from pathlib import Path

import pytest
import torch

from daa.datasets.download import fetch
from daa.encoders import BERTText, Vocabulary, bert, without_pretrained
from daa.encoders.pretrained import fetching_by

transformers = pytest.importorskip("transformers")

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "ball", "red", "of", "left", "##s", "##ing"]
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CAPTIONS = ["a dog", "A red ball, left of dogs", "ball"]
VOCABULARY = Vocabulary.build(CAPTIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with its vocabulary, as a download of a large one would be."""
    path = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(PIECES), max_position_embeddings=40, **SIZES)
    transformers.BertModel(config).save_pretrained(path)
    (path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in PIECES))
    return path


def make(folder: Path, **options: object) -> BERTText:
    torch.manual_seed(0)
    return BERTText(VOCABULARY, embedding_dim=8, **{"weights": str(folder), "max_pieces": 12, **options})  # type: ignore[arg-type]


def test_pieces_between_marks(folder: Path) -> None:
    encoder = make(folder, max_pieces=6)
    rows = encoder.tokenize(["Dogs", "a red ball left of a dog"])["pieces"]
    assert [[PIECES[k] for k in row] for row in rows.tolist()] == [
        ["[CLS]", "dog", "##s", "[SEP]", "[PAD]", "[PAD]"],
        ["[CLS]", "a", "red", "ball", "left", "[SEP]"],
    ]


@pytest.mark.parametrize("head", ["pcme", "points", "point", "gaussian"])
@pytest.mark.parametrize("released_mean", [False, True])
def test_a_caption_does_not_depend_on_the_others(folder: Path, head: str, released_mean: bool) -> None:
    encoder = make(folder, head=head, released_mean=released_mean).eval()
    together = encoder(**encoder.tokenize(CAPTIONS))
    for i, caption in enumerate(CAPTIONS):
        alone = encoder(**encoder.tokenize([caption]))
        for name, tensor in alone.tensors().items():
            torch.testing.assert_close(together[i].tensors()[name], tensor, rtol=0, atol=1e-5)


def test_summary_is_the_mean_over_the_caption_or_over_all_places(folder: Path) -> None:
    encoder = make(folder, head="point").eval()
    pieces = encoder.tokenize(["a dog"])["pieces"]
    released = make(folder, head="point", released_mean=True).eval()
    assert released.state_dict().keys() == encoder.state_dict().keys()
    padded = torch.nn.functional.pad(pieces, (0, 8))
    for which, ids, places in ((encoder, pieces, 4), (released, padded, 12)):
        outputs = which.bert(ids, attention_mask=(ids != 0).long()).last_hidden_state[0]
        assert len(outputs) == places
        rectified = torch.nn.functional.normalize(which.head.summary.project(outputs), dim=1).relu()
        expected = torch.nn.functional.normalize(rectified.mean(dim=0), dim=0)
        torch.testing.assert_close(which(pieces).points[0, 0], expected)


def test_every_parameter_learns_unless_frozen(folder: Path) -> None:
    encoder = make(folder, noise=0.2)

    def without_gradient() -> set[str]:
        encoder.zero_grad(set_to_none=True)
        embedding = encoder(**encoder.tokenize(CAPTIONS))
        ((embedding.mean + embedding.log_var) * torch.rand(3, 8)).sum().backward()
        return {name.split(".")[0] for name, p in encoder.named_parameters() if p.grad is None}

    assert without_gradient() == set()
    encoder.set_frozen(True)
    encoder.train()
    assert without_gradient() == {"bert"}
    assert not any(module.training for module in encoder.bert.modules()), "no dropout in what is kept"
    assert encoder.head.training
    released = make(folder, frozen=True, always_trained=True)
    assert all(p.requires_grad for p in released.parameters()), "as in the released code"


def test_noise_is_for_training_and_from_torch_s_own_generator(folder: Path) -> None:
    encoder = make(folder, noise=0.9)
    pieces = encoder.tokenize(CAPTIONS)["pieces"]
    torch.manual_seed(1)
    first, second = encoder._noisy(pieces), encoder._noisy(pieces)
    torch.manual_seed(1)
    assert encoder._noisy(pieces).equal(first)
    assert not second.equal(first)
    assert (first[:, 0] == 2).all()
    encoder.eval()
    assert encoder(pieces).mean.equal(encoder(pieces).mean)


def test_weights_come_from_the_folder_and_a_checkpoint_needs_none(folder: Path, tmp_path: Path) -> None:
    encoder = make(folder)
    stored = transformers.BertModel.from_pretrained(folder).state_dict()
    assert encoder.bert.state_dict()["encoder.layer.1.output.dense.weight"].equal(
        stored["encoder.layer.1.output.dense.weight"]
    )
    for name in ("config.json", "vocab.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with without_pretrained():
        restored = make(tmp_path)
    restored.load_state_dict(encoder.state_dict())
    tokens = restored.tokenize(CAPTIONS)
    assert restored.eval()(**tokens).mean.equal(encoder.eval()(**tokens).mean)


def test_random_weights_need_no_file_at_all() -> None:
    encoder = BERTText(VOCABULARY, embedding_dim=8, weights=None, config=SIZES).eval()
    pieces = encoder.tokenize(["red balls"])["pieces"][0].tolist()
    assert encoder.tokenizer.convert_ids_to_tokens(pieces) == ["[CLS]", "red", "ball", "##s", "[SEP]"]
    assert encoder(**encoder.tokenize(CAPTIONS)).mean.shape == (3, 8)


def test_what_is_missing_is_said_in_one_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAA_MIRROR", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with (
        pytest.raises(
            FileNotFoundError,
            match=r"no config\.json here .* put https://huggingface\.co/google-bert/no-such-bert/resolve/main/"
            r"config\.json at .*google-bert--no-such-bert/config\.json, with vocab\.txt, model\.safetensors beside it, "
            r"or give",
        ) as caught,
        fetching_by(fetch),
    ):
        make(folder, weights="no-such-bert")
    assert "\n" not in str(caught.value)
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(ValueError, match=r"expected config\.json, vocab\.txt and model\.safetensors of a BERT"):
        make(tmp_path)
    with without_pretrained(), pytest.raises(ValueError, match=r"expected .*vocab\.txt"):
        make(tmp_path).tokenize(CAPTIONS)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ValueError, match="of a BERT; "):
        make(tmp_path)


def test_files_of_a_tokenizer_come_as_the_weights_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    asked: list[str] = []

    def refuse(url: str, path: Path, *, check: object) -> None:
        asked.append(url)
        raise OSError("not today")

    with without_pretrained(), fetching_by(refuse), torch.device("meta"):
        monkeypatch.setattr(bert, "_from_pretrained", lambda kind, weights, **options: bert._downloaded(weights))
        encoder = BERTText(VOCABULARY, weights="bert-base-uncased")
    with pytest.raises(FileNotFoundError, match="not today"):
        encoder.tokenize(CAPTIONS)
    assert asked == ["https://huggingface.co/google-bert/bert-base-uncased/resolve/main/config.json"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise": -0.1}, r"noise: expected a share in \[0, 1\), got -0.1"),
        ({"config": SIZES}, "config: expected weights: null beside it"),
        ({"weights": None, "config": {"hidden_size": 15, "num_attention_heads": 2}}, "config: .*15"),
    ],
)
def test_bad_options(folder: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(folder, **options)
