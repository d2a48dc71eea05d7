"""Priors to JSON and back: plain names and numbers, so that loading a fit never runs code from it."""

import dataclasses
import inspect
from typing import Any

import equinox as eqx
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints, transforms

from bayeslaw._errors import InputError

_SKIP = {"self", "validate_args"}
# One covariance is enough; NumPyro derives the other forms and refuses to be given several.
_REDUNDANT = {"MultivariateNormal": {"covariance_matrix", "precision_matrix"}}
_RENAMED = {"base_distribution": "base_dist"}


def encode(value: Any) -> Any:
    """A JSON-able description of a law, noise, distribution, array or plain setting."""
    if isinstance(value, dist.Distribution):
        return {"distribution": type(value).__name__, **_arguments(value)}
    if isinstance(value, transforms.Transform):
        return {"transform": type(value).__name__, **_arguments(value)}
    if isinstance(value, constraints.Constraint):
        for name in dir(constraints):
            if getattr(constraints, name) is value:
                return {"constraint": name}
        return {"constraint": "real"}
    if isinstance(value, eqx.Module):
        fields = {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"module": _name(type(value)), "fields": fields}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {"dict": {str(key): encode(one) for key, one in value.items()}}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [encode(one) for one in value]}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return array.item() if array.ndim == 0 else {"array": array.tolist()}
    raise InputError(f"a {type(value).__name__} inside the law cannot be stored; use numbers, text or NumPyro priors.")


def decode(value: Any) -> Any:
    """The inverse of `encode`. Only known classes are built; raises `InputError` for anything else."""
    if not isinstance(value, dict):
        return value
    if "distribution" in value:
        return _build(value["distribution"], dist, dist.Distribution, value)
    if "transform" in value:
        return _build(value["transform"], transforms, transforms.Transform, value)
    if "constraint" in value:
        found = getattr(constraints, str(value["constraint"]), None)
        if not isinstance(found, constraints.Constraint):
            raise InputError(f"{value['constraint']!r} is not a constraint that NumPyro {_numpyro()} knows.")
        return found
    if "module" in value:
        fields = {name: decode(one) for name, one in value["fields"].items()}
        # Not by its __init__, which may take other arguments (a table of runs) than the fields it makes of them.
        made = object.__new__(_module(value["module"], set(fields)))
        for name, one in fields.items():
            object.__setattr__(made, name, one)
        return made
    if "dict" in value:
        return {key: decode(one) for key, one in value["dict"].items()}
    if "array" in value:
        return np.asarray(value["array"], dtype=float)
    if "tuple" in value or "list" in value:
        items = [decode(one) for one in value.get("tuple") or value.get("list") or ()]
        return tuple(items) if "tuple" in value else items
    raise InputError(f"the file holds an unknown kind of entry: {sorted(value)}.")


def check_stored(value: Any) -> Any:
    """The encoding of a prior, after proof that it comes back the same."""
    stored = encode(value)
    if encode(decode(stored)) != stored:
        raise InputError("this prior does not survive being stored; use distributions from numpyro.distributions.")
    return stored


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _arguments(value: Any) -> dict[str, Any]:
    skip = _SKIP | _REDUNDANT.get(type(value).__name__, set())
    arguments = {}
    for name, parameter in inspect.signature(type(value).__init__).parameters.items():
        if name in skip or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        attribute = _RENAMED.get(name, name)
        if not hasattr(value, attribute):
            raise InputError(f"a prior of type {type(value).__name__} cannot be stored (no attribute {attribute!r}).")
        arguments[name] = encode(getattr(value, attribute))
    return {"arguments": arguments}


def _build(name: str, namespace: Any, base: type, value: dict[str, Any]) -> Any:
    found = getattr(namespace, str(name), None)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise InputError(f"{name!r} is not a {base.__name__.lower()} that NumPyro {_numpyro()} has.")
    return found(**{key: decode(one) for key, one in value["arguments"].items()})


def _numpyro() -> str:
    import numpyro

    return numpyro.__version__


def _module(name: str, fields: set[str]) -> type[eqx.Module]:
    """The class of that full name, among bayeslaw's own, those the user has defined and those of installed packages."""
    import bayeslaw._chained
    import bayeslaw._counts
    import bayeslaw._discrepancy
    import bayeslaw._noise
    import bayeslaw._pooled
    import bayeslaw.models  # noqa: F401  (so that what the package has is defined)

    known = _defined()
    if name not in known:
        from bayeslaw._registry import laws

        laws()  # defines those of other packages; which these are is not for the file to say
        known = _defined()
    if name not in known:
        raise InputError(
            f"the fit is of {name}, which is not defined here: import or define that class first, then load again."
        )
    if {field.name for field in dataclasses.fields(known[name])} != fields:
        raise InputError(f"{name} has other fields now than when the fit was saved ({', '.join(sorted(fields))}).")
    return known[name]


def _defined() -> dict[str, type[eqx.Module]]:
    known: dict[str, type[eqx.Module]] = {}
    queue = [eqx.Module]
    while queue:
        cls = queue.pop()
        known[_name(cls)] = cls  # a later definition of the same name (a re-run notebook cell) wins
        queue += reversed(cls.__subclasses__())
    return known
