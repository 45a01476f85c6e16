"""How Sphinx makes a site of these pages: `make docs` writes it into `site/`, which needs nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import functions, tex2mathml
from nbconvert import MarkdownExporter
from pygments.lexers.special import TextLexer
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator
from typer.main import get_command
from typer.testing import CliRunner

from gainlaw.cli import app

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = PROJECT["name"]
release = version = PROJECT["version"]
copyright = "the gainlaw developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say the types, with shapes and units
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"gainlaw {release}"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = html_show_sphinx = False

#: Names of functions, which docutils sets without the space that LaTeX has around them.
NAMES = re.compile(rf"<mi>({'|'.join(functions)})</mi>")

logger = logging.getLogger(__name__)


def mathml(translator: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write an equation as MathML, which browsers draw by themselves, also offline."""
    block = isinstance(node, nodes.math_block)
    try:
        equation = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        logger.warning("equation cannot be drawn: %s: %s", error, node.astext(), location=node)
        raise nodes.SkipNode from None
    equation = NAMES.sub(r'<mo lspace="0.12em" rspace="0.12em">\1</mo>', equation)
    translator.body.append(f'<div class="equation">{equation}</div>' if block else equation)
    raise nodes.SkipNode


def mend_links(sphinx: Sphinx, page: nodes.document) -> None:
    """Call pages by their titles, not their files; lead links to other files to where the project is kept."""
    for node in list(page.findall(pending_xref)):
        if node.astext().endswith(".md"):
            node["refexplicit"] = False
        path = Path(node.source or ROOT).parent.joinpath(node["reftarget"]).resolve()
        if node["reftype"] == "myst" and path.exists() and path.is_relative_to(ROOT):
            kind = "tree" if path.is_dir() else "blob"
            address = f"{PROJECT['urls']['Homepage']}/{kind}/main/{path.relative_to(ROOT)}"
            node.replace_self(nodes.reference("", "", *node.children, refuri=address))


class Commands(Directive):
    """A section for each command, with what its ``--help`` says."""

    def run(self) -> list[nodes.Node]:
        """Ask every command."""
        sections = []
        for name, command in get_command(app).commands.items():
            section = nodes.section("", nodes.title(name, name), ids=[name], names=[name])
            section += nodes.paragraph("", f"{command.short_help[0].upper()}{command.short_help[1:]}.")
            said = CliRunner().invoke(app, [name, "--help"], prog_name="gainlaw").output.strip()
            section += nodes.literal_block(said, said, language="text")
            sections.append(section)
        return sections


def notebooks(sphinx: Sphinx) -> None:
    """Write a page for each notebook, with what its cells show, into a folder that is made for it."""
    made = Path(sphinx.srcdir) / "notebooks"
    shutil.rmtree(made, ignore_errors=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        resources = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_files"}
        text, found = MarkdownExporter().from_filename(str(path), resources=resources)
        # Styles of data frames stand beside every table; the site has its own.
        text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
        made.mkdir(exist_ok=True)
        (made / f"{path.stem}.md").write_text(text, encoding="utf-8")
        for name, data in found["outputs"].items():
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_bytes(data)


def setup(sphinx: Sphinx) -> None:
    """Add what the pages need and Sphinx lacks."""
    sphinx.connect("builder-inited", notebooks)
    sphinx.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    sphinx.add_lexer("csv", TextLexer)
    sphinx.connect("doctree-read", mend_links)
    sphinx.add_directive("commands", Commands)
