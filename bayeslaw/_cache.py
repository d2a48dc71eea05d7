"""JAX's persistent compilation cache, on unless the user has set up one or wants none."""

import functools
import hashlib
import os
import platform
import tempfile
import warnings
from pathlib import Path

VARIABLE = "BAYESLAW_COMPILATION_CACHE"  # a folder, or `off`
_ROOM = 2**20  # bytes that must be free: the largest programs


@functools.cache
def use_cache() -> None:
    """Compiled programs are kept in the user's cache folder, so that a new process need not compile them again.

    `BAYESLAW_COMPILATION_CACHE` names another folder or says `off`; a `jax_compilation_cache_dir` that is set already
    stays as it is.
    """
    import jax

    wanted = os.environ.get(VARIABLE, "")
    if wanted.lower() in ("off", "0", "no", "false") or jax.config.jax_compilation_cache_dir is not None:
        return
    import pooch

    folder = Path(wanted) if wanted else Path(pooch.os_cache("bayeslaw")) / "compiled"
    folder = folder / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        warnings.warn(
            f"compiled programs are not kept, so that each process compiles anew: {folder} cannot be written to "
            f"({error.strerror}). {VARIABLE} names another folder, or says off.",
            stacklevel=3,
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _processor() -> str:
    """A name for the machine's instruction set: programs compiled for another may not run in a home they share."""
    features = platform.processor()
    cpu = Path("/proc/cpuinfo")
    if cpu.is_file():
        features += next((line for line in cpu.read_text().splitlines() if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:12]}"
