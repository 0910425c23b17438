#!/usr/bin/env bash
# Pin the packages that .ci/run installs in .ci/lock.txt, with hashes. Adds new
# packages of requirements/; with --upgrade, updates all to their newest
# versions. Requires uv (pip install uv) and a package index; takes seconds.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
    uv pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-header --constraints .ci/constraints.txt "$@"
}
lock requirements/{runtime,demo,lite,lint,tests}.txt -o .ci/lock.txt "$@" >/dev/null
# MMagic is installed without its dependencies, see README.md.
lock --no-deps <(grep ^mmagic requirements/mmagic.txt) >>.ci/lock.txt
