"""Random numbers that depend on the seed, the purpose and the step, and on nothing that happened before."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derived_seed(seed: int, purpose: str, step: int = 0) -> int:
    """A seed of 63 bits for one purpose at one step.

    >>> derived_seed(0, "noise", 3) == derived_seed(0, "noise", 3) != derived_seed(0, "noise", 4)
    True
    """
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), step]).generate_state(2, np.uint64)
    return int(words[0] >> np.uint64(1))


def numpy_generator(seed: int, purpose: str, step: int = 0) -> np.random.Generator:
    """A numpy generator for one purpose at one step."""
    return np.random.default_rng(derived_seed(seed, purpose, step))


def torch_generator(seed: int, purpose: str, step: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator for one purpose at one step."""
    return torch.Generator(device).manual_seed(derived_seed(seed, purpose, step))


def seed_everything(seed: int, purpose: str, step: int = 0) -> None:
    """Seed the global generators of torch (all devices), numpy and python: what dropout and others' code draw from."""
    value = derived_seed(seed, purpose, step)
    torch.manual_seed(value)
    np.random.seed(value % 2**32)  # noqa: NPY002 (the global one is what others may draw from)
    random.seed(value)


@contextmanager
def reproducible() -> Iterator[None]:
    """Deterministic algorithms for a while; afterwards the global generators and switches are as they were."""
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling new memory with NaN finds reads of what was never written; it costs a fifth of the time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was_deterministic, warn_only=only_warned)
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
