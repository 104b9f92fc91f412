//! What the state of a call means. The reference lists the statuses without a word on them; that the last four end a
//! call is read from their names, and from `end_time`: "The end time of the call, if ended".

use std::fmt::{self, Write as _};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use uuid::Uuid;

use crate::mask::{Unmasked, unmasked};
use crate::{Call, CallStatus, CallType, Contact, ContactType, builder};

impl CallStatus {
    /// Whether a call of this status is over, so that its status won't change any more.
    ///
    /// A status that this version doesn't know is not taken for an end: see [`Call::is_ended`], which also looks at the
    /// end time.
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
        // A status that is added to the document does not end a call before somebody decides that it does.
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Transferred | Self::NoAnswer
        )
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

    /// Whether the contact was called.
    pub fn is_outbound(&self) -> bool {
        *self == Self::Outbound
    }
}

impl Call {
    /// Returns true if the call is over: by its status, or by its end time if this version does not know what the status
    /// means.
    pub fn is_ended(&self) -> bool {
        self.status.is_ended() || (!self.status.is_active() && self.end_time.is_some())
    }

    /// Who called whom: the property `type`, whose name is a keyword of Rust.
    pub fn direction(&self) -> &CallType {
        &self.type_
    }

    /// When the call ended: `end_time`, or, where the service leaves that out, `duration` after `start_time`. `None` as
    /// long as the call [is not over](Self::is_ended), and where neither is known.
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

    /// How long the call was, from `duration`, which the service gives in seconds; `None` until it has ended.
    pub fn total_time(&self) -> Option<TimeDelta> {
        self.duration.and_then(TimeDelta::try_seconds)
    }

    /// Returns the talk time: zero if nobody answered, else [`total_time`](Self::total_time) or, if the service leaves
    /// that out, the time from `start_time` to `end_time`. `None` as long as the call
    /// [is not over](Self::is_ended), where neither is known, and where the times make no sense.
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

    /// Has `{:?}` show the contact's number and the recording's URL, which it hides otherwise. For more than one call
    /// there is [`unmasked`].
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

    /// A call for tests, with a value for every property, the same each time: an inbound one that took 123 seconds and
    /// was recorded. What a test is about it changes, by assignment or with [`to_builder`](Self::to_builder).
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
        // The document's example has the properties that are not set here, new ones included.
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

    /// A builder with this call's properties, each of which can be set anew.
    ///
    /// ```
    /// use call_api_types::{Call, CallType, Contact};
    ///
    /// # fn example() -> Result<(), call_api_types::error::ConversionError> {
    /// let contact = Contact::sample().to_builder().identifier("+44 7700 900456").build()?;
    /// let call = Call::sample().to_builder().type_(CallType::Outbound).contact(contact).build()?;
    /// assert!(call.direction().is_outbound());
    /// # Ok(())
    /// # }
    /// # example().unwrap();
    /// ```
    pub fn to_builder(&self) -> builder::Call {
        self.clone().into()
    }
}

impl Contact {
    /// Has `{:?}` show the contact's number, which it hides otherwise.
    pub fn debug_unmasked(&self) -> Unmasked<'_, Self> {
        unmasked(self)
    }

    /// A contact for tests, the same each time, with a number that belongs to nobody.
    ///
    /// ```
    /// use call_api_types::Contact;
    ///
    /// # fn example() -> Result<(), call_api_types::error::ConversionError> {
    /// let contact = Contact::sample().to_builder().identifier("+44 7700 900456").build()?;
    /// assert!(!format!("{contact:?}").contains("900456"));
    /// assert!(format!("{:?}", contact.debug_unmasked()).contains("900456"));
    /// # Ok(())
    /// # }
    /// # example().unwrap();
    /// ```
    pub fn sample() -> Self {
        let mut contact = Call::example().contact;
        contact.id = Uuid::from_u128(0xc0274c70_0d44_4b50_8888_8dd25736052a);
        contact.created_date = sample_time(0);
        // Ofcom keeps these for drama.
        contact.identifier = "+44 7700 900123".to_owned();
        contact.contact_type = ContactType::Call;
        contact
    }

    /// A builder with this contact's properties, each of which can be set anew.
    pub fn to_builder(&self) -> builder::Contact {
        self.clone().into()
    }
}

/// So many seconds after 2023-11-07 05:31:56 UTC, which the reference has for its times.
fn sample_time(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_699_335_116 + seconds)
}

/// One line for logs, which shows of the contact nothing, and not where the recording is:
/// `call 3c90c3cc-0d44-4b50-8888-8dd25736052a: inbound, completed, created 2023-11-07T05:31:56Z, 123 s`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("call {}: ", self.id);
        // A value that the document doesn't know may hold anything.
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

    /// As much as a line of a log needs to know nobody.
    fn shows_contact(text: &str) -> bool {
        text.contains("900123") || text.contains("recordings.example")
    }

    #[test]
    fn a_line_about_a_call_shows_no_contact() {
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
    fn debug_hides_the_contact_and_the_recording_unless_asked() {
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
            // Everything else is there.
            assert!(text.contains("2023-11-07T05:31:56Z"), "{text}");
        }
        let shown = format!("{:?}", call.debug_unmasked());
        assert!(
            shown.contains("+44 7700 900123") && shown.contains("recordings.example/3c90c3cc.mp3")
        );
        assert!(format!("{:?}", call.contact.debug_unmasked()).contains("+44 7700 900123"));
        assert!(format!("{:?}", unmasked(&call.to_builder())).contains("+44 7700 900123"));
        // What was asked for once holds for that once.
        assert!(texts(&call).iter().all(|text| !shows_contact(text)));
    }

    #[test]
    fn debug_says_whether_there_is_a_recording() {
        let mut call = Call::sample();
        assert!(format!("{call:?}").contains("recording_url: Some(…)"));
        call.recording_url = None;
        assert!(format!("{call:?}").contains("recording_url: None"));
    }

    #[test]
    fn a_debug_that_panics_leaves_the_mask_on() {
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
    fn times_are_known_once_a_call_is_over() {
        let mut call = Call::sample();
        let (started, ended) = (call.start_time, call.end_time);
        assert_eq!(call.ended_at(), ended);
        assert_eq!(call.talk_time(), TimeDelta::try_seconds(123));

        // Each of the two is had from the other.
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
    fn a_direction_is_the_type() {
        assert_eq!(*Call::sample().direction(), CallType::Inbound);
    }

    #[test]
    fn statuses_are_active_or_ended_and_later_ones_neither() {
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
    fn a_status_without_a_meaning_has_ended_if_the_call_has_an_end_time() {
        let mut call = Call::sample();
        // What a later document lists is known, and means nothing until somebody says what.
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
        // The service may set the end time before the status: the status is what it says.
        call.status = CallStatus::InProgress;
        assert!(!call.is_ended());
        (call.status, call.end_time) = (CallStatus::Failed, None);
        assert!(call.is_ended());
    }

    #[test]
    fn a_duration_out_of_range_is_none() {
        let mut call = Call::sample();
        call.duration = None;
        assert_eq!(call.total_time(), None);
        call.duration = Some(123);
        assert_eq!(call.total_time(), TimeDelta::try_seconds(123));
        call.duration = Some(i64::MAX);
        assert_eq!(call.total_time(), None);
    }
}
