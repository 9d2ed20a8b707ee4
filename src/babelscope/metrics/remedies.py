"""What to do about a setting of a metric that its sample does not allow."""


def about_k(metric: str, k: int) -> str:
    """Tell which way to change a metric's number of neighbours."""
    return f"lower metrics.{metric}.k or add sentences" if k > 0 else f"raise metrics.{metric}.k"
