"""Slow, obvious implementations, written from the formulas, to hold the fast ones to."""

from __future__ import annotations

import functools
import itertools
import math

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


def slow_first_match(order, positives):
    return next(place for place, g in enumerate(order, 1) if g in positives)


def slow_asp_at_k(scores, relevance, k, ties="average"):
    """ASP over the top K of the relevance, averaged over the orders of its tied items (and those of the scores)."""
    n = len(scores)
    k = min(k, n)
    values = []
    orders = [sorted(range(n), key=lambda g: -relevance[g])] if ties == "ordinal" else all_orders(relevance)
    for order in orders:
        for by_score in all_orders(scores) if ties == "expected" else [None]:
            total = 0.0
            for place, g in enumerate(order[:k], 1):
                rank_s = by_score.index(g) + 1 if by_score else slow_ranks(scores, ties)[g]
                rank_c = place if ties == "expected" else slow_ranks(relevance, ties)[g]
                total += min(rank_s, rank_c) / max(rank_s, rank_c)
            values.append(total / k)
    return sum(values) / len(values)


def slow_asp_chance(relevance, ties="average"):
    """Mean ASP of every order of the candidates."""
    n = len(relevance)
    values = [slow_asp(scores, relevance, ties) for scores in itertools.permutations(range(n))]
    return sum(values) / len(values)


def slow_share_of_best(scores, relevance, weight, left_out=()):
    """Weighted relevance by place over the most that any order collects, mean over orders of tied scores."""
    kept = [g for g in range(len(scores)) if g not in left_out]
    scores, relevance = [scores[g] for g in kept], [relevance[g] for g in kept]

    def collected(order):
        return sum(weight(place) * relevance[g] for place, g in enumerate(order, 1))

    best = collected(sorted(range(len(kept)), key=lambda g: -relevance[g]))
    orders = all_orders(scores)
    return sum(collected(order) for order in orders) / len(orders) / best if best > 0 else np.nan


def slow_kendall_tau(scores, relevance, k):
    """tau-b over all pairs of the candidates that rank K or better."""
    top = [g for g in range(len(scores)) if slow_ranks(scores, "competition")[g] <= k]
    agree = tied_score = tied_relevance = pairs = 0
    for a, b in itertools.combinations(top, 2):
        by_score, by_relevance = np.sign(scores[a] - scores[b]), np.sign(relevance[a] - relevance[b])
        pairs += 1
        agree += by_score * by_relevance
        tied_score += by_score == 0
        tied_relevance += by_relevance == 0
    scale = ((pairs - tied_score) * (pairs - tied_relevance)) ** 0.5
    return agree / scale if scale else np.nan


def slow_pmrp(scores, labels, image_of_caption, zeta, direction="i2t", unlabelled="drop", ties="expected"):
    """R-Precision of each query by plausible matches at one zeta, from PMRP's definition; NaN for a dropped query."""
    n_images, n_captions = len(labels), len(image_of_caption)
    image_of = {"image": list(range(n_images)), "caption": list(image_of_caption)}
    queries, candidates = ("image", "caption") if direction == "i2t" else ("caption", "image")
    values = []
    for q in range(n_images if direction == "i2t" else n_captions):
        code = labels[image_of[queries][q]]
        gallery = [g for g, image in enumerate(image_of[candidates]) if unlabelled == "keep" or any(labels[image])]
        if unlabelled == "drop" and not any(code):
            values.append(np.nan)
            continue
        row = [scores[q][g] if direction == "i2t" else scores[g][q] for g in gallery]
        distance = [sum(a != b for a, b in zip(code, labels[image_of[candidates][g]], strict=True)) for g in gallery]
        positives = {place for place, d in enumerate(distance) if d <= zeta}
        values.append(slow_hits(row, positives, slow_r_precision, ties) if positives else np.nan)
    return np.array(values)


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


# ---- soft ranks and losses -----------------------------------------------------------------------------------------


