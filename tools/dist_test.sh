#!/usr/bin/env bash
# Evaluate with several processes: on GPUs by NCCL, on CPUs by gloo.
#
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
#
# For example, with 8 processes, at all scales:
#
#   tools/dist_test.sh configs/positional_encoding_in_gans/ROW.py ROW.pth 8 \
#       --scales all
#
# On several machines, run it on each with NNODES (their number), NODE_RANK
# (0 to NNODES - 1), MASTER_ADDR (address of machine 0) and PORT (29500).
# On one machine PORT is optional; without it a free port is found.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 3 "$@"
launch test.py "$3" "$1" "$2" "${@:4}"
