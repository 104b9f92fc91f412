//! The body of a 200: its first byte picks the encoding and the framing.

#![no_main]

mod server;

const CAP: u64 = 1000;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((pick, body)) = bytes.split_first() else {
        return;
    };
    let encoding = ["", "content-encoding: gzip\r\n", "content-encoding: br\r\n"][usize::from(pick % 3)];
    let framing = match pick / 3 % 3 {
        0 => format!("content-length: {}\r\n", body.len()),
        1 => "transfer-encoding: chunked\r\n".to_owned(),
        _ => String::new(),
    };
    let mut response = format!("HTTP/1.1 200 OK\r\n{encoding}{framing}\r\n").into_bytes();
    response.extend_from_slice(body);
    if let Ok((status, body)) = server::answer(response, CAP) {
        assert_eq!(status, 200);
        assert!(body.len() as u64 <= CAP);
    }
});
