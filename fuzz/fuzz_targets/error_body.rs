//! The body of an error response: its first byte picks the status.

#![no_main]

mod server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((pick, body)) = bytes.split_first() else {
        return;
    };
    let status = 400 + u16::from(*pick);
    let encoding = if pick % 2 == 0 { "" } else { "content-encoding: gzip\r\n" };
    let mut response = format!("HTTP/1.1 {status} X\r\n{encoding}\r\n").into_bytes();
    response.extend_from_slice(body);
    let error = server::answer(response, 10).expect_err("an error status is an error");
    assert_eq!(error.status(), Some(status));
    let said = error.detail().map_or(0, |detail| detail.to_string().chars().count());
    assert!(said <= 201, "{said}");
});
