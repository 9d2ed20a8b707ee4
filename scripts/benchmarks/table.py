"""The results as tables: Markdown for the documentation, rich for the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

UNEQUAL = "NOT EQUAL: "
Records = Sequence[dict[str, Any]]
HEADER = ("work", "against", "ours, s", "theirs, s", "ratio (from-to)", "asked", "equal")
CURVES = ("work", "grows", "sizes", "seconds", "per doubling")


def lines(records: Records) -> list[tuple[str, ...]]:
    """Cells of the table; skipped and failed rows say why."""
    return [cells(record) for record in records if record["kind"] in ("line", "skipped", "failed")]


def cells(record: dict[str, Any]) -> tuple[str, ...]:
    if record["kind"] != "line":
        return (f"{record['row']}: {record['kind']}", " ".join(record["why"].split())[:300], "", "", "", "", "")
    return (
        record["work"],
        record["peer"],
        _number(record["median_ours"]),
        _number(record["median_theirs"]),
        _ratio(record),
        _asked(record),
        "; ".join(map(_check, record["checks"])),
    )


def curves(records: Records) -> list[tuple[str, ...]]:
    return [
        (
            record["work"],
            record["variable"],
            ", ".join(map(str, record["sizes"])),
            ", ".join(map(_number, record["seconds"])),
            f"{record['per_doubling']:.2f} x",
        )
        for record in records
        if record["kind"] == "curve"
    ]


def extras(records: Records) -> list[tuple[str, str]]:
    """What else a line says, one sentence each."""
    return [
        (record["work"], ", ".join(f"{what} {_number(value)}" for what, value in record["extras"].items()))
        for record in records
        if record["kind"] == "line" and record["extras"]
    ]


def markdown(records: Records, machine: dict[str, Any], command: str) -> str:
    """The whole page."""
    where = f"{machine['processor']} ({', '.join(machine['instructions']) or 'no matrix instructions known'})"
    has = (
        f"{machine['threads']} threads on {machine['cores']} cores, {machine['memory_gib']} GiB, GPU: {machine['gpu']}"
    )
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    parts = [
        f"```\n{command}\n```",
        f"{where}, {has}; Python {machine['python']}, {versions}; commit {machine['commit']}. Medians of interleaved "
        "repetitions; the ratio is the median of their ratios.",
        _table(HEADER, lines(records)),
    ]
    if more := extras(records):
        parts.append("\n".join(f"- {work}: {rest}" for work, rest in more))
    if found := curves(records):
        parts.append(_table(CURVES, found))
    peaks = [f"{r['row']} {r['peak_gib']:.2f}" for r in records if r["kind"] == "memory" and r["peak_gib"] is not None]
    if peaks:
        parts.append(f"Peak memory of each row's process, with its peer and its data, GiB: {', '.join(peaks)}.")
    return "\n\n".join(parts) + "\n"


def show(console: Console, records: Records) -> None:
    """Print the tables without what a terminal has no room for."""
    short = [
        (work, ours, theirs, ratio, asked, _word(equal))
        for work, _, ours, theirs, ratio, asked, equal in lines(records)
    ]
    for header, body in (((HEADER[0], *HEADER[2:]), short), (CURVES, curves(records))):
        table = Table(*header)
        for row in body:
            table.add_row(*row)
        if body:
            console.print(table)


def _table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def _word(equal: str) -> str:
    return "" if not equal else "NO" if UNEQUAL in equal else "yes"


def _number(value: Any) -> str:
    return (
        ""
        if value is None
        else value
        if isinstance(value, str)
        else f"{value:.3g}"
        if value < 1000
        else f"{value:,.0f}"
    )


def _ratio(record: dict[str, Any]) -> str:
    if record["ratio"] is None:
        return ""
    form = "{:+.1%}" if record["share"] else "{:.2f}"
    middle, first, last = (form.format(record[key]) for key in ("ratio", "ratio_from", "ratio_to"))
    return f"{middle} ({first} to {last})"


def _asked(record: dict[str, Any]) -> str:
    if record["target"] is None:
        return ""
    return f"at most {record['target']:.0%}" if record["share"] else f"at least {record['target']:g}"


def _check(check: dict[str, Any]) -> str:
    return (
        f"{'' if check['holds'] else UNEQUAL}{check['what']} {check['value']:.3g} {check['sense']} {check['bound']:g}"
    )
