"""Bad input: one clear sentence that names the rows, says what was expected and what to try."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayeslaw as bl
from bayeslaw._identify import remark_on_design
from bayeslaw._joint import as_joint
from bayeslaw._modes import observed
from bayeslaw._runs import number_columns, read_table, remark_on_rows
from bayeslaw._tree import float64
from bayeslaw.models import Chinchilla

NAMES = ("params", "tokens", "loss")


@pytest.fixture
def runs() -> pd.DataFrame:
    return bl.load_chinchilla()[list(NAMES)].iloc[::10].reset_index(drop=True)


def damaged(runs: pd.DataFrame, column: str, row: int, value: Any) -> pd.DataFrame:
    copy = runs.astype({column: object})
    copy.loc[row, column] = value
    return copy


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("params", "big", r"column 'params' should hold numbers .*found row 3 \('big'\)"),
        ("loss", float("nan"), r"column 'loss' is not finite in row 3 \(nan\); drop those rows"),
        ("loss", float("inf"), r"column 'loss' is not finite in row 3 \(inf\)"),
        ("loss", None, r"column 'loss' is not finite in row 3 \(None\)"),
        ("loss", -2.0, r"column 'loss' must be greater than 0; found row 3 \(-2.0\)"),
        ("loss", 0, r"column 'loss' must be greater than 0; found row 3 \(0\)"),
        ("params", 0, r"column 'params' must be at least 1; found row 3 \(0\)"),
        ("tokens", -5e9, r"column 'tokens' must be at least 1; found row 3 \(-5000000000.0\)"),
        ("tokens", True, r"column 'tokens' should hold numbers .*found row 3 \(True\)"),
        ("tokens", 1 + 2j, r"column 'tokens' should hold numbers .*found row 3 \(\(1\+2j\)\)"),
        (
            "tokens",
            10**5000,
            r"column 'tokens' should hold numbers .*found row 3 \(an integer of thousands of digits\)",
        ),
        ("tokens", "x" * 999, r"column 'tokens' should hold numbers .*found row 3 \('x{39}\.\.\.x{9}'\)"),
    ],
    ids=lambda value: str(value)[:20] if not isinstance(value, int) else type(value).__name__,
)
def test_impossible_values_name_row_and_value(runs: pd.DataFrame, column: str, value: Any, message: str) -> None:
    with pytest.raises(bl.InputError, match=message):
        bl.fit(Chinchilla, damaged(runs, column, 3, value))


def test_many_bad_rows_are_counted(runs: pd.DataFrame) -> None:
    with pytest.raises(bl.InputError, match=r"row 0 \(nan\), .*and 19 more"):
        bl.fit(Chinchilla, runs.assign(loss=np.nan))


def test_missing_column_names_the_nearest(runs: pd.DataFrame) -> None:
    with pytest.raises(
        bl.InputError, match=r"'params' \(model size.*is missing; the table has N, .*columns={'N': 'params'}"
    ):
        bl.fit(Chinchilla, runs.rename(columns={"params": "N"}))
    with pytest.raises(bl.InputError, match=r"If 'losss' is it, pass columns={'losss': 'loss'}"):
        bl.fit(Chinchilla, runs.rename(columns={"loss": "losss"}))


@pytest.mark.parametrize("table", [pd.DataFrame(columns=list(NAMES)), {name: [] for name in NAMES}])
def test_no_rows(table: Any) -> None:
    with pytest.raises(bl.InputError, match="no rows"):
        bl.fit(Chinchilla, table)


def test_wrong_kinds_of_table(tmp_path: Path) -> None:
    with pytest.raises(bl.InputError, match="different lengths"):
        read_table({"params": [1, 2], "tokens": [1, 2, 3]})
    with pytest.raises(bl.InputError, match="there is no file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "runs.docx").write_text("x")
    with pytest.raises(bl.InputError, match=r"expected a file ending in .csv"):
        read_table(tmp_path / "runs.docx")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(bl.InputError, match="cannot be read as a table"):
        read_table(tmp_path / "empty.csv")
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    with pytest.raises(bl.InputError, match="cannot be read as a table"):
        read_table(tmp_path / "bad.parquet")


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "parquet", "frame", "mapping"])
def test_every_kind_of_table_gives_the_same_numbers(runs: pd.DataFrame, tmp_path: Path, kind: str) -> None:
    theirs = runs.rename(columns={"params": "N", "tokens": "D"})
    path = tmp_path / f"runs.{kind}"
    if kind == "parquet":
        theirs.to_parquet(path)
    elif kind not in ("frame", "mapping"):
        theirs.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    table: Any = {"frame": theirs, "mapping": theirs.to_dict("list")}.get(kind, path)
    frame = read_table(table, {"N": "params", "D": "tokens"})
    found, notes = number_columns(frame, NAMES)
    assert notes == []
    for name in NAMES:
        np.testing.assert_allclose(found[name], runs[name], rtol=1e-15)


def test_file_errors_name_the_line(runs: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    damaged(runs, "params", 3, "big").to_csv(path, index=False)
    assert path.read_text().splitlines()[4].startswith("big")  # line 5, counting the header as line 1
    with pytest.raises(bl.InputError, match=r"found line 5 \('big'\)"):
        bl.fit(Chinchilla, path)


def test_words_for_numbers(runs: pd.DataFrame) -> None:
    frame = read_table({"params": ["7B", 13e9], "tokens": "1.4T", "loss": [2.0, 1.9]})
    found, _ = number_columns(frame, NAMES)
    assert found["params"].tolist() == [7e9, 13e9]
    assert found["tokens"].tolist() == [1.4e12, 1.4e12]


def test_complex_columns_and_columns_beside_that_hold_anything(runs: pd.DataFrame) -> None:
    with pytest.raises(bl.InputError, match=r"column 'loss' should hold numbers .*and 19 more"):
        number_columns(runs.assign(loss=runs.loss + 1j), NAMES)
    copies = pd.concat([runs.iloc[[0]]] * 2, ignore_index=True)
    beside = copies.assign(config=[{"lr": 1e-3}, {"lr": 2e-3}])  # no reruns: they differ, in what cannot be hashed
    assert remark_on_rows(beside, number_columns(beside, NAMES)[0]) == []
    same = copies.assign(config=[{"lr": 1e-3}, {"lr": 1e-3}])
    assert "1 of 2 rows repeat" in str(remark_on_rows(same, number_columns(same, NAMES)[0])[0])


def test_tokens_follow_from_flops(runs: pd.DataFrame) -> None:
    flops = runs.assign(flops=6.0 * runs.params * runs.tokens).drop(columns="tokens")
    found, notes = number_columns(flops, NAMES)
    np.testing.assert_allclose(found["tokens"], runs.tokens)
    assert [str(note) for note in notes] == ["note: the table has no tokens; it was computed as flops / (6 * params)."]


def test_input_is_not_modified(runs: pd.DataFrame) -> None:
    before = runs.copy(deep=True)
    frame = read_table(runs, {"params": "params"})
    frame["params"] = 0
    number_columns(read_table(runs), NAMES)
    pd.testing.assert_frame_equal(runs, before)


@float64
def remarks(runs: pd.DataFrame) -> str:
    """All notes that fit() would attach, without sampling."""
    joint = as_joint(Chinchilla, bl.StudentT)
    frame = read_table(runs)
    found, notes = number_columns(frame, NAMES)
    notes += remark_on_rows(frame, found)
    response = found.pop("loss")
    notes += remark_on_design(joint, found, response, observed(found, response), frame)
    return "\n".join(map(str, notes))


def test_good_runs_get_no_remark(runs: pd.DataFrame) -> None:
    assert remarks(runs) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[r.params > 1e9].assign(params=r.params / 1e9), r"params of every run .* is far from the usual .*write 7e9 or '7B'"),
        (lambda r: pd.concat([r, r.iloc[[2, 5]]], ignore_index=True), r"2 of 26 rows repeat an earlier one \(row 24, 25\)"),
        (lambda r: r.assign(outlier=[True] + [False] * 23), r"1 rows flagged 'outlier' are in the fit"),
        (lambda r: r.iloc[:4], r"4 runs for 7 parameters: at least 7 runs are needed.*the prior dominates"),
        (lambda r: r.assign(params=1.3e9), r"all runs have params = 1.3e\+09, .*cannot inform E, a, alpha separately"),
        (lambda r: r.assign(tokens=2e10), r"all runs have tokens = 2e\+10, .*cannot inform E, b, beta separately"),
        (lambda r: r.assign(loss=2.5), r"loss is 2.5 in every run: there is nothing in it to learn from"),
        (lambda r: r.assign(loss=[0.1, *r.loss[1:]]), r"loss is below any plausible floor in row 0: 0.1 against"),
    ],
    ids=["billions", "duplicates", "flagged", "few", "one size", "one data size", "one loss", "below the floor"],
)  # fmt: skip
def test_soft_problems_are_pointed_out(runs: pd.DataFrame, change: Any, message: str) -> None:
    assert re.search(message, remarks(change(runs)))


def test_billions_below_one_get_the_same_advice(runs: pd.DataFrame) -> None:
    with pytest.raises(bl.InputError, match=r"'params' must be at least 1; found .*write 7e9 or '7B', not 7"):
        bl.fit(Chinchilla, runs.assign(params=runs.params / 1e9))
