"""What a job said of its failure, among all that it printed."""

PREFIX = "babelscope: "
"""Begins the line by which a command says why it failed."""


def last_complaint(text: str, name: str) -> str:
    """Find the last line by which a job said what went wrong; "" where there is none.

    Args:
        text: What the job printed.
        name: Of the job, by which the line may begin, in brackets.
    """
    lines = [line for line in text.splitlines() if line.startswith(PREFIX)]
    return lines[-1].removeprefix(PREFIX).removeprefix(f"[{name}] ") if lines else ""
