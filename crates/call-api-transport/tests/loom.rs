//! Tests the retry budget and single flight with loom, in every interleaving of two or three threads.
//!
//! Both modules are compiled here a second time. They import their primitives from `crate::sync`, which here is loom's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the library uses more of these modules than this test"
)]

mod sync {
    pub(crate) use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
}

#[path = "../src/budget.rs"]
mod budget;
#[path = "../src/single_flight.rs"]
mod single_flight;

use std::sync::atomic::{AtomicUsize, Ordering};

use budget::Budget;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use single_flight::SingleFlight;

#[test]
fn budget_is_never_overdrawn_and_loses_nothing() {
    loom::model(|| {
        let budget = Arc::new(Budget::new(10));
        let threads: Vec<_> = (0..2)
            .map(|spends| {
                let budget = Arc::clone(&budget);
                thread::spawn(move || {
                    let Some(permit) = budget.take(6) else {
                        return 0;
                    };
                    assert!(budget.left() <= 4);
                    if spends == 1 {
                        permit.spend();
                        return 6;
                    }
                    drop(permit);
                    budget.give(1);
                    0
                })
            })
            .collect();
        let spent: u32 = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        let left = budget.left();
        assert!(left <= 10);
        // Tokens given to a full budget are discarded.
        assert!(
            left == 10 - spent || left == 10 - spent + 1,
            "{left} left after {spent} spent"
        );
    });
}

#[test]
fn value_is_produced_once_for_all() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<u8, ()>::new());
        let produced = std::sync::Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (flight, produced) = (Arc::clone(&flight), produced.clone());
                thread::spawn(move || {
                    let produce = || async {
                        produced.fetch_add(1, Ordering::Relaxed);
                        Ok(7)
                    };
                    block_on(flight.get(|_| true, produce)).unwrap().value
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 7);
        }
        assert_eq!(produced.load(Ordering::Relaxed), 1);
    });
}

/// The first future is dropped at its await; the other one must not wait forever, whichever of them produces the value.
#[test]
fn dropped_producer_is_replaced() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<u8, ()>::new());
        let dropped = {
            let flight = Arc::clone(&flight);
            thread::spawn(move || {
                block_on(async {
                    let mut first = Box::pin(flight.get(|_| true, std::future::pending));
                    // Polled once, then dropped.
                    std::future::poll_fn(|context| {
                        let _ = first.as_mut().poll(context);
                        std::task::Poll::Ready(())
                    })
                    .await;
                });
            })
        };
        let value = block_on(flight.get(|_| true, || async { Ok(7) }));
        assert_eq!(value.unwrap().value, 7);
        dropped.join().unwrap();
    });
}

/// A forgotten value is produced again once, however many threads forget it.
#[test]
fn forgotten_value_is_produced_once_more() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<usize, ()>::new());
        let produced = std::sync::Arc::new(AtomicUsize::new(0));
        let get = {
            let produced = produced.clone();
            move |flight: &SingleFlight<usize, ()>| {
                let produce = || async { Ok(produced.fetch_add(1, Ordering::Relaxed)) };
                block_on(flight.get(|_| true, produce)).unwrap()
            }
        };
        let first = get(&flight);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (flight, get) = (Arc::clone(&flight), get.clone());
                thread::spawn(move || {
                    flight.forget(first.generation);
                    assert_eq!(get(&flight).value, 1);
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(produced.load(Ordering::Relaxed), 2);
    });
}