def slow_sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def slow_soft_ranks(values, temperature):
    """Soft ranks of one row, item by item."""
    values = [float(value) for value in values]
    return [
        1 + sum(slow_sigmoid((other - value) / temperature) for j, other in enumerate(values) if j != i)
        for i, value in enumerate(values)
    ]


def slow_daa_loss(scores, relevance, temperature, relevance_ranks="soft"):
    """1 - the mean ratio of the two ranks over all queries and items, both directions averaged."""
    ratios = {"i2t": [], "t2i": []}
    for direction, s, c in (("i2t", scores, relevance), ("t2i", scores.T, relevance.T)):
        for query in range(len(s)):
            by_score = slow_soft_ranks(s[query], temperature)
            soft = relevance_ranks == "soft"
            by_relevance = slow_soft_ranks(c[query], temperature) if soft else slow_ranks(c[query])
            ratios[direction] += [min(a, b) / max(a, b) for a, b in zip(by_score, by_relevance, strict=True)]
    return 1 - (np.mean(ratios["i2t"]) + np.mean(ratios["t2i"])) / 2


def slow_smooth_ap_loss(scores, positives, temperature):
    """1 - smooth average precision, averaged over the queries that have a positive and over the two directions."""
    means = []
    for s, p in ((scores, positives), (scores.T, positives.T)):
        precisions = []
        for query in range(len(s)):
            items = [g for g in range(s.shape[1]) if p[query, g]]
            if items:
                ratios = []
                for i in items:
                    above = [slow_sigmoid((float(s[query, j]) - float(s[query, i])) / temperature) for j in items]
                    among_all = slow_soft_ranks(s[query], temperature)[i]
                    ratios.append((sum(above) + 0.5) / among_all)
                precisions.append(np.mean(ratios))
        means.append(np.mean(precisions))
    return 1 - np.mean(means)


def slow_soft_contrastive(image_samples, caption_samples, positives, scale, shift):
    """Negative log-likelihood of each pair, from each pair of draws."""
    nll = np.zeros(positives.shape)
    for i, j in np.ndindex(positives.shape):
        logits = [
            shift - scale * math.sqrt(((x - y) ** 2).sum() + 1e-6)
            for x, y in itertools.product(image_samples[i], caption_samples[j])
        ]
        p = np.mean([math.exp(v) / (math.exp(v) + math.exp(-v)) for v in logits])
        nll[i, j] = -math.log(p) if positives[i, j] else -math.log(1 - p)
    return nll


def slow_info_nce(scores, positives, temperature):
    means = []
    for s, p in ((scores, positives), (scores.T, positives.T)):
        losses = []
        for query in range(len(s)):
            weights = [math.exp(float(v) / temperature) for v in s[query]]
            found = sum(w for w, match in zip(weights, p[query], strict=True) if match)
            if found:
                losses.append(-math.log(found / sum(weights)))
        means.append(np.mean(losses))
    return np.mean(means)


def slow_triplet_hinges(scores, positives, margin, hardest):
    """All hinges of both directions in a list."""
    hinges = []
    for s, p in ((scores, positives), (scores.T, positives.T)):
        for query, item in np.ndindex(s.shape):
            if p[query, item]:
                own = [
                    max(0.0, margin - float(s[query, item]) + float(s[query, g]))
                    for g in range(s.shape[1])
                    if not p[query, g]
                ]
                hinges += [max(own)] if hardest and own else own
    return hinges


# ---- scenes: exhaustive truth ----------------------------------------------------------------------------------------


