//! The meaning of a call's state. The reference lists the statuses without describing them. That the last four end a call
//! is inferred from their names, and from `end_time`: "The end time of the call, if ended".

use std::fmt::{self, Write as _};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use uuid::Uuid;

use crate::mask::{Unmasked, unmasked};
use crate::{Call, CallStatus, CallType, Contact, ContactType, builder};

impl CallStatus {
    /// Returns true if a call with this status has ended, so that the status is final.
    ///
    /// A status that this version does not know counts as not ended: see [`Call::is_ended`], which also considers the end
    /// time.
    ///
    /// ```
    /// use call_api_types::CallStatus;
    ///
    /// assert!(CallStatus::NoAnswer.is_ended() && CallStatus::NoAnswer.is_known());
    /// assert!(CallStatus::Dialing.is_active());
    /// let unknown = CallStatus::from("on_hold");
    /// assert!(!unknown.is_ended() && !unknown.is_active() && !unknown.is_known());
    /// ```
    pub fn is_ended(&self) -> bool {
        // A status that the document adds does not end a call until it is listed here.
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Transferred | Self::NoAnswer
        )
    }

    /// Returns true if the call is being dialed or is in progress.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Dialing | Self::InProgress)
    }

    /// Returns true if this version of the SDK knows the status.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

impl CallType {
    /// Returns true if the contact called.
    ///
    /// ```
    /// use call_api_types::Call;
    ///
    /// let call = Call::sample();
    /// assert!(call.direction().is_inbound() && !call.direction().is_outbound());
    /// ```
    pub fn is_inbound(&self) -> bool {
        *self == Self::Inbound
    }

    /// Returns true if the contact was called.
    pub fn is_outbound(&self) -> bool {
        *self == Self::Outbound
    }
}

impl Call {
    /// Returns true if the call has ended: by its status, or by its end time if this version does not know the meaning of
    /// the status.
    pub fn is_ended(&self) -> bool {
        self.status.is_ended() || (!self.status.is_active() && self.end_time.is_some())
    }

    /// Returns the direction of the call: the property `type`, whose name is a keyword of Rust.
    pub fn direction(&self) -> &CallType {
        &self.type_
    }

    /// Returns the time at which the call ended: `end_time`, or `duration` after `start_time` if the service omits it.
    /// `None` until the call [has ended](Self::is_ended), and if neither is known.
    ///
    /// ```
    /// use call_api_types::{Call, CallStatus};
    ///
    /// let mut call = Call::sample();
    /// assert_eq!(call.total_time().map(|length| length.num_seconds()), Some(123));
    /// call.end_time = None;
    /// assert_eq!(call.ended_at(), Some(call.created_date + call.total_time().unwrap_or_default()));
    /// call.status = CallStatus::InProgress;
    /// assert!(!call.is_ended() && call.ended_at().is_none());
    /// ```
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        if !self.is_ended() {
            return None;
        }
        let computed = || self.start_time?.checked_add_signed(self.total_time()?);
        self.end_time.or_else(computed)
    }

    /// Returns the length of the call, from `duration` in seconds; `None` until the call has ended.
    pub fn total_time(&self) -> Option<TimeDelta> {
        self.duration.and_then(TimeDelta::try_seconds)
    }

    /// Returns the talk time: zero if the call was not answered, else [`total_time`](Self::total_time), or the time from `start_time`
    /// to `end_time` if the service omits `duration`. `None` until the call [has ended](Self::is_ended), if neither is
    /// known, and if the result would be negative.
    pub fn talk_time(&self) -> Option<TimeDelta> {
        if !self.is_ended() {
            return None;
        }
        if self.status == CallStatus::NoAnswer {
            return Some(TimeDelta::zero());
        }
        let between = || Some(self.end_time?.signed_duration_since(self.start_time?));
        self.total_time()
            .or_else(between)
            .filter(|time| *time >= TimeDelta::zero())
    }

    /// Returns a view of the call whose `{:?}` shows the contact's number and the recording's URL, which the call's own
    /// hides. [`unmasked`] does so for any value, such as a list of calls.
    ///
    /// ```
    /// use call_api_types::Call;
    ///
    /// let call = Call::sample();
    /// assert!(!format!("{call:?}").contains("900123"));
    /// assert!(format!("{:?}", call.debug_unmasked()).contains("+44 7700 900123"));
    /// ```
    pub fn debug_unmasked(&self) -> Unmasked<'_, Self> {
        unmasked(self)
    }

    /// Returns a call for tests, always the same, with a value for every property: inbound, completed after 123 seconds,
    /// with a recording. Tests change the properties that matter, by assignment or with [`to_builder`](Self::to_builder).
    ///
    /// ```
    /// use call_api_types::{Call, CallStatus};
    ///
    /// let mut call = Call::sample();
    /// call.status = CallStatus::NoAnswer;
    /// assert_eq!(call.talk_time().map(|time| time.num_seconds()), Some(0));
    /// ```
    pub fn sample() -> Self {
        let created = sample_time(0);
        // Properties that are not set here, new ones included, come from the document's example.
        let mut call = Self::example();
        call.id = Uuid::from_u128(0x3c90c3cc_0d44_4b50_8888_8dd25736052a);
        call.agent_id = Some(Uuid::from_u128(0xa9e7c0de_0d44_4b50_8888_8dd25736052a));
        call.status = CallStatus::Completed;
        call.type_ = CallType::Inbound;
        call.contact = Contact::sample();
        call.phone_id = Some(Uuid::from_u128(0x0f09e000_0d44_4b50_8888_8dd25736052a));
        call.created_date = created;
        call.recording_url = Some("https://recordings.example/3c90c3cc.mp3".to_owned());
        call.start_time = Some(created);
        call.end_time = Some(sample_time(123));
        call.duration = Some(123);
        call.end_reason = Some("hangup".to_owned());
        call
    }

    /// The document's example of a call, as JSON.
    ///
    /// ```
    /// use call_api_types::Call;
    ///
    /// let call: Call = serde_json::from_str(Call::EXAMPLE_JSON)?;
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub const EXAMPLE_JSON: &str = include_str!("example.json");

    /// Decodes the document's example.
    #[expect(
        clippy::expect_used,
        reason = "the document is known when this is compiled, and a test decodes its example"
    )]
    fn example() -> Self {
        serde_json::from_str(Self::EXAMPLE_JSON).expect("the document's example is a call")
    }

    /// Returns a builder with the properties of this call.
    ///
    /// ```
    /// use call_api_types::{Call, CallType, Contact};
    ///
    /// fn example() -> Result<(), call_api_types::error::ConversionError> {
    ///     let contact = Contact::sample().to_builder().identifier("+44 7700 900456").build()?;
    ///     let call = Call::sample().to_builder().type_(CallType::Outbound).contact(contact).build()?;
    ///     assert!(call.direction().is_outbound());
    ///     Ok(())
    /// }
    /// # example().unwrap();
    /// ```
    pub fn to_builder(&self) -> builder::Call {
        self.clone().into()
    }
}

