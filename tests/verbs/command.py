"""The command in this process, which is much faster than a process of its own."""

import logging
import sys
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
    """Run `babelscope ARGUMENTS` and give back what it printed, with Hydra's and logging's state as before."""
    out, err, code = StringIO(), StringIO(), 0
    root = logging.getLogger()
    handlers, level, threads = root.handlers[:], root.level, torch.get_num_threads()
    GlobalHydra.instance().clear()
    try:
        with (
            patch.object(sys, "argv", ["babelscope", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(err),
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
