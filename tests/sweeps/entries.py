"""An entry of the ledger, to be changed."""

from babelscope.sweeps.ledger import Entry

ENTRY = Entry(
    verb="train",
    overrides=["seed=1"],
    config="0" * 8,
    state="running",
    start="2026-01-01T00:00:00+00:00",
    end="2026-01-01T00:01:05+00:00",
    host="elsewhere",
    pid=1,
    born="1",
    exit=None,
    error="",
    slurm=None,
    log=None,
    folder="/",
    config_dir=None,
    sweep=True,
    attempts=1,
)
