//! Responses of mocks.

pub(crate) use call_api_client::EventData;
use httpmock::Then;
use serde::Serialize;
use serde_json::Value;

/// Sets a status of a documented class, such as `4XX`.
#[track_caller]
pub(crate) fn status(then: Then, status: u16, class: u16) -> Then {
    assert_eq!(
        status / 100,
        class,
        "the document describes this response for {class}xx, but the status is {status}"
    );
    then.status(status)
}

/// Sets a JSON body.
pub(crate) fn json(then: Then, media_type: &str, value: &(impl Serialize + ?Sized)) -> Then {
    then.header("content-type", media_type)
        .json_body_obj(&value)
}

/// Sets a body of another media type, unchanged.
pub(crate) fn bytes(then: Then, media_type: &str, value: impl AsRef<[u8]>) -> Then {
    then.header("content-type", media_type).body(value)
}

/// Sets server-sent events.
#[track_caller]
pub(crate) fn events(then: Then, items: &[impl Serialize], data: EventData) -> Then {
    let mut body = String::new();
    for item in items {
        let item = to_json(item);
        match (&item, data) {
            (Value::Object(fields), EventData::Fields { .. }) => {
                for (name, value) in fields {
                    field(&mut body, name, value);
                }
            }
            (text @ Value::String(_), EventData::Text) => field(&mut body, "data", text),
            (item, _) => field(&mut body, "data", &item.to_string().into()),
        }
        body.push('\n');
    }
    bytes(then, "text/event-stream", body)
}

/// Adds a field of an event, one line for each line of a text.
fn field(event: &mut String, name: &str, value: &Value) {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    for line in text.split('\n') {
        event.push_str(&format!("{name}: {line}\n"));
    }
}

/// Sets one JSON value on each line.
#[track_caller]
pub(crate) fn lines(then: Then, media_type: &str, items: &[impl Serialize]) -> Then {
    let lines = items.iter().map(|item| format!("{}\n", to_json(item)));
    bytes(then, media_type, lines.collect::<String>())
}

#[track_caller]
#[allow(clippy::panic, reason = "a mock is part of a test")]
fn to_json(item: &impl Serialize) -> Value {
    match serde_json::to_value(item) {
        Ok(json) => json,
        Err(error) => panic!("the item cannot be encoded: {error}"),
    }
}
