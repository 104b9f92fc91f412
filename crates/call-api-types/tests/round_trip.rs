//! Any call is equal after it was encoded and decoded.

use call_api_types::{Call, CallStatus, CallType, Contact, ContactType};
use chrono::{DateTime, Utc};
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

fn id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

/// The range of RFC 3339, year 0 to 9999, to the nanosecond.
fn time() -> impl Strategy<Value = DateTime<Utc>> {
    (-62_167_219_200_i64..253_402_300_800, 0_u32..1_000_000_000)
        .prop_filter_map("no such time", |(seconds, nanos)| {
            DateTime::from_timestamp(seconds, nanos)
        })
}

/// A known value of an enum, or an unknown one.
fn value<T: From<String> + Clone + std::fmt::Debug + 'static>(
    known: &'static [T],
) -> impl Strategy<Value = T> {
    prop_oneof![
        prop::sample::select(known),
        any::<String>().prop_map(T::from)
    ]
}

prop_compose! {
    fn contact()(
        id in id(),
        created in time(),
        identifier in any::<String>(),
        contact_type in value(ContactType::KNOWN),
    ) -> Contact {
        let mut contact = Contact::sample();
        contact.id = id;
        contact.created_date = created;
        contact.identifier = identifier;
        contact.contact_type = contact_type;
        contact
    }
}

prop_compose! {
    fn call()(
        (id, agent_id, phone_id) in (id(), option::of(id()), option::of(id())),
        (status, type_, contact) in (value(CallStatus::KNOWN), value(CallType::KNOWN), contact()),
        (created, start, end) in (time(), option::of(time()), option::of(time())),
        (recording, duration, reason) in (any::<Option<String>>(), any::<Option<i64>>(), any::<Option<String>>()),
    ) -> Call {
        let mut call = Call::sample();
        call.id = id;
        call.agent_id = agent_id;
        call.phone_id = phone_id;
        call.status = status;
        call.type_ = type_;
        call.contact = contact;
        call.created_date = created;
        call.start_time = start;
        call.end_time = end;
        call.recording_url = recording;
        call.duration = duration;
        call.end_reason = reason;
        call
    }
}

proptest! {
    #[test]
    fn call_round_trips_through_json(call in call()) {
        let text = serde_json::to_string(&call)?;
        prop_assert_eq!(&serde_json::from_str::<Call>(&text)?, &call);
        // `from_value` is another deserializer.
        let value = serde_json::to_value(&call)?;
        prop_assert_eq!(&serde_json::from_value::<Call>(value)?, &call);
        prop_assert_eq!(serde_json::to_string(&serde_json::from_str::<Call>(&text)?)?, text);
    }

    #[test]
    fn call_round_trips_through_its_builder(call in call()) {
        prop_assert_eq!(call.to_builder().build().map_err(|error| TestCaseError::fail(error.to_string()))?, call);
    }

    #[test]
    fn display_is_one_line(call in call()) {
        prop_assert!(!call.to_string().contains(char::is_control), "{call}");
    }
}

#[test]
fn unknown_properties_are_ignored() -> Result<(), serde_json::Error> {
    let mut value = serde_json::to_value(Call::sample())?;
    value["new_property"] = 1.into();
    value["contact"]["another"] = serde_json::Value::Null;
    let call: Call = serde_json::from_value(value)?;
    assert_eq!(call, Call::sample());
    assert_eq!(
        serde_json::to_value(&call)?,
        serde_json::to_value(Call::sample())?
    );
    Ok(())
}
