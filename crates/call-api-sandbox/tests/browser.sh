#!/usr/bin/env bash
# Looks at the sandbox's pages with a real browser, which runs their scripts: whether a call is seen to change, and whether
# the reference can be read and tried out. It needs Chromium (`apt-get install chromium`), curl, and no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
# shellcheck source=crates/call-api-sandbox/tests/start.sh
source crates/call-api-sandbox/tests/start.sh

for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null && break
    browser=
done
[ -n "$browser" ] || { echo 'error: there is no Chromium; name one in CHROMIUM' >&2; exit 1; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# What the page has become after so many seconds of the page's own time.
look() {
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run \
        --user-data-dir="$work/profile" --virtual-time-budget="$2" --dump-dom "$1" 2>"$work/browser.log" \
        || fail "the browser failed: $(tail -n 3 "$work/browser.log")"
}

start --control
id=3c90c3cc-0d44-4b50-8888-8dd25736052a
has() { grep -qF -- "$1" "$work/page" || fail "no '$1' in $2: $(cat "$work/page")"; }

echo "== $url/ shows a call change"
# To and fro for as long as the browser may take.
steps=$(printf '{"after": 0.1, "status": "in_progress"}, {"after": 0.1, "status": "dialing"}, %.0s' $(seq 5000))
curl --silent --show-error --fail --request PUT "$url/_sandbox/calls/$id/script" --data-binary @- \
    <<<"{\"status\": \"dialing\", \"steps\": [${steps%, }]}"
look "$url/" 60000 >"$work/page"
has "id=\"$id\"" /
has 'dialing → in_progress' /

echo "== $url/docs/ has the reference, and a form to try it out"
look "$url/docs/" 20000 >"$work/page"
for shown in 'Call API' '/v1/call/{id}' 'Get Call' 'Authorize' "$url"; do
    has "$shown" /docs
done
echo 'both pages are as they should be'
