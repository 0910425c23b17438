#!/usr/bin/env bash
# Train on a Slurm cluster.
#
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR \
#       [arguments of tools/train.py]
#
# For example, with 16 GPUs on two machines:
#
#   GPUS=16 SRUN_ARGS=--time=48:00:00 tools/slurm_train.sh gpu config-f \
#       configs/positional_encoding_in_gans/ROW.py work_dirs/config-f --resume
#
# GPUS (default: 8) is the total number of GPUs, GPUS_PER_NODE (8) the number
# per machine, and CPUS_PER_TASK (5) the number of CPU cores per GPU. SRUN_ARGS
# are further arguments of srun. PORT is random by default.
set -euo pipefail
source "$(dirname "$0")/launch.sh"

check_arguments 4 "$@"
launch_by_slurm "$1" "$2" dist_train.sh "$3" "$GPUS_PER_NODE" \
    --work-dir "$4" "${@:5}"
