#!/usr/bin/env bash
# Tests the sandbox with schemathesis: valid and invalid requests generated from the API document, with responses validated
# against it. Requires Python, and the package registry unless `schemathesis` is on the PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
# shellcheck source=crates/call-api-sandbox/tests/start.sh
source crates/call-api-sandbox/tests/start.sh

if ! command -v schemathesis >/dev/null; then
    venv=$target/schemathesis
    [ -x "$venv/bin/schemathesis" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet schemathesis==4.32.5; }
    PATH=$venv/bin:$PATH
fi
schemathesis --version

start --db "$work/calls.sqlite"
# The API reference documents no errors; tests/fastapi.rs covers them.
checks=(--checks all --exclude-checks status_code_conformance)
run() {
    (cd "$work" && schemathesis "$@" run "$url/_sandbox/docs/openapi.json" "${checks[@]}" \
        --header 'Authorization: Bearer sandbox-token' --max-examples 300 --seed 1 --workers 2 --no-color)
}
echo "== any id"
run
echo "== the id of a call"
printf '[parameters]\n"path.id" = "3c90c3cc-0d44-4b50-8888-8dd25736052a"\n' >"$work/call.toml"
run --config-file "$work/call.toml"
