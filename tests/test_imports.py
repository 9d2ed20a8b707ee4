"""The arrows between folders: what may import what."""

import ast
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "babelscope"
FOLDERS = ("models", "data", "metrics", "report", "states", "analyses", "training", "sweeps", "verbs")
ALLOWED = {
    "models": set(),
    "data": set(),
    "metrics": set(),
    "report": {"sweeps.jobs"},
    "sweeps": set(),
    "states": {"models", "data", "metrics.sample", "metrics.hardware"},
    "analyses": {"models", "data", "states", "metrics", "report.table"},
    "training": {"models", "data", "states", "metrics", "report.table"},
    "verbs": {*FOLDERS},
}
ONLY_ABOVE = {"hydra", "omegaconf", "wandb"}
FILES = [file for file in sorted(SOURCE.rglob("*.py")) if file.parent != SOURCE]


def named(file: Path) -> str:
    return str(file.relative_to(SOURCE))


@cache
def imported(file: Path) -> set[str]:
    """Names that a file imports; one that it imports relatively begins with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = "." * node.level + node.module
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def may_import(folder: str, name: str) -> bool:
    if name.partition(".")[0] in (folder, "files"):
        return True
    allowed = any(name == target or name.startswith(f"{target}.") for target in ALLOWED[folder])
    return allowed or any(target.startswith(f"{name}.") for target in ALLOWED[folder])


def none(offenders: list[str]) -> None:
    """Assert that there are no offenders, with every one in the message: pytest shows only the first few of a list."""
    assert offenders == [], "\n".join(offenders)


def test_imports_are_absolute():
    none([f"{named(file)} imports {name}" for file in FILES for name in sorted(imported(file)) if name.startswith(".")])


def test_arrows():
    offenders = []
    for file in FILES:
        folder = file.relative_to(SOURCE).parts[0]
        inside = {name.removeprefix("babelscope.") for name in imported(file) if name.startswith("babelscope.")}
        offenders += [f"{named(file)} imports {name}" for name in sorted(inside) if not may_import(folder, name)]
    none(offenders)


def test_only_the_verbs_know_hydra_and_wandb():
    offenders = []
    for file in FILES:
        if file.relative_to(SOURCE).parts[0] != "verbs":
            known = {name.split(".")[0] for name in imported(file)} & ONLY_ABOVE
            offenders += [f"{named(file)} imports {name}" for name in sorted(known)]
    none(offenders)


def test_one_idea_per_file():
    offenders = []
    for file in sorted(SOURCE.rglob("*.py")):
        lines = len(file.read_text().splitlines())
        if lines > 300:
            offenders.append(f"{named(file)} has {lines} lines")
        if file.stem in {"utils", "util", "helpers", "registry", "manager", "misc", "common"}:
            offenders.append(f"{named(file)} is named for no idea")
    none(offenders)


def test_every_folder_is_known():
    assert {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"__pycache__"} <= set(FOLDERS)
