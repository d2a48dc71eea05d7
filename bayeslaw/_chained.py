"""`Chained`: a law of what another law predicts, such as benchmark error from loss from size and data."""

from collections.abc import Mapping
from typing import Any

from jaxtyping import Array

from bayeslaw._decision import Decision, through
from bayeslaw._errors import InputError, Status
from bayeslaw._joint import Joint
from bayeslaw._law import AbstractLaw, AbstractWrapper
from bayeslaw._noise import AbstractNoise
from bayeslaw._tree import Scalar, as_prior, evaluate


class Chained(AbstractWrapper):
    """error = then(loss = base(params, tokens)): two steps, the second reading what the first predicts

    Made from two posteriors by `loss.then(error)`, draw by draw, so that what is not known of the first step is not
    known of the second either. The first step's response may be given as a column in place of its own columns:
    `predict(both, {"loss": 2.5})`.

    - `base`: the first law, such as loss from params and tokens.
    - `base_noise`: how a run scatters around it; a new run of the second response scatters by both.
    - `then`: the second law, which reads the response of the first as a column.
    """

    base_noise: AbstractNoise
    then: AbstractLaw

    def __init__(self, base: Any, then: Any, base_noise: Any = None) -> None:
        self.base, self.then = as_prior(base), as_prior(then)
        self.base_noise = self.base.noise() if base_noise is None else as_prior(base_noise)
        if self.base.response not in self.then.columns():
            raise InputError(
                f"{type(self.then).__name__} reads {', '.join(self.then.columns())}, not {self.base.response!r}, "
                f"which is what {type(self.base).__name__} predicts."
            )

    @classmethod
    def prior(cls) -> "Chained":
        raise InputError("Chained is made from two posteriors: loss.then(error).")

    @property
    def response(self) -> str:  # type: ignore[override]
        return self.then.response

    def mean(self, **columns: Array) -> Array:  # type: ignore[override]
        between = self.base.response
        if between not in columns:
            missing = [one for one in self.base.columns() if one not in (*columns, *self.base.optional())]
            if missing:
                raise InputError(
                    f"{', '.join(missing)} is missing: give it, or {between!r} in place of the first step."
                )
            columns = {**columns, between: evaluate(self.base, columns)}
        return evaluate(self.then, columns)

    def scatter(self, key: Array, columns: Mapping[str, Array]) -> dict[str, Array]:
        if self.base.response in columns:
            return dict(columns)
        return {**columns, self.base.response: Joint(self.base, self.base_noise).draw(key, columns)}

    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.base.columns(), *self.then.columns())))

    def optional(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.base.columns(), self.base.response, *self.then.optional())))

    def categories(self) -> Mapping[str, tuple[str, ...]]:
        return {**self.base.categories(), **self.then.categories()}

    def floor(self) -> Scalar:
        return self.then.floor()

    def noise(self) -> AbstractNoise:
        return self.then.noise()

    def derived(self) -> Mapping[str, Scalar]:
        return {**self.base.derived(), **self.then.derived()}

    def decisions(self) -> Mapping[str, Decision]:
        """The first law's, now for the lowest second response, and the second law's."""
        own = {name: through(through(one, None), _first) for name, one in self.base.decisions().items()}
        return {**own, **self.then.decisions()}

    def check_design(self, runs: Mapping[str, Any]) -> list[Status]:
        return []

    def check_fit(self, runs: Mapping[str, Any], draws: Mapping[str, Any]) -> list[Status]:
        return []


def _first(law: Chained, columns: Mapping[str, Any]) -> AbstractLaw:
    return law.base


def joined(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Draws of two posteriors, (chains, draws, ...) each, as many as both have, by the names they have in `Chained`."""
    chains, draws = (min(next(iter(one.values())).shape[axis] for one in (first, then)) for axis in (0, 1))
    found = {}
    for values, law, noise in ((first, "base", "base_noise"), (then, "then", "noise")):
        for name, array in values.items():
            own = name.removeprefix("noise.")
            found[f"{law if own == name else noise}.{own}"] = array[:chains, :draws]
    return found
