"""Trees whose leaves are numbers, distributions or draws, and the way from one to the next.

A law or a noise model is an equinox Module. With distributions as leaves it is a prior; `Joint.model`
turns the pair into a NumPyro model; `fill` puts numbers or draws back where the distributions were.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, ArrayLike, Float
from numpyro.distributions import biject_to

from bayeslaw._errors import InputError

# ArviZ puts a lazy stand-in for numpyro into sys.modules; when a submodule is what first loads it, submodules
# are loaded without becoming attributes of their packages, and NumPyro itself fails on them later.
for _name in [name for name in sys.modules if name.startswith("numpyro.")]:
    _parent, _, _child = _name.rpartition(".")
    if not hasattr(sys.modules[_parent], _child):
        setattr(sys.modules[_parent], _child, sys.modules[_name])

if TYPE_CHECKING:
    # Arithmetic in a law's formula is on arrays; its constructor also takes distributions.
    type Scalar = Any
else:
    Scalar = Float[ArrayLike, "..."] | dist.Distribution


def float64[F: Callable[..., Any]](function: F) -> F:
    """Run `function` in 64-bit arithmetic, whatever the user's JAX settings, which stay as they are."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def is_distribution(leaf: Any) -> bool:
    return isinstance(leaf, dist.Distribution)


def _leaves(tree: Any) -> tuple[list[tuple[str, Any]], Any]:
    flat, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_distribution)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in flat], structure


def sites(tree: Any) -> dict[str, dist.Distribution]:
    """The distribution leaves by path: `alpha`, or `base.alpha` inside a wrapper."""
    return {path: leaf for path, leaf in _leaves(tree)[0] if is_distribution(leaf)}


def fill[T: eqx.Module](tree: T, values: Mapping[str, Any]) -> T:
    """The same tree with `values[path]` in place of each distribution leaf."""
    flat, structure = _leaves(tree)
    return jax.tree_util.tree_unflatten(structure, [values[p] if is_distribution(x) else x for p, x in flat])


def arguments(function: Callable[..., Any], skip: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The parameter names of a function: they are the columns that a formula reads."""
    return tuple(name for name in inspect.signature(function).parameters if name not in skip)


class Joint(eqx.Module):
    """A law and the noise around it: everything that the likelihood needs."""

    law: Any
    noise: Any

    def sites(self) -> dict[str, dist.Distribution]:
        return sites(self.law) | {f"noise.{path}": leaf for path, leaf in sites(self.noise).items()}

    def fill(self, values: Mapping[str, Any]) -> "Joint":
        noise = {path.removeprefix("noise."): value for path, value in values.items() if path.startswith("noise.")}
        return Joint(fill(self.law, values), fill(self.noise, noise))

    @property
    def response(self) -> str:
        return self.law.response

    def columns(self) -> tuple[str, ...]:
        """The columns that the law's mean and the noise read, without the response."""
        return tuple(dict.fromkeys(self.law.columns() + self.noise.columns()))

    def mean(self, columns: Mapping[str, Any]) -> Array:
        """The law's mean function, shape (runs,), from columns of that shape."""
        names = self.law.columns()
        return jax.vmap(lambda *values: self.law.mean(**dict(zip(names, values, strict=True))))(
            *(columns[name] for name in names)
        )

    def observe(self, columns: Mapping[str, Any]) -> dist.Distribution:
        """The distribution of the response of each run: batch shape (runs,)."""
        return self.noise.observe(self.mean(columns), **{name: columns[name] for name in self.noise.columns()})

    def model(self, **columns: Any) -> None:
        """The NumPyro model: one site per distribution leaf, then the response, observed if given."""
        joint = self.fill({name: numpyro.sample(name, prior) for name, prior in self.sites().items()})
        columns = {name: jnp.asarray(value, dtype=float) for name, value in columns.items() if value is not None}
        missing = [name for name in joint.columns() if name not in columns]
        if missing:
            raise InputError(f"the model needs the columns {', '.join(joint.columns())}; {missing} are missing.")
        likelihood = joint.observe(columns)
        with numpyro.plate("run", likelihood.batch_shape[-1]):
            numpyro.sample(self.response, likelihood, obs=columns.get(self.response))

    def constrain(self, unconstrained: Mapping[str, Any]) -> dict[str, Any]:
        return {name: biject_to(prior.support)(unconstrained[name]) for name, prior in self.sites().items()}

    def unconstrain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: biject_to(prior.support).inv(values[name]) for name, prior in self.sites().items()}

    def sample_prior(self, key: Array) -> dict[str, Any]:
        """One draw of every site from the prior."""
        found = self.sites()
        keys = jax.random.split(key, max(len(found), 1))
        return {name: prior.sample(k) for k, (name, prior) in zip(keys, found.items(), strict=False)}


def as_prior(what: Any) -> Any:
    """A prior from a class (its own prior) or from an instance with distributions as leaves."""
    return what.prior() if isinstance(what, type) else what


def as_joint(law: Any, noise: Any) -> Joint:
    """The pair with float64 leaves, checked: what is traced into every compiled program.

    Prior hyperparameters and constants become (NumPy) arrays, so that changing one does not compile anew.
    """
    joint = Joint(as_prior(law), as_prior(noise))
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
    is `StudentT` when left out. One sample site per distribution leaf, named by its path (`alpha`,
    `base.alpha`, `noise.scale`), and one for the response in the plate `run`.
    The precision is that of the caller's JAX settings.
    """
    from bayeslaw._noise import StudentT

    noise = StudentT if noise is None else noise
    as_joint(law, noise)  # checks
    return Joint(as_prior(law), as_prior(noise)).model
