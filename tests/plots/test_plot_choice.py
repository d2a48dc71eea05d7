"""The plots of decisions, by the numbers they draw."""

import numpy as np
import pytest

import bayeslaw as bl
from bayeslaw.models.chinchilla import compute_optimal
from bayeslaw.plots import plot_choice, plot_pareto

spend = compute_optimal.within(flops=bl.LogRange(1e20, 1e26))


def test_a_range_shows_regret_and_what_is_nearly_as_good(posterior: bl.Posterior) -> None:
    choice = bl.choose(posterior, flops=[1e22, 1e24])
    ax = plot_choice(choice, scenario=1)
    (line,) = (one for one in ax.lines if one.get_label() == "mean regret")
    here = choice.landscape.isel(scenario=1, variable=0)
    np.testing.assert_allclose(line.get_xydata(), np.column_stack([here["at"], here["regret"]]))
    (dot,) = (one for one in ax.lines if one.get_label() == "recommended")
    assert np.asarray(dot.get_xdata())[0] == choice.action["params"].iloc[1]
    assert ax.get_xscale() == "log"
    assert "within 1 % of the best" in [text.get_text() for text in ax.get_legend().get_texts()]  # type: ignore[union-attr]
    with pytest.raises(bl.InputError, match="'tokens' is not a range of this decision; it has params"):
        plot_choice(choice, variable="tokens")
    with pytest.raises(bl.InputError, match="there is no scenario 2"):
        plot_choice(choice, scenario=2)


def test_a_menu_shows_each_item(posterior: bl.Posterior) -> None:
    choice = bl.choose(posterior, compute_optimal.within(params=bl.Choices((7e9, 70e9, 700e9))), flops=1e24)
    ax = plot_choice(choice)
    assert [one.get_text() for one in ax.get_yticklabels()] == ["70B", "700B", "7B"]
    widths = [one.get_width() for one in ax.patches]  # type: ignore[attr-defined]
    np.testing.assert_allclose(
        widths, np.sort(choice.menu["risk"].to_numpy()[0] - choice.menu["risk"].to_numpy().min())
    )


def test_a_front_shows_its_median_and_bands(posterior: bl.Posterior) -> None:
    front = bl.pareto(posterior, spend, against="flops", levels=[1e21, 1e23])
    ax = plot_pareto(front, prob=0.8)
    (line,) = (one for one in ax.lines if one.get_label() == "median")
    frame = front.summary()
    np.testing.assert_allclose(line.get_xydata(), frame[["flops", "median"]])
    assert {"50 % interval", "80 % interval"} <= {one.get_label() for one in ax.collections}
    with pytest.raises(bl.InputError, match="prob is the credible mass"):
        plot_pareto(front, prob=1.0)
