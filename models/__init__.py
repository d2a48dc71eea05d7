"""The laws, one file per paper. Import them as `bayeslaw.models`."""

if __name__ != "bayeslaw.models":
    raise ImportError(f"import this package as bayeslaw.models, not as {__name__!r}")

from bayeslaw.models.chinchilla import Chinchilla
from bayeslaw.models.mist import MIST

LAWS = (Chinchilla, MIST)
"""Every law of the package; the contract tests walk it, and the command line lists it."""

__all__ = ["LAWS", *(law.__name__ for law in LAWS)]  # pyright: ignore[reportUnsupportedDunderAll]
