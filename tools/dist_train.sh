#!/usr/bin/env bash
# Train with several processes, with NCCL on GPUs and gloo on CPUs.
#
#   tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
#
# For example, resume a training with 8 processes:
#
#   tools/dist_train.sh configs/mspie_small/mspie_spe_32-48-64.py 8 --resume
#
# On several machines, run this on each of them, with NNODES (number of
# machines), NODE_RANK (0 to NNODES - 1), MASTER_ADDR (address of machine 0) and
# PORT (default: 29500). On one machine, the default is a free port.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 2 "$@"
launch train.py "$2" "$1" "${@:3}"
