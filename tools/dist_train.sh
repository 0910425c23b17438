#!/usr/bin/env bash
# Train with several processes: on GPUs by NCCL, on CPUs by gloo.
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# For example, with 8 processes, going on where the last training stopped:
#
#   tools/dist_train.sh configs/mspie_small/mspie_spe_32-48-64.py 8 --resume
#
# On several machines, run it on each with NNODES (their number), NODE_RANK
# (0 to NNODES - 1), MASTER_ADDR (address of machine 0) and PORT (29500).
# On one machine PORT is optional; without it a free port is found.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 2 "$@"
launch train.py "$2" "$1" "${@:3}"
