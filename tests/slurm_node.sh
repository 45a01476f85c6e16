#!/bin/bash
# A Slurm of one node, this machine, for tests: slurm_node.sh start|stop FOLDER. Needs root, slurm-wlm and munge.
# What it starts writes into FOLDER only; stop ends those processes, by the ids that they wrote there.
set -eu
what=$1 state=$2
export SLURM_CONF=$state/slurm.conf

stop() {
    for name in slurmd ctld; do
        if [ -s "$state/$name.pid" ]; then kill "$(cat "$state/$name.pid")" 2>/dev/null || true; fi
    done
}

start() {
    mkdir -p "$state/state" "$state/spool"
    host=$(hostname -s)
    port=$((20000 + $$ % 20000))  # beside another Slurm of the machine
    if ! munge -n 2>/dev/null | unmunge >/dev/null 2>&1; then
        mkdir -p /run/munge
        chown munge:munge /run/munge
        chmod 755 /run/munge
        su -s /bin/sh munge -c /usr/sbin/munged
    fi
    slurmd -C | head -1 | sed -E 's/.*CPUs=([0-9]+).*RealMemory=([0-9]+).*/\1 \2/' > "$state/size"
    read -r cpus memory < "$state/size"
    cat > "$SLURM_CONF" <<END
ClusterName=tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$state/state
SlurmdSpoolDir=$state/spool
SlurmctldPidFile=$state/ctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/ctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=30
KillWait=5
SchedulerParameters=bf_interval=5
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$((memory * 9 / 10)) State=UNKNOWN
PartitionName=debug Nodes=$host Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=1000
END
    slurmctld
    sleep 2
    slurmd
    for _ in $(seq 30); do
        if sinfo -h -o %t 2>/dev/null | grep -q idle; then exit 0; fi
        sleep 1
    done
    echo "the node did not become idle:" >&2
    tail -20 "$state"/*.log >&2
    exit 1
}

"$what"
