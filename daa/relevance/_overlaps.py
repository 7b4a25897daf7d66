"""Compiled kernels: clipped n-gram matches (BLEU) and longest common subsequences (ROUGE-L) of captions and images."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit
from daa.relevance.ngrams import references

TINY, SMALL = 1e-15, 1e-9  # pycocoevalcap adds them to matches and guesses
BETA_SQUARED = 1.2**2  # weight of recall in ROUGE-L
WORD = 64  # bits


@njit()
@no_type_check
def _factors(reference_lengths, longest, order):
    """By length of a candidate: what its product of matches is divided by, and its brevity penalty."""
    inverse = np.empty(longest + 1)
    brevity = np.ones(longest + 1)
    for length in range(longest + 1):
        guesses = 1.0
        for n in range(order):
            guesses *= max(0, length - n) + SMALL
        inverse[length] = 1 / guesses
        closest = -1
        for other in reference_lengths:
            difference, best = abs(other - length), abs(closest - length)
            if closest < 0 or difference < best or (difference == best and other < closest):
                closest = other
        ratio = (length + TINY) / (closest + SMALL)
        if ratio < 1:
            brevity[length] = np.exp(1 - 1 / ratio)
    return inverse, brevity


@njit()
@no_type_check
def _bleu(matches, length, inverse, brevity):
    """BLEU from the clipped matches of each order; 0 without a common word, where pycocoevalcap has about 1e-16."""
    if matches[0] == 0:
        return np.float32(0)
    product = inverse[length]
    for n in range(len(matches)):
        product *= matches[n] + TINY
    order = len(matches)
    if order == 2:
        product = np.sqrt(product)
    elif order == 4:
        product = np.sqrt(np.sqrt(product))
    elif order != 1:
        product **= 1 / order
    return np.float32(product * brevity[length])


@njit(parallel=True)
@no_type_check
def bleu_rows(grams, n_words, owners, index, candidates, images, n_chunks, out):
    """Fill `out` [images, candidates], with an inverted index of the candidates.

    Args:
        grams: the counts of all captions, of which `n_words` are the lengths and `owners` says whose they are.
        index: (indptr, candidate, count); n-gram f is in the candidates of entries indptr[f] to indptr[f + 1].
    """
    indptr, candidate, count = index
    order, n_candidates, longest = len(grams.bounds) - 1, len(candidates), n_words[candidates].max()
    for chunk in prange(n_chunks):
        largest = np.zeros(grams.bounds[order], dtype=np.uint16)
        matches = np.zeros((n_candidates, order), dtype=np.uint16)
        for row in range(chunk * len(images) // n_chunks, (chunk + 1) * len(images) // n_chunks):
            own = references(owners, images[row])
            for r in own:
                for e in range(grams.indptr[r], grams.indptr[r + 1]):
                    f = grams.feature[e]
                    largest[f] = max(largest[f], grams.count[e])
            for r in own:
                n = 0
                for f in grams.feature[grams.indptr[r] : grams.indptr[r + 1]]:
                    while f >= grams.bounds[n + 1]:
                        n += 1
                    if largest[f] > 0:
                        for p in range(indptr[f], indptr[f + 1]):
                            matches[candidate[p], n] += min(largest[f], count[p])
                        largest[f] = 0
            inverse, brevity = _factors(n_words[own], longest, order)
            for c in range(n_candidates):
                out[row, c] = _bleu(matches[c], n_words[candidates[c]], inverse, brevity)
            matches[:] = 0


@njit()
@no_type_check
def _merged(grams, own):
    """The n-grams of all references of an image, ascending, with the largest count in any of them."""
    size = 0
    for r in own:
        size += grams.indptr[r + 1] - grams.indptr[r]
    features = np.empty(size, dtype=np.int64)
    k = 0
    for r in own:
        for e in range(grams.indptr[r], grams.indptr[r + 1]):
            features[k] = (np.int64(grams.feature[e]) << 16) | grams.count[e]
            k += 1
    features.sort()
    k = 0
    for e in range(size):
        if e + 1 == size or features[e] >> 16 != features[e + 1] >> 16:
            features[k] = features[e]
            k += 1
    return features[:k]


@njit()
@no_type_check
def bleu_batch(grams, n_words, owners, images, candidates):
    """The block [images, candidates], by merging sorted lists: no index over the corpus is needed."""
    indptr, feature, count, bounds = grams
    order, longest = len(bounds) - 1, n_words[candidates].max()
    out = np.empty((len(images), len(candidates)), dtype=np.float32)
    matches = np.zeros(order, dtype=np.int64)
    for row in range(len(images)):
        own = references(owners, images[row])
        merged = _merged(grams, own)
        inverse, brevity = _factors(n_words[own], longest, order)
        for column in range(len(candidates)):
            c = candidates[column]
            matches[:] = 0
            k = n = 0
            for e in range(indptr[c], indptr[c + 1]):
                f = feature[e]
                while f >= bounds[n + 1]:
                    n += 1
                while k < len(merged) and merged[k] >> 16 < f:
                    k += 1
                if k < len(merged) and merged[k] >> 16 == f:
                    matches[n] += min(merged[k] & 0xFFFF, np.int64(count[e]))
            out[row, column] = _bleu(matches, n_words[c], inverse, brevity)
    return out


@njit()
@no_type_check
def _popcount(x):
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit()
@no_type_check
def _rouge_image(words, n_words, own, candidates, local, out):
    """One image's row of ROUGE-L. `local` [vocabulary] is -1 everywhere, before and after.

    Longest common subsequences of a candidate with all references at once, bit-parallel (Hyyrö 2004): one bit a word of
    a reference, in as many 64-bit words as the reference needs; `begins` cuts the carries between references.
    """
    n_blocks = n_entries = 0
    for length in n_words[own]:
        n_blocks += (length + WORD - 1) // WORD
        n_entries += length
    masks = np.zeros((n_entries, n_blocks), dtype=np.uint64)
    begins = np.zeros(n_blocks, dtype=np.bool_)
    lengths = np.zeros(n_blocks, dtype=np.int64)
    n_local = block = 0
    for r in own:
        length = n_words[r]
        if length == 0:
            continue
        begins[block] = True
        lengths[block] = length
        for k in range(length):
            word = words.feature[words.indptr[r] + k]
            if local[word] < 0:
                local[word] = n_local
                n_local += 1
            masks[local[word], block + k // WORD] |= np.uint64(1) << np.uint64(k % WORD)
        block += (length + WORD - 1) // WORD
    state = np.empty(n_blocks, dtype=np.uint64)
    everything = ~np.uint64(0)
    for column in range(len(candidates)):
        c = candidates[column]
        state[:] = everything
        found = False
        for word in words.feature[words.indptr[c] : words.indptr[c + 1]]:
            at = local[word]
            if at < 0:
                continue
            found = True
            carry = np.uint64(0)
            for b in range(n_blocks):
                if begins[b]:
                    carry = np.uint64(0)
                v = state[b]
                u = v & masks[at, b]
                total = v + u
                with_carry = total + carry
                carry = np.uint64(total < v) | np.uint64(with_carry < total)
                state[b] = with_carry | (v - u)
        if not found:
            out[column] = 0
            continue
        most, recall = 0, 0.0
        common = length = 0
        for b in range(n_blocks):
            if begins[b]:
                common, length = 0, lengths[b]
            common += _popcount(~state[b])
            most = max(most, common)
            recall = max(recall, common / length)
        precision = most / n_words[c]
        out[column] = (1 + BETA_SQUARED) * precision * recall / (recall + BETA_SQUARED * precision)
    for r in own:
        local[words.feature[words.indptr[r] : words.indptr[r + 1]]] = -1


@njit(parallel=True)
@no_type_check
def rouge_rows(words, n_words, owners, images, candidates, n_chunks, out):
    """Fill `out` [images, candidates] from all captions' words, their lengths and whose captions they are."""
    for chunk in prange(n_chunks):
        local = np.full(words.bounds[1], -1, dtype=np.int32)
        for row in range(chunk * len(images) // n_chunks, (chunk + 1) * len(images) // n_chunks):
            _rouge_image(words, n_words, references(owners, images[row]), candidates, local, out[row])
