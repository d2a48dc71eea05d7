"""Where the optimum is over budgets, what one plan for all draws would risk, and how far all that is from the runs."""

from typing import Any

import numpy as np
import xarray as xr

from bayeslaw._backtest import backtest
from bayeslaw._choose import Choice
from bayeslaw._columns import DERIVED, derive
from bayeslaw._decision import Choices
from bayeslaw._distance import distance
from bayeslaw._errors import InputError
from bayeslaw._misfit import why_not
from bayeslaw._options import PLUG_IN, RECOMMENDED, label_of
from bayeslaw._page import facts
from bayeslaw._posterior import Posterior
from bayeslaw._predict import predict
from bayeslaw._report._answer import quantities, said_of, scenarios
from bayeslaw._report._asked import Asked
from bayeslaw._report._figures import figure, widening
from bayeslaw._report._html import Html, details, joined, pairs, paragraph, remarks, table, tag
from bayeslaw._report._slider import range_of, slider
from bayeslaw._report._words import NOTHING, amount, mass, number, percent, quantiles, span, title, unit
from bayeslaw._risk import CVaR, Expectation
from bayeslaw.plots._backtest import plot_backtest
from bayeslaw.plots._choice import plot_choice

_POINTS = 12  # at which the law is held against itself with its misfit
_LINES = 9  # of the table over budgets
_CUTS = (0.5, 0.65, 0.8)


def extrapolation(asked: Asked) -> Html:
    """How far the plan lies from the runs, what the law's being off does to the interval there, and old forecasts."""
    found = [_distance(asked), _widening(asked) if asked.over is not None else None]
    if asked.tested:
        found += [
            tag("h3", "Forecasts that can be checked"),
            *(_forecasts(one, asked) for one in asked.members.values()),
        ]
    else:
        found.append(
            paragraph(
                "Whether the law would have forecast its larger runs from the smaller ones was not tested here: ",
                tag("code", "backtest=True"), ", or ", tag("code", "--backtest"), ", adds that.", class_="small",
            )
        )  # fmt: skip
    return joined(found)


def typical(asked: Asked, draws: xr.Dataset) -> dict[str, np.ndarray]:
    """The columns that the law reads, of the middle plan of each scenario."""
    law = asked.first.prior
    known: dict[str, Any] = {"trials": np.ones(draws.sizes["scenario"])}
    for name, array in draws.variables.items():
        values = array.to_numpy()
        if "names" in array.attrs:
            middle = np.rint(np.nanmedian(values, axis=(0, 1))).astype(int)
            known[str(name)] = np.array(array.attrs["names"], dtype=object)[middle]
        elif array.dims == ("chain", "draw", "scenario") and values.dtype != bool:
            known[str(name)] = np.nanmedian(values, axis=(0, 1))
        elif array.dims == ("scenario",):
            known[str(name)] = values
    found = {name: derive(name, known) for name in asked.first.joint.columns()}
    lacking = [name for name, one in found.items() if one is None and name not in law.optional()]
    if lacking:
        raise InputError(f"the decision does not report {', '.join(lacking)}, which the law reads.")
    return {name: one for name, one in found.items() if one is not None}


def _distance(asked: Asked) -> Html:
    columns = typical(asked, asked.plan.draws)
    seen = asked.first.seen()
    away: Any = distance(asked.first, columns).iloc[0]
    rows = []
    for name in away.index.drop("mahalanobis"):
        decades = float(away[name])
        where = "inside" if decades == 0 else f"{abs(decades):.1f} decades {'above' if decades > 0 else 'below'}"
        ends = span(seen[name].min(), seen[name].max(), name)
        rows.append((joined([title(name), tag("span", unit(name), class_="unit") if unit(name) else None]), ends,
                     number(columns[name][0], name), where))  # fmt: skip
    if not rows:
        return paragraph("The law reads no size of which it could be said how far the plan is from the runs.")
    return joined(
        [
            table(("", "runs", "plan", "the plan is"), rows, "How far the plan lies from the runs"),
            paragraph(f"All together it is {away['mahalanobis']:.1f} standard deviations from the middle of the runs.")
            if all(seen[name].min() < seen[name].max() for name in away.index.drop("mahalanobis"))
            else None,
        ]
    )


