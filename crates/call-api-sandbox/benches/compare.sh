#!/usr/bin/env bash
# Prints the table in docs/sandbox.md: the sandbox, the same service in FastAPI, and an axum handler that answers a constant,
# measured with the same tool in one run. Requires wrk (`apt-get install wrk`), Python, the package registries, and 4 GB of
# disk.
#
#   compare.sh            everything but the soak test
#   compare.sh --soak     the soak test: ten million requests; exits with 1 if one fails or memory grows
#
# CALLS, SECONDS_EACH, ROUNDS, SOAK and SOAK_SECONDS override the sizes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
here=$PWD/crates/call-api-sandbox/benches
target=${CARGO_TARGET_DIR:-$PWD/target}
many=${CALLS:-2000000}
seconds=${SECONDS_EACH:-10}
rounds=${ROUNDS:-3}
soak=${SOAK:-10000000}
soak_seconds=${SOAK_SECONDS:-60}
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true; server=; }
trap 'stop; rm -rf "$work"' EXIT
ulimit -n 8192

cargo build --quiet --release --package call-api-sandbox --features program --bin call-api-sandbox --example constant
sandbox=$target/release/call-api-sandbox
venv=$target/sandbox-venv
[ -x "$venv/bin/uvicorn" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet fastapi uvicorn; }

# Prints a number of calls, one per line.
lines() {
    python3 - "$1" "$PWD/crates/call-api-sandbox/src/example.json" <<'PYTHON'
import json, sys
call = json.load(open(sys.argv[2]))
text = json.dumps(call, separators=(",", ":")).replace(call["id"], "%s", 1)
for number in range(1, int(sys.argv[1]) + 1):
    print(text % ("%08x-0000-4000-8000-%012x" % (number * 2654435761 % 2**32, number)))
PYTHON
}

# Starts a server and waits for its URL.
start() {
    : >"$work/out"
    "$@" >>"$work/out" 2>&1 &
    server=$!
    until url=$(grep -om1 'http://[0-9.]*:[0-9]*' "$work/out"); do
        kill -0 "$server" || { cat "$work/out"; exit 1; }
        sleep 0.1
    done
}

# CPU time in hundredths of a second; current and peak memory in kB.
processor() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
memory() { awk '/VmRSS/ { print $2 }' "/proc/$server/status"; }
peak() { awk '/VmHWM/ { print $2 }' "/proc/$server/status"; }

# Records requests per second, CPU microseconds per request, 99th percentile in ms, failed and total requests, and memory.
# Requests one of COUNT calls at random; with 1, always the same.
measure() {
    local name=$1 count=$2 connections=$3 seconds=$4 before result
    before=$(processor)
    result=$(COUNT=$count wrk --threads 1 --connections "$connections" --duration "${seconds}s" --latency \
        --script "$here/ids.lua" "$url" | sed -n 's/^RESULT //p')
    awk -v name="$name" -v processor="$(($(processor) - before))" -v memory="$(memory)" '{
        printf "%s %d %.1f %s %d %d %d\n", name, $1, processor * 1e4 / $4, $2, $3, $4, memory
    }' <<<"$result" | tee -a "$work/results"
}

lines 10 >"$work/ten.jsonl"
"$sandbox" import "$work/ten.jsonl" --db "$work/ten.sqlite"
echo '# name, requests/s, CPU µs per request, p99 ms, failed, total, memory kB'

if [ "${1:-}" = --soak ]; then
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite"
    until awk -v soak="$soak" '{ of += $6 } END { exit of < soak }' "$work/results" 2>/dev/null; do
        measure soak 10 64 "$soak_seconds"
    done
    awk '
        NR == 1 { first = $7; of_first = $6 }
        { failed += $5; of += $6; last = $7 }
        END {
            printf "%d requests, %d failed; %.1f MB after the first %d, %.1f MB at the end\n", of, failed, first / 1024, \
                of_first, last / 1024
            # Allows for rounding by the system.
            exit failed > 0 || last > first * 1.1 + 1024
        }' "$work/results"
    exit
fi

lines "$many" >"$work/many.jsonl"
import='too fast to measure'
begun=$SECONDS
"$sandbox" import "$work/many.jsonl" --db "$work/many.sqlite" &
server=$!
while used=$(processor) && [ "$used" ] && most=$(peak) && [ "$most" ]; do
    import="$((used / 100)) s of CPU time, $((SECONDS - begun)) s elapsed, $((most / 1024)) MB of memory"
    sleep 0.1
done 2>/dev/null
wait "$server"
server=
rm "$work/many.jsonl"

for _ in $(seq "$rounds"); do
    start env CALLS="$work/ten.sqlite" "$venv/bin/uvicorn" --app-dir "$here" service:app --port 0 --workers 1 --no-access-log
    measure fastapi 1 32 "$seconds"
    stop
    start "$target/release/examples/constant"
    measure constant 1 32 "$seconds"
    stop
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite"
    measure sandbox 1 32 "$seconds"
    measure ten 10 32 "$seconds"
    stop
    start "$sandbox" --listen 127.0.0.1:0 --db "$work/many.sqlite"
    measure many "$many" 32 "$seconds"
    stop
done
start "$sandbox" --listen 127.0.0.1:0 --db "$work/ten.sqlite" --max-connections 1100
measure thousand 1 1000 "$seconds"

versions=$("$venv/bin/pip" freeze | sed -nE 's/^(fastapi|uvicorn)==([0-9]+\.[0-9]+).*/\1 \2/p' | paste -sd , | sed 's/,/, /')
printf '\nMeans of %d rounds of %d s; in parentheses relative to the sandbox.\n\n' "$rounds" "$seconds"
awk -v versions="$versions" -v many="$many" '
    { count[$1]++; rate[$1] += $2; processor[$1] += $3; percentile[$1] += $4; failed[$1] += $5; memory[$1] += $7 }
    function row(name, title,    n, s) {
        n = count[name]; s = count["sandbox"]
        printf "| %s | %d (%.2f) | %.1f µs (%.2f) | %.1f ms | %d MB | %d |\n", title, rate[name] / n, \
            rate[name] / n * s / rate["sandbox"], processor[name] / n, processor[name] / n * s / processor["sandbox"], \
            percentile[name] / n, memory[name] / n / 1024, failed[name]
    }
    END {
        print "| | requests per second | CPU time per request | 99th percentile | memory | failed |"
        print "|---|---|---|---|---|---|"
        row("fastapi", versions)
        row("constant", "axum, constant response")
        row("sandbox", "sandbox, one call")
        row("ten", "sandbox, ten random calls")
        row("many", "sandbox, " many " random calls")
        row("thousand", "sandbox, one call, 1,000 connections")
    }' "$work/results"
printf '\nImport of %d calls: %s\n' "$many" "$import"
