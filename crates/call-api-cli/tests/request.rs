//! `request`: the operations of the document by name, here that of `get`.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use serde_json::Value;
use snapbox::str;
use support::{assert_shown, program_for, run, sandbox};

/// Returns the path of `get_call`, and the name of the parameter in it.
fn path() -> (String, String) {
    let operations: Value = serde_json::from_str(include_str!("../src/operations.json")).unwrap();
    let mut operations = operations["operations"].as_array().unwrap().iter();
    let operation = operations
        .find(|operation| operation["name"] == "get_call")
        .unwrap();
    let path = operation["path"].as_str().unwrap();
    let (_, parameter) = path.split_once('{').unwrap();
    let (parameter, _) = parameter.split_once('}').unwrap();
    (path.to_owned(), parameter.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_that_of_the_document() {
    let sandbox = sandbox().await;
    let (path, parameter) = path();
    let option = format!("--{}", parameter.replace('_', "-"));
    let typo = format!("{option}s");
    let one = support::id(1);
    let mut shown = String::new();
    for arguments in [
        [].as_slice(),
        &["get_call", "--help"],
        &["get_call", &option, &one],
        // The service judges the values of parameters.
        &["get_call", &option, "7"],
        &["get_call", &option, &support::id(9)],
        &["get_call"],
        &["get_call", &typo, "7"],
        &["get_cal"],
        &["get_call", &option, &one, "--body", "call.json"],
    ] {
        let arguments = [&["request"], arguments].concat();
        shown.push_str("---\n");
        shown.push_str(&run(&mut program_for(&sandbox, &arguments)));
    }
    // The document may rename the parameter.
    let shown = shown
        .replace(&path, "/v1/call/{id}")
        .replace(&format!("{option} "), "--id ")
        .replace(&format!("'{option}'"), "'--id'")
        .replace(&typo, "--ids");
    assert_shown(
        shown,
        str![[r#"
---
...
get_call [..]GET [..]/v1/call/{id}[..]
...
---
...
GET /v1/call/{id}

Usage: call-api request get_call [OPTIONS] --id <UUID>

Options:
      --id <UUID>
...
Responses:
  200 [..](application/json)
...
---
{
...
  [..]: "00000000-0000-4000-8000-000000000001",
...
}
---
? 6
error: GET http://[HOST]/v1/call/7 was answered with 422: [..] (1 attempt); check the parameters of the request
---
? 4
error: GET http://[HOST]/v1/call/00000000-0000-4000-8000-000000000009 was answered with 404: [..] (1 attempt); check the id, and that the base URL names the right service
---
? 2
error: the following required arguments were not provided: --id <UUID>; see `call-api request get_call --help`
---
? 2
error: unexpected argument '--ids' found; a similar argument exists: '--id'; see `call-api request get_call --help`
---
? 2
error: unrecognized subcommand 'get_cal'; [..]'get_call'[..]; see `call-api request --help`
---
? 2
error: unexpected argument '--body' found; see `call-api request get_call --help`

"#]],
    );
}
