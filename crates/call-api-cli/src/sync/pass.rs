//! A pass over the ids that remain: the failures that show an outage of the service, and those that are about an id.

use std::collections::HashSet;

use call_api::Uuid;

use crate::error::{CliError, ErrorClass};

/// The smallest number of consecutive failures, not specific to an id, after which the service is considered down.
const OUTAGE_FAILURES: usize = 8;

/// The end of a pass over the ids.
#[derive(Debug)]
pub(super) enum PassEnd {
    /// The service responds. Ids whose requests began in an outage may remain.
    Complete,
    /// The service does not respond; these failures are not counted yet.
    Outage(Vec<(Uuid, CliError)>),
    /// Every further request would fail too, for example because of the token.
    Fatal(ErrorClass),
}

/// The failures of a pass that are not specific to an id.
#[derive(Debug)]
pub(super) struct Pass {
    /// The number of failures that end the pass.
    limit: usize,
    /// Those since the last response that shows that the service works.
    consecutive: Vec<(Uuid, CliError)>,
    fatal: Option<ErrorClass>,
    /// True until the first response after an outage.
    is_outage: bool,
    /// Failures of these requests say nothing about their ids, however late they arrive.
    begun_in_outage: HashSet<Uuid>,
}

impl Pass {
    pub(super) fn new(jobs: usize, after_outage: bool) -> Self {
        Self {
            limit: jobs.max(OUTAGE_FAILURES),
            consecutive: Vec::new(),
            fatal: None,
            is_outage: after_outage,
            begun_in_outage: HashSet::new(),
        }
    }

    /// Takes a failure that is not specific to its id. Returns true if the pass ends with it.
    pub(super) fn fail(&mut self, id: Uuid, failure: CliError) -> bool {
        let class = failure.class();
        let is_fatal = matches!(class, ErrorClass::Refused | ErrorClass::Config);
        self.fatal = is_fatal.then_some(class);
        if is_fatal || !self.begun_in_outage.contains(&id) {
            self.consecutive.push((id, failure));
        }
        is_fatal || self.consecutive.len() >= self.limit
    }

    /// Records a response that shows that the service works, and the requests begun so far. Returns the failures that are
    /// therefore about their ids.
    pub(super) fn succeed(&mut self, begun: &[Uuid]) -> Vec<(Uuid, CliError)> {
        if std::mem::take(&mut self.is_outage) {
            self.consecutive.clear();
            self.begun_in_outage.extend(begun);
        }
        std::mem::take(&mut self.consecutive)
    }

    /// Ends the pass. Also returns the failures that are counted.
    pub(super) fn end(self) -> (PassEnd, Vec<(Uuid, CliError)>) {
        let failures = self.consecutive;
        if let Some(class) = self.fatal {
            return (PassEnd::Fatal(class), failures);
        }
        let mut classes = failures.iter().map(|(_, failure)| failure.class());
        let is_down = classes.all(|class| class == ErrorClass::Unreachable);
        match !failures.is_empty() && (failures.len() >= self.limit || is_down) {
            true => (PassEnd::Outage(failures), Vec::new()),
            false => (PassEnd::Complete, failures),
        }
    }
}

/// Returns true if a failure of this class is about one id, or about its recording, and shows that the service works.
pub(super) fn is_specific_to_id(class: ErrorClass, is_recording: bool) -> bool {
    match is_recording {
        true => !matches!(
            class,
            ErrorClass::RateLimited | ErrorClass::Service | ErrorClass::Unreachable
        ),
        false => matches!(
            class,
            ErrorClass::NotFound
                | ErrorClass::InvalidRequest
                | ErrorClass::BadResponse
                | ErrorClass::Incomplete
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: ErrorClass) -> CliError {
        CliError::new(class, "")
    }

    fn ids(failures: &[(Uuid, CliError)]) -> Vec<u128> {
        failures.iter().map(|(id, _)| id.as_u128()).collect()
    }

    #[test]
    fn failure_of_a_request_begun_in_an_outage_is_not_counted() {
        let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
        for (after_outage, counted) in [(true, [].as_slice()), (false, &[1])] {
            let mut pass = Pass::new(2, after_outage);
            assert!(!pass.fail(one, failure(ErrorClass::Service)));
            assert_eq!(ids(&pass.succeed(&[one, two])), counted);
            // Late.
            assert!(!pass.fail(two, failure(ErrorClass::Service)));
            assert!(!pass.fail(three, failure(ErrorClass::Service)));
            let (end, counted) = pass.end();
            assert!(matches!(end, PassEnd::Complete), "{end:?}");
            let expected: &[u128] = if after_outage { &[3] } else { &[2, 3] };
            assert_eq!(ids(&counted), expected);
        }
    }

    #[test]
    fn refusal_ends_a_pass_even_of_a_request_begun_in_an_outage() {
        let [one, two] = [1, 2].map(Uuid::from_u128);
        let mut pass = Pass::new(2, true);
        assert!(pass.succeed(&[one, two]).is_empty());
        assert!(pass.fail(two, failure(ErrorClass::Refused)));
        let (end, counted) = pass.end();
        assert!(
            matches!(end, PassEnd::Fatal(ErrorClass::Refused)),
            "{end:?}"
        );
        assert_eq!(ids(&counted), [2]);
    }
}
