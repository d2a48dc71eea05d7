"""Fits in files: written whole or not at all, read without executing anything."""

import hashlib
import io
import json
import os
import secrets
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from bayeslaw._codec import check_stored, decode
from bayeslaw._errors import InputError
from bayeslaw._joint import as_joint
from bayeslaw._posterior import FORMAT, Posterior
from bayeslaw._tree import float64

_SEAL = "sha256"
_LINKS = ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS")  # of netCDF, between arrays: addresses within the file


def save(posterior: Posterior, path: str | Path) -> None:
    """See `Posterior.save`."""
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {str(target.parent)!r} to save in.")
    temporary = (
        target.parent / f".{target.name}.{secrets.token_hex(4)}"
    )  # beside it, so that it can be moved into place
    try:
        tree = posterior.tree.copy()
        tree.attrs |= {
            "law": json.dumps(check_stored(posterior.prior)),
            "noise": json.dumps(check_stored(posterior.noise_prior)),
        }
        content = _sealed(tree)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _sealed(tree: xr.DataTree) -> memoryview:
    """The file of a tree, made in memory: HDF5 ends the process on a full disk. `DataTree.to_netcdf` would do, but
    beside a Dask cluster it wants a lock of it, named by a path."""
    content = io.BytesIO()
    with h5netcdf.File(content, "w") as file:
        for node in tree.subtree:
            group = file if node is tree else file.create_group(node.path)
            node.to_dataset(inherit=False).dump_to_store(H5NetCDFStore(group))
    with h5py.File(content, "r+") as file:
        file.attrs[_SEAL] = _digest(file)
    return content.getbuffer()


@float64
def load(path: str | Path) -> Posterior:
    """Read a fit written by `Posterior.save`.

    A law or noise of your own must be defined (imported) first. Nothing in the file is executed. Raises
    `InputError` when the file is missing, is not a fit, or was written in a newer format.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"there is no file {str(source)!r}.")
    refusal = f"{str(source)!r} is not a fit saved by bayeslaw; make one with Posterior.save() or `bayeslaw fit -o`."
    tree = _read(source, refusal)
    attrs = tree.attrs
    attrs.pop(_SEAL, None)
    try:
        law, noise = json.loads(attrs.pop("law")), json.loads(attrs.pop("noise"))
        missing = {"posterior", "sample_stats", "observed_data", "constant_data"} - set(tree.children)
    except (KeyError, ValueError) as error:
        raise InputError(refusal) from error
    if missing:
        raise InputError(f"{refusal} (It lacks {', '.join(sorted(missing))}.)")
    try:
        joint = as_joint(decode(law), decode(noise))
    except InputError:
        raise
    except Exception as error:  # entries that are missing, or arguments that a distribution refuses
        raise InputError(f"{str(source)!r} is damaged: its law or noise cannot be read ({error}).") from error
    if set(joint.sites()) != set(tree["posterior"].data_vars):
        raise InputError(f"{str(source)!r} is damaged: its draws are not those of its law.")
    return Posterior(tree, joint)


def _read(source: Path, refusal: str) -> xr.DataTree:
    """What the file holds, if that is what was written and in a format of ours."""
    try:
        with h5py.File(source) as file:  # before xarray, which may read a damaged file as another one
            whole = file.attrs.get(_SEAL) in (None, _digest(file))
            about: dict[str, Any] = dict(file.attrs)
            version = int(np.asarray(about["bayeslaw_format"]).item())
        if whole and version <= FORMAT:
            with xr.open_datatree(source, engine="h5netcdf") as opened:
                return opened.load()
    except Exception as error:  # h5py and xarray raise many kinds for a damaged file
        raise InputError(refusal) from error
    if version > FORMAT:
        raise InputError(
            f"{str(source)!r} was written by bayeslaw {about.get('bayeslaw_version')} in format {version}; this "
            f"version reads up to {FORMAT}. Upgrade bayeslaw to open it."
        )
    raise InputError(
        f"{str(source)!r} is damaged: it does not hold what was written (its checksum is another). Copy it again from "
        "where it came, or fit again."
    )


def _digest(file: h5py.File) -> str:
    """SHA-256 of all arrays and attributes of a file but itself; HDF5 checks neither."""
    digest = hashlib.sha256()

    def add(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            digest.update(f"{name} {node.dtype} {node.shape} ".encode() + _bytes(node[()]))
        for key, value in sorted(node.attrs.items()):
            if key not in (_SEAL, *_LINKS):
                digest.update(f"{name} {key} ".encode() + _bytes(value))

    add("", file)
    file.visititems(add)  # in the order of names
    return digest.hexdigest()


def _bytes(value: Any) -> bytes:
    array = np.asarray(value)
    return json.dumps(array.tolist(), default=str).encode() if array.dtype.kind in "OSU" else array.tobytes()
