#!/usr/bin/env bash
# Measures what docs/sandbox.md shows, and prints its figures: the sandbox, the same service in FastAPI, and an axum handler
# that answers a constant, asked by the same tool in one run. It needs wrk (`apt-get install wrk`), Python, the registries,
# and 4 GB of disk.
#
#   compare.sh            all but the soak
#   compare.sh --soak     the soak of ten million requests
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
here=$PWD/crates/call-api-sandbox/benches
target=${CARGO_TARGET_DIR:-$PWD/target}
many=${CALLS:-2000000}
seconds=${SECONDS_EACH:-10}
rounds=${ROUNDS:-3}
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true; server=; }
trap 'stop; rm -rf "$work"' EXIT
ulimit -n 8192

cargo build --quiet --release --package call-api-sandbox --bin call-api-sandbox --example constant
sandbox=$target/release/call-api-sandbox
venv=$target/sandbox-venv
[ -x "$venv/bin/uvicorn" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet fastapi uvicorn; }

# So many calls, one a line.
lines() {
    python3 - "$1" "$PWD/crates/call-api-sandbox/src/example.json" <<'PYTHON'
import json, sys
call = json.load(open(sys.argv[2]))
text = json.dumps(call, separators=(",", ":")).replace(call["id"], "%s", 1)
for number in range(1, int(sys.argv[1]) + 1):
    print(text % ("%08x-0000-4000-8000-%012x" % (number * 2654435761 % 2**32, number)))
PYTHON
}

# Starts a server that prints its URL.
start() {
    : >"$work/out"
    "$@" >>"$work/out" 2>&1 &
    server=$!
    until url=$(grep -om1 'http://[0-9.]*:[0-9]*' "$work/out"); do
        kill -0 "$server" || { cat "$work/out"; exit 1; }
        sleep 0.1
    done
}

# The server's processor time so far, in hundredths of a second, and its memory.
processor() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
memory() { awk '/VmRSS/ { printf "%.0f", $2 / 1024 }' "/proc/$server/status"; }

# Requests a second, processor time for each, the 99th percentile, what failed, and the memory after it. Asks for one of so
# many calls at random, or always for the first.
ask() {
    local name=$1 count=$2 connections=$3 seconds=$4 before result
    before=$(processor)
    result=$(COUNT=$count wrk --threads 1 --connections "$connections" --duration "${seconds}s" --latency \
        --script "$here/ids.lua" "$url" | sed -n 's/^RESULT //p')
    awk -v name="$name" -v processor="$(($(processor) - before))" -v memory="$(memory)" '{
        printf "%-9s %7d/s  %6.1f µs each  p99 %s ms  %d failed of %d  %s MB\n",
            name, $1, processor * 1e4 / $4, $2, $3, $4, memory
    }' <<<"$result"
}

lines 10 >"$work/ten.jsonl"
"$sandbox" import "$work/ten.jsonl" --db "$work/ten.sqlite"

if [ "${1:-}" = --soak ]; then
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite"
    requests=0
    while [ "$requests" -lt 10000000 ]; do
        line=$(ask soak 10 64 60)
        echo "$line"
        of=${line##* of }
        requests=$((requests + ${of%% *}))
    done
    exit
fi

echo "== import of $many calls"
lines "$many" >"$work/many.jsonl"
time "$sandbox" import "$work/many.jsonl" --db "$work/many.sqlite"
rm "$work/many.jsonl"

"$venv/bin/pip" freeze | grep -E '^(fastapi|uvicorn|starlette|pydantic)=='
echo '== 32 connections'
for _ in $(seq "$rounds"); do
    start env CALLS="$work/ten.sqlite" "$venv/bin/uvicorn" --app-dir "$here" service:app --port 0 --workers 1 --no-access-log
    ask fastapi 1 32 "$seconds"
    stop
    start "$target/release/examples/constant"
    ask constant 1 32 "$seconds"
    stop
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite"
    ask sandbox 1 32 "$seconds"
    ask ten 10 32 "$seconds"
    stop
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/many.sqlite"
    ask many "$many" 32 "$seconds"
    stop
done

echo '== 1,000 connections'
start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite" --max-connections 1100
ask sandbox 1 1000 "$seconds"