def _widening(asked: Asked) -> Html | None:
    """Predictions along the optimum, by the law alone and with its misfit."""
    reason = why_not(asked.first)
    if reason:
        return paragraph(f"How far off the law may be is not added to its intervals: {reason}.")
    sweep, over = asked.sweep.draws, str(asked.over)
    count, runs = sweep.sizes["scenario"], len(asked.first.runs)
    at = np.unique(np.append(np.linspace(0, count - 1, min(_POINTS, count)).astype(int), asked.start))
    columns = typical(asked, sweep.isel(scenario=at))
    x = sweep[over].to_numpy()[at]
    low, high = (1 - asked.prob) / 2, (1 + asked.prob) / 2

    def ends(misfit: bool) -> np.ndarray:
        # As many scenarios as there are runs, where the program for that many has been compiled for the fit.
        rows = np.minimum(np.arange(len(at) if misfit else max(len(at), runs)), len(at) - 1)
        asked_for = {name: one[rows] for name, one in columns.items()}
        draws = predict(asked.few, asked_for, misfit=misfit, seed=asked.seed).draws[asked.response]
        return np.quantile(draws.to_numpy()[..., : len(at)], [low, 0.5, high], axis=(0, 1))

    alone, off = ends(False), ends(True)
    here = int(np.flatnonzero(at == asked.start)[0])
    said = f"At {amount(x[here], over)} the {mass(asked.prob)} interval of the mean function is "
    said += f"{_ends(alone, here, asked)} given the law, and {_ends(off, here, asked)} when what the law leaves of the "
    said += "runs is carried on to where no run is."
    shown = figure(
        lambda: widening(x, alone, off, asked.response, over, range_of(asked), asked.prob),
        f"{asked.response} along the optimum: the interval given the law, and the one that allows for its being off.",
        "Grey: range of the runs. The light band is that of predict(): what the law leaves of the runs bends it, and "
        "the further from the runs, the less is known of how.",
    )
    return joined([paragraph(said), shown])


def _ends(bands: np.ndarray, i: int, asked: Asked) -> str:
    low, middle, high = bands[:, i]
    return f"{span(low, high, asked.response)} ({100 * (high - low) / abs(middle):.2g} % wide)"


def _forecasts(posterior: Posterior, asked: Asked) -> Html:
    """The law fitted to the smaller runs and held against the larger ones."""
    runs, seen = posterior.runs, posterior.seen()
    sizes = [n for n in ("flops", *posterior.prior.columns()) if derive(n, seen) is not None and n in (*seen, *DERIVED)]
    column = next((name for name in sizes if name not in posterior.prior.categories()), None)
    if column is None or "first" in posterior.tree.children:
        return paragraph("These runs have no size by which they could be split.")
    try:
        found = backtest(
            {"law": posterior.prior}, runs.assign(**{column: derive(column, seen)}), split={column: _CUTS},
            decision=False, response=posterior.response, seed=asked.seed, noise=posterior.noise_prior,
        )  # fmt: skip
    except InputError as error:
        return paragraph(f"The runs were not forecast from each other: {error}")
    summary = found.summary()
    inside = percent(float(summary["inside_90"].iloc[0]))
    rows = [[str(i), *(number(v) for v in row)] for i, row in zip(summary.index, summary.to_numpy(), strict=True)]
    return joined(
        [
            paragraph(
                f"The law was fitted to the runs below the {', '.join(f'{100 * c:g} %' for c in _CUTS)} quantiles of "
                f"{column} and asked for those above, of which {inside} lay inside their 90 % interval."
            ),
            figure(
                lambda: plot_backtest(found),
                "Forecasts of held-out runs against what they came out at.",
                "Forecasts of larger runs by fits to smaller ones.",
            ),
            table(["", *map(str, summary.columns)], rows, "How good these forecasts were"),
            remarks(found.status),
        ]
    )


def allocation(asked: Asked) -> Html:
    """The slider, and a table over budgets."""
    if asked.over is None:
        plan = asked.plan
        return joined(
            [
                paragraph("Nothing that is given to this decision is a number, so there is nothing to move."),
                scenarios(asked, plan.draws, "The optimum"),
            ]
        )
    sweep = asked.sweep
    count = sweep.draws.sizes["scenario"]
    some = _round_ones(sweep.draws[asked.over].to_numpy(), asked.start)
    others = {name: values for name, values in asked.given.items() if name != asked.over}
    fixed = ", ".join(f"{name} = {amount(values[0], name)}" for name, values in others.items())
    return joined(
        [
            paragraph(f"All else as asked: {fixed}.") if fixed else None,
            slider(asked) if count > 1 else None,
            details("The same as a table", scenarios(asked, sweep.draws.isel(scenario=some), "The optimum")),
        ]
    )


