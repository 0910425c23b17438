#!/usr/bin/env bash
# Pins all that .ci/run installs, with hashes, in .ci/lock.txt: what is new in
# requirements/ is added, and with --upgrade all goes to its newest version.
# Needs uv (pip install uv) and a package index; takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
    uv pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header --constraints .ci/constraints.txt "$@"
}
lock requirements/{runtime,demo,lite,tests}.txt -o .ci/lock.txt "$@" >/dev/null
# MMagic is installed without what it needs; see README.md.
lock --no-deps <(grep ^mmagic requirements/mmagic.txt) >>.ci/lock.txt
