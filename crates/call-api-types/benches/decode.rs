//! Compares decoding a call into the generated types, whose enums keep unknown values, with hand-written structs with
//! closed enums: `cargo bench -p call-api-types`.
//!
//! Both run in short turns, and the fastest turns are compared, so that other programs on the machine do not matter.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

const TURNS: usize = 2_000;
const CALLS_A_TURN: u32 = 200;

/// The example call of the API reference.
const JSON: &str = r#"{
  "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
  "agent_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
  "status": "dialing",
  "type": "inbound",
  "contact": {
    "id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
    "created_date": "2023-11-07T05:31:56Z",
    "identifier": "<string>",
    "contact_type": "call"
  },
  "phone_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
  "created_date": "2023-11-07T05:31:56Z",
  "recording_url": "<string>",
  "start_time": "2023-11-07T05:31:56Z",
  "end_time": "2023-11-07T05:31:56Z",
  "duration": 123,
  "end_reason": "<string>"
}"#;

/// The hand-written types.
mod by_hand {
    #![allow(dead_code, reason = "decoding is all that is timed")]

    use chrono::{DateTime, Utc};
    use serde::Deserialize;
    use uuid::Uuid;

    #[derive(Deserialize)]
    pub(crate) struct Call {
        id: Uuid,
        agent_id: Option<Uuid>,
        status: Status,
        r#type: Type,
        contact: Contact,
        phone_id: Option<Uuid>,
        created_date: DateTime<Utc>,
        recording_url: Option<String>,
        start_time: Option<DateTime<Utc>>,
        end_time: Option<DateTime<Utc>>,
        duration: Option<i64>,
        end_reason: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Status {
        Dialing,
        InProgress,
        Completed,
        Failed,
        Transferred,
        NoAnswer,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Type {
        Inbound,
        Outbound,
    }

    #[derive(Deserialize)]
    struct Contact {
        id: Uuid,
        created_date: DateTime<Utc>,
        identifier: String,
        contact_type: ContactType,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum ContactType {
        Call,
    }
}

fn main() -> Result<(), serde_json::Error> {
    // Once before timing, to report a failure.
    decode::<call_api_types::Call>()?;
    decode::<by_hand::Call>()?;
    let (mut generated, mut by_hand) = (Duration::MAX, Duration::MAX);
    for _ in 0..TURNS {
        generated = generated.min(decode::<call_api_types::Call>()?);
        by_hand = by_hand.min(decode::<by_hand::Call>()?);
    }
    let nanoseconds = |turn: Duration| turn.as_secs_f64() * 1e9 / f64::from(CALLS_A_TURN);
    println!("decode one call, the fastest of {TURNS} turns of {CALLS_A_TURN} calls each:");
    println!(
        "  generated, open enums   {:>6.0} ns",
        nanoseconds(generated)
    );
    println!("  by hand, closed enums   {:>6.0} ns", nanoseconds(by_hand));
    println!(
        "  ratio                   {:>6.3}",
        nanoseconds(generated) / nanoseconds(by_hand)
    );
    Ok(())
}

fn decode<T: DeserializeOwned>() -> Result<Duration, serde_json::Error> {
    let start = Instant::now();
    for _ in 0..CALLS_A_TURN {
        black_box(serde_json::from_str::<T>(black_box(JSON))?);
    }
    Ok(start.elapsed())
}
