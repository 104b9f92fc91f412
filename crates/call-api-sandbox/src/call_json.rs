//! The JSON of a call.

use bytes::Bytes;
use call_api_types::Call;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::call_id;

/// A call's JSON, without white space between tokens as FastAPI sends it, and its id.
#[derive(Clone)]
pub(crate) struct CallJson {
    pub(crate) id: Uuid,
    pub(crate) json: Bytes,
}

impl From<&Call> for CallJson {
    fn from(call: &Call) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "a call has only strings, numbers, dates and UUIDs, which JSON can hold"
        )]
        let json = serde_json::to_vec(call).expect("a call is JSON");
        Self {
            id: call.id,
            json: json.into(),
        }
    }
}

impl CallJson {
    /// Takes JSON that was validated as a call with this id.
    #[cfg(feature = "sqlite")]
    pub(crate) fn checked(id: Uuid, json: &str) -> Self {
        Self {
            id,
            json: compact(json).into(),
        }
    }

    /// Takes any JSON object with an id. Keeps its properties, their order and the digits of numbers.
    pub(crate) fn parse(json: &str) -> Result<Self, InvalidCall> {
        let call: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| InvalidCall(error.to_string()))?;
        let name = Call::name_in_json("id");
        let id = match call.get(name) {
            Some(Value::String(id)) => call_id::parse(id)
                .map_err(|error| InvalidCall(format!("its {name:?} is not a UUID: {error}")))?,
            Some(_) => return Err(InvalidCall(format!("its {name:?} is not a string"))),
            None => return Err(InvalidCall(format!("it has no {name:?}"))),
        };
        Ok(Self {
            id,
            json: compact(json).into(),
        })
    }
}

/// JSON that cannot be served as a call because it has no usable id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a call: {0}; use a JSON object whose \"id\" is a UUID")]
pub struct InvalidCall(String);

/// Removes white space between the tokens of valid JSON.
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
    fn compact_removes_only_space_between_tokens() {
        let json = "{ \"a b\" :\r\n\t[ 1.50, \"c \\\" d\", \"\\\\\" , null ] }";
        let compacted = compact(json);
        assert_eq!(compacted, r#"{"a b":[1.50,"c \" d","\\",null]}"#);
        let value = |json: &str| serde_json::from_str::<Value>(json).unwrap();
        assert_eq!(value(&compacted), value(json));
    }

    #[test]
    fn json_without_usable_id_is_rejected() {
        let refused = |json| CallJson::parse(json).err().map(|error| error.to_string());
        let all = ["[]", "{", "{}", r#"{"id":7}"#, r#"{"id":"7"}"#].map(refused);
        let expected = [
            "not a call: invalid type: sequence, expected a map at line 1 column 0",
            "not a call: EOF while parsing an object at line 1 column 1",
            "not a call: it has no \"id\"",
            "not a call: its \"id\" is not a string",
            "not a call: its \"id\" is not a UUID: invalid length: found 1",
        ]
        .map(|reason| {
            Some(format!(
                "{reason}; use a JSON object whose \"id\" is a UUID"
            ))
        });
        assert_eq!(all, expected);
    }
}
