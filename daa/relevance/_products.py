"""Compiled kernels: the sparse products behind TF-IDF and CIDEr, for rows of the matrix and for training batches.

For image i and caption c they compute

    out[i, c] = mean over references r of i, sum over n-grams g:  phi(h_g, r_g) u_g v_g penalty[l_r, l_c]

with l the lengths, h_g and r_g the counts in c and r, phi = min(h, r) r (clipped) or h r, and u and v the weights
idf_g / norm in c and r. For one image and one n-gram the sum over references depends only on the candidate's count and
length: it is folded into a small table, so that an inverted index of the candidates is walked once an image, not once
a reference.
"""

from __future__ import annotations

from typing import Any, NamedTuple, no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit


class Vectors(NamedTuple):
    """The captions as sparse vectors, and which of them are an image's references."""

    indptr: Any  # int64 [captions + 1]; this and the next three are an `Ngrams`
    feature: Any  # int32 [entries]
    count: Any  # uint16 [entries]
    bounds: Any  # int64 [orders + 1]
    reference_indptr: Any  # int64 [images + 1]; this and the next are the corpus's `captions_by_image`
    references: Any  # int64 [captions]
    idf: Any  # float32 [features]
    inverse_norm: Any  # float32 [captions, orders]
    length: Any  # int32 [captions], an index into the penalty table
    penalty: Any  # float32 [lengths, lengths]
    clip: bool
    scale: float  # what the mean is multiplied by


class Index(NamedTuple):
    """For each slot (an n-gram) the candidates that have it."""

    indptr: Any  # int64 [slots + 1]
    candidate: Any  # int32 [entries]
    code: Any  # int32 [entries], (count - 1) * lengths + length
    weight: Any  # float32 [entries]
    largest: Any  # int32 [slots], the largest count


@njit()
@no_type_check
def _unit_weight(v, c, e):
    f = v.feature[e]
    order = 0
    while f >= v.bounds[order + 1]:
        order += 1
    return v.idf[f] * v.inverse_norm[c, order]


@njit()
@no_type_check
def _references(v, image):
    return v.references[v.reference_indptr[image] : v.reference_indptr[image + 1]]


@njit()
@no_type_check
def _phi(clip, h, r):
    return (min(h, r) if clip else h) * r


@njit()
@no_type_check
def invert(v, captions, slots, n_slots):
    """The index of some candidate captions; `slots` numbers their entries' n-grams, one caption after the other."""
    n_lengths = np.int32(v.penalty.shape[0])
    indptr = np.zeros(n_slots + 1, dtype=np.int64)
    for slot in slots:
        indptr[slot + 1] += 1
    for s in range(n_slots):
        indptr[s + 1] += indptr[s]
    free = indptr[:-1].copy()
    candidate = np.empty(len(slots), dtype=np.int32)
    code = np.empty(len(slots), dtype=np.int32)
    weight = np.empty(len(slots), dtype=np.float32)
    largest = np.zeros(n_slots, dtype=np.int32)
    k = 0
    for position in range(len(captions)):
        c = captions[position]
        for e in range(v.indptr[c], v.indptr[c + 1]):
            slot = slots[k]
            k += 1
            p = free[slot]
            free[slot] += 1
            h = np.int32(v.count[e])
            candidate[p] = position
            code[p] = (h - 1) * n_lengths + v.length[c]
            weight[p] = _unit_weight(v, c, e)
            largest[slot] = max(largest[slot], h)
    return Index(indptr, candidate, code, weight, largest)


@njit()
@no_type_check
def _add_image(v, image, slots, cursor, index, head, integers, unit, table, out):
    """Add one image's row. `head` is -1 everywhere, before and after. Returns where the next image's slots begin."""
    n_lengths = v.penalty.shape[0]
    own = _references(v, image)
    scale = np.float32(v.scale / len(own))
    following, count, length, touched = integers[0], integers[1], integers[2], integers[3]
    k = 0
    n_touched = 0
    for r in own:
        for e in range(v.indptr[r], v.indptr[r + 1]):
            if cursor < 0:
                slot = slots[e]
            else:
                slot = slots[cursor]
                cursor += 1
            if slot < 0:
                continue
            if head[slot] < 0:
                touched[n_touched] = slot
                n_touched += 1
            following[k] = head[slot]
            head[slot] = k
            count[k] = v.count[e]
            length[k] = v.length[r]
            unit[k] = _unit_weight(v, r, e) * scale
            k += 1
    for t in range(n_touched):
        slot = touched[t]
        begin, end = index.indptr[slot], index.indptr[slot + 1]
        size = index.largest[slot] * n_lengths
        if end - begin > size:
            table[:size] = 0
            k = head[slot]
            while k >= 0:
                for h in range(index.largest[slot]):
                    product = np.float32(_phi(v.clip, h + 1, count[k])) * unit[k]
                    for other in range(n_lengths):
                        table[h * n_lengths + other] += product * v.penalty[length[k], other]
                k = following[k]
            for p in range(begin, end):
                out[index.candidate[p]] += table[index.code[p]] * index.weight[p]
        else:
            for p in range(begin, end):
                h, other = index.code[p] // n_lengths + 1, index.code[p] % n_lengths
                total = np.float32(0)
                k = head[slot]
                while k >= 0:
                    total += np.float32(_phi(v.clip, h, count[k])) * unit[k] * v.penalty[length[k], other]
                    k = following[k]
                out[index.candidate[p]] += total * index.weight[p]
        head[slot] = -1
    return cursor


