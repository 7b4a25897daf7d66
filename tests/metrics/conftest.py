"""What the tests of the metrics share."""

import jaxtyping
import pytest


@pytest.fixture
def own_errors(monkeypatch):
    """Let bad input reach our own checks: the run-time type checker of the tests would refuse it before."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
