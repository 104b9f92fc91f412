//! The schemas of the API as Rust types, with helpers that interpret the state of a call.
//!
//! ```
//! use call_api::Client;
//! use call_api::chrono::TimeDelta;
//! use call_api::types::{Call, CallStatus, CallType, Contact, ContactType, SCHEMAS, Unmasked, unmasked};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let sample = Call::sample();
//!     sandbox.put(sample.clone());
//!
//!     let call = client.get_call(sample.id).await?;
//!     assert_eq!(call, sample);
//!     assert!(call.direction().is_inbound() && !call.direction().is_outbound());
//!     assert!(call.is_ended() && call.status.is_ended() && call.status.is_known() && !call.status.is_active());
//!     assert_eq!(call.ended_at(), call.end_time);
//!     assert_eq!((call.total_time(), call.talk_time()), (Some(TimeDelta::seconds(123)), Some(TimeDelta::seconds(123))));
//!
//!     // `{}` and `{:?}` hide who the contact is.
//!     let number = &Contact::sample().identifier;
//!     assert!(!format!("{call} {call:?}").contains(number));
//!     let shown: Unmasked<'_, Call> = call.debug_unmasked();
//!     assert!(format!("{shown:?}").contains(number));
//!     assert!(format!("{:?}", unmasked(&[call])).contains(number));
//!
//!     // Enums list what the document knows, and keep what it doesn't.
//!     for status in CallStatus::KNOWN {
//!         println!("{}", status.as_str());
//!     }
//!     assert!(CallType::KNOWN.contains(&CallType::Outbound) && ContactType::KNOWN.contains(&ContactType::Call));
//!     assert_eq!(CallStatus::from("on_hold"), CallStatus::Unknown("on_hold".to_owned()));
//!
//!     // The document's own words, for code that looks at JSON.
//!     let document: serde_json::Value = serde_json::from_str(SCHEMAS)?;
//!     println!("{} schemas", document.as_object().map_or(0, |schemas| schemas.len()));
//!     let example: Call = serde_json::from_str(Call::EXAMPLE_JSON)?;
//!     println!("{example}");
//!     Ok(())
//! }
//! ```
//!
//! Calls and contacts for tests, made from another. [`Call::builder`] starts from nothing, and a later document may add
//! properties that it requires:
//!
//! ```
//! use call_api::types::error::ConversionError;
//! use call_api::types::{Call, CallStatus, CallType, Contact, ContactType, builder};
//! use call_api::{Client, Uuid};
//! use call_api_sandbox::Sandbox;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sandbox = Sandbox::start().await?;
//!     let client = Client::builder().base_url(sandbox.base_url()).token(sandbox.token()).build()?;
//!     let created = Call::sample().created_date;
//!     let contact: builder::Contact = Contact::sample()
//!         .to_builder()
//!         .id(Uuid::from_u128(1))
//!         .created_date(created)
//!         .identifier("+44 7700 900456")
//!         .contact_type(ContactType::Call);
//!     let contact: Contact = contact.build()?;
//!     let call: builder::Call = Call::sample()
//!         .to_builder()
//!         .id(Uuid::from_u128(2))
//!         .agent_id(None)
//!         .phone_id(None)
//!         .status(CallStatus::Completed)
//!         .type_(CallType::Outbound)
//!         .contact(contact.to_builder().identifier("+44 7700 900789").build()?)
//!         .created_date(created)
//!         .start_time(created)
//!         .end_time(created)
//!         .duration(0)
//!         .recording_url(None)
//!         .end_reason("busy".to_owned());
//!     let call: Call = call.build()?;
//!     sandbox.put(call.clone());
//!     assert_eq!(client.get_call(call.id).await?, call);
//!
//!     let unfinished: Result<Call, ConversionError> = Call::builder().build();
//!     assert!(unfinished.unwrap_err().to_string().contains("no value supplied"));
//!     Ok(())
//! }
//! ```

#[doc(inline)]
pub use call_api_types::*;
