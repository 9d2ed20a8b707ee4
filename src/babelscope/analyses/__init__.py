"""Analyses: what a study asks of a model beyond one score per layer, as tidy rows."""
