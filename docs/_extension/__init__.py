"""Pages of the documentation that are made from the code each time it is built: laws, data, reference, commands.

Nothing here is imported by the library, and nothing that it writes is committed.
"""

from pathlib import Path
from typing import Any


def setup(app: Any) -> dict[str, Any]:
    app.connect("config-inited", lambda app, config: write_pages(Path(app.srcdir)))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write_pages(docs: Path) -> None:
    """Write all pages that are made, into folders of `docs` that git ignores."""
    import matplotlib

    matplotlib.use("Agg")
    from _extension import commands, data_cards, laws, notebooks, project, reference

    root = docs.parent
    laws.write(docs / "laws", root)
    data_cards.write(docs / "data")
    notebooks.write(docs / "notebooks", root / "notebooks")
    reference.write(docs / "reference")
    commands.write(docs / "project" / "command_line.md")
    project.write(docs / "project", root)
