"""The notation table: numbers as people write them, names as people mistype them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayeslaw import InputError
from bayeslaw._columns import COLUMNS, DERIVED, derive, format_number, nearest, parse_number, rename
from bayeslaw._notation import TABLE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70B", 70e9), ("1.4T", 1.4e12), ("5.76e23", 5.76e23), ("7e9", 7e9), (" 125 M ", 125e6), ("12k", 12e3),
        ("12,000", 12e3), ("1_000_000", 1e6), ("1,234.5", 1234.5), (".5", 0.5), ("-3", -3.0), ("1E3", 1e3), (7, 7.0),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: object, value: float) -> None:
    assert parse_number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "abc", "7 Q", "1,5", "1.2.3", "B", "1e", "nan B", "7BB", "--3", True, None, [1]])
def test_anything_else_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        parse_number(text)


def test_numbers_beyond_any_float_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 308 digits"):
        parse_number(10**400)


@given(st.floats(min_value=1e3, max_value=9.9e14))
def test_formatted_counts_read_back(value: float) -> None:
    # three significant digits are shown
    assert parse_number(format_number(value, "params")) == pytest.approx(value, rel=5.1e-3)


def test_formatting() -> None:
    assert format_number(71.23e9, "params") == "71.2B"
    assert format_number(999.7e6, "tokens") == "1B"
    assert format_number(1.4e12, "tokens") == "1.4T"
    assert format_number(5.76e23, "flops") == "5.76e+23"
    assert format_number(1.9734, "loss") == "1.973"
    assert format_number(math.inf, "loss") == "inf"


def test_nearest_names() -> None:
    assert nearest("params", ["N", "D", "loss"]) == "N"
    assert nearest("tokens", ["size", "token", "loss"]) == "token"
    assert nearest("loss", ["zzz"]) is None
    assert nearest("params", ["Name", "config.model.n_params"]) == "config.model.n_params"
    assert nearest("loss", ["summary.train/acc", "summary.eval/loss"]) == "summary.eval/loss"
    assert nearest("loss", ["a/loss", "loss"]) == "loss"


def test_derived_columns() -> None:
    assert derive("flops", {"params": 2.0, "tokens": 3.0}) == 36.0
    assert derive("tokens", {"params": 2.0, "flops": 36.0}) == 3.0
    assert derive("tokens_per_param", {"params": 2.0, "tokens": 3.0}) == 1.5
    assert derive("tokens", {"params": 2.0}) is None
    assert all(name in COLUMNS for name in DERIVED)


def test_mapping_names_the_column_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"maps 'n', but the table has N, D.*Did you mean 'N'"):
        rename({"n": "params"}, ["N", "D"])
    with pytest.raises(InputError, match="two columns would be called 'params'"):
        rename({"N": "params"}, ["N", "params"])


def test_every_column_is_there_once() -> None:
    assert len(TABLE) == len(COLUMNS)
