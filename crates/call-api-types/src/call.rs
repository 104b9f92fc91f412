//! What the state of a call means. The reference lists the statuses without a word on them; that the last four end a
//! call is read from their names, and from `end_time`: "The end time of the call, if ended".

use chrono::TimeDelta;

use crate::{Call, CallStatus, CallType};

impl CallStatus {
    /// Whether a call of this status is over, so that its status won't change any more.
    ///
    /// A status that this version doesn't know is not taken for an end: see [`Call::is_ended`], which also looks at the
    /// end time.
    pub fn is_ended(&self) -> bool {
        match self {
            Self::Completed | Self::Failed | Self::Transferred | Self::NoAnswer => true,
            Self::Dialing | Self::InProgress | Self::Unknown(_) => false,
        }
    }

    /// Whether the call is being set up or talked on.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Dialing | Self::InProgress)
    }

    /// Whether this version of the SDK knows the status.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl CallType {
    /// Whether the contact called.
    pub fn is_inbound(&self) -> bool {
        *self == Self::Inbound
    }

    /// Whether the contact was called.
    pub fn is_outbound(&self) -> bool {
        *self == Self::Outbound
    }
}

impl Call {
    /// Whether the call is over: by its status, or, where this version doesn't know the status, by its end time.
    pub fn is_ended(&self) -> bool {
        self.status.is_ended() || (!self.status.is_known() && self.end_time.is_some())
    }

    /// How long the call was, from `duration`, which the service gives in seconds; `None` until it has ended.
    pub fn duration(&self) -> Option<TimeDelta> {
        self.duration.and_then(TimeDelta::try_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(status: &str, end_time: Option<&str>) -> Result<Call, serde_json::Error> {
        serde_json::from_value(serde_json::json!({
            "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            "agent_id": null,
            "phone_id": null,
            "status": status,
            "type": "outbound",
            "created_date": "2023-11-07T05:31:56Z",
            "end_time": end_time,
            "contact": {
                "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
                "created_date": "2023-11-07T05:31:56Z",
                "identifier": "x",
                "contact_type": "call",
            },
        }))
    }

    #[test]
    fn each_known_status_is_either_active_or_ended() {
        for status in CallStatus::KNOWN {
            assert!(status.is_known());
            assert_ne!(status.is_active(), status.is_ended(), "{status}");
        }
        let ended: Vec<_> = CallStatus::KNOWN
            .iter()
            .filter(|status| status.is_ended())
            .map(CallStatus::as_str)
            .collect();
        assert_eq!(ended, ["completed", "failed", "transferred", "no_answer"]);
    }

    #[test]
    fn an_unknown_status_has_ended_if_the_call_has_an_end_time() -> Result<(), serde_json::Error> {
        assert!(!call("on_hold", None)?.is_ended());
        assert!(call("on_hold", Some("2023-11-07T05:31:56Z"))?.is_ended());
        // The service may set the end time before the status: the status is what it says.
        assert!(!call("in_progress", Some("2023-11-07T05:31:56Z"))?.is_ended());
        assert!(call("failed", None)?.is_ended());
        Ok(())
    }

    #[test]
    fn a_duration_out_of_range_is_none() -> Result<(), serde_json::Error> {
        let mut call = call("completed", None)?;
        assert_eq!(call.duration(), None);
        call.duration = Some(123);
        assert_eq!(call.duration(), TimeDelta::try_seconds(123));
        call.duration = Some(i64::MAX);
        assert_eq!(call.duration(), None);
        Ok(())
    }
}
