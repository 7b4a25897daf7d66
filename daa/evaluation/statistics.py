r"""How far a number may be from the one meant: standard errors of sampled queries, confidence intervals, paired tests.

Intervals and tests have images as their units: an image's captions are not independent queries.

A report may be estimated from a simple random sample of queries without replacement: N images for `"i2t"`, and
independently of them N captions for `"t2i"`; each drawn query is ranked against *all* candidates. The corpus is the
population, so the standard error says how far a number may be from the one that all queries would give, and is 0 once
all are drawn; that the captions of an image resemble each other does not enter, since captions are drawn and not
images. (How far the number might be from that of other images is another question, and `Report.with_intervals` answers
it.) The mean over the queries that have a value, $d_q = 1$, is a ratio of two sample means; its standard error by
linearisation, with n queries drawn of N, is

$$ SE = \sqrt{\left(1 - \frac nN\right) \frac{1}{n (n - 1)} \sum_q \frac{d_q (y_q - \bar y)^2}{\bar d^2}} $$

Source: Cochran, Sampling Techniques, 1977, sections 2.6 and 6.4; for the median Woodruff, JASA 1952.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from daa.matrix import runs
from daa.metrics.metric import Quantity, metric_of, totals
from daa.names import DIRECTIONS

PerQuery = Mapping[str, Mapping[tuple[str, str], np.ndarray]]  # by direction and (metric, truth)
RESAMPLES_AT_A_TIME = 250
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
        direction: {
            "unit": "images" if direction == "i2t" else "captions",
            "drawn": len(sample.get(direction, range(of))),
            "of": of,
        }
        for direction, of in n_queries.items()
    }
    design = "simple random sample of queries without replacement, each against all candidates"
    return {**drawn, "design": design, "standard_error": "with finite-population correction", "seed": seed}


def notes(settings: Mapping[str, Any]) -> str:
    """What the foot of a table says of how its numbers were made.

    >>> notes({"among_judged": ["crowd (judged)"]})
    'By crowd (judged), a query ranks only the candidates judged for it, and does not count if all of them match.'
    """
    said = []
    if sampled := settings.get("sampled"):
        parts = {direction: sampled[direction] for direction in DIRECTIONS}
        drawn = (f"{one['drawn']:,} of {one['of']:,} {one['unit']} ({d})" for d, one in parts.items())
        said.append(
            f"Estimated from queries drawn at random, {' and '.join(drawn)}, each against all candidates; "
            "±: standard error of that, with finite-population correction."
        )
    if judged := settings.get("among_judged"):
        said.append(
            f"By {' and '.join(judged)}, a query ranks only the candidates judged for it, and does not count if all of "
            "them match."
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


def bootstrap(
    per_query: PerQuery,
    image_of_query: Mapping[str, np.ndarray],
    n_images: int,
    level: float,
    n_resamples: int,
    seed: int,
) -> dict[Quantity, tuple[float, float]]:
    """Percentile intervals of every number of a report, all from the same resamples of its images.

    Args:
        per_query: values of a report, NaN for a query without.
        image_of_query: by direction the image that each query shows or describes.
        n_images: how many images there are.
        level: coverage, above 0 and below 1.
        n_resamples: how often images are drawn.
        seed: of the random numbers.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level}")
    if n_resamples < 1:
        raise ValueError(f"n_resamples: expected at least 1, got {n_resamples}")
    parts: dict[Quantity, list[np.ndarray]] = {}
    for weights in draws(n_images, n_resamples, seed):
        for key, values in resampled(per_query, image_of_query, weights).items():
            parts.setdefault(key, []).append(values)
    return {key: interval(np.concatenate(values), level) for key, values in parts.items()}


