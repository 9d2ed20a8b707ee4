"""What the README shows: its Python runs and says what it says, and its commands compose."""

import re
import shlex
from pathlib import Path

import pytest

from babelscope.cli import VERBS
from tests.verbs.command import babelscope

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.split("#")[0].strip()
    for _, block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("babelscope ") and line.split()[1] in VERBS
]


def test_python_prints_what_it_says(capsys):
    blocks = [block for language, block in BLOCKS if language == "python"]
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
        expected = re.findall(r"print\(.*\)  # (.*)", block)
        assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_compose(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = [part for part in shlex.split(command)[1:] if part != "-m"]
    first_choices = [re.sub(r"^([\w.]+=[^\[{,]*),.*", r"\1", part) for part in arguments]
    result = babelscope(*first_choices, "--cfg", "job")
    assert result.code == 0, result.err
    assert result.out.startswith("seed:")


def test_there_are_commands_for_every_verb():
    assert {command.split()[1] for command in COMMANDS} >= {"train", "probe", "report"}


def test_linked_files_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
