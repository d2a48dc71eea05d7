"""What was believed of the parameters before the runs, and what is known after them."""

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from numpyro.distributions.transforms import AffineTransform

from bayeslaw._codec import encode
from bayeslaw._errors import InputError
from bayeslaw._identify import prior_of
from bayeslaw._law import AbstractLaw
from bayeslaw._posterior import Posterior, flat
from bayeslaw._report._figures import figure, moved
from bayeslaw._report._html import Html, joined, paragraph, table, tag
from bayeslaw._report._words import mass, number, span
from bayeslaw._tree import leaves

PARAMETERS = 40  # rows of a table of parameters


def parts_of(law: AbstractLaw) -> Iterator[AbstractLaw]:
    """A law and those it is made of."""
    yield law
    for name in ("base", "then"):
        inner = vars(law).get(name)
        if isinstance(inner, AbstractLaw):
            yield from parts_of(inner)


def priors(posterior: Posterior, prob: float) -> Html:
    """Prior and posterior of every parameter side by side."""
    before = prior_of(posterior.joint)
    after = posterior.summary(prob)
    published = {
        name: dict(leaves(one)) for part in parts_of(posterior.prior) for name, one in type(part).published().items()
    }
    hidden = posterior.prior.deviations()
    ends = [(1 - prob) / 2, 0.5, (1 + prob) / 2]
    rows: list[tuple[Any, ...]] = []
    for name, prior in posterior.joint.sites().items():
        if name in hidden:
            continue
        values = np.asarray(before.values[name])
        for index in np.ndindex(values.shape[1:]):
            label = name + (f"[{','.join(map(str, index))}]" if index else "")
            low, middle, high = np.quantile(values[(slice(None), *index)], ends)
            row: Any = after.loc[label]
            rows.append(
                (
                    tag("code", label), _distribution(prior), number(middle), span(low, high),
                    tag("strong", number(row["median"])), span(row["lower"], row["upper"]),
                    *(_printed(one, name) for one in published.values()),
                )
            )  # fmt: skip
    headers = ["parameter", "prior", "median", mass(prob), "posterior median", mass(prob), *published]
    left_out = ", ".join(hidden)
    found = [
        paragraph(
            "These draws are bootstrap estimates: no prior had a part in them, and it is shown for comparison only."
            if posterior.tree.attrs.get("method") == "bootstrap"
            else "What was believed of each parameter before the runs, and what is known after them. Where the two "
            "columns of intervals are alike, the runs said little and the answer is the prior's."
        ),
        *_moved(posterior, list(hidden), prob),
        table(headers, rows[:PARAMETERS], f"Parameters: prior and posterior, medians and {mass(prob)} intervals"),
        more(len(rows)),
        paragraph(f"Offsets of groups ({left_out}) are Normal(0, 1) before the runs and not listed.")
        if hidden
        else None,
        _derived(after, [str(row) for row in posterior.derived.data_vars], prob),
    ]
    return joined(found)


def _printed(values: Mapping[str, Any], name: str) -> str:
    """A published value of a parameter, also of one that is wrapped."""
    value = values.get(name.removeprefix("base."), "")
    return value if isinstance(value, str) else number(value) if np.ndim(value) == 0 else ""


def more(rows: int) -> Html | None:
    return paragraph(f"{rows - PARAMETERS} more are in posterior.summary().") if rows > PARAMETERS else None


def _distribution(prior: Any) -> str:
    """A prior in a word and its numbers: LogNormal(0.531, 0.3)."""
    try:
        stored = encode(prior)
    except InputError:
        return type(prior).__name__
    name, arguments = stored["distribution"], stored["arguments"].values()
    if isinstance(prior, dist.TransformedDistribution) and type(prior) is dist.TransformedDistribution:
        return _transformed(prior)
    numbers = [f"{one:.3g}" for one in arguments if isinstance(one, int | float) and not isinstance(one, bool)]
    return f"{name}({', '.join(numbers)})" if numbers else name


def _transformed(prior: dist.TransformedDistribution) -> str:
    inner = _distribution(prior.base_dist)
    first, *rest = prior.transforms
    if rest or not isinstance(first, AffineTransform):
        return f"transformed {inner}"
    scaled = inner if first.scale == 1 else f"{first.scale:.3g} {inner}"
    return f"{first.loc:.3g} + {scaled}"


def _moved(posterior: Posterior, hidden: list[str], prob: float) -> list[Html | None]:
    """A figure of what the runs did to the priors."""
    before = prior_of(posterior.joint)
    if posterior.tree.attrs.get("method") == "bootstrap":
        return []
    after = jax.vmap(posterior.joint.unconstrain)(flat(posterior))
    names, places = [], []
    for name, centre in before.centre.items():
        if name in hidden or np.size(centre) != 1:
            continue
        away = (np.asarray(after[name]).ravel() - float(np.ravel(centre)[0])) / float(np.ravel(before.spread[name])[0])
        names.append(name)
        places.append(np.quantile(away, [(1 - prob) / 2, 0.25, 0.5, 0.75, (1 + prob) / 2]))
    if not names:
        return []
    order = names[:PARAMETERS]
    found = np.array(places[:PARAMETERS]).T
    widths = ", ".join(f"{n} {number(m)}" for n, m in zip(order[:8], found[2], strict=False))
    return [
        figure(
            lambda: moved(order, found, prob),
            f"Posterior of each parameter in standard deviations of its prior. Medians: {widths}.",
            "Each parameter on the scale of its prior: a short bar was determined by the runs, a bar as wide as the "
            "grey band was not, and a bar outside it was not expected.",
        )
    ]


def _derived(after: pd.DataFrame, names: list[str], prob: float) -> Html | None:
    if not names:
        return None
    rows = []
    for name in names[:PARAMETERS]:
        row: Any = after.loc[name]
        rows.append((tag("code", name), number(row["median"]), span(row["lower"], row["upper"])))
    return joined(
        [table(("quantity", "median", mass(prob)), rows, "What follows from the parameters"), more(len(names))]
    )
