"""Fits in files: written whole or not at all, read without executing anything."""

import json
import os
import tempfile
from pathlib import Path

import xarray as xr

from bayeslaw._codec import check_stored, decode
from bayeslaw._errors import InputError
from bayeslaw._posterior import FORMAT, Posterior
from bayeslaw._tree import as_joint, float64


def save(posterior: Posterior, path: str | Path) -> None:
    """See `Posterior.save`."""
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {str(target.parent)!r} to save in.")
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        tree = posterior.tree.copy()
        tree.attrs |= {
            "law": json.dumps(check_stored(posterior.prior)),
            "noise": json.dumps(check_stored(posterior.noise_prior)),
        }
        tree.to_netcdf(temporary, engine="h5netcdf")
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
    try:
        with xr.open_datatree(source, engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:  # h5py and xarray raise many kinds for a damaged file
        raise InputError(refusal) from error
    attrs = tree.attrs
    if "bayeslaw_format" not in attrs:
        raise InputError(refusal)
    if int(attrs["bayeslaw_format"]) > FORMAT:
        raise InputError(
            f"{str(source)!r} was written by bayeslaw {attrs.get('bayeslaw_version')} in format "
            f"{attrs['bayeslaw_format']}; this version reads up to {FORMAT}. Upgrade bayeslaw to open it."
        )
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
