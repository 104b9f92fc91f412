//! Parses `Retry-After` and related headers, one per line.

#![no_main]

use std::time::{Duration, SystemTime};

use call_api_transport::fuzzing::retry_after;
use reqwest::header::{HeaderMap, HeaderValue};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for (line, name) in bytes.split(|byte| *byte == b'\n').zip(["retry-after", "date", "retry-after-ms", "retry-after"]) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_534_400);
    if let Some(wait) = retry_after(&headers, || now) {
        assert!(headers.contains_key("retry-after") || headers.contains_key("retry-after-ms"));
        // A delay requires a number in a header.
        let has_digit = headers.iter().any(|(_, value)| value.as_bytes().iter().any(u8::is_ascii_digit));
        assert!(has_digit, "{wait:?} without a number in a header");
    }
});
