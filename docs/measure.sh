#!/usr/bin/env bash
# Measures and prints the figures of docs/performance.md. It makes several clean builds in its own folder below target/,
# and takes some minutes. Processor time is user plus system time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Measures the default settings.
unset CARGO_TARGET_DIR CARGO_INCREMENTAL CARGO_PROFILE_DEV_DEBUG RUSTFLAGS
work=$PWD/target/measure
trap 'rm -rf "$work"' EXIT
rounds=2

# Prints the processor time and the wall-clock time of a command, in seconds.
seconds() {
    local TIMEFORMAT='%U %S %R'
    { time "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }; } 2>&1 | awk '{ print $1 + $2, $3 }'
}

# Prints the smallest number on standard input.
least() { sort -n | head -n 1; }

crates() { cargo tree --edges normal,build --prefix none --package "$1" | cut -d' ' -f1,2 | sort -u | wc -l; }

mkdir -p "$work"
cargo fetch --locked >/dev/null 2>&1

echo '== cold builds: processor time, crates'
declare -A cold
for round in $(seq "$rounds"); do
    for package in call-api-types call-api-client call-api; do
        rm -rf "$work/build"
        took=$(seconds cargo build --offline --target-dir "$work/build" --package "$package")
        echo "$package, round $round: ${took% *} s"
        cold[$package]+="${took% *}"$'\n'
    done
done
client=$(printf %s "${cold[call-api-client]}" | least)
for package in call-api-types call-api-client call-api; do
    least=$(printf %s "${cold[$package]}" | least)
    awk -v package="$package" -v least="$least" -v client="$client" -v crates="$(crates "$package")" \
        'BEGIN { printf "%-16s %6.1f s, %.2f of the client, %d crates\n", package, least, least / client, crates }'
done

echo '== debug information: the whole SDK'
for debug in full line-tables-only; do
    rm -rf "$work/build"
    took=$(seconds env CARGO_PROFILE_DEV_DEBUG="$debug" cargo build --offline --target-dir "$work/build" --package call-api)
    echo "$debug: ${took% *} s, $(du -sm "$work/build" | cut -f1) MiB"
done

echo '== codegen --check, warm: processor time, and by the clock'
cargo xtask codegen --check >/dev/null
for command in 'cargo xtask' target/debug/xtask; do
    for _ in 1 2 3 4 5 6 7 8 9; do
        # shellcheck disable=SC2086 # split into words
        seconds $command codegen --check
    done | sort -n | awk -v command="$command" \
        '{ if (NR == 1 || $2 < clock) clock = $2; cpu[NR] = $1 } END { printf "%-18s %.2f s (median of %d), %.2f s at best\n", command, cpu[int((NR + 1) / 2)], NR, clock }'
done
cargo bench --quiet --package call-api-codegen --profile dev

echo '== decoding'
cargo bench --quiet --package call-api-types
