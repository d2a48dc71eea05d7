"""The table of answers in the README is what its script makes of these laws today."""

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import answers

UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
NEEDS = {
    "vocabulary_size": ("vocabulary", {}),
    "vocabulary": ("vocabulary", {}),
    "coverage": ("monkeys", {"benchmark": "original"}),
    "lifetime": ("monkeys", {"benchmark": "gsm8k"}),
}
"""The data set that must be at hand."""


def numbers(cell: str) -> list[float]:
    found = re.findall(r"(?<![\w.])(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)([KMBT]?)(?![\w])", cell)
    return [float(value) * UNITS.get(unit, 1.0) for value, unit in found]


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def close(found: str, printed: str) -> bool:
    """Shares of draws to 5 points; a median to a fifth of its interval, its ends to a third (Monte Carlo error of an end
    is some 3 % of the width with 1000 effective draws; another machine's chains are others); everything else as it is."""
    if "[" not in printed:
        mine, theirs = numbers(found), numbers(printed)
        return len(mine) == len(theirs) and all(abs(a - b) <= 5 for a, b in zip(mine, theirs, strict=True))
    (middle, low, high), theirs = numbers(printed), numbers(found)
    width = max(high - low, 0.02 * abs(middle))
    return all(
        abs(a - b) <= share * width for a, b, share in zip(theirs, (middle, low, high), (0.2, 0.33, 0.33), strict=True)
    )


def check(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if name in NEEDS:
        data, options = NEEDS[name]
        request.getfixturevalue("fetched")(data, **options)  # skips where it is not at hand
        monkeypatch.setenv("BAYESLAW_DATA", str(request.getfixturevalue("cache")))
    table = [cells(row) for row in answers.printed().splitlines()]
    for row in answers.rows(name):
        mine = cells(row)
        (theirs,) = [one for one in table if one[:2] == mine[:2] and one[4] == mine[4]]
        assert mine[3] == theirs[3]
        assert close(mine[2], theirs[2]), (row, theirs)


@pytest.mark.pages
@pytest.mark.parametrize("name", [name for name in answers.ANSWERS if name not in answers.SLOW])
def test_answers_of_the_readme(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    check(name, monkeypatch, request)


@pytest.mark.slow
@pytest.mark.parametrize("name", answers.SLOW)
def test_slow_answers_of_the_readme(name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    check(name, monkeypatch, request)


def test_nothing_else_is_in_the_table() -> None:
    """As many rows as the script makes; a wrong figure is seen."""
    assert answers.printed().startswith(answers.HEAD)
    laws = re.findall(r"`(\w+)`", answers.printed())
    assert all(hasattr(answers.m, law) for law in laws)
    assert close("0.303 [0.296, 0.311]", "0.304 [0.297, 0.312]")
    assert not close("0.34 [0.33, 0.35]", "0.304 [0.297, 0.312]")
    assert not close("w8a8 93%, w4a4 7%", "w8a8 73%, w4a4 27%")
    assert close("primer 53%, primer-ez 47%", "primer 55%, primer-ez 45%")
    assert numbers("744B [214B, 1.44T]") == [744e9, 214e9, 1.44e12]
