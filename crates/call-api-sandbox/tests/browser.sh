#!/usr/bin/env bash
# Tests the sandbox's pages in a real browser: the live list of calls, and a request sent from the API reference. Requires
# Chromium (`apt-get install chromium`) and curl, and no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
# shellcheck source=crates/call-api-sandbox/tests/start.sh
source crates/call-api-sandbox/tests/start.sh

for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    command -v "$browser" >/dev/null && break
    browser=
done
[ -n "$browser" ] || { echo 'error: Chromium not found; set CHROMIUM to its path' >&2; exit 1; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

start --control --stepped
id=3c90c3cc-0d44-4b50-8888-8dd25736052a

# The DevTools protocol: JSON through a pipe, each message terminated by a zero byte.
mkfifo "$work/to" "$work/from"
"$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run \
    --user-data-dir="$work/profile" --remote-debugging-pipe 3<"$work/to" 4>"$work/from" 2>"$work/browser.log" &
chromium=$!
exec 5>"$work/to" 6<"$work/from"
trap 'kill "$chromium" "$sandbox" 2>/dev/null; wait; rm -rf "$work"' EXIT

# Sends a command with parameters and further fields, and sets `reply` to its response.
number=0
send() {
    number=$((number + 1))
    printf '{"id":%d,"method":"%s","params":%s%s}\0' "$number" "$1" "$2" "${3:-}" >&5
    until [[ ${reply:-} == "{\"id\":$number,"* ]]; do
        IFS= read -r -d '' -t 60 reply <&6 || fail "no response to $1: $(tail -n 3 "$work/browser.log")"
    done
}

# Prints a property of the reply.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$reply"; }

# Opens a page and runs a function body in it. Each wait in it may take half a minute.
check() {
    local page=$1 session expression
    send Target.createTarget "{\"url\":\"$page\"}"
    send Target.attachToTarget "{\"targetId\":\"$(value targetId)\",\"flatten\":true}"
    session=",\"sessionId\":\"$(value sessionId)\""
    expression="(async () => {
        if (location.href !== '$page' || document.readyState !== 'complete') return 'loading';
        const until = async (what, find) => {
            for (const end = Date.now() + 30000; Date.now() < end;) {
                const found = find();
                if (found) return found;
                await new Promise((done) => setTimeout(done, 50));
            }
            throw new Error('no ' + what + ' in: ' + document.body.innerText);
        };
        const one = (selector) => until(selector, () => document.querySelector(selector));
        const click = async (selector) => (await one(selector)).click();
        const type = async (selector, text) => {
            const input = await one(selector);
            // React tracks the value through the element's own setter.
            Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, text);
            input.dispatchEvent(new Event('input', { bubbles: true }));
            // Some fields are read only when they lose focus.
            input.dispatchEvent(new Event('focusout', { bubbles: true }));
        };
        const text = (selector, expected) => until(expected, () => {
            const element = document.querySelector(selector);
            return element && element.innerText.includes(expected);
        });
        $2
        return 'passed';
    })()"
    expression=${expression//\\/\\\\}
    expression=${expression//\"/\\\"}
    expression=${expression//$'\n'/\\n}
    # Navigation discards a running evaluation.
    for _ in $(seq 100); do
        send Runtime.evaluate "{\"expression\":\"$expression\",\"awaitPromise\":true}" "$session"
        case $(value value) in
            passed) return ;;
            loading) ;;
            *) [[ $reply == *'"error":'* ]] || fail "$page: $(value description)" ;;
        esac
        sleep 0.1
    done
    fail "$page did not load: $reply"
}

echo "== $url/_sandbox/ shows a status change"
curl --silent --show-error --fail --request PUT "$url/_sandbox/calls/$id/script" --data '{"ending": "completed"}'
check "$url/_sandbox/" "
    const row = '[id=\"$id\"]';
    await text(row, 'dialing');
    await fetch('/_sandbox/clock/advance', { method: 'POST', body: '{\"seconds\": 2}' });
    await text(row, 'dialing → in_progress');"

echo "== $url/_sandbox/docs/ sends a request"
check "$url/_sandbox/docs/" "
    for (const shown of ['Call API', '/v1/call/{id}', 'Get Call', '$url']) await text('body', shown);
    await click('.auth-wrapper .authorize');
    await type('.modal-ux input', 'sandbox-token');
    await click('.modal-ux button.authorize');
    await click('.modal-ux .btn-done');
    await click('.opblock-summary-control');
    await click('.try-out__btn');
    await type('.parameters input[placeholder=id]', '$id');
    await click('.execute');
    await text('.live-responses-table', '\"status\": \"in_progress\"');"
echo 'both pages work'
