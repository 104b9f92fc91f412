//! Changes of a call, and invalid transitions.

use std::fmt;

use bytes::Bytes;
use uuid::Uuid;

use crate::{Call, CallStatus};

/// A call that differs from its last known state.
///
/// ```
/// use call_api::{CallStatus, Change};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
///     let before = client.get_call(id).await?;
///     let mut call = before.clone();
///     call.status = CallStatus::Completed;
///     sandbox.put(call);
///     // A while later:
///     let change = Change::new(client.get_call(id).await?, Some(before));
///     assert_eq!(change.call.status, CallStatus::Completed);
///     assert!(change.status_changed() && change.invalid_transition().is_none());
///     Ok(())
/// }
/// ```
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The call as it is now.
    pub call: Call,
    /// The call as it was before; `None` the first time.
    pub before: Option<Call>,
    /// The JSON of `call` as the service sent it, as in [`Response::body`](crate::Response::body); empty in a change that was
    /// made with [`new`](Self::new).
    pub body: Bytes,
}

impl Change {
    /// Returns a change, for tests of code that reacts to one.
    pub fn new(call: Call, before: Option<Call>) -> Self {
        let body = Bytes::new();
        Self { call, before, body }
    }

    /// Returns true if the status changed or is the first one known, and false if only something else did, such as the
    /// recording.
    pub fn status_changed(&self) -> bool {
        self.before
            .as_ref()
            .is_none_or(|before| before.status != self.call.status)
    }

    /// Returns the transition of the status if it is invalid. The newer status counts nevertheless.
    pub fn invalid_transition(&self) -> Option<InvalidTransition> {
        InvalidTransition::between(self.before.as_ref()?, &self.call)
    }
}

/// Leaves out the body, which has what the call hides.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("call", &self.call)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}

/// A change of status that the meaning of the statuses rules out: an ended call continues or ends another way, or one in
/// progress is being dialed. The service's responses are then out of order, or its document has changed.
///
/// ```
/// use call_api::{CallStatus, InvalidTransition};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let sandbox = call_api_sandbox::Sandbox::start().await?;
///     let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
///     let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
///     let mut seen = client.get_call(id).await?;
///     seen.status = CallStatus::Completed;
///     let mut updates = client.wait_until_ended(id).last_seen(seen).updates();
///     if let Some(change) = updates.next().await {
///         let transition: Option<InvalidTransition> = change?.invalid_transition();
///         let statuses = transition.map(|transition| (transition.from, transition.to));
///         assert_eq!(statuses, Some((CallStatus::Completed, CallStatus::Dialing)));
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct InvalidTransition {
    /// The call.
    pub id: Uuid,
    /// The earlier status.
    pub from: CallStatus,
    /// The later status.
    pub to: CallStatus,
}

impl fmt::Display for InvalidTransition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, from, to } = self;
        write!(
            f,
            "call {id} went from {from} to {to}, which is invalid; the newer status counts"
        )
    }
}

impl InvalidTransition {
    /// Returns the transition between two states if it is invalid. Nothing is ruled out for statuses whose meaning this
    /// version does not know.
    pub(crate) fn between(before: &Call, now: &Call) -> Option<Self> {
        let (from, to) = (&before.status, &now.status);
        let is_back = *from == CallStatus::InProgress && *to == CallStatus::Dialing;
        let has_meaning = to.is_active() || to.is_ended();
        (from != to && has_meaning && (from.is_ended() || is_back)).then(|| Self {
            id: now.id,
            from: from.clone(),
            to: to.clone(),
        })
    }

    /// Logs it as a warning, with the feature `tracing`.
    pub(crate) fn log(&self) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            target: "call_api",
            {
                call.id = %self.id,
                call.status.from = self.from.as_str(),
                call.status.to = self.to.as_str(),
            },
            "invalid transition of a call's status"
        );
    }
}

#[cfg(test)]
mod tests {
    use call_api_sandbox::Sandbox;

    use super::*;

    #[test]
    fn ended_call_cannot_continue_and_call_in_progress_cannot_be_dialed() {
        let of = |status: &CallStatus| {
            let mut call = Sandbox::example_call();
            call.status = status.clone();
            call
        };
        let active = [CallStatus::Dialing, CallStatus::InProgress];
        let ended: Vec<_> = CallStatus::KNOWN
            .iter()
            .filter(|status| status.is_ended())
            .collect();
        let unknown = CallStatus::from("on_hold");
        let all = || CallStatus::KNOWN.iter().chain([&unknown]);
        let mut invalid = Vec::new();
        for (from, to) in all().flat_map(|from| all().map(move |to| (from, to))) {
            if InvalidTransition::between(&of(from), &of(to)).is_some() {
                invalid.push((from, to));
            }
        }
        let mut expected = vec![(&active[1], &active[0])];
        for from in &ended {
            let others = active.iter().chain(ended.iter().copied());
            expected.extend(others.filter(|to| to != from).map(|to| (*from, to)));
        }
        assert_eq!(invalid, expected);
    }
}
