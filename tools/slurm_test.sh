#!/usr/bin/env bash
# Evaluate on a Slurm cluster.
#
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT \
#       [arguments of tools/test.py]
#
# For example, evaluate all scales with the 8 GPUs of a machine:
#
#   tools/slurm_test.sh gpu config-f \
#       configs/positional_encoding_in_gans/ROW.py ROW.pth --scales all
#
# GPUS (default: 8) is the total number of GPUs, GPUS_PER_NODE (8) the number
# per machine, and CPUS_PER_TASK (5) the number of CPU cores per GPU. SRUN_ARGS
# are further arguments of srun. PORT is random by default.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 4 "$@"
launch_by_slurm "$1" "$2" dist_test.sh "$3" "$4" "$GPUS_PER_NODE" "${@:5}"
