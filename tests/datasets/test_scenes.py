"""The procedural data set: determinism, exhaustive truth against brute force, captions that say what they state."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise

import jaxtyping
import numpy as np
import pytest
import torch

from daa.datasets import load_corpus, load_dataset, scenes
from daa.datasets.base import ImageInputs
from daa.datasets.scenes import DESCRIBERS, KINDS, Facts, Mention, Scene, SceneObject, draw_scene, phrase, witness
from daa.datasets.scenes.facts import TruthTable
from daa.datasets.scenes.regions import FEATURES, REGIONS
from daa.datasets.scenes.world import COLOURS, CONCEPTS, PLACES, RELATIONS, SETTINGS, Dice, relation_holds
from daa.training.config import load_config
from daa.training.data import load_data
from tests.datasets.caption_parser import read_facts
from tests.oracles import slow_caption_fits, slow_relation

PINNED = (
    "you can see a ship together with another vehicle",
    "some boats",
    "a vehicle and something red",
    "a picture of a ship and another vehicle",
    "a boat is to the right of another boat",
    "there is a small white ship and a green tent",
    "a tent to the left of a pussycat",
    "a picture with an animal in the mountains",
    "you can see a vehicle with a green tent",
    "a picture with a tent on the left side together with a white sailboat in the mountains",
)
DIGEST = """
import hashlib
from daa.datasets import load_dataset
data = load_dataset("scenes", split="val", n_images=20, image_size=32)
print(hashlib.sha256("|".join(data.corpus.captions).encode() + data.images_uint8.numpy().tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def data():
    return load_dataset("scenes", split="test", n_images=150, image_size=32)


@pytest.fixture(scope="module")
def full():
    """The whole test split, built without the run-time type checker, which would take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        return load_dataset("scenes", split="test")


def test_truth_equals_brute_force_over_assignments(data):
    positives = data.corpus.positives.toarray()
    for c, facts in enumerate(data.facts):
        for i, scene in enumerate(data.scenes):
            assert positives[i, c] == slow_caption_fits(facts, scene), (data.corpus.captions[c], scene)


def test_truth_table_equals_brute_force_on_facts_no_describer_chooses(data):
    """Random facts of up to four mentions, several relations and any count, most of them false or bizarre."""
    generator = np.random.default_rng(1)

    def pick(options):
        return options[generator.integers(len(options))]

    table = TruthTable(data.scenes)
    true = 0
    for _ in range(400):
        mentions = tuple(
            Mention(
                pick(["thing", "animal", "toy", "person", *CONCEPTS]),
                colour=pick([None, None, None, *COLOURS]),
                size=pick([None, None, "small", "medium", "large"]),
                side=pick([None, None, None, "left", "middle", "right"]),
                in_air=bool(generator.random() < 0.1),
                count=1,
            )
            for _ in range(generator.integers(0, 4))
        )
        n = len(mentions)
        relations = tuple(
            (int(generator.integers(n)), pick(RELATIONS), int(generator.integers(n)))
            for _ in range(generator.integers(0, 3))
            if n > 1
        )
        mentions += (Mention("thing", count=int(generator.integers(1, 6 - n))),) if generator.random() < 0.3 else ()
        facts = Facts(mentions, relations, pick([None, None, "outdoors", "beach"]))
        found = set(table.scenes_where(facts).tolist())
        true += len(found)
        for i, scene in enumerate(data.scenes):
            assert (i in found) == slow_caption_fits(facts, scene) == (witness(facts, scene) is not None)
    assert true > 500


def test_relations_equal_their_definitions(data):
    for scene in data.scenes:
        for a in scene.objects:
            for b in scene.objects:
                for relation in RELATIONS:
                    assert relation_holds(relation, a, b) == slow_relation(relation, a, b)
    assert not any(relation_holds(relation, a, a) for a in data.scenes[0].objects for relation in RELATIONS[:4])
    with pytest.raises(ValueError, match="relation: expected one of left of"):
        relation_holds("inside", data.scenes[0].objects[0], data.scenes[0].objects[0])


def test_one_object_must_carry_all_that_is_said_of_it():
    red_cat = SceneObject("cat", "red", "small", x=0.2, y=0.9, height=0.2)
    black_dog = SceneObject("dog", "black", "small", x=0.5, y=0.9, height=0.2)
    ball = SceneObject("ball", "red", "small", x=0.8, y=0.9, height=0.1)
    scene = Scene("park", (red_cat, black_dog, ball))
    assert witness(Facts((Mention("animal", colour="red"), Mention("ball")), ((0, "left of", 1),)), scene) == (0, 2)
    assert witness(Facts((Mention("dog", colour="red"), Mention("ball")), ((0, "left of", 1),)), scene) is None
    assert witness(Facts((Mention("animal", count=2),)), scene) == (0, 1)
    assert witness(Facts((Mention("dog"), Mention("pet", count=2))), scene) is None
    assert witness(Facts((), (), "beach"), scene) is None


def test_captions_say_exactly_what_they_state():
    """Every caption is read back into facts: nothing is stated silently, nothing is claimed beyond it."""
    for split in ("train", "val"):
        data = load_dataset("scenes", split=split, n_images=200, seed=3)
        for caption, facts in zip(data.corpus.captions, data.facts, strict=True):
            assert read_facts(caption) == facts, caption


def test_everything_has_words():
    assert set(phrase.NOUNS) == set(CONCEPTS)
    assert set(phrase.SETTING_WORDS) == set(phrase.VIEW_WORDS) == set(SETTINGS)
    assert set(phrase.RELATION_WORDS) == set(RELATIONS)
    assert set(phrase.COLOUR_WORDS) == set(COLOURS) == {colour for kind in KINDS.values() for colour in kind.colours}


def test_captions_are_plain_english(data):
    for caption in data.corpus.captions:
        tokens = caption.replace(",", "").split()
        assert caption == caption.lower().strip()
        assert "  " not in caption
        for article, word in pairwise(tokens):
            if article in ("a", "an"):
                assert (article == "an") == (word[0] in "aeiou"), caption
        if tokens[:2] in (["there", "is"], ["there", "are"]):
            assert (tokens[1] == "are") == (data.facts[data.corpus.captions.index(caption)].mentions[0].count > 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Mention("dog"), Mention("animal"), "another animal"),
        (Mention("dog", colour="brown"), Mention("dog", colour="brown"), "another brown dog"),
        (Mention("dog", colour="brown"), Mention("thing", colour="brown"), "another brown thing"),
        (Mention("ball"), Mention("toy", count=3), "three other toys"),
        (Mention("animal"), Mention("dog"), "a dog"),
        (Mention("dog"), Mention("dog", colour="brown"), "a brown dog"),
        (Mention("girl"), Mention("boy", size="small", colour="red"), "a small boy in red"),
    ],
)
def test_a_second_object_is_called_another(monkeypatch, first, second, expected):
    monkeypatch.setattr("daa.datasets.scenes.phrase._choose", lambda options, synonym, dice: options[0])
    assert phrase.noun_phrase([first, second], 1, 0.0, Dice(np.random.SeedSequence(0))) == expected


def test_own_image_is_positive_and_labels_are_the_kinds(full):
    corpus = full.corpus
    rows = np.repeat(np.arange(1000), 5)
    assert np.asarray(corpus.positives[rows, np.arange(5000)]).all()
    assert corpus.image_of_caption.tolist() == rows.tolist()
    assert corpus.label_names == list(KINDS)
    for scene, row in zip(full.scenes, corpus.labels, strict=True):
        assert {thing.kind for thing in scene.objects} == {corpus.label_names[k] for k in np.flatnonzero(row)}
        assert 1 <= len(scene.objects) <= 4
    assert sorted(set(full.describers)) == sorted(describer.name for describer in DESCRIBERS)


def test_ambiguity_is_broad(full):
    """From captions that fit one image of 1,000 to captions that fit most of them."""
    ambiguity = np.asarray(full.corpus.positives.sum(axis=0))
    assert ambiguity.min() == 1
    assert ambiguity.max() > 500
    assert 5 <= np.median(ambiguity) <= 40
    assert 0.08 <= np.mean(ambiguity == 1) <= 0.35
    assert np.mean(ambiguity >= 100) > 0.1
    assert len(set(full.corpus.captions)) > 3500


def test_every_kind_and_place_appears(full):
    assert {scene.place for scene in full.scenes} == set(PLACES)
    assert full.corpus.labels.any(axis=0).all()


def test_same_seed_same_data_in_another_process():
    data = load_dataset("scenes", split="val", n_images=20, image_size=32)
    content = "|".join(data.corpus.captions).encode() + data.images_uint8.numpy().tobytes()
    other = subprocess.run(
        [sys.executable, "-c", DIGEST],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert other.stdout.strip() == hashlib.sha256(content).hexdigest()


def test_pinned_captions():
    """What a release has published stays: change these lines only together with the stored results."""
    captions = load_corpus("scenes", split="test", n_images=2).captions
    assert captions == PINNED


def test_another_seed_or_split_gives_other_scenes_and_a_shorter_one_a_prefix():
    first = load_dataset("scenes", split="val", n_images=30)
    longer = load_dataset("scenes", split="val", n_images=40)
    assert longer.scenes[:30] == first.scenes
    assert longer.corpus.captions[:150] == first.corpus.captions
    seen = set(first.scenes)
    for split, seed in (("val", 1), ("train", 0), ("test", 0)):
        assert not seen & set(load_dataset("scenes", split=split, seed=seed, n_images=30).scenes)


def test_a_large_training_split_is_neither_drawn_nor_judged_before_that_is_asked_for(monkeypatch):
    """The truth grows with images x captions; training, which never asks for it, costs the same for each image."""
    monkeypatch.setattr(TruthTable, "matrix", lambda *_: pytest.fail("the truth of the training split was made"))
    monkeypatch.setattr(scenes, "draw_scene", lambda *_: pytest.fail("a picture was drawn"))
    data = load_dataset("scenes", split="train", n_images=4000, view="facts")
    assert "exhaustive" in repr(data.corpus)
    assert ImageInputs(data.select(slice(3500))).batch([3400]).shape == (1, REGIONS, len(FEATURES))
    with pytest.raises(pytest.fail.Exception, match="was made"):
        _ = data.corpus.positives


def bytes_held(data, seen):
    """Of all arrays that are reached from the splits of a run, each counted once."""
    if isinstance(data, torch.Tensor | np.ndarray):
        is_new = id(data) not in seen
        seen[id(data)] = data
        return data.nbytes * is_new
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list | tuple) else None
    if inside is None and not hasattr(data, "__dict__"):
        return 0
    if id(data) in seen:
        return 0
    seen[id(data)] = data
    return sum(bytes_held(one, seen) for one in (inside if inside is not None else list(vars(data).values())))


def test_what_training_holds_grows_with_the_images_and_not_faster(monkeypatch):
    """All that a run makes of its data, a batch of images and of relevance included, counted and not timed."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    monkeypatch.setattr(TruthTable, "matrix", lambda *_: pytest.fail("an exhaustive truth was made"))
    held = {}
    for n in (1000, 4000):
        sizes = f"data.options.n_images={{train: {n}, val: 20}}"
        config = load_config("scenes-facts-infonce", [sizes])
        data = load_data(config)
        assert len(data.train) == n
        assert len(data.val) == 20
        images, captions = np.array([0, n - 1]), np.array([3, 5 * n - 1])
        assert data.train.batch(images).shape == (2, REGIONS, len(FEATURES))
        assert data.relevance.batch(images, captions)[1, 1] > 0
        held[n] = bytes_held([data.train, data.relevance], {})
    assert held[1000] > 1000 * REGIONS * len(FEATURES) * 4, "the regions of every image are kept"
    assert held[4000] < 4.1 * held[1000]


def test_the_size_of_one_split_may_be_given_and_leaves_the_others_as_they_are():
    sizes = {"train": 7, "val": 5}
    assert [load_corpus("scenes", split=split, n_images=sizes).n_images for split in sizes] == [7, 5]
    assert load_corpus("scenes", split="train", n_images=sizes) is load_corpus("scenes", split="train", n_images=7)
    assert load_corpus("scenes", split="test", n_images=sizes) is load_corpus("scenes", split="test")
    assert load_dataset("scenes", split="val", n_images=sizes, view="facts").corpus.n_images == 5


@pytest.mark.parametrize("size", [16, 50, 64])
def test_images_have_the_size_asked_for_and_come_from_memory(size):
    data = load_dataset("scenes", split="val", n_images=3, image_size=size)
    image, c = data[7]
    assert c == 7
    assert image.shape == (3, size, size)
    assert image.dtype == torch.float32
    assert 0 <= image.min() < image.max() <= 1
    assert torch.equal(image, data.images_uint8[1].float() / 255)
    assert data.images_uint8.dtype == torch.uint8
    assert data.images_uint8.data_ptr() == data.images_uint8.data_ptr()
    assert np.array_equal(np.asarray(data.load_image(1)), np.asarray(draw_scene(data.scenes[1], size)))


def test_same_scene_at_any_size(data):
    """A larger drawing, made small, is the small drawing up to resampling."""
    for scene in data.scenes[:10]:
        small = np.asarray(draw_scene(scene, 64, noise=False), dtype=float)
        large = np.asarray(draw_scene(scene, 256, noise=False).reduce(4), dtype=float)
        assert np.abs(small - large).mean() < 3


def test_every_object_is_seen():
    """Drawing an object changes a good part of its box, whatever the kind, colour and place."""
    for place in PLACES:
        empty = np.asarray(draw_scene(Scene(place, ()), 64, noise=False), dtype=float)
        for kind, traits in KINDS.items():
            for colour in traits.colours:
                thing = SceneObject(kind, colour, "medium", x=0.5, y=0.95, height=traits.height)
                drawn = np.asarray(draw_scene(Scene(place, (thing,)), 64, noise=False), dtype=float)
                changed = np.abs(drawn - empty).max(axis=2) > 25
                area = traits.height**2 * traits.aspect * 64 * 64
                assert changed.sum() > 0.2 * area, (place, kind, colour)


def read_regions(regions):
    """What a table of regions without noise says: the place, and a set of (kind, colour, size, in the air, x, y)."""
    places, things = set(), set()
    for row in np.asarray(regions):
        said = {name: value for name, value in zip(FEATURES, row.tolist(), strict=True) if value}
        words = [name.split(" ", 1) for name in said if name.split(" ")[0] in ("kind", "colour", "size", "place")]
        assert all(said[" ".join(pair)] == 1 for pair in words)
        told = dict(words)
        assert len(told) == len(words), "no question has two answers"
        if "place" in told:
            assert len(said) == 1, "the background is nothing but a place"
            places.add(told["place"])
        else:
            where = [round(said[axis], 6) for axis in ("x", "y", "height")]
            things.add((told["kind"], told["colour"], told["size"], said.get("in the air", 0.0) == 1, *where))
    assert len(places) == 1
    return places.pop(), things


def test_regions_say_what_a_scene_shows_and_nothing_else():
    data = load_dataset("scenes", split="val", n_images=200, view="facts")
    for i, scene in enumerate(data.scenes):
        place, things = read_regions(data.image(i))
        expected = {
            (o.kind, o.colour, o.size, o.in_air, *(round(float(np.float32(v)), 6) for v in (o.x, o.y, o.height)))
            for o in scene.objects
        }
        assert (place, things) == (scene.place, expected)
    assert data.image(0).shape == (REGIONS, len(FEATURES))
    picture = load_dataset("scenes", split="val", n_images=200)
    assert data.corpus.captions == picture.corpus.captions
    assert picture.image(0).shape == (3, 64, 64)
    assert torch.equal(data.select([7, 3]).image(0), data.image(7)), "a part of the data has the view of the whole"


def test_the_noise_of_regions_is_as_stated_and_belongs_to_the_scene():
    clean = load_dataset("scenes", split="val", n_images=300, view="facts")
    noisy = load_dataset("scenes", split="val", n_images=300, view="facts", noise=0.4)
    shorter = load_dataset("scenes", split="val", n_images=3, view="facts", noise=0.4)
    assert torch.equal(noisy.image(2), noisy.image(2))
    assert torch.equal(noisy.image(2), shorter.image(2))
    difference = torch.stack([noisy.image(i) - clean.image(i) for i in range(300)])
    spread = difference.std(dim=(0, 1))
    for feature, found in zip(FEATURES, spread.tolist(), strict=True):
        assert found == pytest.approx(0.1 if feature in ("x", "y", "height") else 0.4, rel=0.1), feature
    assert difference.mean().abs() < 0.01
    assert torch.corrcoef(difference.flatten(1)[:50]).fill_diagonal_(0).abs().max() < 0.35, "scenes share no noise"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "fact"}, "view: expected one of picture, facts, got 'fact'; did you mean facts?"),
        ({"noise": 0.1}, 'noise: expected a number >= 0 with view "facts", 0 with "picture", got 0.1'),
        ({"view": "facts", "noise": -1}, "noise: expected a number >= 0"),
        ({"view": "facts", "noise": "much"}, "noise: expected a number >= 0 .* got 'much'"),
        ({"view": "facts", "noise": float("nan")}, "noise: expected a number >= 0"),
    ],
)
def test_bad_views_are_refused(own_errors, options, message):
    with pytest.raises(ValueError, match=message):
        load_dataset("scenes", n_images=1, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "dev"}, "split: expected one of train, val, test, got 'dev'"),
        ({"seed": -1}, "seed: expected a whole number >= 0, got -1"),
        ({"seed": "x"}, "seed: expected a whole number >= 0, got 'x'"),
        ({"n_images": 0}, "n_images: expected at least 1, got 0"),
        ({"n_images": 2.5}, "n_images: expected a whole number >= 1, some by split, or None, got 2.5"),
        ({"n_images": {"train": 0}}, "n_images: expected at least 1, got 0"),
        ({"n_images": {"train": "many"}}, "n_images: expected a whole number >= 1, some by split, or None, got 'many'"),
        ({"n_images": {"trian": 9}}, r"n_images: expected one of train, val, test, got 'trian'; did you mean train\?"),
        ({"colour": "red"}, "colour: scenes has no such option"),
    ],
)
def test_bad_options_are_refused(own_errors, options, message):
    with pytest.raises(ValueError, match=message):
        load_corpus("scenes", **options)
    with pytest.raises(ValueError, match=message):
        load_dataset("scenes", **options)


@pytest.mark.parametrize("size", [0, 15, 4096, 64.0])
def test_bad_sizes_are_refused(own_errors, size):
    with pytest.raises(ValueError, match="image_size: expected a whole number of pixels from 16 to 2048"):
        load_dataset("scenes", n_images=1, image_size=size)
    with pytest.raises(ValueError, match="size: expected a whole number of pixels from 16 to 2048"):
        draw_scene(Scene("park", ()), size)


def test_unknown_names_are_refused_with_the_closest():
    with pytest.raises(
        ValueError,
        match=r"one of scenes, coco-5k, coco, flickr30k, flickr8k, cub, precomputed, got 'scene'; .* mean scenes\?",
    ):
        load_corpus("scene")
    with pytest.raises(ValueError, match=r"did you mean coco\?"):
        load_dataset("cocoo")
    with pytest.raises(ValueError, match=r"coco-5k.*captions only"):
        load_dataset("coco-5k")
    with pytest.raises(ValueError, match="expected \"test\", got 'train'"):
        load_corpus("coco-5k", split="train")
