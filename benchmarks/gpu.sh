#!/usr/bin/env bash
# All of benchmarks/gpu.py in one call: gpu.json and a table, in 8 minutes or the MINUTES given. See that file.
#   bash benchmarks/gpu.sh [OUTPUT] [further options of gpu.py]
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-gpu}
PYTHONPATH=. exec "${PYTHON:-python}" benchmarks/gpu.py --minutes "${MINUTES:-8}" --output "$output" "${@:2}"
