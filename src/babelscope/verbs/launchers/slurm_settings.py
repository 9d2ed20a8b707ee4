"""What may stand at the keys of the Slurm launcher: said in one line here, before submitit or sbatch ask."""

from collections.abc import Mapping
from typing import Any

from submitit import SlurmExecutor

from babelscope.verbs.config.values import Value, integer, is_finite, is_number, switch, text
from babelscope.verbs.errors import nearest

KEY = "hydra.launcher"


def check_settings(settings: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a key that the launcher does not have, and a value that is of another kind than its key wants.

    Args:
        settings: What is handed to submitit, as plain values.
        own: What the launcher itself reads.

    Raises:
        ValueError: if there is such a key; the first is named.
    """
    rows = {value.key.removeprefix(f"{KEY}."): value for value in VALUES}
    known = {*rows, *SlurmExecutor._valid_parameters()}
    for key in settings:
        if key not in known:
            raise ValueError(
                f"Expected a key of `{KEY}`, but got `{key}`; nearest: {nearest(key, known)}; any option of sbatch is "
                f"+{KEY}.additional_parameters.OPTION=VALUE."
            )
    given = {**settings, **own}
    for key, value in rows.items():
        if key in given:
            value.check(given[key])


def _name(key: str, what: str, example: str) -> Value:
    return text(f"{KEY}.{key}", what, example, optional=True)


def _integer(key: str, least: int, remedy: str, *, optional: bool = False) -> Value:
    return integer(f"{KEY}.{key}", least, remedy=remedy, optional=optional)


def _above_0(key: str, remedy: str) -> Value:
    return Value(f"{KEY}.{key}", "a number above 0", lambda found: is_finite(found) and found > 0, remedy)


def _list(key: str, example: str) -> Value:
    return Value(
        f"{KEY}.{key}",
        "a list of texts, or null",
        lambda found: found is None or (isinstance(found, list) and all(isinstance(one, str) for one in found)),
        f"write '{KEY}.{key}=[{example}]'",
    )


VALUES = (
    _name("account", "an account of the cluster", "ours"),
    _name("partition", "one of the cluster's", "gpu"),
    _name("qos", "one of the cluster's", "normal"),
    _name("constraint", "a kind of node", "a100"),
    _name("exclude", "nodes to avoid", "node7"),
    _name("gres", "devices", "gpu:2"),
    _name("name", "the name of the jobs in the queue", "babelscope"),
    _name("submitit_folder", "the folder of the logs", "outputs/.slurm/%j"),
    _integer("timeout_min", 1, "write minutes"),
    _integer("max_num_timeout", 0, "write how often a job may be requeued"),
    _integer("signal_delay_s", 0, "write seconds"),
    _integer("array_parallelism", 1, "write how many jobs may run at once"),
    _integer("nodes", 1, "write how many a job needs"),
    _integer("tasks_per_node", 1, "write it: Slurm has to know it before the job sees its devices"),
    _integer("cpus_per_task", 1, "write how many a process needs"),
    _integer("gpus_per_node", 0, "write how many a job needs", optional=True),
    _above_0("mem_gb", "write gigabytes"),
    _above_0("poll_s", "write seconds"),
    Value(f"{KEY}.patience_s", "a number from 0", lambda found: is_number(found) and found >= 0, "write seconds"),
    _list("setup", '"module load cuda"'),
    _list("srun_args", "--kill-on-bad-exit=1"),
    Value(
        f"{KEY}.additional_parameters",
        "a mapping of options of sbatch, or null",
        lambda found: found is None or isinstance(found, dict),
        f"write one as +{KEY}.additional_parameters.mail-user=ME",
    ),
    switch(f"{KEY}.detach", "true"),
    switch(f"{KEY}.stderr_to_stdout", "true"),
)
"""In the order in which they are checked."""
