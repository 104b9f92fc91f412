#!/usr/bin/env bash
# Tests the sandbox's pages in a real browser. Requires Chromium, Node.js 20 or later and, the first time, the npm registry.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
source=crates/call-api-sandbox/tests/pages

for browser in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    CHROMIUM=$(command -v "$browser") && break
done
[ -n "$CHROMIUM" ] || { echo 'error: Chromium not found; set CHROMIUM to its path' >&2; exit 1; }

cargo build --quiet --package call-api-sandbox --features program
# The packages are not kept in the checkout.
packages=$target/pages
mkdir -p "$packages"
if ! cmp --silent "$source/package-lock.json" "$packages/installed-lock.json"; then
    cp "$source"/{package.json,package-lock.json,.npmrc} "$packages"
    npm ci --prefix "$packages" --ignore-scripts
    cp "$source/package-lock.json" "$packages/installed-lock.json"
fi
cp "$source/pages.test.js" "$packages"
SANDBOX=$target/debug/call-api-sandbox CHROMIUM=$CHROMIUM node --test "$packages/pages.test.js"
