"""How Sphinx builds the site: ``pip install ".[docs]"``, then ``sphinx-build -W -b html docs docs/_build/html``.

Code cells of the pages run while the site is built, so that no output or figure can be older than the code; a cell that
fails fails the build.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

import nutslite

project = "nutslite"
author = "nutslite developers"
copyright = "nutslite developers"
version = release = nutslite.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]

# ------------------------------------------------------------------------------------------------------------ pages

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# ------------------------------------------------------------------------------------------------- cells that run

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300  # seconds a cell; a first fit compiles
nb_execution_in_temp = True
nb_merge_streams = True
nb_output_stderr = "show"

# What the kernels inherit. A progress bar is nothing to print; a figure needs no window; threads of BLAS do not help.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["NUTSLITE_DOCS"] = str(Path(__file__).parent)  # cells run elsewhere, and may need files that lie here
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # another one shows nothing in a page
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# Errors that a page shows are shown by their message; tracebacks would print the paths of this machine.
_profile = Path(tempfile.mkdtemp(prefix="nutslite-docs-")) / "profile_default"
_profile.mkdir()
(_profile / "ipython_config.py").write_text(
    'c = get_config()\nc.InteractiveShell.xmode = "Minimal"\n', encoding="utf-8"
)
# Warnings likewise: they would name the temporary file that a kernel runs a cell from.
(_profile / "startup").mkdir()
(_profile / "startup" / "warnings.py").write_text(
    "import warnings\n"
    "warnings.formatwarning = lambda message, category, *place: f'{category.__name__}: {message}\\n'\n"
    "del warnings\n",
    encoding="utf-8",
)
os.environ["IPYTHONDIR"] = str(_profile.parent)

# ------------------------------------------------------------------------------------------------------- reference

default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_param = False  # types are words in these docstrings, not names to link to
napoleon_use_rtype = False
napoleon_preprocess_types = False

# ------------------------------------------------------------------------------------------------------------ looks

html_theme = "furo"
html_title = f"nutslite {version}"
html_show_sourcelink = False
html_copy_source = False
templates_path: list[str] = []
html_static_path = ["_static"]
html_css_files = ["outputs.css"]


def _without_empty_patterns(app: Sphinx, docname: str, source: list[str]) -> None:
    """Leave patterns that match no document out of lists of pages; Sphinx would warn, and warnings are errors here."""
    lines = source[0].splitlines()
    known = app.project.docnames
    source[0] = "\n".join(line for line in lines if not PATTERN.match(line) or fnmatch.filter(known, line))


PATTERN = re.compile(r"[\w/]*\*$")  # a line such as t*


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _without_empty_patterns)
