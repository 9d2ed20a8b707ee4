"""The frame of every page: one HTML file with its styles, its scripts and plotly inside."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from plotly.offline import get_plotlyjs


def fill_page(title: str, sections: Sequence[str], *, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Put sections into page.html with the named styles and scripts of this package; empty sections are left out."""
    assets = files("babelscope.report")
    style, script = (
        "\n".join(assets.joinpath(f"{name}.{kind}").read_text(encoding="utf-8") for name in names)
        for kind, names in (("css", styles), ("js", scripts))
    )
    return Template(assets.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=f"Babelscope: {escape(title)}",
        style=style,
        body="\n".join(filter(None, sections)),
        plotly=get_plotlyjs(),
        script=script,
    )
