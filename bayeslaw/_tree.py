"""Trees whose leaves are numbers, distributions or draws, and the way from one to the next.

A law or a noise model is an equinox Module. With distributions as leaves it is a prior; `fill` puts numbers or draws
where the distributions were. What a law and its noise are together is `Joint` (`_joint.py`).
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, ArrayLike, Float

from bayeslaw._cache import use_cache

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
        use_cache()
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapped  # type: ignore[return-value]


def is_distribution(leaf: Any) -> bool:
    return isinstance(leaf, dist.Distribution)


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """The leaves with their paths."""
    return _leaves(tree)[0]


def _leaves(tree: Any) -> tuple[list[tuple[str, Any]], Any]:
    flat, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_distribution)
    return [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in flat], structure


def sites(tree: Any) -> dict[str, dist.Distribution]:
    """The distribution leaves by path: `alpha`, or `base.alpha` inside a wrapper."""
    return {path: leaf for path, leaf in leaves(tree) if is_distribution(leaf)}


def fill[T: eqx.Module](tree: T, values: Mapping[str, Any]) -> T:
    """The same tree with `values[path]` in place of each distribution leaf."""
    return changed(tree, lambda path, leaf: values[path] if is_distribution(leaf) else leaf)


def changed[T: eqx.Module](tree: T, change: Callable[[str, Any], Any]) -> T:
    """The same tree with `change(path, leaf)` in place of each leaf."""
    flat, structure = _leaves(tree)
    return jax.tree_util.tree_unflatten(structure, [change(path, leaf) for path, leaf in flat])


def under(values: Mapping[str, Any], part: str) -> dict[str, Any]:
    """The values of one part of a tree, by their path inside it: `base.alpha` becomes `alpha` under `base`."""
    return {path.removeprefix(f"{part}."): value for path, value in values.items() if path.startswith(f"{part}.")}


def arguments(function: Callable[..., Any], skip: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The parameter names of a function: they are the columns that a formula reads."""
    return tuple(name for name in inspect.signature(function).parameters if name not in skip)


def evaluate(part: Any, row: Mapping[str, Any]) -> Any:
    """The value of a law, or of a part that may be a law or a number, at one run."""
    if not hasattr(part, "mean") or not hasattr(part, "columns"):
        return part
    optional = part.optional()
    return part.mean(**{name: row[name] for name in part.columns() if name in row or name not in optional})


def power(base: Any, exponent: Any) -> Array:
    """base^exponent of a positive base. A compiler takes the logarithm of a column once and then only needs an
    exponential for each draw, a sixth of what `**` costs on a CPU."""
    return jnp.exp(exponent * jnp.log(base))


OVERFLOW = 1e100  # no response is as large: where one would be, it has no value


def exp(x: Any) -> Array:
    """e^x, level beyond x of -300 and 300: a run far from all others is unlikely, and nothing is infinite or NaN."""
    return jnp.exp(jnp.clip(x, -300.0, 300.0))


def nth(values: Iterable[Any], place: Any) -> Array:
    """The value at a position, such as that of a label: scalars, one of which a run reads."""
    return jnp.stack([jnp.asarray(value, dtype=float) for value in values])[jnp.asarray(place).astype(int)]


def as_prior(what: Any) -> Any:
    """A prior from a class (its own prior) or from an instance with distributions as leaves."""
    return what.prior() if isinstance(what, type) else what
