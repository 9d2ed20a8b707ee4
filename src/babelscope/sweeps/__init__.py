"""Sweeps on disk and on the machine: the ledger of jobs, the processes behind them, and Slurm's queue."""
