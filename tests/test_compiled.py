"""Compiled kernels and torch share one OpenMP: what starts numba's threads sets torch's number too."""

from __future__ import annotations

import os
import subprocess
import sys

import numba
import pytest
import torch

from daa.compiled import SMALL
from daa.metrics import average_semantic_precision

pytestmark = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS == 1, reason="there is but one thread to have")
FIRST = {
    "tfidf": "from daa.relevance import TfidfRelevance; TfidfRelevance().fit(corpus).matrix()",
    "rouge": "from daa.relevance import OverlapRelevance; OverlapRelevance('rouge-l').fit(corpus).matrix()",
    "asp": "from daa.metrics import average_semantic_precision as asp; asp(*torch.rand(2, 8, 8))",
}


@pytest.mark.parametrize("n_items", [SMALL // 4, SMALL])
@pytest.mark.parametrize("threads", [1, 2])
def test_kernels_leave_torch_as_many_threads_as_it_had(threads: int, n_items: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        average_semantic_precision(*torch.rand(2, n_items // 64, 64))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("work", FIRST.values(), ids=FIRST)
def test_the_first_kernel_of_a_process_does_too(work: str) -> None:
    code = (
        "import torch; from daa.corpus import CaptionCorpus; corpus = CaptionCorpus(['a dog', 'a cat'], [0, 1]); "
        f"before = torch.get_num_threads(); {work}; print(before, torch.get_num_threads())"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1"]
