"""Damaged input of every kind: a result, or one sentence that names what is wrong; never an error from a library inside.

Each test tries hundreds of examples (always the same ones) and reports how many there were of either.
"""

import datetime
import decimal
import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bayeslaw as bl
from bayeslaw import cli
from bayeslaw._columns import parse_number
from bayeslaw.models import Chinchilla

pytestmark = pytest.mark.trust

Record = Callable[[str, object], None]

RUNS = bl.load_chinchilla()[["params", "tokens", "loss"]][::8].reset_index(drop=True)
CELLS: list[Any] = [
    None, float("nan"), np.inf, -np.inf, 0, -1, 1e308, 1e-308, 10**400, "", "nan", "None", "7B", "7 b", "1,000,000",
    "1_0", "=1+1", "=cmd|' /C calc'!A0", "inf", "∞", "\uff17B", "1e400", True, False, decimal.Decimal("1e9"), 1 + 2j,
    [1], {}, (1, 2), b"12", datetime.datetime(2026, 1, 1), pd.NaT, pd.NA, pd.Timedelta(1), np.float32(3), np.int8(5),
    "<script>", "\x00", "1e9\n", "0x10", "1/2", "١٢٣",
]  # fmt: skip
NAMES = ["Params", "N", " params", "LOSS", "D", "train_tokens", "", "nll", "数据 ü", "a" * 500]
UNITS = [1e3, 1e6, 1e9, 1e-9, -1, 0, 1e300]


def cells(frame: pd.DataFrame, name: str, value: Any, row: int) -> pd.DataFrame:
    column = frame[name].astype(object)
    column.iloc[row % len(column)] = value
    return frame.assign(**{name: column})


DAMAGES: dict[str, Callable[[pd.DataFrame, str, Any, int], pd.DataFrame]] = {
    "a cell": cells,
    "a column of one value": lambda f, n, v, r: f.assign(**{n: [v] * len(f)}),
    "text": lambda f, n, v, r: f.assign(**{n: f[n].astype(str)}),
    "another unit": lambda f, n, v, r: f.assign(**{n: f[n] * UNITS[r % len(UNITS)]}),
    "the same name twice": lambda f, n, v, r: pd.concat([f, f[[n]]], axis=1),
    "another order": lambda f, n, v, r: f[f.columns[::-1]],
    "few rows": lambda f, n, v, r: f.iloc[: r % 3],
    "rows twice": lambda f, n, v, r: pd.concat([f, f]),
    "constant": lambda f, n, v, r: f.assign(**{n: f[n].iloc[0]}),
    "times with a zone": lambda f, n, v, r: f.set_axis(pd.date_range("2026", periods=len(f), tz="Europe/Berlin")),
    "two levels of rows": lambda f, n, v, r: f.set_axis(pd.MultiIndex.from_product([["a"], range(len(f))])),
    "rows of one name": lambda f, n, v, r: f.set_axis([0] * len(f)),
    "two levels of columns": lambda f, n, v, r: f.set_axis(pd.MultiIndex.from_product([["a"], f.columns]), axis=1),
    "another column": lambda f, n, v, r: f.assign(**{NAMES[r % len(NAMES)]: [v] * len(f)}),
    "a column that is a number": lambda f, n, v, r: f.assign(**{"x": 1}).rename(columns={"x": 3}),
    "another name": lambda f, n, v, r: f.rename(columns={n: NAMES[r % len(NAMES)]}),
    "without": lambda f, n, v, r: f.drop(columns=[n]),
    "single precision": lambda f, n, v, r: f.astype({n: "float32"}),
    "half precision": lambda f, n, v, r: f.astype({n: "float16"}),
    "nullable": lambda f, n, v, r: f.astype({n: "Float64"}),
    "categories": lambda f, n, v, r: f.astype({n: "category"}),
    "flags": lambda f, n, v, r: f.assign(diverged=[True, False, None, "yes", 2][r % 5]),
}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(DAMAGES)), st.sampled_from(list(RUNS)), st.sampled_from(CELLS), st.integers(0, 29)
    ),
    min_size=1,
    max_size=3,
)


