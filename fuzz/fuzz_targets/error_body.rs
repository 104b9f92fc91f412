//! Decodes the body of an error response. The first byte selects the status.

#![no_main]

mod server;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((selector, body)) = bytes.split_first() else {
        return;
    };
    let status = 400 + u16::from(*selector);
    let encoding = if selector % 2 == 0 { "" } else { "content-encoding: gzip\r\n" };
    let mut response = format!("HTTP/1.1 {status} X\r\n{encoding}\r\n").into_bytes();
    response.extend_from_slice(body);
    let error = server::answer(response, 10).expect_err("an error status is an error");
    assert_eq!(error.status(), Some(status));
    let length = error.detail().map_or(0, |detail| detail.to_string().chars().count());
    assert!(length <= 201, "{length}");
});
