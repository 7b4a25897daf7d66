"""What a metric is: what computes it, what judges it, and how its numbers are averaged, named and printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from daa.names import DIRECTIONS

Quantity = tuple[str, str, str]  # name of a number, what it is judged by, direction


class Unit(NamedTuple):
    """What a number counts, and how tables print it.

    >>> FRACTION.text(0.4321), RANK.text(3.0), CORRELATION.text(0.1234)
    ('43.2', '3.0', '0.123')
    """

    name: str
    factor: int
    digits: int

    def text(self, value: float) -> str:
        return f"{self.factor * value:.{self.digits}f}"


FRACTION = Unit("fraction", 100, 1)  # in percent
RANK = Unit("rank", 1, 1)
CORRELATION = Unit("correlation", 1, 3)
UNITS_NOTE = "Percent; ranks from 1 and tau as they are."


@dataclass(frozen=True)
class Metric:
    """Everything that is known of a metric; `standard` puts it into every report.

    Attributes:
        names: what reports call its numbers, one or more.
        compute: called with some queries (a `QueryBlock`), the name of what they are judged by, and the tie policy. It
            gives float [queries], or [queries, names] if there are several; NaN for a query without a value. A function
            of a module (or a `functools.partial` of one), so that it can be sent to a worker.
        judged_by: `"positives"`, computed against every truth; `"relevance"`, against every relevance; or `"labels"`,
            where the corpus knows the object categories of its images.
        unit: of its numbers.
        over_queries: `"mean"` or `"median"`: how the values of the queries become one number.
        undefined: what a query without a value does: `"skip"`, it does not count; `"zero"`, it counts as 0.
        chance: what a random ranking scores, by the number of candidates; None where that is not known.
        random: the mean over all orders of the candidates, [queries], called like `compute`; where None it is what
            `compute` gives for constant scores under the policy `"expected"`.
        rank_weight: of a metric that adds up min / max of the ranks of each candidate, as ASP does: the weight of a
            candidate by its rank by relevance. The best ranking that ignores the query is then an assignment problem.
        doubly_ranked: whether it is computed against the double ranks of a relevance (see `daa.ranks.double`).
        higher_is_better: which way is better.
        total: the name of the sum of its numbers over both directions, if that is reported, too.
        graded: whether `evaluate(..., graded=False)`, and averages over folds, leave it out.
        gains: whether it sums relevance as gains, so that it needs one that is never negative.
        least_candidates: with fewer it is left out.
    """

    names: tuple[str, ...]
    compute: Callable[[Any, str, str], np.ndarray]
    judged_by: str
    unit: Unit = FRACTION
    over_queries: str = "mean"
    undefined: str = "skip"
    chance: Callable[[int], float] | None = None
    random: Callable[[Any, str, str], np.ndarray] | None = None
    rank_weight: Callable[[np.ndarray], np.ndarray] | None = None
    doubly_ranked: bool = False
    higher_is_better: bool = True
    total: str | None = None
    graded: bool = False
    gains: bool = False
    least_candidates: int = 1

    def __post_init__(self) -> None:
        for field, known in _KNOWN.items():
            if getattr(self, field) not in known:
                raise ValueError(f"{field}: expected one of {', '.join(known)}, got {getattr(self, field)!r}")

    @property
    def name(self) -> str:
        return self.names[0]

    def best(self, name: str) -> float:
        """What a perfect ranking scores in its number (or total) of this name."""
        return 2.0 * len(self.names) if name == self.total else 1.0

    def summary(self, values: np.ndarray) -> float:
        """One number of per-query values, those without left out."""
        return float(np.nanmedian(values) if self.over_queries == "median" else np.nanmean(values))


_KNOWN = {
    "judged_by": ("positives", "labels", "relevance"),
    "over_queries": ("mean", "median"),
    "undefined": ("skip", "zero"),
}
_STANDARD: list[Metric] = []


def standard(metric: Metric) -> Metric:
    """Compute this metric in every evaluation from now on, after those declared before it.

    Raises:
        ValueError: if one of its names is taken.
    """
    names = [name for one in _STANDARD for name in (*one.names, one.total)]
    for name in (*metric.names, metric.total):
        if name is not None and name in names:
            raise ValueError(f"names: expected names that no other metric has, got {name!r} again")
    _STANDARD.append(metric)
    return metric


def standard_metrics() -> tuple[Metric, ...]:
    """Every metric that a report holds, in its order."""
    return tuple(_STANDARD)


def metric_of(name: str) -> Metric:
    """The metric that has a number (or total) of this name; one that is not known is taken as a mean of fractions.

    So a report of another version can be read, printed and compared.
    """
    known = (one for one in _STANDARD if name in one.names or name == one.total)
    return next(known, Metric((name,), _not_known, "positives"))


def _not_known(queries: Any, by: str, ties: str) -> np.ndarray:
    raise ValueError("metric: expected one that this version of daa computes")


def totals(quantities: Iterable[Quantity]) -> dict[Quantity, list[Quantity]]:
    """The sums over both directions that metrics ask for, and what each adds up.

    >>> list(totals([("R@1", "annotated", "i2t"), ("mAP@R", "annotated", "i2t"), ("R@1", "annotated", "t2i")]))
    [('rsum', 'annotated', 'both')]
    """
    parts: dict[Quantity, list[Quantity]] = {}
    for name, truth, direction in quantities:
        total = metric_of(name).total
        if total is not None:
            parts.setdefault((total, truth, "both"), []).append((name, truth, direction))
    return {total: several for total, several in parts.items() if {one[2] for one in several} == set(DIRECTIONS)}


def zero(n_candidates: int) -> float:
    """The chance level of what is corrected for chance, and of a correlation."""
    return 0.0


def zero_for_each(queries: Any, by: str, ties: str) -> np.ndarray:
    """The same for each query."""
    return np.zeros(len(queries.numbers))
