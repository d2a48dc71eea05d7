"""From a table as people have it to the numbers a law reads: mapping, parsing, checking, pointing out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bayeslaw._columns import COLUMNS, DERIVED, codes, label_of, nearest, parse_number, rename
from bayeslaw._errors import InputError, Status

Table = pd.DataFrame | Mapping[str, Any] | str | Path
_FLAGS = ("outlier", "diverged")


def read_table(table: Table, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A new DataFrame with our column names, from a DataFrame, a mapping, or a CSV or parquet file."""
    if isinstance(table, str | Path):
        frame = _read_file(Path(table))
    elif isinstance(table, pd.DataFrame):
        frame = table.copy()
    elif isinstance(table, Mapping):
        # Object dtype, so that "7B" beside 7e9 does not become the text "7000000000.0".
        try:
            arrays = {name: np.asarray(value, dtype=object).ravel() for name, value in table.items()}
        except ValueError as error:
            raise InputError(
                f"a column must be one value or a list of them, not arrays of several shapes: {error}."
            ) from error
        lengths = {name: array.size for name, array in arrays.items()}
        size = max(lengths.values(), default=0)
        wrong = {name: length for name, length in lengths.items() if length not in (1, size)}
        if wrong:
            raise InputError(f"the columns have different lengths, {lengths}; give each {size} values, or one for all.")
        frame = pd.DataFrame({name: np.repeat(a, size) if a.size == 1 < size else a for name, a in arrays.items()})
    else:
        raise InputError(f"expected a DataFrame, a mapping of columns or a path, got {type(table).__name__}.")
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame.rename(columns=rename(columns, frame.columns))


def _read_file(path: Path) -> pd.DataFrame:
    suffixes = "".join(path.suffixes[-2:]).lower()
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        elif suffixes.endswith((".csv", ".csv.gz", ".tsv", ".tsv.gz")):
            frame = pd.read_csv(path, sep="\t" if ".tsv" in suffixes else ",", skip_blank_lines=False)
            frame.index = pd.RangeIndex(2, 2 + len(frame), name="line")
        else:
            raise InputError(f"{str(path)!r}: expected a file ending in .csv, .csv.gz, .tsv or .parquet.")
    except ImportError as error:
        raise InputError("reading parquet needs pyarrow: pip install 'bayeslaw[parquet]'.") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{str(path)!r} cannot be read as a table: {error}") from error
    except InputError:
        raise
    except ValueError as error:  # pyarrow's own errors are ValueErrors
        raise InputError(f"{str(path)!r} cannot be read as a table: {error}") from error
    return frame


def number_columns(
    frame: pd.DataFrame,
    names: Sequence[str],
    optional: Sequence[str] = (),
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    what: str = "run",
) -> tuple[dict[str, np.ndarray], list[Status]]:
    """The named columns as checked float64 arrays, and what a careful reader would remark on.

    A column that is not there but follows from others (`tokens = flops / (6 * params)`) is computed,
    with a note; one that is `optional` may be missing; one of `labels` is given as positions among them. Raises
    `InputError` naming the rows when a column is missing or holds impossible values.
    """
    if len(frame) == 0:
        raise InputError(f"the table has no rows; at least one {what} is needed.")
    notes: list[Status] = []
    found: dict[str, np.ndarray] = {}
    for name in names:
        needs, formula, words = DERIVED.get(name, ((), None, ""))
        if name in frame.columns and labels and name in labels:
            found[name] = _codes(frame, name, labels[name])
        elif name in frame.columns:
            found[name] = _numbers(frame, name)
        elif formula is not None and all(need in frame.columns for need in needs):
            found[name] = np.asarray(formula(*(_numbers(frame, need) for need in needs)))
            _check_possible(frame, name, found[name], found[name].tolist(), f", computed as {words},")
            notes.append(Status(f"the table has no {name}; it was computed as {words}."))
        elif name in optional:
            continue
        else:
            raise InputError(_missing(name, frame))
        notes += _remark(name, found[name], what)
    return found, notes


def _codes(frame: pd.DataFrame, name: str, labels: Sequence[str]) -> np.ndarray:
    raw = frame[name].tolist()
    unknown = np.array([label_of(value) not in labels for value in raw])
    if unknown.any():
        raise InputError(
            f"column {name!r} holds {_rows(frame, unknown, raw)}, where the law knows {', '.join(labels)}."
        )
    return codes(labels, raw)


