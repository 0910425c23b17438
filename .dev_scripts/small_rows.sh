#!/usr/bin/env bash
# Train all rows of configs/mspie_small on a folder of images and compare them.
#
#   .dev_scripts/small_rows.sh PHOTOS OUT
#
# Variables: SEEDS ('0 1'), ITERATIONS (27000), BATCH (4 images, which set the
# half-life of the averaged weights, too) and JOBS, the trainings at a time (2).
# Run it again to go on after an interruption. Ten times the images, on a GPU:
#
#   ITERATIONS=9600 BATCH=112 JOBS=8 SEEDS=0 .dev_scripts/small_rows.sh PHOTOS OUT
set -euo pipefail
source "$(dirname "$0")/../tools/launch.sh"

check_arguments 0 "$@"
if [ $# != 2 ]; then
    echo "Two folders are needed, PHOTOS and OUT, but got $#: see --help." >&2
    exit 2
fi
[ -d "$1" ] || {
    echo "There is no folder '$1'; give the folder of the images." >&2
    exit 2
}
photos=$(realpath "$1")
out=$(realpath -m "$2")
cd "$(dirname "$0")/.."
export photos out ITERATIONS=${ITERATIONS:-27000} BATCH=${BATCH:-4}
export OMP_NUM_THREADS=1 PYTHONPATH=$PWD
seeds=${SEEDS:-0 1}

# Row, config and options. The first rows take the most time.
rows='mspie_consistent mspie_consistent_32-48-64
mspie_csg mspie_csg_32-48-64
stylegan2_64 stylegan2_64
mspie_spe mspie_spe_32-48-64
mspie_spe_no-pad mspie_spe_no-pad_32-48-64
mspie_zero-pad mspie_zero-pad_32-48-64
mspie_spe_48_only mspie_spe_32-48-64 model.train_settings.multi_input_scales=[2] model.train_settings.multi_scale_probability=[1.]
mspie_spe_32_only mspie_spe_32-48-64 model.train_settings.multi_input_scales=[0] model.train_settings.multi_scale_probability=[1.]'

train() { # SEED ROW CONFIG [OPTION ...]
    local seed=$1 row=$2 config=$3
    shift 3
    mkdir -p "$out/$row"
    python tools/train.py "configs/mspie_small/$config.py" \
        --data-root "$photos" --seed "$seed" --resume \
        --work-dir "$out/$row/seed$seed" --cfg-options \
        train_cfg.max_iters="$ITERATIONS" \
        train_dataloader.batch_size="$BATCH" \
        model.ema_config.momentum="$(python -c "print(1 - .5**($BATCH / 2000))")" \
        default_hooks.checkpoint.interval=$((ITERATIONS / 18)) \
        default_hooks.checkpoint.max_keep_ckpts=-1 "$@" \
        >"$out/$row/seed$seed.log" 2>&1 || {
        echo "$row, seed $seed, failed: see $out/$row/seed$seed.log" >&2
        return 1
    }
    echo "$row, seed $seed, is trained"
}
export -f train

for seed in $seeds; do
    sed "s/^/$seed /" <<<"$rows"
done | xargs -P "${JOBS:-2}" -I LINE bash -c 'train LINE'

runs=()
while read -r row _; do
    runs+=(--run "$row")
    for seed in $seeds; do
        runs+=("$out/$row/seed$seed")
    done
done <<<"$rows"
device=$(python -c "import torch
print('cuda' if torch.cuda.is_available() else 'cpu')")
python tools/analysis/compare_scales.py --data-root "$photos" "${runs[@]}" \
    --sizes 40 56 80 96 48x64 --every $((ITERATIONS / 3)) --device "$device" \
    --results "$out/results.json" --curves "$out/curves.png" \
    --sheet "$out/sheet.png"