def paired_tests(
    first: PerQuery,
    other: PerQuery,
    image_of_query: Mapping[str, np.ndarray],
    n_images: int,
    level: float,
    n_resamples: int,
    seed: int,
) -> list[tuple]:
    """Of every mean that two systems have, what the other has more, with an interval and the p-value of sign flips.

    Args:
        first, other: values of the same queries; further arguments as for `bootstrap`.

    Returns:
        Metric, truth, direction, difference, low, high, p; a row each.
    """
    keys: list[Quantity] = []
    units: list[np.ndarray] = []  # difference that each image adds to the difference of the means
    for direction, by_key in first.items():
        for name, truth in by_key:
            is_mean = metric_of(name).over_queries == "mean"  # else it gets no paired test
            if not is_mean or (name, truth) not in other[direction]:
                continue
            difference = other[direction][name, truth] - by_key[name, truth]
            sums, counts = image_sums(difference, image_of_query[direction], n_images)
            if counts.sum():
                keys.append((name, truth, direction))
                units.append(sums / counts.sum())
    for total, summed in totals(keys).items():
        units.append(np.sum([units[keys.index(one)] for one in summed], axis=0))
        keys.append(total)
    matrix = np.stack(units, axis=1)
    observed = matrix.sum(axis=0)
    as_large = np.zeros(len(keys))
    for signs in sign_flips(n_images, n_resamples, seed):
        as_large += (np.abs(signs @ matrix) >= np.abs(observed) * (1 - 1e-12)).sum(axis=0)
    p = (1 + as_large) / (1 + n_resamples)
    differences: dict[Quantity, list[np.ndarray]] = {key: [] for key in keys}
    for weights in draws(n_images, n_resamples, seed):
        of_first, of_other = (resampled(values, image_of_query, weights, medians=False) for values in (first, other))
        for key in keys:
            differences[key].append(of_other[key] - of_first[key])
    intervals = [interval(np.concatenate(differences[key]), level) for key in keys]
    numbers = zip(keys, observed.tolist(), intervals, p.tolist(), strict=True)
    return [(*key, difference, *bounds, chance) for key, difference, bounds, chance in numbers]


def interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """The quantiles that leave out equal tails, NaN left out."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def draws(n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of resamples: how often each image is drawn, [resamples, images], float64."""
    generator = np.random.default_rng(seed)
    for part in runs(n_resamples, RESAMPLES_AT_A_TIME):
        size, share = part.stop - part.start, np.full(n_images, 1 / n_images)
        yield generator.multinomial(n_images, share, size=size).astype(np.float64)


def sign_flips(n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of random signs, [resamples, images], float64."""
    generator = np.random.default_rng(seed)
    for part in runs(n_resamples, RESAMPLES_AT_A_TIME):
        yield 2.0 * generator.integers(0, 2, size=(part.stop - part.start, n_images), dtype=np.int8) - 1.0


def resampled(
    per_query: PerQuery, image_of_query: Mapping[str, np.ndarray], weights: np.ndarray, medians: bool = True
) -> dict[Quantity, np.ndarray]:
    """Every number of a report when image i counts `weights[r, i]` times, for each resample r."""
    result: dict[Quantity, np.ndarray] = {}
    for direction, by_key in per_query.items():
        image_of = image_of_query[direction]
        means = _weighted_means(list(by_key.values()), image_of, weights)
        for j, ((name, truth), values) in enumerate(by_key.items()):
            if metric_of(name).over_queries == "mean":
                result[name, truth, direction] = means[:, j]
            elif medians:
                result[name, truth, direction] = _weighted_medians(values, image_of, weights)
    for total, summed in totals(result).items():
        result[total] = np.sum([result[one] for one in summed], axis=0)
    return result


def image_sums(values: np.ndarray, image_of: np.ndarray, n_images: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each image's queries, NaN left out."""
    valued = np.isfinite(values)
    sums = np.bincount(image_of, weights=np.where(valued, values, 0.0), minlength=n_images)
    return sums, np.bincount(image_of, weights=valued, minlength=n_images)


def _weighted_means(columns: list[np.ndarray], image_of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[resamples, columns]; NaN where a resample holds no query with a value."""
    pairs = [image_sums(values, image_of, weights.shape[1]) for values in columns]
    sums, counts = (weights @ np.stack(side, axis=1) for side in zip(*pairs, strict=True))
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _weighted_medians(values: np.ndarray, image_of: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """[resamples]: the middle value, or the mean of the two middle ones, each query counting as its image does."""
    valued = np.flatnonzero(np.isfinite(values))
    order = valued[np.argsort(values[valued], kind="stable")]
    ordered = values[order]
    up_to = np.cumsum(weights[:, image_of[order]], axis=1)
    total = up_to[:, -1:]
    middle = [
        ordered[np.minimum((up_to < place).sum(axis=1), len(ordered) - 1)]
        for place in (np.floor((total + 1) / 2), np.ceil((total + 1) / 2))
    ]
    return np.where(total[:, 0] > 0, (middle[0] + middle[1]) / 2, np.nan)


def check_per_query(name: str, per_query: PerQuery) -> None:
    if not per_query:
        raise ValueError(
            f"report: expected per-query values, but {name} has none; evaluate the scores again, JSON keeps none"
        )
