"""Where tables come from: those that ship, and files that are downloaded once and kept in a cache."""

import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd

from bayeslaw._errors import InputError


@dataclass(frozen=True)
class Remote:
    """A file on GitHub: its place in the cache (folder/name), repository/commit/folder it lies in, and SHA-256."""

    place: str
    origin: str
    sha256: str

    @property
    def url(self) -> str:
        return f"https://raw.githubusercontent.com/{self.origin}/{Path(self.place).name}"


def shipped(name: str, counts: tuple[str, ...] = ()) -> pd.DataFrame:
    """A table that comes with the package; the columns of `counts` are written as integers and given as numbers."""
    with (files("bayeslaw") / "_data" / f"{name}.csv").open("rb") as file:
        return pd.read_csv(file).astype(dict.fromkeys(counts, float))


def _cache() -> Path:
    import pooch

    return Path(os.environ.get("BAYESLAW_DATA") or pooch.os_cache("bayeslaw")).expanduser()


def converted(place: str, sha256: str) -> Path | None:
    """A file already turned into a CSV table, if it lies in the cache and is the expected one."""
    import pooch

    path = _cache() / place
    return path if path.is_file() and pooch.file_hash(str(path)) == sha256 else None


def fetch(remote: Remote) -> Path:
    """The cached file, downloaded if need be, with its checksum enforced."""
    import pooch

    place, url = remote.place, remote.url
    cache = pooch.create(
        path=_cache(), base_url="", registry={place: f"sha256:{remote.sha256}"}, urls={place: url}, retry_if_failed=1
    )
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        return Path(cache.fetch(place))
    except Exception as error:  # requests, OS and checksum errors alike
        target = Path(cache.abspath) / place
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{place} is not in the cache and could not be downloaded ({type(error).__name__}: {reason}). Connect to "
            f"the network once, or download {url} yourself and put it at {target}; BAYESLAW_DATA names another "
            "cache folder."
        ) from error
    finally:
        logger.setLevel(level)