def _missing(name: str, frame: pd.DataFrame) -> str:
    column = COLUMNS.get(name)
    meaning = f" ({column.meaning}, in {column.unit or 'no unit'})" if column else ""
    guess = nearest(name, frame.columns)
    hint = f" If {guess!r} is it, pass columns={{{guess!r}: {name!r}}}." if guess else ""
    return f"column {name!r}{meaning} is missing; the table has {', '.join(map(str, frame.columns))}.{hint}"


def _shown(value: Any) -> str:
    """A cell in few characters: it may hold a book."""
    try:
        text = repr(value)
    except ValueError:  # Python writes integers of up to 4300 digits
        return "an integer of thousands of digits"
    return text if len(text) <= 60 else f"{text[:40]}...{text[-10:]}"


def _rows(frame: pd.DataFrame, wrong: np.ndarray, values: Any) -> str:
    """`row 3 ('abc') and row 7 (nan)`, at most five of them."""
    word = frame.index.name or "row"
    where = np.flatnonzero(wrong)
    shown = ", ".join(f"{word} {frame.index[i]} ({_shown(values[i])})" for i in where[:5])
    return shown + (f" and {len(where) - 5} more" if len(where) > 5 else "")


def _numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    column = frame[name]
    raw = [value.item() if isinstance(value, np.generic) else value for value in column.tolist()]
    kinds = pd.api.types
    plain = not (kinds.is_bool_dtype(column) or kinds.is_complex_dtype(column))
    if kinds.is_numeric_dtype(column) and plain:
        values = column.to_numpy(dtype=float, na_value=np.nan)
    else:
        values = np.full(len(raw), np.nan)
        unreadable = np.zeros(len(raw), dtype=bool)
        for i, value in enumerate(raw):
            try:
                values[i] = np.nan if value is None or value is pd.NA else parse_number(value)
            except ValueError:
                unreadable[i] = True
        if unreadable.any():
            raise InputError(
                f"column {name!r} should hold numbers (7e9, 70B, 1.4T); found {_rows(frame, unreadable, raw)}."
            )
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise InputError(
            f"column {name!r} is not finite in {_rows(frame, wrong, raw)}; "
            "drop those rows, or give the value the run had before it diverged."
        )
    _check_possible(frame, name, values, raw)
    return values


def _check_possible(frame: pd.DataFrame, name: str, values: np.ndarray, raw: Any, how: str = "") -> None:
    known = COLUMNS.get(name)
    if known is not None and not known.allows(values).all():
        found = _rows(frame, ~known.allows(values), raw)
        raise InputError(f"column {name!r}{how} must be {known.domain}; found {found}. {known.advice}".strip())


def _remark(name: str, values: np.ndarray, what: str) -> list[Status]:
    known = COLUMNS.get(name)
    if known is None:
        return []
    low, high = known.usual
    if values.max() < low or values.min() > high:
        span = f"{values.min():.4g} to {values.max():.4g}"
        return [Status(f"{name} of every {what} ({span}) is far from the usual {low:g} to {high:g}. {known.advice}")]
    return []


def remark_on_rows(frame: pd.DataFrame, found: Mapping[str, np.ndarray]) -> list[Status]:
    """Notes about rows that were kept: duplicates and flags. Nothing is dropped on the user's behalf.

    Equal counts are no duplicates: of a hundred questions many are answered as often as another.
    """
    notes = []
    # Rows that differ in a column which the law does not read, such as the problem that was answered, are no copies;
    # equal counts are copies only where such a column says that they are of the same.
    named = "trials" not in found or not set(frame.columns) <= {*found, "successes"}
    repeated = pd.DataFrame(found).duplicated().to_numpy() & named
    if repeated.any():
        repeated &= frame.map(str).duplicated().to_numpy()  # as text, for a column beside may hold anything
    if repeated.any():
        labels = [str(label) for label in frame.index[repeated][:5]]
        more = f" and {repeated.sum() - 5} more" if repeated.sum() > 5 else ""
        notes.append(
            Status(
                f"{repeated.sum()} of {len(frame)} rows repeat an earlier one ({frame.index.name or 'row'} "
                f"{', '.join(labels)}{more}): copies make intervals too narrow; drop_duplicates() unless "
                "they are reruns."
            )
        )
    for flag in _FLAGS:
        if flag in frame.columns and (count := int(np.sum(frame[flag].to_numpy() == True))):  # noqa: E712 (object columns)
            notes.append(Status(f"{count} rows flagged {flag!r} are in the fit; runs[~runs.{flag}] leaves them out."))
    return notes
