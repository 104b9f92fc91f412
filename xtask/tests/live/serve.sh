# Sourced in the root of a checkout: starts the live service on a free port, sets `url`, and stops it when the shell ends.
# Requires Python with venv, and the package registry.

work=$(mktemp -d)
venv=${CARGO_TARGET_DIR:-$PWD/target}/live
[ -x "$venv/bin/uvicorn" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet fastapi==0.165.0 uvicorn==0.54.0; }
PYTHONDONTWRITEBYTECODE=1 "$venv/bin/uvicorn" --app-dir xtask/tests/live --port 0 --no-access-log service:app 2>"$work/log" &
service=$!
trap 'kill "$service" 2>/dev/null; rm -rf "$work"' EXIT
until url=$(sed -n 's/.*Uvicorn running on \([^ ]*\).*/\1/p' "$work/log") && [ -n "$url" ]; do
    kill -0 "$service" || { cat "$work/log"; exit 1; }
    sleep 0.1
done
