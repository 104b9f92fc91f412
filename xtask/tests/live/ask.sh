#!/usr/bin/env bash
# Sends requests of an adopted SDK to the live service at CALL_API_BASE_URL: in Rust with and without `async`, and with the
# program. Runs in the root of the checkout that adopted the service's document.
set -euo pipefail
target=${CARGO_TARGET_DIR:-$PWD/target}
id=3c90c3cc-0d44-4b50-8888-8dd25736052a

cp xtask/tests/live/live.rs tests/live.rs
# One after the other, since they count the calls.
cargo test --quiet --workspace --test live -- --test-threads 1
rm tests/live.rs

cargo build --quiet --workspace --bins
request() { "$target/debug/call-api" request "$@"; }
# Fails unless the program ends with this code.
ends() {
    local expected=$1 code=0
    shift
    request "$@" || code=$?
    [ "$code" = "$expected" ] || { echo "error: exit code $code instead of $expected: call-api request $*" >&2; exit 1; }
}
body() { printf '{"agent_id": "%s", "phone_id": "%s", "to": "%s"}' "$id" "$id" "$1"; }
equals() { [ "$1" = "$2" ] || { echo "error: $1 instead of $2" >&2; exit 1; }; }

request list_calls --limit 100 --all >"$target/live.jsonl"
equals "$(wc -l <"$target/live.jsonl")" 1000
equals "$(grep -c 'two minutes' "$target/live.jsonl")" 1
made=$(body +15550100 | request create_call --body - | sed -n 's/^  "id": "\(.*\)",/\1/p')
equals "$(request list_transcript --id "$made" --all | wc -l)" 25
ends 0 delete_call --id "$made"
ends 4 get_call --id "$made"
body +0 | ends 7 create_call --body -
