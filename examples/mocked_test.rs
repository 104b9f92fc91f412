//! Tests of code that fetches calls, against the sandbox in the test's process.
//!
//! `cargo test --example mocked_test` runs the tests below; `cargo run --example mocked_test` runs the code. Each test
//! gives the sandbox the calls that it needs; nothing is mocked between the code and the socket.

use std::error::Error;

use call_api::{Call, CallStatus, Client, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;

/// The code under test. Describes a call.
async fn summary(client: &Client, id: Uuid) -> Result<String, call_api::Error> {
    let call = match client.get_call(id).await {
        Ok(call) => call,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok("no such call".to_owned()),
        Err(error) => return Err(error),
    };
    Ok(match (&call.status, call.talk_time()) {
        (CallStatus::NoAnswer, _) => "nobody answered".to_owned(),
        (_, Some(time)) => format!("lasted {} s", time.num_seconds()),
        (status, None) => format!("still {status}"),
    })
}

/// Starts a sandbox with these calls, and returns it with a client.
async fn start(calls: impl IntoIterator<Item = Call>) -> Result<(Sandbox, Client), Box<dyn Error>> {
    let sandbox = Sandbox::builder().calls(calls).start().await?;
    let client = Client::builder()
        .base_url(sandbox.base_url())
        .token(sandbox.token())
        .build()?;
    Ok((sandbox, client))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let call = Call::sample();
    let (_sandbox, client) = start([call.clone()]).await?;
    println!("{call}");
    println!("{}", summary(&client, call.id).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Test = Result<(), Box<dyn Error>>;

    #[tokio::test]
    async fn ended_call_has_its_talk_time() -> Test {
        let call = Call::sample();
        let (sandbox, client) = start([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "lasted 123 s");
        // The sandbox logs the requests of the code.
        assert_eq!(sandbox.requests().len(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn unanswered_call_has_no_talk_time() -> Test {
        let call = Call::sample()
            .to_builder()
            .status(CallStatus::NoAnswer)
            .duration(None)
            .build()?;
        let (_sandbox, client) = start([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "nobody answered");
        Ok(())
    }

    #[tokio::test]
    async fn unknown_status_is_kept() -> Test {
        let mut call = Call::sample();
        call.status = "on_hold".into();
        call.end_time = None;
        let (_sandbox, client) = start([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "still on_hold");
        Ok(())
    }

    #[tokio::test]
    async fn missing_call_is_not_an_error() -> Test {
        let (_sandbox, client) = start([]).await?;
        assert_eq!(summary(&client, Uuid::nil()).await?, "no such call");
        Ok(())
    }
}
