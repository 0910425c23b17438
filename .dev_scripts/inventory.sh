#!/usr/bin/env bash
# List the packages of .ci/lock.txt on this machine: their licences in
# docs/licences.md, and a software bill of materials (CycloneDX, JSON) in the
# given file (default: sbom.json). Installs them in a temporary virtual
# environment, which takes about a minute and 6 GB.
set -euo pipefail
sbom=$(realpath -m "${1:-sbom.json}")
cd "$(dirname "$0")/.."
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

python3 -m venv "$temporary/locked"
"$temporary/locked/bin/pip" install --quiet --no-deps --only-binary :all: \
    --require-hashes -r .ci/lock.txt
python3 -m venv "$temporary/tools"
"$temporary/tools/bin/pip" install --quiet pip-licenses cyclonedx-bom

"$temporary/tools/bin/cyclonedx-py" environment --output-reproducible \
    --output-file "$sbom" "$temporary/locked/bin/python"
{
    sed '/^|/,$d' docs/licences.md
    "$temporary/tools/bin/pip-licenses" --python="$temporary/locked/bin/python" \
        --from=mixed --with-system --ignore-packages pip --order=name \
        --no-version --format=markdown
} >"$temporary/licences.md"
cp "$temporary/licences.md" docs/licences.md
echo "The licences are in docs/licences.md, the bill of materials in $sbom"
