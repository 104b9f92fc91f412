#!/usr/bin/env bash
# Tests the sandbox with schemathesis: valid and invalid requests generated from the API document and from that of the control
# API, with responses validated against it. Requires Python, and the package registry unless `schemathesis` is on the PATH.
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

start --db "$work/calls.sqlite" --control
# The API reference documents no errors; tests/fastapi.rs covers them.
checks=(--checks all --exclude-checks status_code_conformance --max-examples 300)
run() {
    local document=$1
    shift
    (cd "$work" && schemathesis "$@" run "$url/_sandbox/$document" "${checks[@]}" \
        --header 'Authorization: Bearer sandbox-token' --seed 1 --no-color)
}
echo "== any id"
run docs/openapi.json
echo "== the id of a call"
printf '[parameters]\n"path.id" = "3c90c3cc-0d44-4b50-8888-8dd25736052a"\n' >"$work/call.toml"
run docs/openapi.json --config-file "$work/call.toml"
echo "== the control API"
# A schema cannot express that the ids of path and body are equal, and that a tenant has a token.
for operation in 'PUT /_sandbox/calls/{id}' 'PUT /_sandbox/faults'; do
    printf '[[operations]]\ninclude-name = "%s"\nchecks.positive_data_acceptance.enabled = false\n' "$operation"
done >"$work/control.toml"
# By default, all checks that the file does not exclude.
checks=(--max-examples 100)
run openapi.json --config-file "$work/control.toml"
