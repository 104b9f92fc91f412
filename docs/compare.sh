#!/usr/bin/env bash
# `docs/compare.sh DIR` generates each document of a folder with three generators: this project's, progenitor alone, and
# openapi-to-rust. It prints the table that docs/performance.md describes; the outputs remain in target/compare and
# target/corpus. Processor time is user plus system time.
set -euo pipefail
documents=$(cd "${1:?no folder of documents given}" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset CARGO_TARGET_DIR RUSTFLAGS
# Touched files are recompiled completely.
export CARGO_INCREMENTAL=0
place=$PWD/target/compare
others=$place/work
mkdir -p "$place"

echo '== building the three generators, optimized' >&2
cargo build --quiet --release --package xtask --package call-api-codegen --bin xtask --example progenitor --target-dir "$place/build"
cargo install --quiet openapi-to-rust --version =0.23.0 --locked --root "$place/tool" 2>"$place/log" || { cat "$place/log" >&2; exit 1; }
xtask=$place/build/release/xtask
progenitor=$place/build/release/examples/progenitor
openapi_to_rust=$place/tool/bin/openapi-to-rust

# Prints the processor time of a command in seconds, or `-` if it fails.
seconds() {
    local TIMEFORMAT='%U %S' took
    if took=$({ time "$@" >"$place/out" 2>"$place/err"; } 2>&1); then
        awk '{ printf "%.2f", $1 + $2 }' <<<"$took"
    else
        printf -- '-'
    fi
}

# Prints the processor time of recompiling packages whose dependencies are compiled, or `-` if one fails.
again() {
    local folder=$1 sources=$2 packages=()
    shift 2
    for package; do packages+=(--package "$package"); done
    (cd "$folder" && cargo check --quiet "${packages[@]}" >"$place/err" 2>&1) || { printf -- '-'; return; }
    local best=- took
    for _ in 1 2; do
        find "$sources" -name '*.rs' -exec touch {} +
        took=$(cd "$folder" && seconds cargo check --quiet "${packages[@]}")
        best=$(printf '%s\n%s\n' "$best" "$took" | grep -v '^-$' | sort -n | head -n 1)
    done
    printf %s "$best"
}

lines() { cat "$@" | wc -l; }

row() { printf '| %s | %s | %s | %s | %s | %s | %s |\n' "$@"; }

# Prints the manifest of a crate with the dependencies on standard input.
manifest() {
    printf '[package]\nname = "%s"\nversion = "0.0.0"\nedition = "2024"\n\n[dependencies]\n' "$1"
    cat
}

echo '== generating and compiling ours' >&2
"$xtask" corpus "$documents" >"$place/ours" || true

rm -rf "$others"
mkdir -p "$others"
cp Cargo.lock "$others"
printf '[workspace]\nresolver = "3"\nmembers = ["*/*"]\n' >"$others/Cargo.toml"
export CARGO_TARGET_DIR=$PWD/target/corpus/target

row document generator operations seconds lines compiles 'check, s'
row --- --- --- --- --- --- ---
for document in "$documents"/*.json "$documents"/*.yaml "$documents"/*.yml; do
    [ -f "$document" ] || continue
    file=$(basename "$document")
    name=$(tr '[:upper:]' '[:lower:]' <<<"$file" | tr -c 'a-z0-9\n' -)

    # The columns of the corpus table: the document, its version, `193 of 193` operations …
    read -r _ _ made _ all _ < <(grep -F "$file " "$place/ours")
    took=$(seconds "$xtask" corpus-one "$document" "$place/once" once)
    work=$PWD/target/corpus/work
    check=$(again "$work" "$work/$name/crates" "call-api-types-$name" "call-api-client-$name")
    written=$(lines "$work/$name"/crates/call-api-{types,client}/src/generated.rs)
    row "$file" ours "$made of $all" "$took" "$written" "$([ "$check" = - ] && echo no || echo yes)" "$check"

    crate=$others/progenitor/$name
    mkdir -p "$crate/src"
    took=$(seconds "$progenitor" "$document")
    if [ "$took" = - ]; then
        row "$file" progenitor "0 of $all" - - no -
        rm -rf "$crate"
    else
        cp "$place/out" "$crate/src/lib.rs"
        manifest "progenitor-$name" >"$crate/Cargo.toml" <<-'END'
			base64 = "0.23"
			bytes = "1"
			chrono = { version = "0.4", default-features = false, features = ["std", "serde"] }
			futures = { version = "0.3", default-features = false }
			futures-core = { version = "0.3", default-features = false }
			progenitor-client = "=0.15.1"
			rand = "0.10"
			regress = "0.12"
			reqwest = { version = "0.13", default-features = false, features = ["json", "query", "stream"] }
			serde = { version = "1", features = ["derive"] }
			serde_json = "1"
			uuid = { version = "1", default-features = false, features = ["std", "serde"] }
		END
        check=$(again "$others" "$crate/src" "progenitor-$name")
        made=$(grep -c 'pub fn .*(&self) -> builder::' "$crate/src/lib.rs" || true)
        row "$file" progenitor "$made of $all" "$took" "$(lines "$crate/src/lib.rs")" "$([ "$check" = - ] && echo no || echo yes)" "$check"
    fi

    crate=$others/openapi-to-rust/$name
    mkdir -p "$crate"
    took=$(seconds "$openapi_to_rust" generate "$document" --output-dir "$crate/src" --json)
    if [ "$took" = - ]; then
        row "$file" openapi-to-rust "0 of $all" - - no -
        rm -rf "$crate"
    else
        made=$(sed -n 's/^ *"operations": \([0-9]*\).*/\1/p' "$place/out")
        mv "$crate/src/mod.rs" "$crate/src/lib.rs"
        sed '1,/^\[dependencies\]/d' "$crate/src/REQUIRED_DEPS.toml" | manifest "openapi-to-rust-$name" >"$crate/Cargo.toml"
        check=$(again "$others" "$crate/src" "openapi-to-rust-$name")
        row "$file" openapi-to-rust "$made of $all" "$took" "$(lines "$crate"/src/{client,types}.rs)" "$([ "$check" = - ] && echo no || echo yes)" "$check"
    fi
done
