"""`laws`: those of this package by name, and those of others that are installed."""

import re
import warnings
from importlib.metadata import entry_points
from typing import Any

GROUP = "bayeslaw.laws"


def laws() -> dict[str, type[Any]]:
    """All laws by name, in the words of the command line: `{"chinchilla": Chinchilla, ...}`.

    Another package adds its own by an entry point, in its `pyproject.toml`:

        [project.entry-points."bayeslaw.laws"]
        my_law = "my_package.laws:MyLaw"

    Once it is installed, `bayeslaw fit my_law runs.csv` fits it, and `load` knows it in saved fits. What has a name
    that is taken or cannot be loaded is left out with a warning that says whose it is: a broken package stops nothing.
    """
    from bayeslaw._law import AbstractLaw
    from bayeslaw.models import LAWS

    found: dict[str, type[Any]] = {_name(law): law for law in LAWS}
    for entry in entry_points(group=GROUP):
        whose = f"the law {entry.name!r} of {entry.dist.name if entry.dist else 'an unknown package'}"
        if entry.name in found:
            if found[entry.name].__module__ != entry.module:
                warnings.warn(f"{whose} was left out: there is a law of that name already.", stacklevel=2)
            continue
        try:
            law = entry.load()
        except Exception as error:  # whatever goes wrong in a package that is not ours
            warnings.warn(f"{whose} was left out: {entry.value} cannot be loaded ({error}).", stacklevel=2)
            continue
        if not (isinstance(law, type) and issubclass(law, AbstractLaw)):
            warnings.warn(
                f"{whose} was left out: {entry.value} is not a law (a subclass of AbstractLaw).", stacklevel=2
            )
            continue
        found[entry.name] = law
    return found


def _name(law: type[Any]) -> str:
    """The name of its module where that is the class's in other letters (`RoutedMoE` in `routed_moe`), else `a_law`."""
    module = law.__module__.rpartition(".")[-1]
    if module.replace("_", "") == law.__name__.lower():
        return module
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", law.__name__).lower()