@njit()
@no_type_check
def _most_entries(v, images):
    most = 0
    for image in images:
        total = 0
        for r in _references(v, image):
            total += v.indptr[r + 1] - v.indptr[r]
        most = max(most, total)
    return most


@njit(parallel=True)
@no_type_check
def product_rows(v, index, images, n_chunks, out):
    """Fill `out` [images, captions], zero before, with the rows of some images; the index is over all captions."""
    most = _most_entries(v, images)
    table_size = np.max(index.largest) * v.penalty.shape[0] if len(index.largest) else 0
    for chunk in prange(n_chunks):
        head = np.full(len(index.largest), -1, dtype=np.int32)
        integers = np.empty((4, most), dtype=np.int32)
        unit = np.empty(most, dtype=np.float32)
        table = np.empty(table_size, dtype=np.float32)
        for row in range(chunk * len(images) // n_chunks, (chunk + 1) * len(images) // n_chunks):
            _add_image(v, images[row], v.feature, -1, index, head, integers, unit, table, out[row])


@njit()
@no_type_check
def _slot_of(keys, values, feature, insert, n_slots):
    """Open addressing: the slot of an n-gram; a new one, `n_slots`, if it is to be inserted, otherwise -1."""
    mask = len(keys) - 1
    at = (feature * np.int64(0x9E3779B1) >> 7) & mask
    while keys[at] >= 0:
        if keys[at] == feature:
            return values[at]
        at = (at + 1) & mask
    if not insert:
        return -1
    keys[at] = feature
    values[at] = n_slots
    return n_slots


@njit()
@no_type_check
def product_batch(v, images, captions):
    """The block [images, captions], from the captions' own vectors: no index over the corpus is needed."""
    n_entries = 0
    for c in captions:
        n_entries += v.indptr[c + 1] - v.indptr[c]
    size = 16
    while size < 4 * n_entries:
        size *= 2
    keys = np.full(size, -1, dtype=np.int32)
    values = np.empty(size, dtype=np.int32)
    slots = np.empty(n_entries, dtype=np.int32)
    n_slots = 0
    k = 0
    for c in captions:
        for f in v.feature[v.indptr[c] : v.indptr[c + 1]]:
            slots[k] = _slot_of(keys, values, f, True, n_slots)
            n_slots = max(n_slots, slots[k] + 1)
            k += 1
    index = invert(v, captions, slots, n_slots)
    most = _most_entries(v, images)
    head = np.full(n_slots, -1, dtype=np.int32)
    integers = np.empty((4, most), dtype=np.int32)
    unit = np.empty(most, dtype=np.float32)
    table = np.empty(np.max(index.largest) * v.penalty.shape[0] if n_slots else 0, dtype=np.float32)
    image_slots = np.empty(most, dtype=np.int32)
    out = np.zeros((len(images), len(captions)), dtype=np.float32)
    for row in range(len(images)):
        image = images[row]
        k = 0
        for r in _references(v, image):
            for f in v.feature[v.indptr[r] : v.indptr[r + 1]]:
                image_slots[k] = _slot_of(keys, values, f, False, n_slots)
                k += 1
        _add_image(v, image, image_slots, 0, index, head, integers, unit, table, out[row])
    return out


@njit()
@no_type_check
def inverse_norms(grams, idf):
    """1 over the Euclidean norm of each caption's weights, order by order; 0 where a caption has no weight."""
    indptr, feature, count, bounds = grams
    out = np.zeros((len(indptr) - 1, len(bounds) - 1), dtype=np.float32)
    for c in range(len(indptr) - 1):
        squares = np.zeros(len(bounds) - 1)
        order = 0
        for e in range(indptr[c], indptr[c + 1]):
            while feature[e] >= bounds[order + 1]:
                order += 1
            squares[order] += (count[e] * idf[feature[e]]) ** 2
        for order in range(len(squares)):
            if squares[order] > 0:
                out[c, order] = 1 / np.sqrt(squares[order])
    return out


@njit()
@no_type_check
def _similarity(v, c, r):
    """The similarity of candidate caption c to one reference caption r."""
    indptr, feature, count = v.indptr, v.feature, v.count
    total = np.float32(0)
    a, b = indptr[c], indptr[r]
    while a < indptr[c + 1] and b < indptr[r + 1]:
        if feature[a] < feature[b]:
            a += 1
        elif feature[a] > feature[b]:
            b += 1
        else:
            product = _phi(v.clip, np.int64(count[a]), np.int64(count[b]))
            total += np.float32(product) * _unit_weight(v, c, a) * _unit_weight(v, r, b)
            a += 1
            b += 1
    return total * v.penalty[v.length[r], v.length[c]]


@njit()
@no_type_check
def similarity_to_others(v, image, captions):
    """The mean similarity of each of an image's own captions to its other captions."""
    own = _references(v, image)
    out = np.zeros(len(captions), dtype=np.float32)
    for k in range(len(captions)):
        for r in own:
            if r != captions[k]:
                out[k] += _similarity(v, captions[k], r)
        out[k] *= np.float32(v.scale / (len(own) - 1))
    return out
