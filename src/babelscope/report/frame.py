"""The frame of every page: one HTML file with its styles, its scripts and plotly inside."""

from collections.abc import Iterable, Mapping, Sequence
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


def header_html(title: str, facts: Mapping[str, str]) -> str:
    """Head a page: what it is of, and the facts that are known of it."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items() if value
    )
    toggle = '<button id="theme" type="button" title="Switch between light and dark">light / dark</button>'
    brand = f'<p class="brand">Babelscope {toggle}</p>'
    return f'<header>{brand}<h1>{escape(title)}</h1><dl class="facts">{items}</dl></header>'


def joined(facts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Join each fact over runs; what several say alike is said once."""
    named: dict[str, dict[str, None]] = {}
    for known in facts:
        for name, value in known.items():
            named.setdefault(name, {})[value] = None
    return {name: "; ".join(filter(None, values)) for name, values in named.items()}


def footer_html(rest: str = ".") -> str:
    """Say at the foot of a page where its numbers are from; `rest` is HTML that ends the sentence."""
    return (
        "<footer>Made by Babelscope from the rows in <code>results/*.parquet</code>; every number here was measured in "
        f"these runs{rest}</footer>"
    )


def tabs_html(what: str, names: Sequence[str], bodies: Sequence[str]) -> str:
    """Show one of several bodies at a time, chosen by its name; a single one without a choice."""
    buttons = "".join(
        f'<button type="button" role="tab" data-run="{place}">{escape(name)}</button>'
        for place, name in enumerate(names)
    )
    several = len(names) > 1
    tabs = f'<nav class="tabs" role="tablist" aria-label="{escape(what)}">{buttons}</nav>' if several else ""
    # page.js shows these where all bodies are, as on paper: elsewhere the chosen tab says it
    heads = [f'<h2 class="run-name">{escape(name)}</h2>' if several else "" for name in names]
    return tabs + "".join(
        f'<div class="run" data-run="{place}">{head}{body}</div>'
        for place, (head, body) in enumerate(zip(heads, bodies, strict=True))
    )
