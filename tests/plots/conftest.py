import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def defaults_and_no_figure_that_stays_open():
    """Whatever style a test before has set is forgotten."""
    with mpl.rc_context():
        mpl.rcdefaults()
        yield
    plt.close("all")
