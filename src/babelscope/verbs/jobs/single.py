"""What only a sweep heeds, refused where it would silently do nothing: in a command without -m."""

import os

from hydra.conf import HydraConf
from hydra.types import RunMode

from babelscope.sweeps.pool import NAME

LOCAL = ("in_turn", "basic")
"""Launchers that run a single job as a command without -m does."""


def refuse_forgotten_sweep(settings: HydraConf) -> None:
    """Refuse a single command that asks for a launcher, or whose experiment sweeps over values of which none is given.

    The processes of a sweep's own jobs are exempt.

    Raises:
        ValueError: if -m was forgotten.
    """
    if settings.mode == RunMode.MULTIRUN or NAME in os.environ:
        return
    for override in settings.overrides.hydra:
        key, _, launcher = override.partition("=")
        if key == "hydra/launcher" and launcher not in LOCAL:
            raise ValueError(
                f"Expected -m with hydra/launcher={launcher}, which launches the jobs of a sweep, but got one job "
                "without it; add -m, which also takes a single job, or leave the launcher out."
            )
    swept = [str(key) for key in settings.sweeper.get("params") or {}]
    given = {override.partition("=")[0].lstrip("+") for override in settings.overrides.task}
    if swept and not given.intersection(swept):
        raise ValueError(
            f"Expected -m with an experiment that sweeps over {', '.join(swept)}, but got none; add -m, or give one of "
            f"them a value to run a single job, as in {swept[-1]}=..."
        )
