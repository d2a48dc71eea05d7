"""How the site is built: `sphinx-build -W --keep-going -b html docs docs/_build/html`.

No network is used, and nothing in the result asks for any. `BAYESLAW_DOCS_EXECUTE=1` runs the notebooks as well.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the extension, and the library beside these pages

from bayeslaw import __version__  # noqa: E402

project = "bayeslaw"
author = "the authors of bayeslaw"
version = release = __version__
extensions = ["_extension", "myst_nb", "sphinx_copybutton"]
exclude_patterns = ["_build", "jupyter_execute", "_extension", "**.ipynb_checkpoints"]

myst_enable_extensions = ["colon_fence"]  # formulas are code, as in docstrings: no MathJax
myst_heading_anchors = 3
nb_execution_mode = "force" if os.environ.get("BAYESLAW_DOCS_EXECUTE") else "off"
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
nb_output_stderr = "remove"  # what Jupyter lacks on the machine that builds is no part of the page

add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 80
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"bayeslaw {version}"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_copy_source = html_show_sourcelink = html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072B2", "color-brand-content": "#0072B2"},
    "dark_css_variables": {"color-brand-primary": "#56B4E9", "color-brand-content": "#56B4E9"},
}
