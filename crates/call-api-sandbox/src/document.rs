//! A call as it is sent.

use bytes::Bytes;
use call_api_types::Call;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::call_id;

/// A call's JSON, without spaces as FastAPI sends it, and the id that it is found by.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) id: Uuid,
    pub(crate) json: Bytes,
}

impl From<&Call> for Document {
    fn from(call: &Call) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "strings, numbers, dates and uuids: there is nothing in a call that JSON can't hold"
        )]
        let json = serde_json::to_vec(call).expect("a call is JSON");
        Self {
            id: call.id,
            json: json.into(),
        }
    }
}

impl Document {
    /// Takes JSON as it is that was found to be a call of this id.
    #[cfg(feature = "sqlite")]
    pub(crate) fn checked(id: Uuid, json: &str) -> Self {
        Self {
            id,
            json: compact(json).into(),
        }
    }

    /// Takes JSON as it is: its properties, their order, their numbers' digits.
    pub(crate) fn parse(json: &str) -> Result<Self, InvalidCall> {
        let call: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| InvalidCall(error.to_string()))?;
        let id = match call.get("id") {
            Some(Value::String(id)) => call_id::parse(id)
                .map_err(|error| InvalidCall(format!("its \"id\" is no uuid: {error}")))?,
            Some(_) => return Err(InvalidCall("its \"id\" is no string".to_owned())),
            None => return Err(InvalidCall("it has no \"id\"".to_owned())),
        };
        Ok(Self {
            id,
            json: compact(json).into(),
        })
    }
}

/// JSON that can't be served as a call, as nobody could ask for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a call: {0}; give a JSON object whose \"id\" is a uuid")]
pub struct InvalidCall(String);

/// Valid JSON without the spaces between its tokens.
fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let mut in_string = false;
    let mut escaped = false;
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        compact.push(character);
    }
    compact
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_spaces_between_tokens_are_left_out() {
        let json = "{ \"a b\" :\r\n\t[ 1.50, \"c \\\" d\", \"\\\\\" , null ] }";
        let compacted = compact(json);
        assert_eq!(compacted, r#"{"a b":[1.50,"c \" d","\\",null]}"#);
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(value(&compacted), value(json));
    }

    #[test]
    fn what_could_not_be_asked_for_is_refused_with_a_reason() {
        let refused = |json| Document::parse(json).err().map(|error| error.to_string());
        let all = ["[]", "{", "{}", r#"{"id":7}"#, r#"{"id":"7"}"#].map(refused);
        let wanted = [
            "not a call: invalid type: sequence, expected a map at line 1 column 0",
            "not a call: EOF while parsing an object at line 1 column 1",
            "not a call: it has no \"id\"",
            "not a call: its \"id\" is no string",
            "not a call: its \"id\" is no uuid: invalid length: found 1",
        ]
        .map(|reason| {
            Some(format!(
                "{reason}; give a JSON object whose \"id\" is a uuid"
            ))
        });
        assert_eq!(all, wanted);
    }
}
