"""Pickled tables and arrays, read without running what a pickle may ask for."""

from pathlib import Path
from typing import Any

from bayeslaw._errors import InputError

# What a pickled table may ask for, by package: none of it reads, writes or runs anything. Whole packages would not do:
# pandas and NumPy have functions that do all three, and lead on to modules such as os.
_ADMITTED = {
    "pandas": {
        "DataFrame", "Series", "Index", "RangeIndex", "Int64Index", "UInt64Index", "Float64Index",
        "_new_Index", "BlockManager", "SingleBlockManager", "new_block", "_unpickle_block",
    },
    "numpy": {"ndarray", "dtype", "scalar", "_reconstruct", "_frombuffer"},
    "builtins": {"slice"},
}  # fmt: skip


def read_pickled(path: Path) -> Any:
    """What a pickle holds, compressed (.xz) or not, admitting the few names that tables and arrays need."""
    import lzma

    from pandas.compat.pickle_compat import Unpickler

    class Tables(Unpickler):
        def find_class(self, module: str, name: str) -> object:
            if name in _ADMITTED.get(module.split(".")[0], ()):
                return super().find_class(module.replace("numpy.core", "numpy._core"), name)  # before NumPy 2
            raise InputError(f"{path.name} asks for {module}.{name}, which a table does not need; it is not read.")

    with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
        return Tables(file).load()