def damaged(steps: list[tuple[str, str, Any, int]]) -> pd.DataFrame:
    frame = RUNS
    for kind, name, value, row in steps:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame = DAMAGES[kind](frame, name, value, row)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError):
            continue  # what was done before leaves nothing to do this to
    return frame


def try_all(
    kind: str, strategy: st.SearchStrategy[Any], examples: int, outcome: Callable[[Any], str], record: Record
) -> None:
    """Call `outcome` with so many examples; it fails, or says how one ended."""
    counts: Counter[str] = Counter()

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def try_one(example: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("ignore", RuntimeWarning)  # of what overflows
            counts[outcome(example)] += 1

    try_one()
    record("kind", kind)
    for name, count in counts.items():
        record(name, count)
    assert set(counts) == {"results", "refused"}  # not all of one kind: the examples reach both ends


def result_or_sentence(make: Callable[[], Any], *parts: str) -> str:
    try:
        found = make()
    except bl.InputError as error:
        assert 20 < len(str(error)) < 2000  # noqa: PT017
        assert all(part in str(error) for part in parts)  # noqa: PT017
        return "refused"
    assert repr(found)
    assert found._repr_html_()
    return "results"


def fitted(runs: Any) -> bl.Posterior:
    found = bl.fit(Chinchilla, runs, method="importance", draws=100, warmup=100, seed=1)
    assert all(np.isfinite(one).all() for one in found.draws.values()) or not found.ok
    return found


def test_damaged_tables(record_property: Record) -> None:
    def outcome(steps: list[tuple[str, str, Any, int]]) -> str:
        frame = damaged(steps)
        before = frame.copy(deep=True)
        found = result_or_sentence(lambda: fitted(frame))
        pd.testing.assert_frame_equal(frame, before)  # input is never modified
        return found

    try_all("Damaged tables of runs", STEPS, 500, outcome, record_property)


def test_damaged_text(tmp_path: Path, record_property: Record) -> None:
    """Cells that are formulas or huge, bytes lost, added and changed."""
    content = RUNS.to_csv(index=False).encode()
    edits = st.tuples(
        st.floats(0, 1),
        st.integers(0, 20),
        st.one_of(st.binary(max_size=8), st.sampled_from(CELLS).map(lambda c: str(c).encode())),
    )

    def outcome(steps: list[tuple[float, int, bytes]]) -> str:
        text = content
        for where, lost, put in steps:
            at = int(where * len(text))
            text = text[:at] + put + text[at + lost :]
        path = tmp_path / "runs.csv"
        path.write_bytes(text)
        return result_or_sentence(lambda: fitted(path))

    try_all("Damaged CSV files", st.lists(edits, min_size=1, max_size=3), 500, outcome, record_property)


def test_damaged_scenarios(posterior: bl.Posterior, record_property: Record) -> None:
    columns = st.dictionaries(
        st.sampled_from(["params", "tokens", "flops", "loss", "", "数据"]),
        st.one_of(st.sampled_from(CELLS), st.lists(st.sampled_from(CELLS), max_size=3), st.floats(), st.integers()),
        max_size=3,
    )

    def outcome(scenarios: dict[str, Any]) -> str:
        def predicted() -> bl.Prediction:
            found = bl.predict(posterior, scenarios, misfit=False)
            assert np.isfinite(found.summary()["median"]).all() or not found.ok
            return found

        return result_or_sentence(predicted)

    try_all("Damaged scenarios of a forecast", columns, 400, outcome, record_property)


def test_damaged_questions(posterior: bl.Posterior, record_property: Record) -> None:
    anything = st.one_of(
        st.sampled_from(CELLS), st.floats(), st.lists(st.floats(1e18, 1e26), max_size=3), st.text(max_size=5)
    )
    options = st.dictionaries(st.sampled_from(["flops", "prob", "params", "decision", "x"]), anything, max_size=2)

    def outcome(asked: dict[str, Any]) -> str:
        def allocated() -> bl.Allocation:
            found = bl.allocate(posterior, **{"flops": 1e22, **asked})
            assert np.isfinite(found.summary()["median"]).all() or not found.ok
            return found

        return result_or_sentence(allocated)

    try_all("Damaged questions to a decision", options, 400, outcome, record_property)


def test_anything_is_a_number_or_not(record_property: Record) -> None:
    anything = st.one_of(
        st.text(), st.sampled_from(CELLS), st.integers(), st.floats(), st.binary(), st.complex_numbers()
    )

    def outcome(value: Any) -> str:
        try:
            assert isinstance(parse_number(value), float)
        except ValueError as error:
            assert "number" in str(error)  # noqa: PT017
            return "refused"
        return "results"

    try_all("Words for numbers", anything, 3000, outcome, record_property)


def test_damaged_fits(posterior: bl.Posterior, tmp_path: Path, record_property: Record) -> None:
    """Cut anywhere, bits flipped: refused, unless nothing reads these bits."""
    path = tmp_path / "fit.nc"
    posterior.save(path)
    content = path.read_bytes()

    def outcome(damage: tuple[float, list[float]]) -> str:
        cut, flips = damage
        left = bytearray(content[: int(cut * len(content))])
        for where in flips if left else ():
            at = int(where * 8 * len(left)) % (8 * len(left))
            left[at // 8] ^= 1 << at % 8
        (tmp_path / "damaged.nc").write_bytes(left)
        try:
            found = bl.load(tmp_path / "damaged.nc")
        except bl.InputError as error:
            assert "damaged.nc" in str(error)  # noqa: PT017
            return "refused"
        for name, values in posterior.draws.items():
            np.testing.assert_array_equal(found.draws[name], values)
        return "results"

    damages = st.tuples(st.one_of(st.just(1.0), st.floats(0, 1)), st.lists(st.floats(0, 1), max_size=8))
    try_all("Damaged files of fits", damages, 1000, outcome, record_property)


WORDS = [
    "1e22", "70B", "-1", "0", "nan", "inf", "1e400", "", "1e22,,", "$(x)", "=1+1", "٣", "N=params", "=", "tokens=0",
    "cvar:2", "miss:x", "none.nc", "../x", "/", "--json", "0x10", "1e22 FLOPs", "chinchilla", "compute_optimal",
]  # fmt: skip
OPTIONS = [
    "--flops",
    "--given",
    "--decision",
    "--prob",
    "--columns",
    "--penalise",
    "--noise",
    "--draws",
    "--risk",
    "-o",
]


def test_damaged_command_lines(
    posterior: bl.Posterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Record
) -> None:
    monkeypatch.chdir(tmp_path)  # where -o may write
    posterior.save("fit.nc")

    def outcome(line: tuple[str, list[str], list[tuple[str, str]]]) -> str:
        command, words, options = line
        monkeypatch.setattr(sys, "argv", ["bayeslaw", command, *words, *(part for one in options for part in one)])
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as left:
            cli.main()
        assert "Traceback" not in err.getvalue()
        if left.value.code == 2:
            assert len(err.getvalue()) > 20
            return "refused"
        assert left.value.code in (0, None)
        return "results"

    word = st.one_of(st.text(max_size=8), st.sampled_from(WORDS))
    options = st.lists(st.tuples(st.sampled_from(OPTIONS), word), max_size=3)
    asking = st.tuples(st.sampled_from(["allocate", "check"]), st.just(["fit.nc"]), options)
    others = ["fit", "choose", "compare", "backtest", "next-runs", "report", "data", "laws"]
    naming = st.tuples(st.sampled_from(others), st.lists(word.filter(lambda w: w != "chinchilla"), max_size=2), options)
    try_all("Damaged command lines", st.one_of(asking, naming), 400, outcome, record_property)


@pytest.mark.filterwarnings("ignore:this posterior is not a result yet")  # of few draws
def test_a_million_rows(record_property: Record) -> None:
    many = pd.concat([RUNS] * (1_000_000 // len(RUNS)), ignore_index=True)
    rng = np.random.default_rng(0)
    many = many.assign(loss=many.loss * np.exp(0.01 * rng.normal(size=len(many))))
    found = bl.fit(Chinchilla, many, method="importance", chains=2, draws=100)
    assert found.draws["alpha"].shape == (2, 100)
    # What a million runs leave open, against thirty.
    few = bl.fit(Chinchilla, RUNS, method="importance", draws=100)
    assert found.draws["alpha"].std() < 0.1 * few.draws["alpha"].std()
    record_property("kind", "Tables of a million runs")
    record_property("results", 1)
