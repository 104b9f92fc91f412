//! A million ids through `get_calls` need no more memory than 200,000. This takes minutes, so it is run manually:
//! `cargo test --test million -- --ignored --nocapture` prints the figures in the documentation of `GetCalls`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

#[path = "support/service.rs"]
mod service;

use std::alloc::System;

use call_api::{Client, Uuid};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns the memory allocated and not yet freed, in KiB.
fn allocated_kib() -> isize {
    let stats = ALLOCATOR.stats();
    let (allocated, freed) = (stats.bytes_allocated, stats.bytes_deallocated);
    (allocated as isize - freed as isize) / 1024
}

/// Returns the peak memory of the process in KiB, or 0 if the system does not report it.
fn peak_kib() -> isize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok())
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes"]
async fn memory_does_not_grow_with_the_number_of_ids() {
    const ALL: u128 = 1_000_000;
    let url = service::respond(|id| async move { service::found(id) }).await;
    let client = Client::builder()
        .base_url(url)
        .token(service::SECRET)
        .build()
        .unwrap();
    // Scattered like random ids. Each occurs twice, the second time 5,000 ids later.
    let scattered = |number: u128| {
        Uuid::from_u128(number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    };
    let ids = (0..ALL + 5_000).flat_map(move |number| {
        let again = number.checked_sub(5_000).map(scattered);
        (number < ALL)
            .then(|| scattered(number))
            .into_iter()
            .chain(again)
    });
    let start = allocated_kib();
    let mut calls = client.get_calls(ids);
    let (mut count, mut after) = (0, Vec::new());
    while let Some((id, call)) = calls.next().await {
        assert_eq!(id, scattered(count));
        assert_eq!(call.unwrap().id, id);
        count += 1;
        if count % 100_000 == 0 {
            after.push((allocated_kib() - start, peak_kib()));
            println!(
                "{count} ids: {} KiB held, {} KiB at the peak",
                allocated_kib() - start,
                peak_kib()
            );
        }
    }
    assert_eq!(count, ALL);
    // By then both sets of remembered ids have been full.
    let (full, last) = (after[1], after[after.len() - 1]);
    // Less than three bytes per id since then; the difference is what the connections hold at that moment.
    assert!(last.0 - full.0 < 2048, "held: {after:?}");
    assert!(last.1 - full.1 < 2048, "at the peak: {after:?}");
}
