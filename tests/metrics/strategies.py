"""Inputs for property tests: few distinct values, so that ties are common; negatives; matrices of any two sides."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FEW_VALUES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.5, 3.0])
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
DIRECTIONS = ("i2t", "t2i")


@st.composite
def matrices(draw, how_many=1, max_side=5):
    """Matrices [images, captions] of one shape, each with a dtype of its own."""
    shape = draw(st.tuples(st.integers(1, max_side), st.integers(1, max_side)))
    drawn = [draw(hnp.arrays(draw(DTYPES), shape, elements=FEW_VALUES)) for _ in range(how_many)]
    return drawn[0] if how_many == 1 else drawn


@st.composite
def scores_and_positives(draw, max_side=5):
    """Scores with a boolean matrix of the same shape that holds at least one pair."""
    scores = draw(matrices(max_side=max_side))
    positives = draw(hnp.arrays(bool, scores.shape).filter(lambda array: array.any()))
    return scores, positives


def by_query(matrix, direction):
    """Rows of queries: the matrix itself, or its transpose."""
    return (matrix if direction == "i2t" else matrix.T).tolist()
