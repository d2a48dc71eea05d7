"""A law and its noise as one: the NumPyro model, the log density, and the coordinates that the sampler moves in."""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array
from numpyro.distributions import biject_to, constraints

from bayeslaw._errors import InputError
from bayeslaw._tree import arguments, as_prior, evaluate, fill, float64, is_distribution, sites, under


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False)
class Joint:
    """A law and the noise around it: everything that the likelihood needs.

    As a pytree it lists the parameters of distributions by name. NumPyro lists them in the order of a set of strings,
    which changes from process to process, so that no program kept on disk would be found again.
    """

    law: Any
    noise: Any

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        return self._flat

    @functools.cached_property
    def _flat(self) -> tuple[tuple[Any, ...], Any]:
        flat, structure = jax.tree.flatten((self.law, self.noise))
        order = tuple(_by_name((self.law, self.noise), itertools.count()))
        return tuple(flat[i] for i in order), (structure, order)

    def __getstate__(self) -> dict[str, Any]:
        return {"law": self.law, "noise": self.noise}

    @classmethod
    def tree_unflatten(cls, about: Any, ordered: Sequence[Any]) -> "Joint":
        structure, order = about
        flat = [leaf for _, leaf in sorted(zip(order, ordered, strict=True), key=itemgetter(0))]
        return cls(*jax.tree.unflatten(structure, flat))

    def sites(self) -> dict[str, dist.Distribution]:
        return sites(self.law) | {f"noise.{path}": leaf for path, leaf in sites(self.noise).items()}

    def fill(self, values: Mapping[str, Any]) -> "Joint":
        return Joint(fill(self.law, values), fill(self.noise, under(values, "noise")))

    @property
    def response(self) -> str:
        return self.law.response

    def columns(self) -> tuple[str, ...]:
        """The columns that the law's mean and the noise read, without the response."""
        return tuple(dict.fromkeys(self.law.columns() + self.noise.columns()))

    def mean(self, columns: Mapping[str, Any]) -> Array:
        """The law's mean function, shape (runs,), from columns of that shape; hyperparameters left out are tuned."""
        return jax.vmap(lambda known: evaluate(self.law, self.law.complete(known)))(dict(columns))

    def tuned(self, columns: Mapping[str, Any]) -> Array:
        """The same with all hyperparameters at their optimum."""
        return jax.vmap(lambda known: evaluate(self.law, self.law.tuned(known)))(dict(columns))

    def observe(self, columns: Mapping[str, Any]) -> dist.Distribution:
        """The distribution of the response of each run: batch shape (runs,)."""
        known = {name: columns[name] for name in self.noise.columns()}
        if "tuned" in arguments(type(self.noise).observe):
            known["tuned"] = self.tuned(columns)
        if self.counts_problems():
            known["concentration"] = self.concentration(columns)
        return self.noise.observe(self.mean(columns), **known)

    def counts_problems(self) -> bool:
        """Does the noise ask the law how alike problems are?"""
        return "concentration" in arguments(type(self.noise).observe)

    def concentration(self, columns: Mapping[str, Any]) -> Array:
        """What the law says of that, (runs,)."""

        def one(known: Mapping[str, Any]) -> Array:
            full = self.law.complete(known)
            law = self.law.member(full)
            return law.concentration(**{name: full[name] for name in law.columns() if name in full})

        return jax.vmap(one)(dict(columns))

    def draw(self, key: Array, columns: Mapping[str, Any]) -> Array:
        """The response of new runs, (runs,)."""
        first, second = jax.random.split(key)
        return jnp.asarray(self.observe(self.law.scatter(first, columns)).sample(second))

    def model(self, **columns: Any) -> None:
        """The NumPyro model: one site per distribution leaf, then the response, observed if given."""
        joint = self.fill({name: numpyro.sample(name, prior) for name, prior in self.sites().items()})
        columns = {name: jnp.asarray(value, dtype=float) for name, value in columns.items() if value is not None}
        missing = [name for name in joint.columns() if name not in columns and name not in joint.law.optional()]
        if missing:
            raise InputError(f"the model needs the columns {', '.join(joint.columns())}; {missing} are missing.")
        likelihood = joint.observe(columns)
        with numpyro.plate("run", likelihood.batch_shape[-1]):
            numpyro.sample(self.response, likelihood, obs=columns.get(self.response))

    def log_density(
        self, coordinates: Mapping[str, Any], columns: Mapping[str, Array], response: Array, weight: Array
    ) -> Array:
        """The log of the density of unconstrained parameters times the likelihood, which is what `model` defines, at
        sampler coordinates; `weight` (runs,) multiplies each run's part and is 0 for padding."""
        unconstrained, values, found = self.from_sampler(coordinates), {}, jnp.zeros(())
        for name, prior in self.sites().items():
            transform = biject_to(prior.support)
            values[name] = transform(unconstrained[name])
            found += jnp.sum(prior.log_prob(values[name]))
            found += jnp.sum(transform.log_abs_det_jacobian(unconstrained[name], values[name]))
        return found + jnp.sum(weight * self.fill(values).observe(columns).log_prob(response))

    def constrain(self, unconstrained: Mapping[str, Any]) -> dict[str, Any]:
        return {name: biject_to(prior.support)(unconstrained[name]) for name, prior in self.sites().items()}

    def unconstrain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: biject_to(prior.support).inv(values[name]) for name, prior in self.sites().items()}

    def to_sampler(self, unconstrained: Mapping[str, Any]) -> dict[str, Any]:
        """The coordinates in which the sampler moves: the logarithm of the sum of the law's summands and of their
        ratios to the first in place of their own; of a parameter times its factor; deviations that runs determine at
        their full size."""
        found = {**unconstrained, **{one: unconstrained[one] + by for one, by in self._factors(unconstrained).items()}}
        found = to_sums(found, self._summands())
        return found | {one: found[one] * jnp.exp(power * found[size]) for one, size, power in self.law.centred()}

    def from_sampler(self, coordinates: Mapping[str, Any]) -> dict[str, Any]:
        """The inverse of `to_sampler`."""
        found = dict(coordinates)
        found |= {one: found[one] * jnp.exp(-power * found[size]) for one, size, power in self.law.centred()}
        found = from_sums(found, self._summands())
        return {**found, **{one: found[one] - by for one, by in self._factors(found).items()}}

    def log_volume(self, coordinates: Mapping[str, Any]) -> Any:
        """The log of the determinant of `from_sampler`: sums, ratios and factors have none."""
        return -sum(np.sum(power) * coordinates[size] for _, size, power in self.law.centred())

    def _factors(self, unconstrained: Mapping[str, Any]) -> dict[str, Any]:
        """ln of the law's factors of positive parameters; they do not read these, which may have them or not."""
        found = self.sites()
        factors = self.fill(self.constrain(unconstrained)).law.factors()
        free = [name for name in factors if name in found and found[name].support is constraints.positive]
        return {name: jnp.log(factors[name]) for name in free}

    def _summands(self) -> tuple[str, ...]:
        """The law's summands, if each of them is a scalar site that is only bound to be positive."""
        found = self.sites()
        names = self.law.summands()
        free = all(
            name in found and found[name].support is constraints.positive and not found[name].shape() for name in names
        )
        return names if free else ()

    def sample_prior(self, key: Array) -> dict[str, Any]:
        """One draw of every site from the prior."""
        found = self.sites()
        keys = jax.random.split(key, max(len(found), 1))
        return {name: prior.sample(k) for k, (name, prior) in zip(keys, found.items(), strict=False)}


