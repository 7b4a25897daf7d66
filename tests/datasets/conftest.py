import pytest

from tests.datasets.server import serving


@pytest.fixture
def server():
    with serving() as state:
        yield state