def _round_ones(x: np.ndarray, start: int) -> np.ndarray:
    """Powers of ten among the positions, or some spread over them where these are few; and the one asked for."""
    powers = np.flatnonzero([value > 0 and f"{value:e}".startswith("1.000000e") for value in x])
    spread = np.linspace(0, len(x) - 1, min(_LINES, len(x))).round().astype(int)
    return np.unique(np.append(powers if len(powers) > 2 else spread, start))


def decision(asked: Asked) -> Html:
    """One plan that is the same in all draws, by two attitudes to risk, and what it may be worth to know more."""
    choice = asked.choice
    plans = {"least expected": choice, "least in the worst tenth": asked.careful}
    rows = [_option(label, one, RECOMMENDED, asked.prob) for label, one in plans.items()]
    same = [label for label in choice.draws["option"].to_numpy().tolist() if label != RECOMMENDED]
    rows += [
        _option("at the posterior mean" if label == PLUG_IN else label, choice, label, asked.prob) for label in same
    ]
    chosen = list(choice.decision.choose)
    headers = ["plan", *(tag("code", name) for name in chosen), f"{asked.response}, {mass(asked.prob)}", "mean",
               "worst tenth", "mean regret", f"regret, {mass(asked.prob)}"]  # fmt: skip
    before, after = facts(choice, 0, asked.prob)
    measured = "the response" if choice.decision.objective is None else "what the decision minimises"
    several = len(next(iter(asked.given.values()), [])) > 1
    status = tuple(dict.fromkeys((*choice.status, *asked.careful.status)))
    return joined(
        [
            paragraph(
                "The optimum differs from draw to draw, but one plan has to be signed, whichever draw is the truth. ",
                "Regret is how much worse it does, in each draw, than the plan which is best there. ",
                said_of(asked, 0, "Here for the first that was asked: ") + "." if several else None,
            ),
            pairs([*before, *after], class_="facts"),
            table(headers, rows, f"Plans compared; mean and worst tenth are over draws of {measured}"),
            tag("div", *_pictures(choice), class_="figures"),
            remarks(one for one in status if one not in asked.plan.status),
        ]
    )


def _option(label: str, choice: Choice, option: str, prob: float) -> list[Any]:
    one = choice.draws.isel(scenario=0).sel(option=option)
    response = str(choice.draws.attrs["response"])
    objective, regret = (one[name].to_numpy().ravel() for name in ("objective", "regret"))
    objective, regret = objective[np.isfinite(objective)], regret[np.isfinite(regret)]
    chosen = [_chosen(one[label_of(name, response)].item(), name) for name in choice.decision.choose]
    if not objective.size:
        return [label, *chosen, "cannot be had", "", "", "", ""]
    weights = np.full(len(objective), 1 / len(objective))
    risks = [number(float(risk(objective[:, None], weights)[0])) for risk in (Expectation(), CVaR(0.9))]
    low, _, _, _, high = quantiles(one[response], prob)
    lost = [f"{regret.mean():.3g}", f"{np.quantile(regret, prob):.3g}"] if regret.size else [NOTHING, NOTHING]
    return [label, *chosen, span(low, high, response), *risks, *lost]


def _chosen(value: Any, name: str) -> str:
    return value if isinstance(value, str) else number(value, name)


def _pictures(choice: Choice) -> list[Html]:
    """The regret of choosing otherwise: along each range, or for the items of menus."""
    spaces = choice.decision.choose
    ranges = [name for name, space in spaces.items() if not isinstance(space, Choices)][:2]
    if not spaces:
        return []
    return [
        figure(
            lambda name=name: plot_choice(choice, variable=name),
            f"Regret of other choices of {name or ', '.join(spaces)}.",
            "What another choice would cost, averaged over draws, and what is nearly as good.",
        )
        for name in ranges or [None]
    ]


def edges(asked: Asked) -> Html:
    """How often the optimum lay at the end of where it was looked for, and in which draws there was none."""
    plan = asked.plan
    box = ", ".join(f"{name} in {space!r}" for name, space in plan.decision.choose.items())
    share = float(plan.edge_share.isel(scenario=0))
    values = plan.draws[quantities(plan.draws)[0]].isel(scenario=0).to_numpy()
    none = float(np.mean(~np.isfinite(values)))
    text = f"The optimum was looked for with {box or 'nothing to choose'}. It lies on the edge of that "
    text += f"in {percent(share)} of draws"
    return joined([text, f", and there is none in {percent(none)} of them." if none else "."])
