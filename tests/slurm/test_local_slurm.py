"""scripts/local_slurm.sh itself."""

from pathlib import Path

from tests.slurm.conftest import local_slurm


def test_starting_twice_is_starting_once(slurm):
    pids = {name: (Path(slurm["BABELSCOPE_SLURM"]) / f"{name}.pid").read_text() for name in ("slurmctld", "slurmd")}
    again = local_slurm("start", slurm)
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, f"export SLURM_CONF={slurm['SLURM_CONF']}")
    assert "runs already" in again.stdout
    assert pids == {name: (Path(slurm["BABELSCOPE_SLURM"]) / f"{name}.pid").read_text() for name in pids}
    assert local_slurm("status", slurm).returncode == 0


def test_what_it_does_not_know_is_refused(slurm):
    ended = local_slurm("restart", slurm)
    assert (ended.returncode, ended.stderr) == (2, "local_slurm: Expected start, stop or status, but got 'restart'.\n")


def test_a_second_cluster_stops_without_a_trace(slurm, tmp_path):
    other = {**slurm, "BABELSCOPE_SLURM": str(tmp_path / "none")}
    assert local_slurm("status", other).returncode == 1
    ended = local_slurm("stop", other)
    assert (ended.returncode, ended.stdout) == (0, f"No Slurm runs in {tmp_path / 'none'}\n")
    assert not (tmp_path / "none").exists()
