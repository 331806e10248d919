# Recipes for people. What must hold is in `.ci/run`, which needs no `just`.

# List the recipes
default:
    @just --list --unsorted

# Format everything
fmt:
    cargo fmt --all

# Clippy on every target, warnings are errors
lint:
    .ci/run lint

# Every test
test:
    .ci/run tests

# The tests of one crate, optionally those whose name contains a word: `just test-crate sidecar-policy path`
test-crate crate filter="":
    cargo test --locked --package {{crate}} {{filter}}

# Write the golden files anew: review the diff
golden:
    INSTA_UPDATE=always cargo test --workspace --locked

# Write the last column of docs/threat-model.md anew from the tests' comments
threats:
    INSTA_UPDATE=always cargo test --locked --package system-tests --test architecture threat

# Write crds/yaml anew from the types
crds:
    cargo run --quiet --locked --package crds --bin crdgen

# Licences, duplicates, banned crates, sources
deny:
    .ci/run deny

# The documentation of the crates, warnings are errors
doc:
    .ci/run doc

# The size of files and functions against the budget
measure:
    @scripts/measure

# What CI runs
check:
    .ci/run

# Write docs/reference/codes.md anew from the table of codes
codes:
    cargo run --quiet --locked --package sidecar-policy --example codes > docs/reference/codes.md

# Every parser of outside input for a minute each: needs a nightly toolchain and cargo-fuzz
fuzz seconds="60":
    for target in $(cargo +nightly fuzz list); do cargo +nightly fuzz run "$target" "fuzz/seeds/$target" -- -max_total_time={{seconds}}; done

# The sidecar beside nginx and beside no proxy at all, in one run: about half an hour
bench *args:
    cargo run --release --locked --package system-tests --bin crosscall-bench -- {{args}}
