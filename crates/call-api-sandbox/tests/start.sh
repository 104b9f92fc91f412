# Sourced by the scripts beside it: starts a sandbox on a free port and stops it when the script ends.

work=$(mktemp -d)
sandbox=
trap '[ -z "$sandbox" ] || kill "$sandbox" 2>/dev/null; rm -rf "$work"' EXIT

# Starts the program with the given arguments and sets `url`.
start() {
    cargo build --quiet --package call-api-sandbox --features program
    "$target/debug/call-api-sandbox" --listen 127.0.0.1:0 "$@" >"$work/greeting" &
    sandbox=$!
    until url=$(sed -n 's/.*CALL_API_BASE_URL=//p' "$work/greeting") && [ -n "$url" ]; do
        kill -0 "$sandbox" || exit 1
        sleep 0.1
    done
}
