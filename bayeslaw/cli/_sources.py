"""From what was typed to a posterior: laws by name, fits from files, and the question they are asked."""

import difflib
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayeslaw._errors import InputError
from bayeslaw.cli import _terminal
from bayeslaw.cli._options import Noise

if TYPE_CHECKING:
    from bayeslaw import AbstractLaw, Posterior


@dataclass(frozen=True)
class Request:
    """A law to fit, and to what; or the file of a fit, which has its runs inside."""

    source: str
    runs: Path | None = None
    columns: str | None = None
    penalise: str | None = None
    noise: Noise | None = None
    draws: int = 1000
    seed: int = 0

    @property
    def saved(self) -> bool:
        return Path(self.source).is_file() or self.source.endswith(".nc") or os.sep in self.source

    def posterior(self) -> "Posterior":
        if not self.saved:
            return fitted(self)
        if self.runs is not None or self.columns is not None or self.penalise is not None:
            raise InputError(
                f"{self.source} is a saved fit and has its runs inside; leave out the data, --columns and --penalise."
            )
        from bayeslaw import load

        return load(self.source)

    def asked(self, decision: str | None, given: Mapping[str, Any]) -> "tuple[Posterior, Any]":
        """The posterior and the decision, which is checked before sampling where that is possible."""
        posterior = self.posterior() if self.saved else None
        chosen = decision_of(prior_of(self) if posterior is None else posterior.prior, decision)
        check_given(chosen, given)
        return self.posterior() if posterior is None else posterior, chosen


def law_of(name: str) -> "type[AbstractLaw]":
    from bayeslaw import laws

    known = laws()
    for one, law in known.items():
        if _letters(one) == _letters(name):
            return law
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InputError(f"there is no law or file {name!r}; the laws are {', '.join(known)}.{hint}")


def _letters(name: str) -> str:
    """`RoutedMoE`, `routed-moe` and `routed_moe` are one name."""
    return name.lower().replace("_", "").replace("-", "")


def prior_of(request: Request) -> "AbstractLaw":
    """The law with its prior, wrapped when hyperparameters are to be penalised."""
    law = law_of(request.source).prior()
    if request.penalise is None:
        return law
    from bayeslaw import Penalised

    return Penalised(law, tuple(one.strip() for one in request.penalise.split(",")))


def runs_of(request: Request) -> Any:
    """The runs given, or those that ship for the law."""
    if request.runs is not None:
        return request.runs
    from bayeslaw import datasets

    shipped = getattr(datasets, f"load_{request.source.lower().replace('-', '_')}", None)
    if shipped is None:
        raise InputError(f"no data ship for {request.source}: give your runs, a CSV or parquet file.")
    if request.columns is not None:
        raise InputError("--columns is for your own runs; give the file too.")
    return shipped()


def noise_of(noise: Noise | None) -> Any:
    import bayeslaw

    kinds = {
        Noise.student_t: bayeslaw.StudentT,
        Noise.lognormal: bayeslaw.LogNormal,
        Noise.normal: bayeslaw.Normal,
        Noise.one_sided: bayeslaw.OneSided,
        Noise.untuned_t: bayeslaw.UntunedT,
    }
    return None if noise is None else kinds[noise]


def fitted(request: Request) -> "Posterior":
    law = prior_of(request)
    table, columns = runs_of(request), _terminal.columns(request.columns)
    import bayeslaw

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they say is in the status, printed below
        return bayeslaw.fit(
            law, table, noise=noise_of(request.noise), columns=columns, draws=request.draws, seed=request.seed
        )


def decision_of(law: Any, name: str | None) -> Any:
    from bayeslaw._allocate import default_decision

    decisions = law.decisions()
    if name is None:
        return default_decision(law)
    if name not in decisions:
        raise InputError(f"there is no decision {name!r}; this law has {', '.join(decisions)}.")
    return decisions[name]


def check_given(decision: Any, given: Mapping[str, Any]) -> None:
    missing = [name for name in decision.given if name not in given]
    if missing:
        options = " ".join("--flops 5.76e23" if name == "flops" else f"--given {name}=VALUE" for name in missing)
        raise InputError(f"{decision.question} That depends on {', '.join(decision.given)}: add {options}.")
    decision.check_given(given)


def leave(*posteriors: "Posterior") -> None:
    """Printed, but not a result: scripts must notice."""
    if not all(one.ok for one in posteriors):
        raise typer.Exit(1)
