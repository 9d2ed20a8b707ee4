"""Remedies for a metric setting that its sample does not allow, for error messages."""


def about_k(metric: str, k: int) -> str:
    """Say in which direction to change a metric's number of neighbours."""
    return f"lower metrics.{metric}.k or add sentences" if k > 0 else f"raise metrics.{metric}.k"
