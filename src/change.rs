//! What is new about a call, and what can't be.

use std::fmt;

use uuid::Uuid;

use crate::{Call, CallStatus};

/// A call that is not as it was.
///
/// ```
/// use call_api::{CallStatus, Change};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let before = client.get_call(id).await?;
/// # let mut call = before.clone();
/// # call.status = CallStatus::Completed;
/// # sandbox.put(call);
/// // A while later:
/// let change = Change::new(client.get_call(id).await?, Some(before));
/// assert_eq!(change.call.status, CallStatus::Completed);
/// assert!(change.is_of_status() && change.impossible_step().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// The call as it is now.
    pub call: Call,
    /// The call as it was seen before; `None` the first time.
    pub before: Option<Call>,
}

impl Change {
    /// A change, for tests of what reacts to one.
    pub fn new(call: Call, before: Option<Call>) -> Self {
        Self { call, before }
    }

    /// Whether it is the status that changed, or the first that is known of it; not so where only something else of the
    /// call did, such as its recording.
    pub fn is_of_status(&self) -> bool {
        self.before
            .as_ref()
            .is_none_or(|before| before.status != self.call.status)
    }

    /// The step of the status, where it is one that can't be. The newer answer is taken for true all the same.
    pub fn impossible_step(&self) -> Option<ImpossibleStep> {
        ImpossibleStep::between(self.before.as_ref()?, &self.call)
    }
}

/// A change of status that can't be by what the statuses mean: a call that had ended goes on or ends in another way, or
/// one that was talked on is being dialed. Where this shows, the service's answers are out of order, or its document has
/// changed.
///
/// ```
/// use call_api::{CallStatus, ImpossibleStep};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = call_api_sandbox::Sandbox::start().await?;
/// # let client = call_api::Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
/// # let id = call_api_sandbox::Sandbox::EXAMPLE_ID;
/// let mut seen = client.get_call(id).await?;
/// seen.status = CallStatus::Completed;
/// let mut updates = client.wait_until_ended(id).last_seen(seen).updates();
/// if let Some(change) = updates.next().await {
///     let step: Option<ImpossibleStep> = change?.impossible_step();
///     assert_eq!(step.map(|step| (step.from, step.to)), Some((CallStatus::Completed, CallStatus::Dialing)));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImpossibleStep {
    /// The call.
    pub id: Uuid,
    /// What its status was.
    pub from: CallStatus,
    /// What its status is, by a newer answer.
    pub to: CallStatus,
}

impl fmt::Display for ImpossibleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, from, to } = self;
        write!(
            f,
            "call {id} went from {from} to {to}, which can't be; the newer answer is taken for true"
        )
    }
}

impl ImpossibleStep {
    /// Of a status that this version doesn't know, nothing is impossible.
    pub(crate) fn between(before: &Call, now: &Call) -> Option<Self> {
        let (from, to) = (&before.status, &now.status);
        let back = *from == CallStatus::InProgress && *to == CallStatus::Dialing;
        (from != to && to.is_known() && (from.is_ended() || back)).then(|| Self {
            id: now.id,
            from: from.clone(),
            to: to.clone(),
        })
    }

    /// Tells whoever watches for what the service says and the document doesn't.
    pub(crate) fn report(&self) {
        #[cfg(feature = "tracing")]
        tracing::warn!(
            call.id = %self.id,
            call.status.from = self.from.as_str(),
            call.status.to = self.to.as_str(),
            "a step that can't be"
        );
    }
}

#[cfg(test)]
mod tests {
    use call_api_sandbox::Sandbox;

    use super::*;

    #[test]
    fn what_has_ended_stays_ended_and_nobody_is_dialed_again() {
        let of = |status: &CallStatus| {
            let mut call = Sandbox::example_call();
            call.status = status.clone();
            call
        };
        let mut impossible = Vec::new();
        let unknown = CallStatus::from("on_hold");
        let all = || CallStatus::KNOWN.iter().chain([&unknown]);
        for (from, to) in all().flat_map(|from| all().map(move |to| (from, to))) {
            if ImpossibleStep::between(&of(from), &of(to)).is_some() {
                impossible.push(format!("{from} -> {to}"));
            }
        }
        let ended = ["completed", "failed", "transferred", "no_answer"];
        let mut expected = vec!["in_progress -> dialing".to_owned()];
        for from in ended {
            let others = ["dialing", "in_progress"].into_iter().chain(ended);
            let others = others.filter(|to| *to != from);
            expected.extend(others.map(|to| format!("{from} -> {to}")));
        }
        assert_eq!(impossible, expected);
    }
}
