"""Confidence intervals and paired tests, with images as the units: an image's captions are not independent queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from daa.metrics.metric import Quantity, metric_of, totals

PerQuery = Mapping[str, Mapping[tuple[str, str], np.ndarray]]  # by direction and (metric, truth)
RESAMPLES_AT_A_TIME = 250


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


def interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """The quantiles that leave out equal tails, NaN left out."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def draws(n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of resamples: how often each image is drawn, [resamples, images], float64."""
    generator = np.random.default_rng(seed)
    for n in _block_sizes(n_resamples):
        yield generator.multinomial(n_images, np.full(n_images, 1 / n_images), size=n).astype(np.float64)


def sign_flips(n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks of random signs, [resamples, images], float64."""
    generator = np.random.default_rng(seed)
    for n in _block_sizes(n_resamples):
        yield 2.0 * generator.integers(0, 2, size=(n, n_images), dtype=np.int8) - 1.0


def _block_sizes(n: int) -> list[int]:
    return [min(RESAMPLES_AT_A_TIME, n - start) for start in range(0, n, RESAMPLES_AT_A_TIME)]


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
