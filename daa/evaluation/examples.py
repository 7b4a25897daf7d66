"""The queries a system does best and worst on, with what it retrieves for them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jinja2 import Environment

from daa.corpus import CaptionCorpus
from daa.metrics.inputs import Blocks

_HTML = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
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


class Result(NamedTuple):
    """One retrieved item as text, and the truths that call it a match."""

    text: str
    matches: list[str]


class Example(NamedTuple):
    """One query as text, its value, and the best of what it retrieves."""

    query: str
    value: float
    results: list[Result]


def best_and_worst(
    scores: Blocks,
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

    truths = {name: truth.direction(direction) for name, truth in corpus.all_truths().items()}

    def example(place: int) -> Example:
        query = int(numbers[place])
        row = scores.block(direction, query, query + 1)[0]
        top = np.argsort(-row, kind="stable")[:n_results].tolist()
        matching = {name: set(matrix[[query]].indices.tolist()) for name, matrix in truths.items()}
        results = [
            Result(
                corpus.captions[item] if direction == "i2t" else image_text(item, 1),
                [name for name, items in matching.items() if item in items],
            )
            for item in top
        ]
        text = image_text(query, 5) if direction == "i2t" else corpus.captions[query]
        return Example(text, float(values[place]), results)

    return [example(int(p)) for p in order[:n]], [example(int(p)) for p in order[::-1][:n]]


def examples_html(examples: list[Example], measure: str) -> str:
    """The examples as a list that unfolds; every text is escaped."""
    return _HTML.render(examples=examples, measure=measure)
