"""Every figure of these tests is drawn, without a screen."""

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Every figure can be laid out and drawn (warnings are errors here), and none stays open."""
    yield
    for figure in map(plt.figure, plt.get_fignums()):
        figure.canvas.draw()
    plt.close("all")
