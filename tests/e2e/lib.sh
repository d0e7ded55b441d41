# shellcheck shell=bash
# What the steps share. Sourced; the caller has set -euo pipefail.

E2E=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$E2E/../.." && pwd)
WORK=$E2E/.work
export AWS_DEFAULT_REGION=eu-central-1 PIP_DISABLE_PIP_VERSION_CHECK=1 SAM_CLI_TELEMETRY=0

# venv <name> <requirements>: prints the folder of a virtual environment that has exactly these packages.
venv() {
  local folder=$WORK/$1
  if ! cmp --silent "$2" "$folder/requirements.txt"; then
    rm -rf "$folder"
    mkdir -p "$WORK"
    python3 -m venv "$folder" >&2
    "$folder/bin/pip" install --quiet --requirement "$2" >&2
    cp "$2" "$folder/requirements.txt"
  fi
  echo "$folder"
}

# node_modules <name> <package@version>…: prints a folder whose node_modules has these packages.
node_modules() {
  local folder=$WORK/$1
  shift
  if [ "$*" != "$(cat "$folder/installed" 2>/dev/null)" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --prefix "$folder" --no-audit --no-fund --no-package-lock --no-save --silent "$@" >&2
    echo "$*" >"$folder/installed"
  fi
  echo "$folder"
}

# chromium: a browser, from the system's packages, and what browser.mjs drives it with.
chromium() {
  node_modules browser playwright-core@1.65.1 axe-core@4.14.1 >/dev/null
  type -P "${CHROMIUM:-/usr/bin/chromium}" >/dev/null && return # not this function itself, which `command -v` finds
  apt-get update -q >&2
  apt-get install -qy --no-install-recommends chromium >&2
}

# binaries: prints the folder of every function's release binary for this machine, built once.
binaries() {
  local packages=()
  for function in token authorize callback passthrough connections connect admin keeper; do
    packages+=(--package "$function")
  done
  (cd "$ROOT" && cargo build --release --quiet "${packages[@]}" >&2)
  echo "${CARGO_TARGET_DIR:-$ROOT/target}/release"
}

# local_server: prints the local server's binary, built once as the tests build it.
local_server() {
  (cd "$ROOT" && cargo build --quiet --package local >&2)
  echo "${CARGO_TARGET_DIR:-$ROOT/target}/debug/local"
}
