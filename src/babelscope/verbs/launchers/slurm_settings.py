"""What may stand at the keys of the Slurm launcher: said in one line here, before submitit or sbatch ask."""

from collections.abc import Callable, Mapping
from typing import Any

from submitit import SlurmExecutor

from babelscope.verbs.config.values import Value, is_number, is_whole
from babelscope.verbs.errors import nearest

KEY = "hydra.launcher"


def check_settings(settings: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a key that the launcher does not have, and a value that is of another kind than its key wants.

    Args:
        settings: What is handed to submitit, as plain values.
        own: What the launcher itself reads.

    Raises:
        ValueError: naming the first such key.
    """
    known = {value.key for value in VALUES} | SlurmExecutor._valid_parameters()
    for key in settings:
        if key not in known:
            raise ValueError(
                f"Expected a key of `{KEY}`, but got `{key}`; nearest: {nearest(key, known)}; any option of sbatch is "
                f"+{KEY}.additional_parameters.OPTION=VALUE."
            )
    given = {**settings, **own}
    for value in VALUES:
        if value.key in given:
            value.check(given[value.key], below=f"{KEY}.")


def _text(key: str) -> Value:
    return Value(
        key,
        "text or null",
        lambda found: found is None or (isinstance(found, str) and bool(found.strip())),
        f"write a name; one that is a number has quotes of its own: '{KEY}.{key}=\"3\"'",
    )


def _whole(key: str, least: int, remedy: str = "write it", *, optional: bool = False) -> Value:
    return Value(
        key,
        f"a whole number from {least}{', or null' if optional else ''}",
        lambda found: (optional and found is None) or is_whole(found, least),
        remedy,
    )


def _list(key: str, example: str) -> Value:
    return Value(
        key,
        "a list of texts, or null",
        lambda found: found is None or (isinstance(found, list) and all(isinstance(one, str) for one in found)),
        f"write '{KEY}.{key}=[{example}]'",
    )


def _number(key: str, contract: str, fits: Callable[[Any], bool]) -> Value:
    return Value(key, contract, lambda found: is_number(found) and fits(found), "write it")


def _boolean(key: str) -> Value:
    return Value(key, "true or false", lambda found: isinstance(found, bool), "write one of them")


VALUES = (
    *map(_text, ("account", "partition", "qos", "constraint", "exclude", "gres", "name", "submitit_folder")),
    _whole("timeout_min", 1, "write minutes"),
    _whole("max_num_timeout", 0),
    _whole("signal_delay_s", 0, "write seconds"),
    _whole("array_parallelism", 1, "write how many jobs may run at once"),
    _whole("nodes", 1),
    _whole("tasks_per_node", 1, "write it: Slurm has to know it before the job sees its devices"),
    _whole("cpus_per_task", 1),
    _whole("gpus_per_node", 0, optional=True),
    _number("mem_gb", "a number above 0", lambda found: 0 < found < float("inf")),
    _number("poll_s", "a number above 0", lambda found: 0 < found < float("inf")),
    _number("patience_s", "a number from 0", lambda found: found >= 0),
    _list("setup", '"module load cuda"'),
    _list("srun_args", "--kill-on-bad-exit=1"),
    Value(
        "additional_parameters",
        "a mapping of options of sbatch, or null",
        lambda found: found is None or isinstance(found, dict),
        f"write one as +{KEY}.additional_parameters.mail-user=ME",
    ),
    _boolean("detach"),
    _boolean("stderr_to_stdout"),
)
"""In the order in which they are checked."""
