#!/usr/bin/env bash
# A real Slurm of one node on this machine, for trying hydra/launcher=slurm and for the tests; needs Debian's slurm-wlm.
#   scripts/local_slurm.sh start    then: export SLURM_CONF=...   (the line it prints)
#   scripts/local_slurm.sh status | stop
# No systemd, munge or cgroups: everything is below one folder, and `stop` removes it. Partitions: main (the default),
# short (at most 5 minutes), spot, and urgent, whose jobs preempt those of the others: these are requeued, or, in spot,
# told to go and cancelled after 20 s.
# BABELSCOPE_SLURM: the folder; BABELSCOPE_SLURM_CPUS: CPUs it pretends to have; BABELSCOPE_SLURM_PORT: first of two.
set -euo pipefail

folder=${BABELSCOPE_SLURM:-/tmp/babelscope-slurm-$(id -u)}
port=${BABELSCOPE_SLURM_PORT:-26817}
cpus=${BABELSCOPE_SLURM_CPUS:-$(nproc)}
conf=$folder/slurm.conf
export SLURM_CONF=$conf PATH=$PATH:/usr/sbin:/sbin

fail() {
  echo "local_slurm: $*" >&2
  exit 2
}

alive() { # alive NAME: its process, by its own pid file, still runs under that name
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == "$1" ]]
}

answers() { [[ $(sinfo --noheader --partition=main --format=%T 2>/dev/null) =~ ^(idle|mixed|allocated) ]]; }

configure() {
  local memory user
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo)
  user=$(id -un)
  mkdir -p "$folder/state" "$folder/spool"
  cat >"$conf" <<CONF
ClusterName=babelscope
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$user
SlurmdUser=$user
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/none
CredType=cred/none
# whoever reaches it may submit: nobody outside this machine does
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
# without cgroups, memory is watched by asking every second
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ReturnToService=2
SchedulerType=sched/builtin
# a node that comes back after its controller did is else noticed after a minute
SchedulerParameters=sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=15
CompleteWait=0
MinJobAge=300
MessageTimeout=3
DefMemPerCPU=1024
GresTypes=gpu
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory Gres=gpu:2
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE PriorityTier=1
PartitionName=short Nodes=localhost MaxTime=5 PriorityTier=1
PartitionName=spot Nodes=localhost MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL GraceTime=20
PartitionName=urgent Nodes=localhost MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
CONF
  # two devices that are no GPUs, so that files which ask for GPUs can be tried
  printf 'NodeName=localhost Name=gpu File=/dev/%s\n' null zero >"$folder/gres.conf"
}

revive() { # start what does not run; jobs of a controller that died are still known to the next one
  local log
  if ! alive slurmctld; then
    log=$(slurmctld 2>&1) || fail "Expected slurmctld to start, but got: ${log##*$'\n'}; see $folder/slurmctld.log."
  fi
  if ! alive slurmd; then
    log=$(slurmd -N localhost 2>&1) || fail "Expected slurmd to start, but got: ${log##*$'\n'}; see $folder/slurmd.log."
  fi
}

start() {
  local name
  for name in slurmctld slurmd sbatch; do
    command -v "$name" >/dev/null || fail "Expected \`$name\` on PATH, but it is not there; apt-get install slurm-wlm."
  done
  if alive slurmctld && alive slurmd; then
    echo "Slurm runs already in $folder"
  else
    if [[ ! -f $conf ]]; then
      # `stop` removes the folder
      [[ -z $(ls -A "$folder" 2>/dev/null) ]] || fail "Expected BABELSCOPE_SLURM to be a new folder, but got $folder."
      configure
    fi
    echo "Starting Slurm in $folder, ports $port and $((port + 1))"
    revive
  fi
  until answers; do
    ((SECONDS < 20)) || fail "Expected a node within 20 s, but got: $(tail -n 1 "$folder/slurmd.log"); logs: $folder."
    revive # one that was just dying may have passed for alive
    sleep 0.1
  done
  echo "export SLURM_CONF=$conf"
}

stop() {
  local name pid
  if alive slurmctld || alive slurmd; then
    revive
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 180); do # jobs end first, within KillWait, or their processes would outlive their node
      [[ -z $(squeue --noheader 2>/dev/null) ]] && break
      sleep 0.1
    done
  fi
  for name in slurmctld slurmd; do
    alive "$name" || continue
    pid=$(cat "$folder/$name.pid")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  done
  [[ $(head -n 1 "$conf" 2>/dev/null) == "ClusterName=babelscope" ]] && rm -rf "$folder"
  echo "No Slurm runs in $folder"
}

status() {
  alive slurmctld && alive slurmd || {
    echo "No Slurm runs in $folder"
    return 1
  }
  echo "export SLURM_CONF=$conf"
  sinfo
  squeue
}

case ${1:-} in
  start | stop | status) "$1" ;;
  *) fail "Expected start, stop or status, but got '${1:-}'." ;;
esac
