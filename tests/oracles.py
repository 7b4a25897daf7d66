"""Slow, obvious implementations, written from the formulas, to hold the fast ones to."""

from __future__ import annotations

import functools
import itertools

import numpy as np

# ---- ranks ---------------------------------------------------------------------------------------------------------


def slow_ranks(values, ties="average"):
    """Ranks of one row by counting, item by item."""
    result = []
    for i, value in enumerate(values):
        greater = sum(other > value for other in values)
        tied = sum(other == value for other in values)
        if ties == "competition":
            result.append(greater + 1)
        elif ties == "ordinal":
            result.append(greater + 1 + sum(other == value for other in values[:i]))
        else:
            result.append(greater + (tied + 1) / 2)
    return np.array(result, dtype=np.float64)


# ---- metrics -------------------------------------------------------------------------------------------------------


def all_orders(values):
    """Every ranking (a list of candidates, best first) that is consistent with a row of values, ties broken any way."""
    groups = [
        list(itertools.permutations([i for i, other in enumerate(values) if other == value]))
        for value in sorted(set(values), reverse=True)
    ]
    return [list(itertools.chain(*choice)) for choice in itertools.product(*groups)]


def slow_asp(scores, relevance, ties="average"):
    """ASP of one query: by average, competition or ordinal ranks, or the mean over all orders of both sides' ties."""
    n = len(scores)
    if ties != "expected":
        pairs = zip(slow_ranks(scores, ties), slow_ranks(relevance, ties), strict=True)
        return sum(min(a, b) / max(a, b) for a, b in pairs) / n
    values = []
    for by_score in all_orders(scores):
        for by_relevance in all_orders(relevance):
            places = [(by_score.index(g) + 1, by_relevance.index(g) + 1) for g in range(n)]
            values.append(sum(min(pair) / max(pair) for pair in places) / n)
    return sum(values) / len(values)


def slow_hits(scores, positives, metric, ties="expected"):
    """A metric of (ranking, set of positives) for one query, under a policy for tied scores."""
    if ties == "ordinal":
        return metric(sorted(range(len(scores)), key=lambda g: -scores[g]), positives)
    values = [metric(order, positives) for order in all_orders(scores)]
    return {"optimistic": max, "pessimistic": min, "expected": lambda v: sum(v) / len(v)}[ties](values)


def slow_recall(order, positives, k):
    return float(any(g in positives for g in order[:k]))


def slow_r_precision(order, positives):
    return sum(g in positives for g in order[: len(positives)]) / len(positives)


def slow_average_precision_at_r(order, positives):
    total = 0.0
    for r in range(1, len(positives) + 1):
        if order[r - 1] in positives:
            total += sum(g in positives for g in order[:r]) / r
    return total / len(positives)


# ---- relevance -----------------------------------------------------------------------------------------------------


def slow_ngrams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def slow_cider(candidate, references, documents, variant="cider-d"):
    """CIDEr(-D) of a list of words against lists of words; `documents` holds every image's list of references."""

    @functools.cache
    def idf(gram):
        df = sum(any(gram in slow_ngrams(words, len(gram)) for words in image) for image in documents)
        return np.log(len(documents)) - np.log(max(1, df))

    def weights(words, n):
        grams = slow_ngrams(words, n)
        return {gram: grams.count(gram) * idf(gram) for gram in set(grams)}

    total = 0.0
    for reference in references:
        difference = max(len(candidate) - 1, 0) - max(len(reference) - 1, 0)
        penalty = np.exp(-(difference**2) / 72) if variant == "cider-d" else 1.0
        for n in (1, 2, 3, 4):
            c, r = weights(candidate, n), weights(reference, n)
            norm = np.sqrt(sum(w**2 for w in c.values()) * sum(w**2 for w in r.values()))
            clip = min if variant == "cider-d" else lambda w, _: w
            if norm > 0:
                total += penalty * sum(clip(c[g], r[g]) * r[g] for g in c if g in r) / norm
    return 10 * total / 4 / len(references)
