//! The types of the call API: the schemas of its OpenAPI document, without any HTTP.
//!
//! `generated.rs` is written by `cargo xtask codegen` from `spec/openapi.json`. The other modules are written by hand:
//! `record` (decoding and encoding of structs), `setting` (their builders), `lenient` (numbers and times), `union` (selection
//! of the members of a union), `open_enum` (enums with unknown values), `nullable` (absent, null or a value), `file_part` (a
//! file in a form), `mask` (properties that `{:?}` hides) and `call` (the meaning of a call's state).
//!
//! Additions by the service are not breaking changes:
//!
//! - A property that is not in the document is ignored when a value is decoded, and missing when it is encoded again.
//! - A string enum keeps an unknown value, such as in [`CallStatus::Unknown`], and encodes it unchanged.
//! - Structs are `#[non_exhaustive]`, so a new property does not break code. [`Call::builder`] builds one, and
//!   [`Call::sample`] returns one for tests.
//!
//! A value that is encoded and decoded again is equal. The JSON can differ: an optional property that is `null` is omitted,
//! and times are in UTC, to the nanosecond.
//!
//! `{:?}` hides the contact and the URL of the recording; [`Call::debug_unmasked`] and [`unmasked`] show them.
//!
//! ```
//! use call_api_types::{Call, CallStatus};
//!
//! let mut json = serde_json::to_value(Call::sample())?;
//! json["a_property_of_tomorrow"] = 1.into();
//! json[Call::name_in_json("status")] = "on_hold".into();
//! let call: Call = serde_json::from_value(json)?;
//! assert_eq!(call.status, CallStatus::Unknown("on_hold".to_owned()));
//! assert_eq!(call.status.to_string(), "on_hold");
//! # Ok::<(), serde_json::Error>(())
//! ```

// docs.rs marks items that require a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod file_part;
#[rustfmt::skip]
#[allow(clippy::all, clippy::return_self_not_must_use, dead_code, deprecated, irrefutable_let_patterns, unreachable_code, unused_imports, reason = "generated")]
mod generated;
mod lenient;
mod mask;
mod nullable;
mod open_enum;
mod record;
mod setting;
mod union;

pub use generated::*;
pub use mask::{Unmasked, unmasked};

/// The values that setters take. It is a module, because a schema may have the name of any type.
pub mod convert {
    pub use crate::setting::{IntoNullable, IntoOptional};
}

/// Decoding for the generated client.
#[doc(hidden)]
pub mod notation {
    pub use crate::lenient::{AnyNotation, Lenient};
}
