//! Compares decoding a call, and a page of 1,000, into the generated types, whose enums keep unknown values, with
//! hand-written structs with closed enums: `cargo bench -p call-api-types`.
//!
//! Both run in short turns, and the fastest turns are compared, so that other programs on the machine do not matter.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

const TURNS: usize = 2_000;
const CALLS_A_TURN: u32 = 200;
const CALLS_A_PAGE: usize = 1_000;

/// The variable that decodes on one side only, for a profiler: `generated` or `hand`, and the number of calls.
const ALONE: &str = "CALL_API_TYPES_BENCH_ALONE";

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
    if let Ok(alone) = std::env::var(ALONE) {
        let (side, calls) = alone.split_once(' ').unwrap_or((&alone, "1"));
        let calls = calls.parse().unwrap_or(1);
        match side {
            "hand" => decode::<by_hand::Call>(JSON, calls)?,
            _ => decode::<call_api_types::Call>(JSON, calls)?,
        };
        return Ok(());
    }
    compare::<call_api_types::Call, by_hand::Call>("one call", JSON, TURNS, CALLS_A_TURN)?;
    let page = format!("[{}]", [JSON; CALLS_A_PAGE].join(","));
    let what = format!("a page of {CALLS_A_PAGE}");
    compare::<Vec<call_api_types::Call>, Vec<by_hand::Call>>(&what, &page, TURNS / 5, 1)
}

fn compare<G: DeserializeOwned, H: DeserializeOwned>(
    what: &str,
    json: &str,
    turns: usize,
    a_turn: u32,
) -> Result<(), serde_json::Error> {
    let (mut generated, mut by_hand) = (Duration::MAX, Duration::MAX);
    for _ in 0..turns {
        generated = generated.min(decode::<G>(json, a_turn)?);
        by_hand = by_hand.min(decode::<H>(json, a_turn)?);
    }
    let nanoseconds = |turn: Duration| turn.as_secs_f64() * 1e9 / f64::from(a_turn);
    let (generated, by_hand) = (nanoseconds(generated), nanoseconds(by_hand));
    println!("decode {what}, the fastest of {turns} turns of {a_turn}:");
    println!("  generated, open enums   {generated:>8.0} ns");
    println!("  by hand, closed enums   {by_hand:>8.0} ns");
    println!("  ratio                   {:>8.3}", generated / by_hand);
    Ok(())
}

fn decode<T: DeserializeOwned>(json: &str, times: u32) -> Result<Duration, serde_json::Error> {
    let start = Instant::now();
    for _ in 0..times {
        black_box(serde_json::from_str::<T>(black_box(json))?);
    }
    Ok(start.elapsed())
}
