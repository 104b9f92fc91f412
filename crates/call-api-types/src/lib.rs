//! The data of the call API: what its OpenAPI document calls schemas, as Rust types that know no HTTP.
//!
//! Two halves make this crate. `generated.rs` is written by `cargo xtask codegen` from `spec/openapi.json`; by hand are
//! this file, `record` (how a struct is decoded), `lenient` (how numbers and times are), `union` (how the member of a union is chosen), `open_enum` (how an enum keeps a value that it doesn't know), `nullable` (how a property of a request says
//! absent, null or a value), `file_part` (a file as a part of a form), `mask` (what `{:?}` doesn't show) and `call` (what a
//! call's state means).
//!
//! What the service adds one day breaks nothing here:
//!
//! - a property that the document doesn't know is ignored, and not kept: it is gone when the value is encoded again,
//! - a string enum keeps a value that it doesn't know: [`CallStatus::Unknown`] holds it, and it is encoded as it came,
//! - the structs are `#[non_exhaustive]`: a new property is no breaking change. [`Call::builder`] makes one by hand, and
//!   [`Call::sample`] one for tests.
//!
//! Whatever a value holds, encoded and decoded again it is the same value. Of the JSON not everything is kept: an optional
//! property that is `null` is left out when it is encoded, and a time comes out in UTC, to the nanosecond.
//!
//! `{:?}` hides who the contact is and where the recording is; [`Call::debug_unmasked`] and [`unmasked`] show them.
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

// docs.rs marks what needs a feature.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod call;
mod file_part;
#[rustfmt::skip]
#[allow(clippy::all, clippy::return_self_not_must_use, dead_code, deprecated, irrefutable_let_patterns, unused_imports, reason = "generated")]
mod generated;
mod lenient;
mod mask;
mod nullable;
mod open_enum;
mod record;
mod union;

pub use generated::*;
pub use mask::{Unmasked, unmasked};
