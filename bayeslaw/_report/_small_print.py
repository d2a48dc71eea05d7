"""What the numbers assume, and how to get them again."""

import hashlib
import platform
import shlex
from typing import Any

import jax
import numpyro

from bayeslaw import __version__
from bayeslaw._errors import InputError
from bayeslaw._law import named
from bayeslaw._misfit import Misfit
from bayeslaw._posterior import Posterior
from bayeslaw._report._asked import Asked
from bayeslaw._report._decided import edges
from bayeslaw._report._evidence import noise
from bayeslaw._report._html import Html, bullets, code, joined, pairs, paragraph, tag
from bayeslaw._report._words import mass, unit
from bayeslaw._stack import Stack

_AS_CSV = 'to_csv(index=False, lineterminator="\\n")'
_REFITTED = ("nuts", "importance", "plain")


def assumptions(asked: Asked) -> Html:
    """What the intervals cover, and what they do not."""
    response, prob = asked.response, mass(asked.prob)
    law = (
        f"Intervals of the plan are given that one of {len(asked.members)} laws holds, in proportion to their weights."
        if isinstance(asked.posterior, Stack)
        else "Intervals allow for the law's being off, as far as what it leaves of the runs tells."
        if isinstance(asked.first.prior, Misfit)
        else "Intervals of the plan are given the law: they do not allow for its being wrong. The section on "
        "extrapolation says what that would do to the response."
    )
    said = [
        f"Intervals are equal-tailed and hold {prob} of the posterior. Of what is chosen, and what follows from it, "
        f"they cover where the optimum lies; of {response} the mean function there; of a new run also its noise.",
        law,
        *(joined(["Noise of a run. ", noise(one)]) for one in asked.members.values()),
        "Priors are those of the section on priors. They are part of the answer where the runs say little.",
        f"{response} is in {unit(response) or 'the unit of the runs'}; B is 1e9 and T is 1e12 parameters or tokens. "
        "Columns and their units are in the section on the data.",
    ]
    try:
        said.append(edges(asked))
    except InputError:
        said.append("There is no optimum, so nothing lies on the edge of where it was looked for.")
    said.append("The runs are taken as they were given: rows are flagged, and none was dropped on anyone's behalf.")
    return bullets(said)


def reproduce(asked: Asked) -> Html:
    """Versions, seeds, the data's fingerprint, and the lines that make this page again."""
    parts = []
    for name, one in asked.members.items():
        parts += [tag("h3", name) if name else None, _fit_facts(one)]
    now = f"bayeslaw {__version__}, NumPyro {numpyro.__version__}, JAX {jax.__version__}"
    now += f", Python {platform.python_version()}"
    alone, own = not isinstance(asked.posterior, Stack), asked.name == ""
    return joined(
        [
            *parts,
            paragraph(f"This page was made with {now}."),
            *([paragraph("The page, from the saved fit:"), code(_command(asked))] if alone and not own else []),
            *([paragraph("The page, in Python:"), code(_python(asked))] if alone else []),
            paragraph("The decision is not the law's own but was made for this page.") if own else None,
            *([paragraph("The fit itself, from the runs and priors that its file holds:"), code(_refit(asked.first))]
              if alone and _can_refit(asked.first) else []),
        ]
    )  # fmt: skip


def digest(posterior: Posterior) -> str:
    """SHA-256 of the table of runs as CSV."""
    return hashlib.sha256(posterior.runs.to_csv(index=False, lineterminator="\n").encode()).hexdigest()


def _fit_facts(posterior: Posterior) -> Html:
    settings = posterior.tree.attrs
    made = ", ".join(
        f"{words} {settings[key]}"
        for key, words in (("bayeslaw_version", "bayeslaw"), ("numpyro_version", "NumPyro"), ("jax_version", "JAX"))
        if key in settings
    )
    how = ", ".join(f"{key} {settings[key]}" for key in ("method", "warmup", "target_accept") if key in settings)
    chains, draws = posterior.shape
    said: dict[str, Any] = {
        "law": named(posterior.prior),
        "fitted with": made,
        "sampler": f"{how}; {chains} chains of {draws} draws" if how else f"{chains} chains of {draws} draws",
        "seed": str(settings.get("seed", "not recorded")),
        "runs": joined([f"{len(posterior.runs)} rows, SHA-256 ", tag("code", digest(posterior), class_="hash")]),
    }
    return joined(
        [
            pairs(said, class_="facts"),
            paragraph("The fingerprint is that of ", tag("code", f"posterior.runs.{_AS_CSV}"), ".", class_="small"),
        ]
    )  # fmt: skip


def _command(asked: Asked) -> str:
    words = ["bayeslaw report fit.nc -o report.html"]
    if asked.name:
        words.append(f"--decision {asked.name}")
    for name, values in asked.given.items():
        said = ",".join(dict.fromkeys(_typed(value) for value in values))
        words.append(f"--flops {said}" if name == "flops" else f"--given {shlex.quote(f'{name}={said}')}")
    words += ["--backtest"] if asked.tested else []
    words += [f"--prob {asked.prob:g}"] if asked.prob != 0.9 else []
    words += [f"--seed {asked.seed}"] if asked.seed else []
    return " ".join(words)


def _python(asked: Asked) -> str:
    given = []
    if asked.name is not None:
        given.append(f'"{asked.name}"' if asked.name else "decision")
    for name, values in asked.given.items():
        distinct = list(dict.fromkeys(values))
        said = [
            repr(one) if isinstance(one, str) else _typed(one) for one in (distinct if len(distinct) == 1 else values)
        ]
        given.append(f"{name}={said[0]}" if len(said) == 1 else f"{name}=[{', '.join(said)}]")
    given += ["backtest=True"] if asked.tested else []
    given += [f"prob={asked.prob:g}"] if asked.prob != 0.9 else []
    given += [f"seed={asked.seed}"] if asked.seed else []
    call = ", ".join(["posterior", '"report.html"', *given])
    return f'import bayeslaw as bl\n\nposterior = bl.load("fit.nc")\nbl.report({call})'


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _can_refit(posterior: Posterior) -> bool:
    made = isinstance(posterior.prior, Misfit) or "first" in posterior.tree.children
    return posterior.tree.attrs.get("method") in _REFITTED and not made


def _refit(posterior: Posterior) -> str:
    settings = posterior.tree.attrs
    chains, draws = posterior.shape
    options = {
        "method": repr(str(settings["method"])), "chains": chains, "draws": draws, "warmup": settings["warmup"],
        "target_accept": settings["target_accept"], "seed": settings["seed"],
    }  # fmt: skip
    said = ", ".join(f"{key}={value}" for key, value in options.items())
    return f"again = bl.fit(\n    posterior.prior, posterior.runs, noise=posterior.noise_prior,\n    {said},\n)"
