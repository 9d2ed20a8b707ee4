"""The benchmarks of Babelscope, one file per row of the table, against public functions only."""

ROWS = (
    "neighbours",
    "probes",
    "extraction",
    "profile",
    "neurons",
    "layer_scores",
    "memory",
    "scaling",
    "gpu",
)
"""Names of the rows, which are names of modules here, in the order in which they run."""
