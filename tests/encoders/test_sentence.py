from __future__ import annotations

from pathlib import Path

import pytest
import torch

from daa.encoders import SentenceGRU, Vocabulary, without_pretrained
from daa.encoders.vocabulary import PADDING, UNKNOWN, corrupt_pieces, drop_words

CAPTIONS = ["a dog", "a red ball left of a dog", "ball"]
VOCABULARY = Vocabulary.build(CAPTIONS)


@pytest.fixture
def vectors(tmp_path: Path) -> str:
    (tmp_path / "glove.txt").write_text("dog 1 2 3 4\nball 5 6 7 8\nred 9 9 9 9\n")
    return str(tmp_path / "glove.txt")


def make(**options: object) -> SentenceGRU:
    torch.manual_seed(0)
    return SentenceGRU(VOCABULARY, embedding_dim=8, **{"word_dim": 4, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"head": "pcme"}, {"head": "points", "k": 2}, {"head": "point"}])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_caption_does_not_depend_on_the_others(options: dict[str, object], bidirectional: bool) -> None:
    encoder = make(**options, bidirectional=bidirectional).eval()
    together = encoder(**encoder.tokenize(CAPTIONS))
    for i, caption in enumerate(CAPTIONS):
        alone = encoder(**encoder.tokenize([caption]))
        for name, tensor in alone.tensors().items():
            torch.testing.assert_close(together[i].tensors()[name], tensor, rtol=0, atol=1e-6)


def test_marks_stand_around_the_words_and_every_parameter_learns() -> None:
    encoder = make()
    a, dog = (VOCABULARY.encode([word]).item() for word in ("a", "dog"))
    start, end = len(VOCABULARY), len(VOCABULARY) + 1
    tokens = encoder.tokenize(["a dog", "dog"])
    assert encoder.vocabulary.marked(tokens["words"]).tolist() == [[start, a, dog, end], [start, dog, end, PADDING]]
    embedding = encoder(**tokens)
    ((embedding.mean + embedding.log_var) * torch.rand(2, 8)).sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert encoder.words.weight.grad[[start, end]].any(dim=1).all()


def test_vectors_are_read_and_can_be_kept(vectors: str) -> None:
    encoder = make(vectors=vectors, frozen=True)
    number = VOCABULARY.encode(["dog"]).item()
    assert encoder.words.weight[number].tolist() == [1, 2, 3, 4]
    assert encoder.found == 3
    assert encoder.words.weight[PADDING].tolist() == [0] * 4
    assert encoder.words.weight[UNKNOWN].any(), "what the file has not starts at random"
    assert not encoder.words.weight.requires_grad
    encoder.set_frozen(False)
    assert encoder.words.weight.requires_grad
    random = make(frozen=True)
    assert random.words.weight.requires_grad, "random vectors are not pretrained, so there is nothing to keep"


def test_a_checkpoint_needs_no_file_of_vectors(vectors: str) -> None:
    state = make(vectors=vectors).state_dict()
    Path(vectors).unlink()
    with pytest.raises(FileNotFoundError):
        make(vectors=vectors)
    with without_pretrained():
        encoder = make(vectors=vectors, frozen=True)
    encoder.load_state_dict(state)
    assert not encoder.words.weight.requires_grad


def test_words_are_dropped_in_training_only_by_torch_s_own_generator() -> None:
    encoder = make(head="point", word_drop=0.5)
    tokens = encoder.tokenize(CAPTIONS)
    torch.manual_seed(3)
    first = encoder(**tokens).points
    other = encoder(**tokens).points
    torch.manual_seed(3)
    assert encoder(**tokens).points.equal(first)
    assert not other.equal(first)
    encoder.eval()
    assert encoder(**tokens).points.equal(encoder(**tokens).points)


def test_dropped_words_are_a_share_of_unknown_and_a_share_of_missing_ones() -> None:
    torch.manual_seed(0)
    words = torch.arange(2, 42).repeat(500, 1)
    words[:, 30:] = PADDING
    dropped = drop_words(words, 0.1)
    real = dropped != PADDING
    assert (real.sum(dim=1) == 27).all(), "3 of 30 words are gone, from any place"
    assert (real.sort(dim=1, descending=True)[0] == real).all(), "the gaps are closed"
    assert ((dropped == UNKNOWN).sum() / real.sum()).item() == pytest.approx(0.1, abs=0.01)
    kept = dropped[real & (dropped != UNKNOWN)]
    counts = torch.bincount(kept, minlength=32)[2:32] / 500
    assert counts.min() > 0.7, "every word has the same chance"
    assert counts.max() < 0.9
    inner = dropped.masked_fill(~real | (dropped == UNKNOWN), 0)
    for row in inner[:20].tolist():
        assert [w for w in row if w] == sorted(w for w in row if w), "the order stays"
    assert drop_words(torch.tensor([[5]]), 0.9).shape == (1, 1)


def test_pieces_of_one_word_share_its_fate() -> None:
    torch.manual_seed(0)
    n, mask_token, padding = 4000, 4, 0
    continues = torch.zeros(40, dtype=torch.bool)
    continues[20:40:2] = True
    row = torch.tensor([2, 10, 20, 11, 22, 24, 12, 3, 0, 0])  # [CLS] 10 ##20 | 11 ##22 ##24 | 12 [SEP]
    pieces = row.repeat(n, 1)
    noisy = corrupt_pieces(pieces, 0.2, continues, torch.arange(30, 40), mask_token, padding)
    fates = {"masked": 0, "replaced": 0}
    for line in noisy.tolist():
        assert line[0] == 2, "the marks stay"
        assert line[line.index(3) :] == [3] + [0] * (len(line) - line.index(3) - 1)
    whole = noisy[(noisy != padding).sum(dim=1) == 8]
    for word in ([1, 2], [3, 4, 5], [6]):
        part, original = whole[:, word], row[word]
        masked, replaced = (part == mask_token), (part >= 30)
        assert (masked.all(dim=1) == masked.any(dim=1)).all()
        assert (replaced.all(dim=1) == replaced.any(dim=1)).all()
        assert ((part == original) | masked | replaced).all()
        fates["masked"] += int(masked[:, 0].sum())
        fates["replaced"] += int(replaced[:, 0].sum())
    assert (whole[:, 1] == row[1]).float().mean() > 0.8
    assert (noisy != padding).sum().item() / n == pytest.approx(2 + 0.92 * 6, abs=0.06)
    # Of the words that are left where none was lost, 0.1 of 0.92 are masked and 0.02 of 0.92 replaced.
    assert fates["masked"] / (3 * len(whole)) == pytest.approx(0.1 / 0.92, abs=0.01)
    assert fates["replaced"] / (3 * len(whole)) == pytest.approx(0.02 / 0.92, abs=0.005)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"word_drop": 1.0}, r"word_drop: expected a share in \[0, 1\), got 1.0"),
        ({"head": "gaussian"}, 'head: expected "pcme", "points" or "point", got "gaussian"'),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)
