"""The page that `daa demo` ends with: what DAA changed, what Recall@K calls wrong, and a look at what is retrieved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from daa.corpus import CaptionCorpus
from daa.datasets.scenes import draw_scene
from daa.evaluation.page import Page
from daa.plots import (
    arm_dots,
    caption_gallery,
    picture_gallery,
    result_marks,
    use_style,
    variance_against_ambiguity,
)
from daa.similarity import cosine_similarity
from daa.studies import ambiguity, gains, load_embeddings
from daa.training.config import Config
from daa.training.objective import Objective

PICTURES, CAPTIONS_EACH = (0, 1, 2), 3  # the first ones, whatever is found for them
CAPTIONS, PICTURES_EACH = (15, 21, 27), 5  # of pictures 3 to 5
PIXELS = 160


def demo_page(
    frame: pd.DataFrame,
    table: pd.DataFrame,
    floors: pd.DataFrame,
    records: Sequence[Mapping[str, Any]],
    arms: Mapping[str, Config],
    out: Path,
    test: Any,
    asks: Mapping[tuple[str, str], str],
    command: str,
) -> Page:
    """The page of a study of scenes.

    Args:
        frame: of `measurements_frame`.
        table: of `summary`.
        floors: of `blind_floors`.
        records: of the runs.
        arms: the configurations by name.
        out: folder of the runs.
        test: the split that they were judged by.
        asks: what each (metric, judge) of the table asks.
        command: what repeats it.
    """
    matplotlib.use("Agg")
    use_style()
    seeds = frame["seed"].nunique()
    weights = " or ".join(f"{config.loss.daa_weight:g}" for config in arms.values() if config.loss.daa_weight)
    embeddings = {arm: load_embeddings(out / arm / "seed-0" / "test.safetensors") for arm in arms}
    scores = {arm: cosine_similarity(*pair).numpy() for arm, pair in embeddings.items()}
    page = Page("What DAA changes, on scenes")
    page.text(
        "Scenes are small pictures made by a program that knows every caption that is true of one. "
        f"{len(records)} models were trained, {seeds} seed{'s' if seeds > 1 else ''} an arm. The arms differ in "
        f"the weight of DAA, 0 or {weights}, and in nothing else. Training sees only which five captions were written "
        f"for a picture. The test split has {test.corpus.n_images:,} pictures and {test.corpus.n_captions:,} captions: "
        "for each picture all captions are ranked (i2t), for each caption all pictures (t2i)."
    )
    page.definitions(_changes(frame, list(arms), list(asks)))
    page.figure(
        arm_dots(frame, [row for row in asks if row[0] != "QASP"], floors=floors, n_columns=3),
        alt="R@1, mAP@R, PMRP, ASP, NDCG@10, NCS@10 of each arm, a dot a seed, both directions, and floors",
        caption="A dot is a run with its own seed, a bar their mean. Dashed is what the best ranking gets that "
        "does not look at the query: up to there a number says nothing about what a model has understood.",
    )
    page.table(table.set_axis([f"{metric} {direction}" for metric, _, direction in table.index]))
    page.text(
        "Percent, mean ± standard deviation over seeds. The last three are rankings that ignore the query: all "
        "candidates in random order, by their mean relevance, and in the best order that is known (blind). Text to "
        "image, such an order knows the pictures by their own captions."
    )
    page.definitions({f"{metric}, by {judge}": text for (metric, judge), text in asks.items()})
    page.text(
        "A caption fits many pictures, and a picture many captions, but only pairs that were written down count for "
        "Recall@K. Scenes know the others. How many of the first results are right, seed 0, percent:",
        heading="What Recall@K calls wrong",
    )
    page.table(_first_results(scores, test.corpus))
    shown = dict(list(scores.items())[:2])
    page.figure(
        _captions_found(test, shown),
        alt="Pictures with the best captions of two arms, each marked annotated, true or wrong",
        caption="The best captions for the first pictures of the test split, seed 0.",
    )
    page.figure(
        _pictures_found(test, shown),
        alt="Captions with the best pictures of two arms, each marked annotated, true or wrong",
        caption="The best pictures for three captions, seed 0.",
    )
    if Objective(next(iter(arms.values())).loss).trains_variance:
        log_var = {arm: captions.log_var.mean(dim=1).numpy() for arm, (_, captions) in embeddings.items()}
        page.text("Does a model know which captions are vague?", heading="Variance and ambiguity")
        page.figure(
            variance_against_ambiguity(
                log_var, ambiguity(test.corpus)["captions"], "images that the caption truly fits"
            ),
            alt="Predicted log-variance of captions against the number of images they fit, for each arm",
            caption="Median and quartiles of the predicted log-variance of captions, seed 0.",
        )
    made = records[0]["provenance"]
    seconds = sum(record["seconds"] for record in records)
    page.text(f"{command}; commit {made['commit']}; {seconds:.0f} s of training.", heading="What made these numbers")
    return page


def _changes(frame: pd.DataFrame, arms: list[str], rows: list[tuple[str, str]]) -> dict[str, str]:
    """By arm with DAA which numbers go up, down, or either way; in points, the least and the most of a seed."""
    if frame["seed"].nunique() == 1:
        return {"One seed": "no spread, no conclusion; the differences below may be chance."}
    said: dict[str, str] = {}
    for arm in arms[1:]:
        moved: dict[str, list[str]] = {"higher on every seed": [], "lower on every seed": [], "not told apart": []}
        difference = gains(frame, rows, arm, arms[0])
        names = [f"{metric} {direction}" for metric, _, direction in difference.index]
        for name, points in zip(names, difference.to_numpy(), strict=True):
            up, down = (points > 0).all(), (points < 0).all()
            where = "higher on every seed" if up else "lower on every seed" if down else "not told apart"
            moved[where].append(f"{name} ({points.min():+.1f} to {points.max():+.1f})")
        said |= {f"{arm} against {arms[0]}, {where}": ", ".join(which) for where, which in moved.items() if which}
    return said


def _first_results(scores: Mapping[str, np.ndarray], corpus: CaptionCorpus) -> pd.DataFrame:
    """How many of the first results were written down, and how many are true; one row a kind, one column an arm."""
    judges = {"annotated": corpus.annotated.toarray(), "true": corpus.positives.toarray()}
    shares = {}
    for arm, of_arm in scores.items():
        first = of_arm.argmax(axis=0), np.arange(corpus.n_captions)
        best = np.argsort(-of_arm, axis=1, kind="stable")[:, :CAPTIONS_EACH]
        shares[arm] = {f"first picture, {name}": judge[first].mean() for name, judge in judges.items()}
        shares[arm] |= {
            f"first {CAPTIONS_EACH} captions, {name}": np.take_along_axis(judge, best, axis=1).mean()
            for name, judge in judges.items()
        }
    return pd.DataFrame(shares).map(lambda share: f"{100 * share:.1f}")


def _captions_found(test: Any, scores: Mapping[str, np.ndarray]) -> Figure:
    annotated, true = test.corpus.annotated.toarray(), test.corpus.positives.toarray()
    pictures, captions, marks = [], [], []
    for image in _among(PICTURES, test.corpus.n_images):
        texts, kinds = [], []
        for arm, of_arm in scores.items():
            best = np.argsort(-of_arm[image], kind="stable")[:CAPTIONS_EACH]
            texts += [f"{arm}:", *(test.corpus.captions[c] for c in best)]
            kinds += ["", *result_marks(best, annotated[image], true[image])]
        pictures.append(_drawn(test, image))
        captions.append(texts)
        marks.append(kinds)
    return caption_gallery(pictures, captions, marks)


def _pictures_found(test: Any, scores: Mapping[str, np.ndarray]) -> Figure:
    annotated, true = test.corpus.annotated.toarray(), test.corpus.positives.toarray()
    titles, pictures, marks = [], [], []
    for caption in _among(CAPTIONS, test.corpus.n_captions):
        for arm, of_arm in scores.items():
            best = np.argsort(-of_arm[:, caption], kind="stable")[:PICTURES_EACH]
            titles.append(f"{arm}: {test.corpus.captions[caption]}")
            pictures.append([_drawn(test, int(image)) for image in best])
            marks.append(result_marks(best, annotated[:, caption], true[:, caption]))
    return picture_gallery(titles, pictures, marks)


def _among(wanted: Sequence[int], n: int) -> list[int]:
    return [one for one in wanted if one < n]


def _drawn(test: Any, image: int) -> np.ndarray:
    """A picture as a person sees it, whatever the models saw."""
    return np.asarray(draw_scene(test.scenes[image], PIXELS))
