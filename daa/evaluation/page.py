"""One self-contained HTML page that opens anywhere, without a network; that of an evaluation has plots and examples."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup
from matplotlib.figure import Figure

from daa.corpus import CaptionCorpus
from daa.evaluation.report import Comparison, Report
from daa.files import atomic_write
from daa.matrix import Matrix
from daa.metrics.asp import ASP
from daa.metrics.hits import MEAN_AVERAGE_PRECISION, MEDIAN_RANK
from daa.names import DIRECTIONS
from daa.plots.ranking import DIRECTION_TITLES, match_rank_curves, score_against_relevance
from daa.plots.style import use_style

N_IMAGES, N_PAIRS_EACH = 400, 100  # of which score and relevance are plotted

_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
_PAGE = _ENVIRONMENT.from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 17px/1.55 system-ui, sans-serif; color: #1f2937; background: #fff; max-width: 52rem; margin: 0 auto;
  padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { margin-top: 2.5rem; font-size: 1.3rem; }
figure { margin: 1.2rem 0; } figure img { max-width: 100%; height: auto; background: #fff; }
dt { font-weight: 600; margin-top: 0.4rem; } dd { margin-left: 1.2rem; }
figcaption { color: #4b5563; font-size: 0.95rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 0.3rem 0.8rem; text-align: right; border-bottom: 1px solid #e5e7eb; }
th { text-align: left; font-weight: 600; } thead th { border-bottom: 2px solid #9ca3af; }
thead th:not(:first-child) { text-align: right; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.4rem; }
@media (max-width: 40rem) { th, td { padding: 0.3rem 0.35rem; font-size: 0.9rem; } }
@media (prefers-color-scheme: dark) {
  body { color: #e5e7eb; background: #111827; } figcaption { color: #9ca3af; }
  th, td { border-color: #374151; } figure img { border-radius: 6px; }
}
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for part in parts %}
{{ part }}
{% endfor %}
</body>
</html>
"""
)
_FIGURE = _ENVIRONMENT.from_string(
    '<figure><img alt="{{ alt }}" src="data:image/png;base64,{{ data }}">'
    "<figcaption>{{ caption }}</figcaption></figure>"
)
_DEFINITIONS = _ENVIRONMENT.from_string(
    "<dl>{% for term, text in terms.items() %}<dt>{{ term }}</dt><dd>{{ text }}</dd>{% endfor %}</dl>"
)
_TEXT = _ENVIRONMENT.from_string("{% if heading %}<h2>{{ heading }}</h2>{% endif %}<p>{{ text }}</p>")
_EXAMPLES = _ENVIRONMENT.from_string(
    """{% for example in examples %}
<details{% if loop.first %} open{% endif %}>
<summary style="white-space: normal">{{ measure }} {{ "%.1f" | format(100 * example.value) }}: {{ example.query }}
</summary>
<ol style="white-space: normal">
{% for result in example.results %}
<li>{{ result.text }}{% if result.matches %} <strong>(match: {{ result.matches | join(", ") }})</strong>{% endif %}</li>
{% endfor %}
</ol>
</details>
{% endfor %}
"""
)


class Page:
    """A page made from top to bottom, then written. All text is escaped.

    >>> page = Page("Scores")
    >>> page.text("Captions may hold <tags> & more.", heading="Note")
    >>> "&lt;tags&gt; &amp; more" in page.html()
    True
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._parts: list[Markup] = []

    def text(self, text: str, heading: str = "") -> None:
        """A paragraph, under a heading if given."""
        self._parts.append(Markup(_TEXT.render(text=text, heading=heading)))

    def definitions(self, terms: Mapping[str, str]) -> None:
        """Words and what they mean, one below the other."""
        self._parts.append(Markup(_DEFINITIONS.render(terms=terms)))

    def table(self, frame: pd.DataFrame) -> None:
        """A data frame with its index."""
        self._parts.append(Markup(f'<div class="scroll">{frame.to_html(border=0, escape=True)}</div>'))

    def markup(self, html: str) -> None:
        """HTML that is already escaped, such as `Report._repr_html_()`."""
        self._parts.append(Markup(f'<div class="scroll">{html}</div>'))

    def figure(self, figure: Figure, alt: str, caption: str) -> None:
        """A figure, embedded as PNG at twice the screen's resolution; it is closed."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=180)
        plt.close(figure)
        data = base64.b64encode(buffer.getvalue()).decode()
        self._parts.append(Markup(_FIGURE.render(alt=alt, caption=caption, data=data)))

    def html(self) -> str:
        """The whole page."""
        return _PAGE.render(title=self.title, parts=self._parts)

    def write(self, path: str | PathLike) -> None:
        """Write the page, whole or not at all."""
        with atomic_write(path) as aside:
            aside.write_text(self.html(), encoding="utf-8")


