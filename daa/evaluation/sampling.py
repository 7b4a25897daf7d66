r"""Estimating a report from a random sample of its queries, each number with its standard error.

The design is simple random sampling without replacement: N images for `"i2t"`, and independently of them N captions
for `"t2i"`; each drawn query is ranked against *all* candidates. The corpus is the population, so the standard error
says how far a number may be from the one that all queries would give, and is 0 once all are drawn; that the captions of
an image resemble each other does not enter, since captions are drawn and not images. (How far the number might be from
that of other images is another question, and `Report.with_intervals` answers it.)

The mean over the queries that have a value, $d_q = 1$, is a ratio of two sample means; its standard error by
linearisation, with n queries drawn of N, is

$$ SE = \sqrt{\left(1 - \frac nN\right) \frac{1}{n (n - 1)} \sum_q \frac{d_q (y_q - \bar y)^2}{\bar d^2}} $$

Source: Cochran, Sampling Techniques, 1977, sections 2.6 and 6.4; for the median Woodruff, JASA 1952.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daa.names import DIRECTIONS

UNITS = {"i2t": "images", "t2i": "captions"}
WOODRUFF_Z = 1.959964  # the width of the 95 % interval gives the standard error of a median


def draw_queries(n_queries: Mapping[str, int], n: int, seed: int) -> dict[str, np.ndarray]:
    """The indices of the queries drawn, ascending, by direction; directions with at most `n` queries are left out.

    Args:
        n_queries: how many there are, by direction.
        n: how many to draw of each.
        seed: of the random numbers.

    >>> draw_queries({"i2t": 3, "t2i": 15}, n=5, seed=0)
    {'t2i': array([1, 3, 4, 7, 8])}
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 2:
        raise ValueError(f"queries: expected an integer from 2, since one query has no standard error, got {n}")
    if seed < 0:
        raise ValueError(f"seed: expected a number from 0, got {seed}")
    generators = np.random.default_rng(seed).spawn(len(DIRECTIONS))
    return {
        direction: np.sort(generator.choice(n_queries[direction], n, replace=False))
        for direction, generator in zip(DIRECTIONS, generators, strict=True)
        if n < n_queries[direction]
    }


def describe_sample(n_queries: Mapping[str, int], sample: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    """What was drawn, in words and numbers, for the settings of a report."""
    drawn = {
        direction: {"unit": UNITS[direction], "drawn": len(sample.get(direction, range(of))), "of": of}
        for direction, of in n_queries.items()
    }
    design = "simple random sample of queries without replacement, each against all candidates"
    return {**drawn, "design": design, "standard_error": "with finite-population correction", "seed": seed}


def sample_note(sampled: Mapping[str, Any]) -> str:
    """One sentence for the foot of a table."""
    drawn = (f"{one['drawn']:,} of {one['of']:,} {one['unit']} ({d})" for d, one in sampled.items() if d in DIRECTIONS)
    return (
        f"Estimated from queries drawn at random, {' and '.join(drawn)}, each against all candidates; "
        f"±: standard error of that, with finite-population correction."
    )


def notes(settings: Mapping[str, Any]) -> str:
    """What the foot of a table says of how its numbers were made.

    >>> notes({"among_judged": ["crowd (judged)"]})
    'By crowd (judged), a query ranks only the candidates judged for it, and does not count if all of them match.'
    """
    said = [sample_note(settings["sampled"])] if "sampled" in settings else []
    if judged := settings.get("among_judged"):
        said.append(
            f"By {' and '.join(judged)}, a query ranks only the candidates judged for it, and does not count if all of "
            f"them match."
        )
    return " ".join(said)


def standard_error(values: np.ndarray, n_population: int, median: bool = False) -> float:
    """How far the mean (or median) of a sample's values may be from that of all queries.

    Args:
        values: of the queries drawn, NaN where a query has none.
        n_population: how many queries there are in all.
        median: of the median instead of the mean.

    Returns:
        The standard error; NaN where fewer than two queries have a value and not all queries were drawn.

    >>> round(standard_error(np.array([0.0, 1.0, 1.0, 0.0]), n_population=8), 4)  # sqrt(1/2 x 1/3 / 4)
    0.2041
    """
    n = len(values)
    if n >= n_population:
        return 0.0
    valued = values[np.isfinite(values)]
    if len(valued) < 2:
        return float("nan")
    left = 1 - n / n_population
    if median:
        half = WOODRUFF_Z * np.sqrt(left * 0.25 / (len(valued) - 1))
        low, high = np.quantile(valued, [max(0.0, 0.5 - half), min(1.0, 0.5 + half)])
        return float((high - low) / (2 * WOODRUFF_Z))
    squares = ((valued - valued.mean()) ** 2).sum() / (len(valued) / n) ** 2
    return float(np.sqrt(left * squares / (n * (n - 1))))