impl Contact {
    /// Returns a view of the contact whose `{:?}` shows the number, which the contact's own hides.
    pub fn debug_unmasked(&self) -> Unmasked<'_, Self> {
        unmasked(self)
    }

    /// Returns a contact for tests, always the same, with a fictional number.
    ///
    /// ```
    /// use call_api_types::Contact;
    ///
    /// fn example() -> Result<(), call_api_types::error::ConversionError> {
    ///     let contact = Contact::sample().to_builder().identifier("+44 7700 900456").build()?;
    ///     assert!(!format!("{contact:?}").contains("900456"));
    ///     assert!(format!("{:?}", contact.debug_unmasked()).contains("900456"));
    ///     Ok(())
    /// }
    /// # example().unwrap();
    /// ```
    pub fn sample() -> Self {
        let mut contact = Call::example().contact;
        contact.id = Uuid::from_u128(0xc0274c70_0d44_4b50_8888_8dd25736052a);
        contact.created_date = sample_time(0);
        // Reserved by Ofcom for fiction.
        contact.identifier = "+44 7700 900123".to_owned();
        contact.contact_type = ContactType::Call;
        contact
    }

    /// Returns a builder with the properties of this contact.
    pub fn to_builder(&self) -> builder::Contact {
        self.clone().into()
    }
}

/// Returns the time this many seconds after 2023-11-07 05:31:56 UTC, the example time of the reference.
fn sample_time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_699_335_116 + seconds)
}

