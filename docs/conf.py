"""Settings of the documentation, built by ``sphinx-build -W -b html docs docs/_build/html``."""

import sys
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "bayesgmm"
author = "the bayesgmm developers"
project_copyright = "2026, the bayesgmm developers"
release = metadata.version("bayesgmm")

extensions = [
    "gallery",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_extensions"]
nitpicky = True

# Pages and notebooks, these with the outputs they were saved with.
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

# Docstrings say in words what comes in and out; types would say it again.
autodoc_typehints = "none"
autodoc_member_order = "groupwise"
autodoc_default_options = {"members": True, "inherited-members": "object"}
autosummary_generate = True
# Files whose names differ from others in capitals only, which not all file systems tell apart.
SMALL = ("fit", "membership", "partition", "report")
autosummary_filename_map = {f"bayesgmm.{name}": f"bayesgmm.{name}-function" for name in SMALL}
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "bayesgmm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_sidebars = {"*": [], "notebooks/*": []}  # sections are for the reference
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_copy_source = False
templates_path = ["_templates"]


def skip(app: Any, kind: str, name: str, member: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what a class inherits from another package."""
    behind = getattr(member, "fget", None) or getattr(member, "func", None) or member
    is_own = str(getattr(behind, "__module__", "")).startswith("bayesgmm")
    return None if is_own else True


def setup(app: Any) -> None:
    """Tell Sphinx what to leave out."""
    app.connect("autodoc-skip-member", skip)
