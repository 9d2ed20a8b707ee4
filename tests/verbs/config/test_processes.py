"""A training runs in as many processes as it asks for, or says why not, whatever the environment says."""

from types import SimpleNamespace

import pytest
from pytorch_lightning.plugins.environments import LightningEnvironment, SLURMEnvironment

from babelscope.sweeps.processes import RANKS
from babelscope.verbs.config.processes import refuse_other_processes
from tests.models.tiny import save_checkpoint
from tests.verbs.command import SMALL_TRAINING, refused, says

SLURM = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "jupyter", "SLURM_JOB_NODELIST": "localhost", "SLURM_NNODES": "1"}
PLACE = dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), "0")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    for name in (*RANKS, "SLURM_STEP_ID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)


def trainer(*, devices=1, nodes=1, found=1, environment=None, first=True):
    strategy = SimpleNamespace(cluster_environment=environment)
    return SimpleNamespace(
        num_devices=devices, num_nodes=nodes, world_size=found, strategy=strategy, is_global_zero=first
    )


@pytest.fixture
def slurm(monkeypatch):
    for name, value in {**SLURM, **PLACE}.items():
        monkeypatch.setenv(name, value)
    return SLURMEnvironment()


@pytest.mark.parametrize(("devices", "nodes"), [(1, 1), (2, 1), (2, 3)])
def test_as_many_as_asked_for_pass(devices, nodes, slurm, monkeypatch):
    found = devices * nodes
    refuse_other_processes(trainer(devices=devices, nodes=nodes, found=found, environment=LightningEnvironment()))
    monkeypatch.setenv("SLURM_STEP_ID", "0")
    refuse_other_processes(trainer(devices=devices, nodes=nodes, found=found, environment=slurm))
    monkeypatch.setenv("RANK", "1")  # a further process of several
    refuse_other_processes(trainer(devices=devices, nodes=nodes, found=found, environment=slurm, first=False))


def test_other_numbers_are_refused_with_where_they_come_from(slurm, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "1")
    with pytest.raises(
        ValueError, match=r"num_nodes = 4 processes, but got 1 by SLURM_NTASKS=1; .* --ntasks-per-node=4"
    ):
        refuse_other_processes(trainer(devices=4, found=1, environment=slurm))
    with pytest.raises(ValueError, match=r"= 2 processes, but got 1 by the environment; unset WORLD_SIZE"):
        refuse_other_processes(trainer(devices=2, found=1, environment=LightningEnvironment()))


def test_processes_that_nobody_starts_are_not_waited_for(slurm):
    with pytest.raises(ValueError, match="Expected srun to start all 2 processes, but it started none"):
        refuse_other_processes(trainer(devices=2, found=2, environment=slurm))


@pytest.mark.parametrize("name", RANKS)
def test_one_process_that_is_called_another_is_refused(name, monkeypatch):
    monkeypatch.setenv(name, "3")
    with pytest.raises(ValueError, match=f"to be the first, but got {name}=3 in the environment; unset it"):
        refuse_other_processes(trainer())


@pytest.mark.usefixtures("somewhere", "slurm")
def test_a_training_in_an_allocation_of_one_task_says_so_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_NTASKS", "1")
    checkpoint = save_checkpoint(tmp_path / "tiny", "xlm-roberta")
    small = [one for one in SMALL_TRAINING if one != "trainer=smoke"]
    line = refused("train", f"model.checkpoint={checkpoint}", *small, "trainer=ddp_cpu", "+corpus.train=20")
    says(line, "trainer.devices x trainer.num_nodes = 2", "SLURM_NTASKS=1", "srun")
