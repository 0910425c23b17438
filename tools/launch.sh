# Shared functions of the launch scripts; source this file.

tools="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# check_arguments NUMBER ARGUMENTS...
# Prints the comment at the top of the script as help on --help, or if there are
# too few arguments.
check_arguments() {
    local usage
    usage="$(sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0")"
    if [ "${2:-}" = --help ] || [ "${2:-}" = -h ]; then
        echo "$usage"
        exit 0
    elif [ $(($# - 1)) -lt "$1" ]; then
        echo "$usage" >&2
        exit 2
    fi
}

# launch TOOL PROCESSES ARGUMENTS...
# Replaces this process with torchrun, which gets its signals and exit code.
launch() {
    local rendezvous
    if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
        rendezvous=(--rdzv-backend=c10d --rdzv-endpoint=127.0.0.1:0
                    --local-addr=127.0.0.1)
    else
        rendezvous=(--nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}"
                    --master-addr="${MASTER_ADDR:-127.0.0.1}"
                    --master-port="${PORT:-29500}")
    fi
    export PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}"
    exec torchrun "${rendezvous[@]}" --nproc-per-node="$2" \
        "$tools/$1" "${@:3}" --launcher pytorch
}

# launch_by_slurm PARTITION JOB_NAME SCRIPT ARGUMENTS...
# Runs the script once on each machine, with the variables it needs.
launch_by_slurm() {
    local gpus="${GPUS:-8}" nodes
    nodes=$(((gpus + GPUS_PER_NODE - 1) / GPUS_PER_NODE))
    export PORT="${PORT:-$((20000 + RANDOM % 20000))}"
    # shellcheck disable=SC2016,SC2086  (expanded remotely; several words)
    exec srun --partition="$1" --job-name="$2" --nodes="$nodes" \
        --ntasks="$nodes" --ntasks-per-node=1 --kill-on-bad-exit=1 \
        --gres="gpu:$GPUS_PER_NODE" \
        --cpus-per-task=$((${CPUS_PER_TASK:-5} * GPUS_PER_NODE)) \
        ${SRUN_ARGS:-} bash -c '
            export NNODES="$SLURM_NNODES" NODE_RANK="$SLURM_NODEID"
            MASTER_ADDR="$(scontrol show hostnames "$SLURM_JOB_NODELIST" |
                head -n 1)"
            export MASTER_ADDR
            exec "$@"' bash "$tools/$3" "${@:4}"
}

# GPUs per machine of a Slurm job, at most the total number.
GPUS_PER_NODE="${GPUS_PER_NODE:-8}"
if [ "$GPUS_PER_NODE" -gt "${GPUS:-8}" ]; then
    GPUS_PER_NODE="${GPUS:-8}"
fi
