"""One self-contained HTML page of an evaluation: tables, plots, and the best and worst queries with their captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from daa.corpus import CaptionCorpus
from daa.evaluation.comparison import Comparison
from daa.evaluation.examples import best_and_worst, examples_html
from daa.evaluation.report import Report
from daa.metrics.inputs import DIRECTIONS, Blocks
from daa.page import Page
from daa.plots.scores import DIRECTION_TITLES, match_rank_curves, score_against_relevance
from daa.plots.style import use_style

N_IMAGES, N_PAIRS_EACH = 400, 100  # of which score and relevance are plotted


def evaluation_page(
    result: Report | Comparison,
    systems: Sequence[Blocks],
    corpus: CaptionCorpus,
    relevance: Mapping[str, Blocks],
    seed: int = 0,
) -> Page:
    """The page of a report, or of several systems side by side.

    Args:
        result: what `evaluate` or `compare` gave, with per-query values.
        systems: the scores of each system, in the order of the reports.
        corpus: whose captions are shown.
        relevance: relevance matrices by name.
        seed: which pairs the plots of score against relevance show.
    """
    reports = result.reports if isinstance(result, Comparison) else (result,)
    use_style()
    page = Page(f"{', '.join(report.name for report in reports)} on {corpus.name}")
    page.markup(result._repr_html_())
    _ranks(page, reports)
    for report, scores in zip(reports, systems, strict=True):
        _pairs(page, report, scores, corpus, relevance, seed)
    for report, scores in zip(reports, systems, strict=True):
        _examples(page, report, scores, corpus)
    _origin(page, reports)
    return page


def _ranks(page: Page, reports: Sequence[Report]) -> None:
    ranks = {
        report.name: {direction: report.per_query[direction]["median rank", "annotated"] for direction in DIRECTIONS}
        for report in reports
    }
    page.text("Recall@K for every K, by annotation: where in the ranking the first match stands.", "Rank of the match")
    found = "; ".join(
        f"{name}: " + ", ".join(f"{d} half by rank {np.nanmedian(one):.1f}" for d, one in by_direction.items())
        for name, by_direction in ranks.items()
    )
    page.figure(match_rank_curves(ranks), f"Share of queries over the rank of the first match. {found}.", found)


def _pairs(
    page: Page, report: Report, scores: Blocks, corpus: CaptionCorpus, relevance: Mapping[str, Blocks], seed: int
) -> None:
    """Score against relevance, over a random sample of pairs and all pairs that annotation knows of the same images."""
    if not relevance:
        return
    generator = np.random.default_rng(seed)
    evaluated = report.queries.get("i2t", np.arange(corpus.n_images))
    images = generator.choice(evaluated, min(N_IMAGES, len(evaluated)), replace=False)
    own = [corpus.captions_of_image(image) for image in images.tolist()]
    anywhere = generator.integers(0, corpus.n_captions, size=(len(images), N_PAIRS_EACH))
    captions = [np.concatenate(pair) for pair in zip(own, anywhere, strict=True)]
    matches = np.concatenate([corpus.image_of_caption[c] == image for image, c in zip(images, captions, strict=True)])

    def sample(blocks: Blocks) -> np.ndarray:
        rows = zip(images.tolist(), captions, strict=True)
        return np.concatenate([blocks.block("i2t", i, i + 1)[0, c] for i, c in rows]).astype(np.float64)

    sampled = sample(scores)
    for name, blocks in relevance.items():
        figure = score_against_relevance(sampled, sample(blocks), matches, name)
        text = f"{anywhere.size:,} random pairs of image and caption, and {matches.sum():,} that are annotated."
        page.text(text, f"{report.name}: score against {name}")
        caption = f"Score of {report.name} against {name}; line: median score of pairs of like relevance."
        page.figure(figure, f"Two-dimensional histogram of score against {name} relevance.", caption)


def _examples(page: Page, report: Report, scores: Blocks, corpus: CaptionCorpus) -> None:
    """Best and worst queries by ASP if there is one, else by AP@R of annotation."""
    for direction in DIRECTIONS:
        by_key = report.per_query[direction]
        metric, truth = next((key for key in by_key if key[0] == "ASP"), ("mAP@R", "annotated"))
        best, worst = best_and_worst(
            scores, corpus, by_key[metric, truth], direction, queries=report.queries.get(direction)
        )
        measure = "ASP" if metric == "ASP" else "AP@R"
        for title, examples in (("best", best), ("worst", worst)):
            heading = f"{report.name}: {title} queries, {DIRECTION_TITLES[direction].lower()}"
            page.text(f"By {measure} against {truth}, in percent; click to see what is retrieved.", heading)
            page.markup(examples_html(examples, measure))


def _origin(page: Page, reports: Sequence[Report]) -> None:
    for report in reports:
        facts = {**report.settings, **report.provenance}
        text = "; ".join(f"{key}: {value}" for key, value in facts.items())
        page.text(f"{report.name}: {text}", "What made these numbers" if report is reports[0] else "")
