#!/usr/bin/env bash
# The `book` captures, unattended, on a bare machine with a GPU, Python, torch and timm; no network.
#
#   DATA=folder OUT=folder [WHEELS=folder] [CARRY=folder] [WORK=folder] \
#       scripts/gpu_captures.sh [--seconds 540] [--rehearse] [--weights]
#
# DATA    holds data.tar.gz (scripts/pack_data.py) or the archives or folders of tiny-imagenet-200 and
#         cifar10
# OUT     gets at most 8 files of at most 15 MiB: the stores, table.md, environment.json, log.txt,
#         capture.json; or, while unfinished, pieces of the state
# WHEELS  has the Python packages that the machine lacks (such as zarr, numcodecs, donfig,
#         google_crc32c, xarray), downloaded elsewhere with pip download --no-deps
# CARRY   has the pieces that an earlier call left in OUT, when the machine has forgotten them
# LETHE_COMMIT  names the commit of the source where there is no git
# WORK    keeps the state between calls; default runs/gpu
#
# Every call goes on where the last one stopped; it says "all done" at the end. --rehearse goes the
# same way with tiny settings on a CPU; --weights writes pretrained weights to OUT in pieces.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
export DATA=$(realpath "${DATA:?the folder of the data}") OUT=$(realpath -m "${OUT:?the folder for the results}")
export WORK=$(realpath -m "${WORK:-runs/gpu}") CARRY=${CARRY:+$(realpath "$CARRY")}
export PYTHON=${PYTHON:-python3} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
export CUBLAS_WORKSPACE_CONFIG=:4096:8
mkdir -p "$OUT" "$WORK"

if [[ -n ${WHEELS:-} && ! -f $WORK/site/ready ]]; then
    "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --upgrade \
        --target "$WORK/site" "$WHEELS"/*.whl
    touch "$WORK/site/ready"
fi
export PYTHONPATH=$repo/lib:$repo/benchmarks:$WORK/site${PYTHONPATH:+:$PYTHONPATH}
# a package that is not installed still has to know its own version
if ! "$PYTHON" -c 'import importlib.metadata as m; m.version("lethe")' 2>/dev/null; then
    mkdir -p lib/lethe.egg-info
    { echo "Metadata-Version: 2.1"; echo "Name: lethe"
      sed -n 's/^version = "\(.*\)"/Version: \1/p' pyproject.toml; } > lib/lethe.egg-info/PKG-INFO
fi
exec "$PYTHON" scripts/gpu_captures.py "$@"