def slow_caption_fits(facts, scene):
    """Whether a caption's facts are true of a scene: every way to give every mention its own objects is tried."""
    from daa.datasets.scenes.world import CONCEPTS, SETTINGS

    if facts.setting is not None and scene.place not in SETTINGS[facts.setting]:
        return False
    groups_of = []
    for mention in facts.mentions:
        suited = []
        for number, thing in enumerate(scene.objects):
            good = thing.kind in CONCEPTS[mention.concept]
            if mention.colour is not None and thing.colour != mention.colour:
                good = False
            if mention.size is not None and thing.size != mention.size:
                good = False
            if mention.side is not None and slow_third_of_picture(thing.x) != mention.side:
                good = False
            if mention.in_air and not thing.in_air:
                good = False
            if good:
                suited.append(number)
        groups_of.append(list(itertools.combinations(suited, mention.count)))
    for groups in itertools.product(*groups_of):
        everyone = [number for group in groups for number in group]
        if len(set(everyone)) != len(everyone):
            continue
        if all(
            slow_relation(relation, scene.objects[groups[i][0]], scene.objects[groups[j][0]])
            for i, relation, j in facts.relations
        ):
            return True
    return False


def slow_third_of_picture(x):
    if x < 0.32:
        return "left"
    if x > 0.68:
        return "right"
    return "middle" if abs(x - 0.5) < 0.10 else None


def slow_relation(relation, a, b):
    """The relations of two objects from their boxes, each direction spelled out."""
    from daa.datasets.scenes.world import KINDS

    def edges(thing):
        half = thing.height * KINDS[thing.kind].aspect / 2
        return thing.x - half, thing.x + half, thing.y - thing.height, thing.y

    a_left, a_right, a_top, a_bottom = edges(a)
    b_left, b_right, b_top, b_bottom = edges(b)
    narrower = min(a_right - a_left, b_right - b_left)
    common = min(a_right, b_right) - max(a_left, b_left)
    grounded = not a.in_air and not b.in_air
    return {
        "left of": a.x <= b.x - 0.15,
        "right of": b.x <= a.x - 0.15,
        "above": a.in_air and not b.in_air and a_bottom <= b_top + 0.02 and abs(a.x - b.x) <= 0.30,
        "below": b.in_air and not a.in_air and b_bottom <= a_top + 0.02 and abs(a.x - b.x) <= 0.30,
        "next to": grounded and -0.08 <= common <= 0.25 * narrower and abs(a_bottom - b_bottom) <= 0.12,
        "in front of": grounded and a_bottom >= b_bottom + 0.03 and common >= 0.4 * narrower,
        "behind": grounded and b_bottom >= a_bottom + 0.03 and common >= 0.4 * narrower,
    }[relation]


# ---- rankings that ignore the query --------------------------------------------------------------------------------


def slow_double_ranks(relevance, rounds):
    """Share of the queries to which a candidate is less relevant, ranking within queries and over them in turn."""
    values = np.array(relevance, dtype=np.float64)
    for _ in range(rounds):
        within = np.array([-slow_ranks(row) for row in values])
        values = np.array([-slow_ranks(column) for column in within.T]).T
    n_queries = len(values)
    return np.array(
        [
            [
                (np.sum(values[:, g] < value) + np.sum(values[:, g] == value) / 2) / n_queries
                for g, value in enumerate(row)
            ]
            for row in values
        ]
    )


def slow_weighted_asp(scores, relevance, weight, ties="average"):
    """Mean of min / max of the ranks, each candidate weighing what its average rank by relevance says."""
    n = len(scores)
    weights = weight(slow_ranks(relevance))
    if ties != "expected":
        weights = weight(slow_ranks(relevance, ties))
        pairs = np.array(list(zip(slow_ranks(scores, ties), slow_ranks(relevance, ties), strict=True)))
        return float(np.average(pairs.min(axis=1) / pairs.max(axis=1), weights=weights))
    ratios = np.zeros(n)
    orders = list(itertools.product(all_orders(scores), all_orders(relevance)))
    for by_score, by_relevance in orders:
        places = np.array([(by_score.index(g) + 1, by_relevance.index(g) + 1) for g in range(n)])
        ratios += places.min(axis=1) / places.max(axis=1) / len(orders)
    return float(np.average(ratios, weights=weights))


def every_blind_order(n):
    """Scores of the candidates in every order."""
    return [np.array(order, dtype=np.float64) for order in itertools.permutations(range(n))]
