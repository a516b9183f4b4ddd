#!/bin/bash
# `sbatch docs/cluster/slurm.sh`: one Ray node on each of four machines, and the run on the first of them.
# The folder and the environment lie on shared storage. Submitted again, it goes on with the run.
#SBATCH --job-name=taskspace
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@300
set -euo pipefail

SHARED=/shared/$USER
RUN=$SHARED/runs/first
source "$SHARED/venv/bin/activate"

export RAY_USAGE_STATS_ENABLED=0
export RAY_AUTH_MODE=token # others are on the network; the home directory holds the token for all nodes
test -f ~/.ray/auth_token || ray get-auth-token --generate > /dev/null

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=$(head -n 1 <<< "$nodes")
address=$(srun --nodes=1 --ntasks=1 -w "$head" hostname --ip-address | awk '{print $1}'):6379

srun --nodes=1 --ntasks=1 -w "$head" ray start --head --port=6379 --block &
sleep 15
if [ "$SLURM_NNODES" -gt 1 ]; then
    srun --nodes=$((SLURM_NNODES - 1)) --ntasks=$((SLURM_NNODES - 1)) --exclude="$head" ray start --address="$address" --block &
fi
sleep 30

if [ -f "$RUN/run.db" ]; then
    what="--resume $RUN"
else
    what="quickstart --runs $SHARED/runs --name first"
fi
# Time is up: SLURM tells this script five minutes before, which asks the run to finish its batch.
trap 'kill -TERM "$run"' TERM
srun --overlap --nodes=1 --ntasks=1 -w "$head" taskspace run $what --address "$address" --set engine.kind=vllm --set engine.replicas=3 --set 'runtime.resources={engine: {num_gpus: 1}, learner: {num_gpus: 1}}' &
run=$!
wait "$run" || wait "$run"
