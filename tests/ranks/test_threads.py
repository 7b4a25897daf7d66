import numba
import pytest
import torch

from daa.metrics import average_semantic_precision
from daa.ranks._threads import SMALL


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS == 1, reason="there is but one thread to have")
@pytest.mark.parametrize("n_items", [SMALL // 4, SMALL])
@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_kernels_leave_torch_as_many_threads_as_it_had(threads, n_items):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        average_semantic_precision(*torch.rand(2, n_items // 64, 64))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
