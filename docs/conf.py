"""How Sphinx builds the site: `make docs`.

The source folder is the repository's root, so that the links between the pages, the records of benchmarks/ and the code
are the same on the site and in a listing of the repository. Pages made from code lie in docs/generated/.
"""

import re

import unweave

project = "unweave"
author = "The unweave authors"
copyright = author
release = version = unweave.__version__

root_doc = "docs/index"
include_patterns = ["docs/**", "benchmarks/records/*.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = [
    "docs/generated/gallery/*-figure.md",
    "docs/course/*",
    "docs/generate/*",
    "build",
    "runs",
    "demos",
    ".venv",
    "node_modules",
    "src",
]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
suppress_warnings = ["myst.header", "config.cache"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
default_role = "code"
numpydoc_show_class_members = False
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "unweave"
html_static_path = ["static", "../build/mathjax"]
html_css_files = ["unweave.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
mathjax_path = "tex-svg-full.js"  # copied from npm into the build: nothing is fetched when a page is read


def escape_prose(app, what, name, obj, options, lines: list[str]) -> None:
    """Signs of formulas in docstrings are no markup: |x|, x*, x_, outside of `code`."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [re.sub(r"(?<!\\)([*|]|_\b)", r"\\\1", part) for part in parts[::2]]
        lines[number] = "".join(parts)


def setup(app) -> None:
    app.connect("autodoc-process-docstring", escape_prose, priority=400)  # before numpydoc writes markup of its own
