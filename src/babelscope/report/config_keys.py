"""Which keys of a run's configuration make a setting, and which change no number."""

SETTING = ("freeze", "adapter", "alignment", "callbacks")
"""Groups that make a setting."""
PLACES = ("seed", "setting", "output", "cache", "store", "logger", "page", "threads", "hydra")
"""What names a run, and where it is kept and watched: no number depends on it, but for the seed."""
MEANS = ("device", "max_tokens", "neighbours")
"""Groups and keys that say how something is computed, not what: the numbers are the same."""
SEARCH = ("search", "strict")
"""Arguments of a metric that leave its values alone."""
ARGUMENTS = (*SEARCH, "max_tokens", "log_every_n_steps", "_partial_", "_convert_")
"""Names of arguments that change no number, wherever they are."""
KEEPS = ("callbacks.checkpoint", "callbacks.export")
"""Callbacks that only write what is trained."""
MEASURES = ("callbacks.layer_scores", "callbacks.task_scores", "callbacks.neuron_scores", "callbacks.token_scores")
"""Callbacks that only measure: a run without one is no other than a run with it."""


def makes_setting(key: str) -> bool:
    """Tell whether a key is of what settings differ in by their nature."""
    return key.partition(".")[0] in SETTING


def changes_numbers(key: str) -> bool:
    """Tell whether a number may depend on a key."""
    parts = key.split(".")
    return not (
        parts[0] in (*PLACES, *MEANS)
        or ".".join(parts[:2]) in KEEPS
        or any(part in ARGUMENTS or part.startswith("enable_") for part in parts[1:])
    )
