//! The program against each fault of the sandbox.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use call_api::Call;
use call_api_sandbox::{Fault, FaultRule, Faults, Sandbox};
use http::StatusCode;
use snapbox::str;
use support::{EXAMPLE, assert_shown, program_for, run, sandbox};

fn set(sandbox: &Sandbox, rule: impl Into<FaultRule>) {
    sandbox.set_faults(Faults::seeded(1).rule(rule)).unwrap();
}

/// Retried faults leave no trace in the output.
#[tokio::test(flavor = "multi_thread")]
async fn transient_fault_is_retried() {
    let sandbox = sandbox().await;
    let busy = || Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    for fault in [
        FaultRule::new(busy()).times(2),
        FaultRule::new(Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "0")).times(1),
        FaultRule::new(Fault::Reset).times(2),
        FaultRule::new(Fault::Truncated).times(1),
        FaultRule::new(Fault::Latency {
            by: Duration::from_millis(50),
        }),
        FaultRule::new(Fault::ExtraProperty {
            name: "mood".to_owned(),
            value: "good".into(),
        }),
    ] {
        set(&sandbox, fault.clone());
        let output = program_for(&sandbox, &["get", EXAMPLE, "--typed"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{fault:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{fault:?}");
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let example = serde_json::to_value(Sandbox::example_call()).unwrap();
        assert_eq!(printed, example, "{fault:?}");
    }
}

/// Other faults have an exit code and a message.
#[tokio::test(flavor = "multi_thread")]
async fn persistent_fault_is_reported() {
    let sandbox = sandbox().await;
    let mut shown = String::new();
    for (name, fault, deadline) in [
        ("503", Fault::status(StatusCode::SERVICE_UNAVAILABLE), "45s"),
        ("501", Fault::status(StatusCode::NOT_IMPLEMENTED), "45s"),
        (
            "429",
            Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "60"),
            "1s",
        ),
        ("403", Fault::status(StatusCode::FORBIDDEN), "45s"),
        ("418", Fault::status(StatusCode::IM_A_TEAPOT), "45s"),
        ("202", Fault::status(StatusCode::ACCEPTED), "45s"),
        ("302", Fault::status(StatusCode::FOUND), "45s"),
        ("stall", Fault::Stall, "300ms"),
        ("reset", Fault::Reset, "45s"),
        ("truncated", Fault::Truncated, "45s"),
        ("garbage", Fault::Garbage, "45s"),
        (
            "missing property",
            Fault::MissingProperty {
                name: Call::name_in_json("status").to_owned(),
            },
            "45s",
        ),
        (
            "large property",
            Fault::ExtraProperty {
                name: "mood".to_owned(),
                value: "!".repeat(2 << 20).into(),
            },
            "45s",
        ),
    ] {
        set(&sandbox, fault);
        let mut command = program_for(&sandbox, &["get", EXAMPLE, "--deadline", deadline]);
        shown.push_str(&format!("--- {name}\n{}", run(&mut command)));
    }
    assert_shown(
        shown,
        str![[r#"
--- 503
? 8
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 503: Service Unavailable (3 attempts); try later
--- 501
? 8
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 501: Not Implemented (1 attempt); try later
--- 429
? 7
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 429: Too Many Requests (1 attempt; not retried: the service asks to wait [TIME] s and [TIME] s are left of the deadline); send fewer requests, or try later
--- 403
? 5
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 403: Forbidden (1 attempt); ask the service's owner for what this token may do
--- 418
? 6
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 418: I'm a teapot (1 attempt); check the parameters of the request
--- 202
? 11
error: GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 202 (1 attempt); check that the base URL names the service and that this program knows its version
--- 302
? 11
error: the redirect (302) of GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a has no valid location (1 attempt in [TIME] s); set the base URL to where the service is
--- stall
? 10
error: the deadline of [TIME] s passed while waiting for the response, for GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a (1 attempt in [TIME] s; not retried: the deadline leaves no time); try later, or set a longer one
--- reset
? 9
error: the connection broke while waiting for the response of GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a: Connection reset by peer (os error 104) (3 attempts in [TIME] s); try later
--- truncated
? 9
error: the connection broke while reading the response body of GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a, after [COUNT] bytes: end of file before message length reached (3 attempts in [TIME] s); try later
--- garbage
? 11
error: the response to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is not what the API's document says: .: expected value at line 1 column 1 (1 attempt); update this program, or check that the base URL names the service
--- missing property
? 11
error: the response to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is not what the API's document says: .: missing field `[..]` at line 1 column [..] (1 attempt); update this program, or check that the base URL names the service
--- large property
? 11
error: the response body of [COUNT] bytes to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is over the limit of [COUNT] bytes (1 attempt in [TIME] s); tell the service's owner: no call is that large

"#]],
    );
}

/// A service, or a proxy in between, may mix up responses.
#[tokio::test(flavor = "multi_thread")]
async fn response_about_another_call_is_rejected() {
    let sandbox = sandbox().await;
    set(
        &sandbox,
        Fault::ExtraProperty {
            name: Call::name_in_json("id").to_owned(),
            value: support::id(7).into(),
        },
    );
    let folder = support::empty_folder("another-call");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (ids, calls, sound) = (file("ids.txt"), file("calls.jsonl"), file("call.wav"));
    let one = support::id(1);
    std::fs::write(&ids, &one).unwrap();
    let mut shown = String::new();
    for arguments in [
        ["get", &one].as_slice(),
        &["get", &one, EXAMPLE],
        &["wait", &one],
        &["watch", &one],
        &["recording", &one, "-o", &sound],
        &["sync", "--ids", &ids, "--out", &calls],
        &["doctor", &one, "-o", "table"],
    ] {
        shown.push_str(&format!("--- {}\n", arguments[0]));
        shown.push_str(&run(&mut program_for(&sandbox, arguments)));
    }
    assert_eq!(std::fs::read(&calls).unwrap(), b"");
    assert!(!std::fs::exists(&sound).unwrap());
    assert_shown(
        shown,
        str![[r#"
--- get
? 11
error: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
--- get
? 11
error: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
error: the response to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is about 00000000-0000-4000-8000-000000000007, not about 3c90c3cc-0d44-4b50-8888-8dd25736052a (1 attempt); report this to the owner of the service
[]
--- wait
? 11
error: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
--- watch
? 11
error: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
--- recording
? 11
error: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
--- sync
? 11
error: 1 × bad_response: the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service
summary: ids=1 fetched=0 already_there=0 failed=1 not_fetched=0 bad_response=1 seconds=[SECONDS] exit_code=11
--- doctor
? 11
CHECK     RESULT  MESSAGE
settings  ok      base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   ok      127.0.0.1 responded in [TIME] ms
token     ok      accepted
clock     ok      within [TIME] s of the service's clock
document  failed  the response to GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001 is about 00000000-0000-4000-8000-000000000007, not about 00000000-0000-4000-8000-000000000001 (1 attempt); report this to the owner of the service

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_prints_each_attempt() {
    let sandbox = sandbox().await;
    let requested = Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "0.1");
    set(&sandbox, FaultRule::new(requested).times(1));
    let mut command = program_for(
        &sandbox,
        &["get", EXAMPLE, "--verbose", "--output", "table", "--utc"],
    );
    assert_shown(
        run(&mut command),
        str![[r#"
GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a: 2 attempts in [TIME] s; it succeeded
  1. throttled (429) after [TIME] s, [COUNT] bytes; waited [TIME] s (Retry-After)
  2. success (200) after [TIME] s, [COUNT] bytes
id [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
status [..]dialing
type [..]inbound
contact [..]***ng> (call)
agent [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
phone [..]3c90c3cc-0d44-4b50-8888-8dd25736052a
created [..]2023-11-07 05:31:56 UTC
started [..]2023-11-07 05:31:56 UTC
ended [..]2023-11-07 05:31:56 UTC
duration [..]2m 3s
recording [..]yes
reason [..]<string>
...

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_reports_each_fault() {
    let sandbox = sandbox().await;
    let mut shown = String::new();
    for (name, fault, deadline) in [
        ("503", Fault::status(StatusCode::SERVICE_UNAVAILABLE), "45s"),
        ("stall", Fault::Stall, "300ms"),
        ("garbage", Fault::Garbage, "45s"),
        (
            "unknown status",
            Fault::UnknownStatus {
                status: "on_hold".to_owned(),
            },
            "45s",
        ),
        (
            "extra property",
            Fault::ExtraProperty {
                name: "mood".to_owned(),
                value: "good".into(),
            },
            "45s",
        ),
        (
            "missing property",
            Fault::MissingProperty {
                name: Call::name_in_json("status").to_owned(),
            },
            "45s",
        ),
    ] {
        set(&sandbox, fault);
        let mut command = program_for(
            &sandbox,
            &["doctor", EXAMPLE, "-o", "table", "--deadline", deadline],
        );
        shown.push_str(&format!("--- {name}\n{}", run(&mut command)));
    }
    assert_shown(
        shown,
        str![[r#"
--- 503
? 8
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a was answered with 503: Service Unavailable (3 attempts); try later
token     not verified  the response does not show it
clock     ok            within [TIME] s of the service's clock
document  not verified  no call to check
--- stall
? 10
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        the deadline of [TIME] s passed while waiting for the response, for GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a (1 attempt in [TIME] s; not retried: the deadline leaves no time); try later, or set a longer one
token     not verified  the service did not respond
clock     not verified  the service did not respond
document  not verified  the service did not respond
--- garbage
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 200)
token     not verified  the response does not show it
clock     ok            within [TIME] s of the service's clock
document  failed        the response to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is not what the API's document says: .: expected value at line 1 column 1 (1 attempt); update this program, or check that the base URL names the service
--- unknown status
? 11
CHECK     RESULT  MESSAGE
settings  ok      base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   ok      127.0.0.1 responded in [TIME] ms
token     ok      accepted
clock     ok      within [TIME] s of the service's clock
document  failed  [..]: the document does not list the value "on_hold"; update this program
--- extra property
? 11
CHECK     RESULT  MESSAGE
settings  ok      base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   ok      127.0.0.1 responded in [TIME] ms
token     ok      accepted
clock     ok      within [TIME] s of the service's clock
document  failed  mood: the document has no such property; update this program
--- missing property
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 200)
token     not verified  the response does not show it
clock     ok            within [TIME] s of the service's clock
document  failed        the response to GET http://[HOST]/v1/call/3c90c3cc-0d44-4b50-8888-8dd25736052a is not what the API's document says: .: missing field `[..]` at line 1 column [..] (1 attempt); update this program, or check that the base URL names the service

"#]],
    );
}

/// A web server that answers every request, and a base URL with a path too many.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_does_not_take_another_server_for_the_service() {
    let sandbox = sandbox().await;
    let page = |status, body: &str| Fault::Status {
        status,
        body: Some(body.to_owned()),
        retry_after: None,
    };
    let mut shown = String::new();
    for (status, body) in [
        (200, "<html>Welcome to nginx!"),
        (404, "<html>404 Not Found"),
        (404, r#"{"message":"no Route matched"}"#),
        (401, "<html>Authorization Required"),
        (200, "{}"),
    ] {
        set(&sandbox, page(status, body));
        let mut command = program_for(&sandbox, &["doctor", "-o", "table"]);
        shown.push_str(&format!("--- {status} {body}\n{}", run(&mut command)));
    }
    sandbox.set_faults(Faults::default()).unwrap();
    let url = format!("{}/v1", sandbox.base_url());
    let mut command = program_for(&sandbox, &["doctor", "-o", "table", "--base-url", &url]);
    shown.push_str(&format!("--- /v1\n{}", run(&mut command)));
    assert_shown(
        shown,
        str![[r#"
--- 200 <html>Welcome to nginx!
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 200)
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- 404 <html>404 Not Found
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 404)
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- 404 {"message":"no Route matched"}
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 404)
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- 401 <html>Authorization Required
? 1
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 401)
token     failed        GET http://[HOST]/v1/call/00000000-0000-0000-0000-000000000000 was answered with 401: <html>Authorization Required (1 attempt); check the token: it may be wrong, revoked or of another service
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- 200 {}
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from CALL_API_BASE_URL, token from CALL_API_TOKEN
service   failed        something responded, but not as the API document says; check that the base URL names the service (status 200)
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call
--- /v1
? 11
CHECK     RESULT        MESSAGE
settings  ok            base URL from --base-url, token from CALL_API_TOKEN
service   failed        the service has no such path; the base URL must be what precedes /v1/call (status 404)
token     not verified  needs the id of an existing call
clock     ok            within [TIME] s of the service's clock
document  not verified  needs the id of a call

"#]],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_of_a_failed_request_is_named() {
    let sandbox = sandbox().await;
    let get = |url: &str, more: &[&str], variables: &[(&str, &str)]| {
        let arguments = ["get", EXAMPLE, "--base-url", url, "--deadline", "2s"];
        let mut command = program_for(&sandbox, &[&arguments, more].concat());
        run(command.envs(variables.iter().copied()))
    };
    let (url, proxy) = ("https://calls.example", "http://127.0.0.1:1");
    let note = |source: &str| format!("; the request went through the proxy from {source}\n");
    let shown = get(url, &[], &[("HTTPS_PROXY", proxy)]);
    assert!(shown.ends_with(&note("HTTPS_PROXY")), "{shown}");
    let shown = get(url, &["--proxy", proxy], &[("HTTPS_PROXY", proxy)]);
    assert!(shown.ends_with(&note("--proxy")), "{shown}");
    // It is not used for this host. Nothing listens there.
    let excluded = [("HTTPS_PROXY", proxy), ("NO_PROXY", "127.0.0.1")];
    let shown = get("https://127.0.0.1:1", &[], &excluded);
    assert!(shown.ends_with("the base URL names it\n"), "{shown}");
}

/// Waiting continues after a request has failed.
#[tokio::test(flavor = "multi_thread")]
async fn wait_survives_a_restarting_service() {
    let sandbox = sandbox().await;
    set(&sandbox, FaultRule::new(Fault::Reset).times(4));
    let mut command = program_for(
        &sandbox,
        &[
            "wait",
            &support::id(1),
            "--every",
            "100ms",
            "-o",
            "table",
            "--utc",
            "--deadline",
            "2s",
        ],
    );
    assert_shown(
        run(&mut command),
        str![[r#"
warning: retrying: the connection broke while waiting for the response of GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000001: Connection reset by peer (os error 104) (3 attempts in [TIME] s); try later
id [..]00000000-0000-4000-8000-000000000001
status [..]completed
type [..]outbound
contact [..]***456 (call)
agent [..]-
phone [..]-
created [..]2026-01-02 03:04:05 UTC
started [..]2026-01-02 03:04:06 UTC
ended [..]2026-01-02 04:04:07 UTC
duration [..]1h 1s
recording [..]-
reason [..]hung up /u{1b}[31m
...

"#]],
    );
}
