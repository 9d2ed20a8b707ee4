"""The arrows between folders: what may import what."""

import ast
from pathlib import Path

import pytest

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


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_arrows(file):
    folder = file.relative_to(SOURCE).parts[0]
    inside = {name.removeprefix("babelscope.") for name in imported(file) if name.startswith("babelscope.")}
    for name in inside:
        if name.split(".")[0] in (folder, "files"):
            continue
        allowed = any(name == target or name.startswith(f"{target}.") for target in ALLOWED[folder])
        assert allowed or any(target.startswith(f"{name}.") for target in ALLOWED[folder]), f"{folder} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_only_the_verbs_know_hydra_and_wandb(file):
    if file.relative_to(SOURCE).parts[0] != "verbs":
        assert not {name.split(".")[0] for name in imported(file)} & ONLY_ABOVE


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_one_idea_per_file(file):
    assert len(file.read_text().splitlines()) <= 300
    assert file.stem not in {"utils", "util", "helpers", "registry", "manager", "misc", "common"}


def test_every_folder_is_known():
    assert {path.name for path in SOURCE.iterdir() if path.is_dir()} - {"__pycache__"} <= set(FOLDERS)
