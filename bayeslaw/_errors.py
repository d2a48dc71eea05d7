"""What can be wrong: an `InputError` stops, a `Status` informs."""

from dataclasses import dataclass


class InputError(ValueError):
    """The input cannot be used. The message says what was expected, what came, and what to try."""


@dataclass(frozen=True)
class Status:
    """One sentence about a result, with advice.

    `serious` means the numbers should not be used before the advice is followed (a sampler that
    did not converge); otherwise they can be, knowing this (a parameter the data say little about).
    """

    text: str
    serious: bool = False

    def __str__(self) -> str:
        return f"{'PROBLEM' if self.serious else 'note'}: {self.text}"
