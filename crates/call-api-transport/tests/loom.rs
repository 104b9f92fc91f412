//! The budget and the single flight in every interleaving of two or three threads, by loom.
//!
//! Both are compiled here a second time, from the same source, with loom's primitives in place of the standard
//! library's: they name theirs through `crate::sync`, which is this file's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may"
)]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "what the library uses of these, this test need not"
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
fn the_budget_is_never_overdrawn_and_loses_nothing() {
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
        // What was given on top may have met a full account, and is then lost on purpose.
        assert!(
            left == 10 - spent || left == 10 - spent + 1,
            "{left} are left after {spent}"
        );
    });
}

#[test]
fn one_makes_the_value_for_all() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<u8, ()>::new());
        let made = std::sync::Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (flight, made) = (Arc::clone(&flight), made.clone());
                thread::spawn(move || {
                    let make = || async {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(7)
                    };
                    block_on(flight.get(|_| true, make)).unwrap().value
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 7);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}

/// The first to come is dropped at its await; the other must not wait for ever, whichever of them it is.
#[test]
fn a_dropped_maker_is_replaced() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<u8, ()>::new());
        let dropped = {
            let flight = Arc::clone(&flight);
            thread::spawn(move || {
                block_on(async {
                    let mut getting = Box::pin(flight.get(|_| true, std::future::pending));
                    // Polled once, then dropped.
                    std::future::poll_fn(|context| {
                        let _ = getting.as_mut().poll(context);
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

/// A value that one caller found wanting is made anew once, whoever asks.
#[test]
fn a_forgotten_value_is_made_once_more() {
    loom::model(|| {
        let flight = Arc::new(SingleFlight::<usize, ()>::new());
        let made = std::sync::Arc::new(AtomicUsize::new(0));
        let get = {
            let made = made.clone();
            move |flight: &SingleFlight<usize, ()>| {
                let make = || async { Ok(made.fetch_add(1, Ordering::Relaxed)) };
                block_on(flight.get(|_| true, make)).unwrap()
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
        assert_eq!(made.load(Ordering::Relaxed), 2);
    });
}
