"""`babelscope sync`: upload the offline runs of a sweep to wandb, once each, and its dashboard on request."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.box import SIMPLE
from rich.progress import Progress
from rich.table import Table

from babelscope.report.runs import counted
from babelscope.report.table import read_run
from babelscope.sweeps.complaints import PREFIX
from babelscope.verbs.config.values import check_values, integer, switch, text
from babelscope.verbs.mirror.dashboard import Dashboard, group_of, logged_keys, make_dashboard
from babelscope.verbs.mirror.offline import STATES, OfflineRun, is_sent, offline_runs
from babelscope.verbs.mirror.workspace import import_workspaces, send_workspace
from babelscope.verbs.terminal.console import console, track

COMMAND = (sys.executable, "-m", "wandb", "sync")
UNSET = ("WANDB_MODE", "WANDB_SILENT", "WANDB_QUIET")
"""Variables under which wandb would send nothing, or not say why."""
NO_ACCOUNT = ("No API key", "Not authenticated", "401 Unauthorized")
NO_ANSWER = ("dial tcp", "giving up after")


VALUES = (
    text("folder", "a folder of runs", "outputs"),
    switch("check", "true"),
    integer("n_jobs", 1, "4"),
    switch("send", "true"),
)


def main(cfg: DictConfig, folder: Path) -> None:
    """Find the runs, print their states, and upload what is new."""
    check_values(cfg, VALUES)
    root = Path(cfg.folder).expanduser()
    runs = offline_runs(root)
    _tell(runs, root, whole=cfg.check)
    if cfg.send and "dashboard" not in cfg:
        raise ValueError("Expected `send` to go with a dashboard, but got none; add dashboard=layers.")
    dashboard = None
    if "dashboard" in cfg:  # its mistakes are told before anything is sent
        dashboard = _dashboard(cfg.dashboard, runs)
        if cfg.send:
            import_workspaces()
    if not cfg.check:
        send_all([run for run in runs if run.state == "new"], n_jobs=cfg.n_jobs)
    if dashboard is not None:
        for section in dashboard.sections:
            print(f"{section.name}: {', '.join(panel.title for panel in section.panels)}")
        if cfg.check or not cfg.send:
            print("Not sent; send=true makes it in the account")
        else:
            where = {"entity": cfg.dashboard.entity, "project": cfg.dashboard.project}
            print(f"Made {send_workspace(dashboard, **where)}")


def _dashboard(cfg: DictConfig, runs: Sequence[OfflineRun]) -> Dashboard:
    """Fit the sections to what the runs have logged."""
    folders = sorted({run.folder for run in runs if (run.folder / "run.yaml").is_file()})
    if not folders:
        raise ValueError(
            "Expected `folder` to hold run folders, whose rows tell what there is to show, but got none; give the "
            "folder that they are in."
        )
    keys: set[str] = set()
    groups: set[str] = set()
    for folder in track(folders, "Reading runs"):
        read = read_run(folder, pairs=False)
        keys |= logged_keys(read)
        groups.add(group_of(read.config))
    sections: Any = OmegaConf.to_container(cfg.sections, resolve=True)
    return make_dashboard(cfg.name, sections, keys=keys, sweeps=groups)


def send_all(runs: Sequence[OfflineRun], *, n_jobs: int) -> None:
    """Send runs, several at once; one that fails is named, and the others go on.

    Raises:
        ValueError: if there is no account, no server answers, or a run failed.
    """
    failed: list[str] = []
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        ThreadPoolExecutor(n_jobs) as pool,
    ):
        task = progress.add_task("Sending runs", total=len(runs))
        sending = {pool.submit(send, run): run for run in runs}
        try:
            for done in as_completed(sending):
                reason = done.result()
                progress.advance(task)
                if reason:
                    print(f"{PREFIX}[{sending[done].folder.name}] {reason}", file=sys.stderr, flush=True)
                    failed.append(sending[done].folder.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if runs:
        print(f"Sent {len(runs) - len(failed)} of {counted(len(runs), 'run')}")
    if failed:
        raise ValueError(
            f"Expected every run to upload, but {len(failed)} of {len(runs)} failed (see above); repeat the command to "
            "retry only these."
        )


def send(run: OfflineRun) -> str:
    """Send the new parts of a run in order, each after those before it; gives what went wrong.

    Raises:
        ValueError: if there is no account, or no server answers.
    """
    parts = run.new
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    environment.setdefault("WANDB__GRAPHQL_RETRY_MAX", "3")  # else a server that is not there takes many minutes
    with TemporaryDirectory() as place:  # wandb writes a log of its own where it is called
        done = subprocess.run(
            [*COMMAND, *(str(part.parent.absolute()) for part in parts)],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if all(map(is_sent, parts)):  # it exits 0 whatever happens
        return ""
    reason = _reason(done.stdout)
    if any(words in done.stdout for words in NO_ACCOUNT):
        raise ValueError(
            f"Expected an account of wandb, but got: {reason}; log in by `wandb login`, or set WANDB_API_KEY, and "
            "repeat the command; the offline runs stay where they are."
        )
    if any(words in done.stdout for words in NO_ANSWER):
        raise ValueError(
            f"Expected the server of wandb to answer, but got: {reason}; see to the network, or to WANDB_BASE_URL, and "
            "repeat the command; the offline runs stay where they are."
        )
    return reason


def _reason(said: str) -> str:
    """Find what went wrong among all that wandb said."""
    lines = [line.removeprefix("wandb: ").strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR ", "Error: ")) and "detailed error logs" not in line]
    reason = " ".join((errors or lines[-1:] or ["wandb said nothing"])[0].split())
    return reason.removeprefix("ERROR ").removeprefix("Error: ").rstrip(".")


def _tell(runs: Sequence[OfflineRun], root: Path, *, whole: bool) -> None:
    if whole:
        table = Table("state", "run", "wandb id", "parts", box=SIMPLE)
        for run in sorted(runs, key=lambda run: (STATES.index(run.state), run.folder)):
            sent = sum(map(is_sent, run.parts))
            parts = f"{sent} of {len(run.parts)} sent" if sent else str(len(run.parts))
            table.add_row(run.state, str(run.folder.relative_to(root)), run.id, parts)
        console.print(table)
    counts = Counter(run.state for run in runs)
    told = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    print(f"{counted(len(runs), 'offline run')}: {told}")
