"""Settings that hold for every test."""

import os
from pathlib import Path

import hypothesis
import jaxtyping
import pytest

# Compiled kernels make a first example slow: no deadline. In CI the examples are the same in every run.
hypothesis.settings.register_profile("daa", deadline=None, max_examples=60, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("daa")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real COCO captions and images, from the environment variable DAA_DATA."""
    folder = os.environ.get("DAA_DATA")
    if not folder:
        pytest.skip("DAA_DATA is not set: no real COCO captions and images to test with")
    if not Path(folder, "coco-5k", "captions.txt").is_file():
        pytest.fail(f"DAA_DATA={folder}: expected coco-5k/captions.txt in it")
    return Path(folder)


@pytest.fixture
def own_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let bad input reach the package's own checks: the tests' run-time type checker would refuse it before."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