def evaluation_page(
    result: Report | Comparison,
    systems: Sequence[Matrix],
    corpus: CaptionCorpus,
    relevance: Mapping[str, Matrix],
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
        report.name: {direction: report.per_query[direction][MEDIAN_RANK.name, "annotated"] for direction in DIRECTIONS}
        for report in reports
    }
    page.text("Recall@K for every K, by annotation: where in the ranking the first match stands.", "Rank of the match")
    found = "; ".join(
        f"{name}: " + ", ".join(f"{d} half by rank {np.nanmedian(one):.1f}" for d, one in by_direction.items())
        for name, by_direction in ranks.items()
    )
    page.figure(match_rank_curves(ranks), f"Share of queries over the rank of the first match. {found}.", found)


def _pairs(
    page: Page, report: Report, scores: Matrix, corpus: CaptionCorpus, relevance: Mapping[str, Matrix], seed: int
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

    def sample(matrix: Matrix) -> np.ndarray:
        rows = zip(images.tolist(), captions, strict=True)
        return np.concatenate([matrix.rows("i2t", np.array([i]))[0, c] for i, c in rows]).astype(np.float64)

    sampled = sample(scores)
    for name, matrix in relevance.items():
        figure = score_against_relevance(sampled, sample(matrix), matches, name)
        text = f"{anywhere.size:,} random pairs of image and caption, and {matches.sum():,} that are annotated."
        page.text(text, f"{report.name}: score against {name}")
        caption = f"Score of {report.name} against {name}; line: median score of pairs of like relevance."
        page.figure(figure, f"Two-dimensional histogram of score against {name} relevance.", caption)


def _examples(page: Page, report: Report, scores: Matrix, corpus: CaptionCorpus) -> None:
    """Best and worst queries by ASP if there is one, else by AP@R of annotation."""
    for direction in DIRECTIONS:
        by_key = report.per_query[direction]
        metric, truth = next((key for key in by_key if key[0] == ASP.name), (MEAN_AVERAGE_PRECISION.name, "annotated"))
        best, worst = best_and_worst(
            scores, corpus, by_key[metric, truth], direction, queries=report.queries.get(direction)
        )
        measure = "ASP" if metric == ASP.name else "AP@R"
        for title, examples in (("best", best), ("worst", worst)):
            heading = f"{report.name}: {title} queries, {DIRECTION_TITLES[direction].lower()}"
            page.text(f"By {measure} against {truth}, in percent; click to see what is retrieved.", heading)
            page.markup(_EXAMPLES.render(examples=examples, measure=measure))


def _origin(page: Page, reports: Sequence[Report]) -> None:
    for report in reports:
        facts = {**report.settings, **report.provenance}
        text = "; ".join(f"{key}: {value}" for key, value in facts.items())
        page.text(f"{report.name}: {text}", "What made these numbers" if report is reports[0] else "")


class Retrieved(NamedTuple):
    """One retrieved item as text, and the truths that call it a match."""

    text: str
    matches: list[str]


class Example(NamedTuple):
    """One query as text, its value, and the best of what it retrieves."""

    query: str
    value: float
    results: list[Retrieved]


def best_and_worst(
    scores: Matrix,
    corpus: CaptionCorpus,
    values: np.ndarray,
    direction: str,
    n: int = 5,
    n_results: int = 5,
    queries: np.ndarray | None = None,
) -> tuple[list[Example], list[Example]]:
    """The `n` queries with the largest values and the `n` with the smallest, best and worst first.

    Args:
        scores: the similarity matrix.
        corpus: whose captions stand for the images, too.
        values: per-query values, NaN for a query without.
        direction: `"i2t"` or `"t2i"`.
        n: how many queries of each kind.
        n_results: how many retrieved items of each.
        queries: which queries the values are of; all by default.
    """
    numbers = np.arange(len(values)) if queries is None else queries
    valued = np.flatnonzero(np.isfinite(values))
    order = valued[np.argsort(-values[valued], kind="stable")]

    def image_text(image: int, most: int) -> str:
        own = corpus.captions_of_image(image)[:most]
        return f"image {corpus.image_ids[image]}, of which people say: " + " / ".join(corpus.captions[c] for c in own)

    truths = {name: truth.positives_of(direction) for name, truth in corpus.all_truths().items()}

    def example(place: int) -> Example:
        query = int(numbers[place])
        row = scores.rows(direction, np.array([query]))[0]
        top = np.argsort(-row, kind="stable")[:n_results].tolist()
        matching = {name: set(matrix[[query]].indices.tolist()) for name, matrix in truths.items()}
        results = [
            Retrieved(
                corpus.captions[item] if direction == "i2t" else image_text(item, 1),
                [name for name, items in matching.items() if item in items],
            )
            for item in top
        ]
        text = image_text(query, 5) if direction == "i2t" else corpus.captions[query]
        return Example(text, float(values[place]), results)

    return [example(int(p)) for p in order[:n]], [example(int(p)) for p in order[::-1][:n]]