def _by_name(tree: Any, position: Iterator[int]) -> list[int]:
    """The positions of a tree's leaves, those of each distribution sorted by the names of its parameters."""
    if not is_distribution(tree):
        parts = jax.tree.leaves(tree, is_leaf=is_distribution)
        return [i for one in parts for i in (_by_name(one, position) if is_distribution(one) else [next(position)])]
    children = tree.tree_flatten()[0]
    names = type(tree).gather_pytree_data_fields()
    found = [_by_name(child, position) for child in children]
    if len(names) != len(children):
        return [i for part in found for i in part]
    return [i for _, part in sorted(zip(names, found, strict=True), key=itemgetter(0)) for i in part]


def to_sums(logs: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """For the named logarithms that of the sum instead of the first, and of the ratios to the first instead of the
    rest. The determinant is one."""
    first, *rest = names or ("",)
    if not first:
        return dict(logs)
    total = jax.nn.logsumexp(jnp.stack([logs[name] for name in names]), axis=0)
    return {**logs, first: total, **{name: logs[name] - logs[first] for name in rest}}


def from_sums(coordinates: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The inverse of `to_sums`."""
    first, *rest = names or ("",)
    if not first:
        return dict(coordinates)
    shares = jnp.stack([jnp.zeros_like(coordinates[first]), *(coordinates[name] for name in rest)])
    base = coordinates[first] - jax.nn.logsumexp(shares, axis=0)
    return {**coordinates, first: base, **{name: base + coordinates[name] for name in rest}}


def _joint(law: Any, noise: Any) -> Joint:
    law = as_prior(law)
    return Joint(law, law.noise() if noise is None else as_prior(noise))


def as_joint(law: Any, noise: Any) -> Joint:
    """The pair with float64 leaves, checked: what is traced into every compiled program.

    Prior hyperparameters and constants become (NumPy) arrays, so that changing one does not compile anew.
    """
    if isinstance(law, Joint):
        return law
    if isinstance(law, type) and (noise is None or isinstance(noise, type)):
        return _of_classes(law, noise)
    return _checked(_joint(law, noise))


@functools.lru_cache(maxsize=64)
def _of_classes(law: type, noise: type | None) -> Joint:
    return _checked(_joint(law, noise))


def _checked(joint: Joint) -> Joint:
    found = joint.sites()
    for name in (joint.response, *joint.columns()):
        if name in found:
            raise InputError(f"the parameter {name!r} of the law has the name of a column; rename the parameter.")
    return jax.tree.map(lambda leaf: np.asarray(leaf, dtype=float), joint)


@float64
def model(law: Any, noise: Any = None) -> Callable[..., None]:
    """The NumPyro model of a law with noise, to use by hand.

    Columns are keyword arguments; give the response (say `loss`) to condition on it, leave it out
    to simulate it:

        model = bayeslaw.model(Chinchilla)
        numpyro.render_model(model, model_kwargs=dict(params=N, tokens=D, loss=L))
        Predictive(model, num_samples=100)(key, params=N, tokens=D)["loss"]   # (100, runs)

    `law` and `noise` are classes (their own prior) or instances with distributions as leaves; `noise`
    is the law's own (`StudentT` for most) when left out. One sample site per distribution leaf, named by its path
    (`alpha`, `base.alpha`, `noise.scale`), and one for the response in the plate `run`.
    The precision is that of the caller's JAX settings.
    """
    joint = _joint(law, noise)
    as_joint(law, noise)  # checks
    return joint.model
