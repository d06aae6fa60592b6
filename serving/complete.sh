#!/usr/bin/env bash
# Completes an image on a TensorFlow Serving with nothing but curl, base64 and sed:
#   serving/complete.sh x.png mask.png completed.png [http://localhost:8501] [inpaint] [edges.png]
# A guided model wants edges; /dev/null is none.
set -euo pipefail
image=$1 mask=$2 output=$3 address=${4:-http://localhost:8501} model=${5:-inpaint} edges=${6:-}

file() { printf '"%s": {"b64": "%s"}' "$1" "$(base64 "$2" | tr -d '\n')"; }

instance="$(file image_bytes "$image"), $(file mask_bytes "$mask")"
[ -z "$edges" ] || instance="$instance, $(file edges_bytes "$edges")"
answer=$(printf '{"signature_name": "encoded", "instances": [{%s}]}' "$instance" |
    curl -sS --data-binary @- "$address/v1/models/$model:predict")
if ! grep -q '"predictions"' <<<"$answer"; then
    echo "$answer" >&2
    exit 1
fi
tr -d '\n' <<<"$answer" | sed 's/.*"b64": *"\([^"]*\)".*/\1/' | base64 --decode >"$output"