/// One line for logs, without the contact and the URL of the recording:
/// `call 3c90c3cc-0d44-4b50-8888-8dd25736052a: inbound, completed, created 2023-11-07T05:31:56Z, 123 s`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("call {}: ", self.id);
        // A value that is not in the document can contain anything.
        line.extend(self.type_.as_str().escape_debug());
        line.push_str(", ");
        line.extend(self.status.as_str().escape_debug());
        let created = self.created_date.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(line, ", created {created}")?;
        if let Some(seconds) = self.duration {
            write!(line, ", {seconds} s")?;
        }
        f.pad(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if the text has the contact's number or the recording's URL.
    fn shows_contact(text: &str) -> bool {
        text.contains("900123") || text.contains("recordings.example")
    }

    #[test]
    fn display_omits_the_contact() {
        let mut call = Call::sample();
        assert_eq!(
            call.to_string(),
            "call 3c90c3cc-0d44-4b50-8888-8dd25736052a: inbound, completed, created 2023-11-07T05:31:56Z, 123 s"
        );
        call.status = CallStatus::Unknown("on\nhold".to_owned());
        call.duration = None;
        assert_eq!(
            call.to_string(),
            "call 3c90c3cc-0d44-4b50-8888-8dd25736052a: inbound, on\\nhold, created 2023-11-07T05:31:56Z"
        );
    }

    #[test]
    fn debug_hides_contact_and_recording_unless_unmasked() {
        let call = Call::sample();
        let texts = |call: &Call| {
            [
                format!("{call:?}"),
                format!("{call:#?}"),
                format!("{:?}", Some(&call.contact)),
                format!("{:?}", call.to_builder()),
                format!("{:#?}", call.contact.to_builder()),
            ]
        };
        for text in texts(&call) {
            assert!(!shows_contact(&text), "{text}");
            // Everything else is shown.
            assert!(text.contains("2023-11-07T05:31:56Z"), "{text}");
        }
        let shown = format!("{:?}", call.debug_unmasked());
        assert!(
            shown.contains("+44 7700 900123") && shown.contains("recordings.example/3c90c3cc.mp3")
        );
        assert!(format!("{:?}", call.contact.debug_unmasked()).contains("+44 7700 900123"));
        assert!(format!("{:?}", unmasked(&call.to_builder())).contains("+44 7700 900123"));
        // Unmasking applies to that one output only.
        assert!(texts(&call).iter().all(|text| !shows_contact(text)));
    }

    #[test]
    fn debug_shows_that_a_recording_exists() {
        let mut call = Call::sample();
        assert!(format!("{call:?}").contains("recording_url: Some(…)"));
        call.recording_url = None;
        assert!(format!("{call:?}").contains("recording_url: None"));
    }

    #[test]
    fn panic_while_unmasked_restores_the_mask() {
        struct Panics;
        impl fmt::Debug for Panics {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("while shown")
            }
        }
        let shown = std::panic::catch_unwind(|| format!("{:?}", unmasked(&Panics)));
        assert!(shown.is_err());
        assert!(!shows_contact(&format!("{:?}", Call::sample())));
    }

    #[test]
    fn times_are_known_after_a_call_has_ended() {
        let mut call = Call::sample();
        let (started, ended) = (call.start_time, call.end_time);
        assert_eq!(call.ended_at(), ended);
        assert_eq!(call.talk_time(), TimeDelta::try_seconds(123));

        // Each of the two is derived from the other.
        call.end_time = None;
        assert_eq!(call.ended_at(), ended);
        (call.end_time, call.duration) = (ended, None);
        assert_eq!(call.talk_time(), TimeDelta::try_seconds(123));
        (call.start_time, call.end_time) = (ended, started);
        assert_eq!(call.talk_time(), None, "an end before the start");
        call.start_time = None;
        assert_eq!(call.talk_time(), None);
        call.end_time = None;
        assert_eq!(call.ended_at(), None);

        (call.duration, call.start_time) = (Some(i64::MAX), started);
        assert_eq!((call.ended_at(), call.talk_time()), (None, None));
        call.duration = Some(i64::MAX / 1000);
        assert_eq!(call.ended_at(), None, "no such date");
        call.duration = Some(-1);
        assert_eq!(call.talk_time(), None);

        let mut call = Call::sample();
        call.status = CallStatus::NoAnswer;
        assert_eq!(call.talk_time(), Some(TimeDelta::zero()));
        call.status = CallStatus::InProgress;
        assert_eq!((call.ended_at(), call.talk_time()), (None, None));
    }

    #[test]
    fn direction_is_the_type() {
        assert_eq!(*Call::sample().direction(), CallType::Inbound);
    }

    #[test]
    fn known_statuses_are_active_or_ended_but_not_both() {
        for status in CallStatus::KNOWN {
            assert!(status.is_known());
            assert!(!(status.is_active() && status.is_ended()), "{status}");
        }
        for status in [CallStatus::Dialing, CallStatus::InProgress] {
            assert!(status.is_active(), "{status}");
        }
        let ended = CallStatus::KNOWN.iter().filter(|status| status.is_ended());
        let expected = [
            CallStatus::Completed,
            CallStatus::Failed,
            CallStatus::Transferred,
            CallStatus::NoAnswer,
        ];
        assert!(ended.eq(&expected));
    }

    #[test]
    fn status_without_a_meaning_has_ended_if_there_is_an_end_time() {
        let mut call = Call::sample();
        // A status that a later document lists is known, but has no meaning until one is assigned.
        let unknown = CallStatus::from("on_hold");
        let listed = CallStatus::KNOWN.iter();
        let without_meaning = listed.filter(|status| !status.is_active() && !status.is_ended());
        for status in without_meaning.chain([&unknown]) {
            call.status = status.clone();
            assert!(call.is_ended(), "{status}");
            let end = call.end_time.take();
            assert!(!call.is_ended(), "{status}");
            call.end_time = end;
        }
        // The service may set the end time before the status: a status with a meaning takes precedence.
        call.status = CallStatus::InProgress;
        assert!(!call.is_ended());
        (call.status, call.end_time) = (CallStatus::Failed, None);
        assert!(call.is_ended());
    }

    #[test]
    fn duration_out_of_range_is_none() {
        let mut call = Call::sample();
        call.duration = None;
        assert_eq!(call.total_time(), None);
        call.duration = Some(123);
        assert_eq!(call.total_time(), TimeDelta::try_seconds(123));
        call.duration = Some(i64::MAX);
        assert_eq!(call.total_time(), None);
    }
}
