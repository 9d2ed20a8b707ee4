"""The command in this process, which is much faster than a process of its own."""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from hydra.core.global_hydra import GlobalHydra

from babelscope import cli

FIVE = "[eng_Latn,deu_Latn,fra_Latn,spa_Latn,rus_Cyrl]"
SHORT_TRAINING = ("trainer=smoke", "logger=none", "+corpus.train=40")
"""What a training has besides the languages, sentences and metrics of a short probe."""
SMALL_TRAINING = (
    "languages.codes=[eng_Latn,rus_Cyrl]",
    "sentences=12",
    "metrics=ilo",
    "metrics.ilo.k=2",
    "metrics.ilo.threshold=1",
    "trainer=smoke",
    "logger=none",
    "threads=1",
    "output=run",
)
"""What a training on somebody's own files has besides its model and its task."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: Any
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def babelscope(*arguments: object) -> Ended:
    """Run `babelscope ARGUMENTS` and give back what it printed; Hydra and logging are left as before.

    Hydra composes all of a configuration twice, first to read hydra.mode, which no test sets; here it does so once.
    """
    out, err, code = StringIO(), StringIO(), 0
    root = logging.getLogger()
    handlers, level, threads = root.handlers[:], root.level, torch.get_num_threads()
    GlobalHydra.instance().clear()
    try:
        with (
            patch.object(sys, "argv", ["babelscope", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(err),
            patch("hydra._internal.hydra.Hydra.get_mode", return_value=None),
        ):
            cli.main()
    except SystemExit as end:
        code = end.code  # type: ignore[assignment]
    finally:
        GlobalHydra.instance().clear()
        root.handlers[:], root.level = handlers, level
        torch.set_num_threads(threads)
    return Ended(code, out.getvalue(), err.getvalue())


def written(folder: Path) -> list[str]:
    """Every path below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def refused(*arguments: object, left: Sequence[str] = ()) -> str:
    """Run what has to be refused: exit code 2, nothing left here but what is named, and the one line that it said."""
    before = written(Path())
    ended = babelscope(*arguments)
    assert ended.code == 2, ended.err
    assert len(ended.lines) == 1, ended.err
    assert ended.err.startswith("babelscope: ")
    assert written(Path()) == sorted([*before, *left])
    assert not list(Path(os.environ["BABELSCOPE_CACHE"]).rglob(".writing*"))
    return ended.lines[0]


def says(line: str, *words: str) -> None:
    """Assert that a line has all words."""
    missing = [word for word in words if word not in line]
    assert not missing, f"{line!r} lacks {missing}"
