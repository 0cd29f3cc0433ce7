"""How `make docs` builds the site: Sphinx over the Markdown of this folder, with every warning an error."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "Remora"
author = "The Remora authors"
version = release = version_of("remora")

extensions = ["myst_parser", "sphinxcontrib.mermaid"]
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 4
myst_fence_as_directive = {"mermaid"}
mermaid_d3_zoom = False

html_theme = "pydata_sphinx_theme"
html_title = f"Remora {release}"
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 9,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
}

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#\s]+)\)")
"""A link that leaves the page's folder; not an image."""


def unlink_the_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Show links to files of the repository as text: the site has no copy of them. One that does not exist warns."""
    folder = (DOCS / page).parent

    def shown(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        if target.is_relative_to(DOCS):
            return link[0]
        if not target.exists():
            logging.getLogger(__name__).warning("%s does not exist", link[2], location=page)
        path = str(target.relative_to(ROOT))
        return link[1] if path in link[1] else f"{link[1]} (`{path}`)"

    source[0] = LINK.sub(shown, source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls this once."""
    app.connect("source-read", unlink_the_repository)
    return {"parallel_read_safe": True}
