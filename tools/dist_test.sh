#!/usr/bin/env bash
# Evaluate with several processes, with NCCL on GPUs and gloo on CPUs.
#
#   tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
#
# For example, evaluate all scales with 8 processes:
#
#   tools/dist_test.sh configs/positional_encoding_in_gans/ROW.py ROW.pth 8 \
#       --scales all
#
# On several machines, run this on each of them, with NNODES (number of
# machines), NODE_RANK (0 to NNODES - 1), MASTER_ADDR (address of machine 0) and
# PORT (default: 29500). On one machine, the default is a free port.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 3 "$@"
launch test.py "$3" "$1" "$2" "${@:4}"
