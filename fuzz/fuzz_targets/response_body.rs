//! Decodes the body of a 200 response. The first byte selects the encoding and the framing.

#![no_main]

mod server;

use call_api::ErrorKind;

const LIMIT: u64 = 1000;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((selector, body)) = bytes.split_first() else {
        return;
    };
    let encoding = ["", "content-encoding: gzip\r\n", "content-encoding: br\r\n"][usize::from(selector % 3)];
    let framing = match selector / 3 % 3 {
        0 => format!("content-length: {}\r\n", body.len()),
        1 => "transfer-encoding: chunked\r\n".to_owned(),
        _ => String::new(),
    };
    let mut response = format!("HTTP/1.1 200 OK\r\n{encoding}{framing}\r\n").into_bytes();
    response.extend_from_slice(body);
    match server::answer(response, LIMIT) {
        Ok(call) => {
            let again = serde_json::to_vec(&call).expect("a call can be written");
            assert_eq!(serde_json::from_slice::<call_api::Call>(&again).expect("and read again"), call);
        }
        Err(error) => match error.kind() {
            ErrorKind::Decode => assert!(error.json_path().is_some()),
            kind => assert!(matches!(kind, ErrorKind::Interrupted | ErrorKind::BodyTooLarge), "{error}"),
        },
    }
});
