"""What the answer rests on: the data, the law, its priors, the sampler, and how well the law describes the runs."""

import inspect
import json
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._check import Check, check
from bayeslaw._columns import COLUMNS
from bayeslaw._errors import InputError, Status
from bayeslaw._law import AbstractLaw, named
from bayeslaw._posterior import Posterior
from bayeslaw._report._asked import thinned
from bayeslaw._report._figures import figure
from bayeslaw._report._html import Html, details, joined, pairs, paragraph, prose, remarks, table, tag
from bayeslaw._report._priors import PARAMETERS, more, parts_of
from bayeslaw._report._words import NOTHING, mass, number, percent, unit
from bayeslaw.plots._fit import plot_fit

_ROWS = 6  # of the runs that are shown
_LABELS = 12
_WORST = 5


def data(posterior: Posterior) -> Html:
    """The columns of the runs, some of the runs, and what was remarked on them."""
    runs = posterior.runs
    rows = [_column(name, column) for name, column in runs.items()]
    headers = ("column", "what it is", "unit", "lowest", "median", "highest", "distinct")
    notes = [Status(**note) for note in json.loads(posterior.tree.attrs["notes"])]
    first = None
    if "first" in posterior.tree.children:
        first = paragraph(
            "These are the runs of the second step. The first step, from which it takes ",
            tag("code", posterior.prior.base.response),
            ", was fitted to ",
            f"{posterior.tree['first']['observed_data'].sizes['run']:,} other rows.",
        )
    return joined(
        [
            paragraph(f"{len(runs):,} rows, one per run, as they were fitted."),
            first,
            table(headers, rows, "Columns of the runs"),
            remarks(notes) or paragraph("Nothing odd was found in them: no repeated, flagged or implausible rows."),
            details(f"{min(_ROWS, len(runs))} of the {len(runs):,} rows", _some(runs)),
        ]
    )


def _column(name: Any, column: pd.Series) -> tuple[Any, ...]:
    known = COLUMNS.get(str(name))
    head = (tag("code", name), known.meaning if known else "", unit(str(name)))
    if not pd.api.types.is_numeric_dtype(column):
        counts = column.value_counts()
        said = ", ".join(f"{label} ({count})" for label, count in counts.head(_LABELS).items())
        more = f" and {len(counts) - _LABELS} more" if len(counts) > _LABELS else ""
        return (tag("code", name), said + more, "", "", "", "", len(counts))
    values = [number(one, str(name)) for one in (column.min(), column.median(), column.max())]
    return (*head, *values, f"{column.nunique():,}")


def _some(runs: pd.DataFrame) -> Html:
    """Runs spread over the table, in its order."""
    places = np.unique(np.linspace(0, len(runs) - 1, min(_ROWS, len(runs))).astype(int))
    names = ["row", *map(str, runs.columns)]
    return table(names, [_row(place, runs.iloc[place]) for place in places], "Some of the runs")


def _row(place: int, run: Any) -> list[Any]:
    return [f"{place:,}", *(number(value, str(name)) for name, value in run.items())]


def law(posterior: Posterior) -> Html:
    """The formula, what its parameters mean, and where it comes from."""
    parts = list(parts_of(posterior.prior))[::-1]  # what a wrapper says is of the law that it wraps
    pages = []
    for one in parts:
        formula, text = _doc(one)
        head = tag("h3", type(one).__name__) if len(parts) > 1 else None
        pages += [head, tag("p", formula, class_="formula") if formula else None, text]
    return joined([paragraph(tag("strong", named(posterior.prior)), ", as its documentation says:"), *pages])


def _doc(law: AbstractLaw) -> tuple[str, Html]:
    doc = type(law).__doc__
    if not doc or doc.startswith(f"{type(law).__name__}("):  # made by dataclasses
        return "", paragraph(f"{type(law).__name__} has no documentation: its parameters are named below.")
    first, _, rest = inspect.cleandoc(doc).partition("\n\n")
    return " ".join(first.split()), prose(rest)


