"""Hydra's launchers: every job of a sweep is a command of its own, in turn, two at a time, or in Slurm."""
