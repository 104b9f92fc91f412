//! Parses a base URL, and checks a path parameter against it.

#![no_main]

use call_api_transport::fuzzing::{Base, Url};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (given, parameter) = text.split_once('\n').unwrap_or((text, "7"));
    let Ok(base) = Base::parse(given, false) else {
        return;
    };
    let url = Url::parse(base.as_str()).expect("a base URL is a URL");
    assert!(url.username().is_empty() && url.password().is_none());
    assert!(url.query().is_none() && url.fragment().is_none());
    let is_loopback = matches!(url.host_str(), Some(host) if host == "localhost" || host == "[::1]"
        || host.starts_with("127.") || host.starts_with("[::ffff:7f"));
    assert!(url.scheme() == "https" || (url.scheme() == "http" && is_loopback), "{url}");
    let Ok(request) = Url::parse(&format!("{}/v1/call/{parameter}", base.as_str())) else {
        return;
    };
    if base.check(&request, "/v1/call/{id}").is_ok() {
        assert_eq!(request.origin(), url.origin());
        assert!(request.username().is_empty() && request.password().is_none());
        let prefix = format!("{}/v1/call/", url.path().trim_end_matches('/'));
        let id = request.path().strip_prefix(&prefix).expect("the path is the operation's");
        assert!(!id.is_empty() && !id.contains('/') && id != "." && id != "..");
    }
});