def diagnostics(posterior: Posterior) -> Html:
    """Whether the draws can be used."""
    summary = posterior.summary()
    settings = posterior.tree.attrs
    stats = {str(name): array.to_numpy() for name, array in posterior.tree["sample_stats"].data_vars.items()}
    own: Any = summary[~summary.index.isin([str(name) for name in posterior.derived.data_vars])]
    chains, draws = posterior.shape
    said: list[tuple[str, Any]] = [("draws", f"{chains} chains of {draws:,} by {settings.get('method', 'nuts')}")]
    if own["r_hat"].notna().any():
        said.append(("largest R-hat", f"{own['r_hat'].max():.4f} (at most 1.01 to be used)"))
    if own["ess_bulk"].notna().any():
        need = f"(at least {100 * chains} to be used)"
        said.append(("smallest ESS", f"{own['ess_bulk'].min():,.0f} bulk, {own['ess_tail'].min():,.0f} tail {need}"))
    if "diverging" in stats:
        said.append(("divergences", f"{int(stats['diverging'].sum()):,} of {stats['diverging'].size:,}"))
    if "n_steps" in stats:
        said.append(("leapfrog steps a draw", f"{stats['n_steps'].mean():.1f} on average"))
    rows = [
        (
            tag("code", str(name)),
            *(NOTHING if np.isnan(v) else f"{v:{f}}" for v, f in zip(row, (",.0f", ",.0f", ".4f"), strict=True)),
        )
        for name, row in zip(own.index, own[["ess_bulk", "ess_tail", "r_hat"]].to_numpy(), strict=True)
    ]
    verdict = "The draws can be used." if posterior.ok else "These draws are not a result."
    return joined(
        [
            paragraph(tag("strong", verdict, class_=None if posterior.ok else "problem")),
            pairs(said, class_="facts"),
            remarks(posterior.status),
            details(
                "Each parameter",
                table(("parameter", "bulk ESS", "tail ESS", "R-hat"), rows[:PARAMETERS], "Diagnostics by parameter"),
                more(len(rows)),
            ),
        ]
    )


def fitted(posterior: Posterior, prob: float, seed: int) -> Html:
    """Runs against predictions, and the tests of `check`."""
    shown = figure(
        lambda: plot_fit(thinned(posterior), prob=prob),
        f"Every run: observed {posterior.response} against what the posterior predicts, with {mass(prob)} intervals.",
        f"Each point is a run that was fitted. About {mass(prob)} of the bars should reach the line; that they do says "
        "that the noise is right, not that the law holds elsewhere.",
    )
    try:
        return joined([shown, _tests(check(posterior, seed=seed))])
    except InputError as error:
        return joined([shown, paragraph(f"The law was not tested against its runs: {error}")])


def _tests(found: Check) -> Html:
    own = [one for one in found.status if not one.serious]
    rows = [
        (name, f"{row['value']:.3g}", "" if np.isnan(row["lower"]) else f"{row['lower']:.3g} to {row['upper']:.3g}",
         "" if np.isnan(row["p_adjusted"]) else f"{row['p_adjusted']:.2g}")
        for name, row in zip(found.table.index, found.table.to_dict("records"), strict=True)
    ]  # fmt: skip
    inside = found.table.loc[[n for n in found.table.index if str(n).startswith("inside")], "value"]
    said = " and ".join(
        f"{percent(v)} lie inside their {str(n).removeprefix('inside ').replace('%', ' %')} interval"
        for n, v in inside.items()
    )
    worst = found.worst(_WORST)
    names = [c for c in worst.columns if c not in ("pit", "loo_pit", "prior_pit", "pareto_k")]
    like: dict[str, str] = dict.fromkeys(("predicted", "lower", "upper"), found.posterior.response)
    runs = [
        [f"{place}", *(number(run[name], like.get(str(name), str(name))) for name in names)]
        for place, run in zip(worst.index, worst.to_dict("records"), strict=True)
    ]
    return joined(
        [
            paragraph(f"Each run was also held against what the other runs say of it (leave-one-out): {said}."),
            remarks(own) or paragraph("No test found a fault in the law at these runs."),
            details(
                "Tests, and the runs that fit worst",
                table(
                    ("test", "value", "95 % if the law is right", "adjusted p"), rows, "Tests of the law at its runs"
                ),
                table(["row", *names], runs, "Runs with the largest residuals"),
            ),
        ]
    )


def noise(posterior: Posterior) -> Html:
    """How runs scatter, in the words of the noise model and with its parameters."""
    doc = inspect.cleandoc(type(posterior.noise_prior).__doc__ or "").splitlines()
    own = [
        f"{n.removeprefix('noise.')} = {number(np.median(a))}"
        for n, a in posterior.draws.items()
        if n.startswith("noise.")
    ]
    text = f"{type(posterior.noise_prior).__name__}: {doc[0] if doc else ''}"
    return joined([text, f" Medians: {', '.join(own)}." if own else ""])
