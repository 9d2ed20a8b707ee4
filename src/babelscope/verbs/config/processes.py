"""Whether the processes of a training are those that its configuration asks for, whatever the environment says."""

import os

import pytorch_lightning as pl
from pytorch_lightning.plugins.environments import SLURMEnvironment

from babelscope.sweeps.processes import RANKS, is_first_rank


def refuse_other_processes(trainer: pl.Trainer) -> None:
    """Refuse to train by other processes than were asked for.

    Lightning takes their number and this one's place among them from the variables of Slurm, torchrun and the like,
    also where these are left from something else.

    Raises:
        ValueError: if there are more or fewer processes, nobody starts the others, or this one is taken for two.
    """
    asked, found = trainer.num_devices * trainer.num_nodes, trainer.world_size
    by_slurm = isinstance(getattr(trainer.strategy, "cluster_environment", None), SLURMEnvironment)
    if found != asked:
        source = f"SLURM_NTASKS={os.environ.get('SLURM_NTASKS')}" if by_slurm else "the environment"
        raise ValueError(
            f"Expected trainer.devices x trainer.num_nodes = {asked} processes, but got {found} by {source}; "
            f"{_srun(trainer) if by_slurm else 'unset WORLD_SIZE, RANK and LOCAL_RANK, or ask for as many devices'}."
        )
    if by_slurm and found > 1 and "SLURM_STEP_ID" not in os.environ:
        raise ValueError(f"Expected srun to start all {found} processes, but it started none; {_srun(trainer)}.")
    if trainer.is_global_zero and not is_first_rank():
        given = ", ".join(f"{name}={os.environ[name]}" for name in RANKS if os.environ.get(name, "0") != "0")
        raise ValueError(
            f"Expected a training by one process to be the first, but got {given} in the environment; unset it, or, if "
            "several were started, start one."
        )


def _srun(trainer: pl.Trainer) -> str:
    return (
        f"start it by srun --nodes={trainer.num_nodes} --ntasks-per-node={trainer.num_devices}, or let Lightning start "
        "the processes of one machine: env -u SLURM_NTASKS"
    )
