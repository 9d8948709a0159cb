"""Sphinx: the site of docs/, offline HTML from Markdown pages, docstrings, models and registries."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the extension `generate` beside this file

project = "sgdiffusion"
author = "the authors of sgdiffusion"
extensions = ["myst_parser", "sphinx.ext.autodoc", "generate"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # links to headings, as GitHub makes them
suppress_warnings = ["config.cache"]  # functions in the settings of an extension are no fault

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "SGD as a diffusion"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "default"
