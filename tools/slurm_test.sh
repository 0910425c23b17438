#!/usr/bin/env bash
# Evaluate on a cluster that Slurm manages.
#
#   tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT \
#       [arguments of tools/test.py]
#
# For example, with the 8 GPUs of one machine, at all scales:
#
#   tools/slurm_test.sh gpu config-f \
#       configs/positional_encoding_in_gans/ROW.py ROW.pth --scales all
#
# GPUS (8) is their number in all, GPUS_PER_NODE (8) that of each machine and
# CPUS_PER_TASK (5) the number of processors for each GPU. SRUN_ARGS are further
# arguments of srun; PORT is drawn at random if it is not set.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 4 "$@"
launch_by_slurm "$1" "$2" dist_test.sh "$3" "$4" "$GPUS_PER_NODE" "${@:5}"
