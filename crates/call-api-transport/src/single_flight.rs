//! Single flight: one waiter produces a value while all others wait for the same result.
//!
//! There is no task behind it. The first waiter produces the value inside its own future; if that future is dropped, the
//! next waiter takes over.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::Mutex;

/// A value and its number, by which a waiter can reject it.
#[derive(Clone, Debug)]
pub(crate) struct Produced<T> {
    pub(crate) value: T,
    pub(crate) generation: u64,
}

#[derive(Debug)]
pub(crate) struct SingleFlight<T, E> {
    state: Mutex<State<T, E>>,
}

#[derive(Debug)]
struct State<T, E> {
    /// Counts produced values, and failures.
    generation: u64,
    last: Option<Result<T, E>>,
    producing: bool,
    /// Those who wait for the one being produced; emptied as a whole when it ends, which `round` counts.
    waiting: Vec<Waker>,
    round: u64,
}

impl<T, E> State<T, E> {
    fn end(&mut self) -> Vec<Waker> {
        self.producing = false;
        self.round += 1;
        std::mem::take(&mut self.waiting)
    }
}

impl<T: Clone, E: Clone> SingleFlight<T, E> {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                generation: 0,
                last: None,
                producing: false,
                waiting: Vec::new(),
                round: 0,
            }),
        }
    }

    /// Returns the last value if it is still `fresh`, or else the result of `make`: of this waiter, or of the one in
    /// progress; all waiters share its failure.
    pub(crate) async fn get<Producing>(
        &self,
        fresh: impl Fn(&T) -> bool,
        make: impl FnOnce() -> Producing,
    ) -> Result<Produced<T>, E>
    where
        Producing: Future<Output = Result<T, E>>,
    {
        loop {
            let (round, generation) = {
                let mut state = lock(&self.state);
                if let Some(Ok(value)) = &state.last
                    && fresh(value)
                {
                    return Ok(Produced {
                        value: value.clone(),
                        generation: state.generation,
                    });
                }
                if !state.producing {
                    state.producing = true;
                    break;
                }
                (state.round, state.generation)
            };
            let waited = Waiter {
                single_flight: self,
                round,
                generation,
                place: None,
            };
            if let Some(shared) = waited.await {
                return shared;
            }
            // The producer was dropped: the next waiter to be polled takes over.
        }
        let abandoned = Abandon(self);
        let result = make().await;
        std::mem::forget(abandoned);
        let (generation, waiting) = {
            let mut state = lock(&self.state);
            state.generation += 1;
            state.last = Some(result.clone());
            (state.generation, state.end())
        };
        waiting.into_iter().for_each(Waker::wake);
        result.map(|value| Produced { value, generation })
    }

    /// Forgets the value of that generation; a newer one stays.
    pub(crate) fn forget(&self, generation: u64) {
        let mut state = lock(&self.state);
        if state.generation == generation {
            state.last = None;
        }
    }
}

/// Locks even after a panic elsewhere: the state is consistent at every unlock.
fn lock<T>(mutex: &Mutex<T>) -> impl std::ops::DerefMut<Target = T> + '_ {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Wakes the waiters if the future that was producing the value is dropped.
struct Abandon<'a, T, E>(&'a SingleFlight<T, E>);

impl<T, E> Drop for Abandon<'_, T, E> {
    fn drop(&mut self) {
        let waiting = lock(&self.0.state).end();
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Waits for the end of one round: its result, or `None` where it was abandoned.
struct Waiter<'a, T, E> {
    single_flight: &'a SingleFlight<T, E>,
    round: u64,
    generation: u64,
    place: Option<usize>,
}

impl<T: Clone, E: Clone> Future for Waiter<'_, T, E> {
    type Output = Option<Result<Produced<T>, E>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = lock(&self.single_flight.state);
        if state.round != self.round {
            if state.generation == self.generation {
                return Poll::Ready(None);
            }
            let generation = state.generation;
            let last = state.last.clone();
            return Poll::Ready(last.map(|last| last.map(|value| Produced { value, generation })));
        }
        match self.place.and_then(|place| state.waiting.get_mut(place)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                let place = state.waiting.len();
                state.waiting.push(context.waker().clone());
                drop(state);
                self.place = Some(place);
            }
        }
        Poll::Pending
    }
}
