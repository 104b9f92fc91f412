//! How to test code of your own that fetches calls: against the sandbox, which is the API in the test's own process.
//!
//! `cargo test --example mocked_test` runs the tests below; `cargo run --example mocked_test` shows the code at work. The
//! sandbox is served what a test is about; nothing is mocked between your code and the wire.

use std::error::Error;

use call_api::{Call, CallStatus, Client, ErrorKind, Uuid};
use call_api_sandbox::Sandbox;

/// The code of your own: what to tell a person of a call.
async fn summary(client: &Client, id: Uuid) -> Result<String, call_api::Error> {
    let call = match client.get_call(id).await {
        Ok(call) => call,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok("no such call".to_owned()),
        Err(error) => return Err(error),
    };
    Ok(match (&call.status, call.talk_time()) {
        (CallStatus::NoAnswer, _) => "nobody answered".to_owned(),
        (_, Some(time)) => format!("talked for {} s", time.num_seconds()),
        (status, None) => format!("still {status}"),
    })
}

/// The API, with these calls to serve, and a client of it.
async fn api(calls: impl IntoIterator<Item = Call>) -> Result<(Sandbox, Client), Box<dyn Error>> {
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
    let (_sandbox, client) = api([call.clone()]).await?;
    println!("{call}");
    println!("{}", summary(&client, call.id).await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Test = Result<(), Box<dyn Error>>;

    #[tokio::test]
    async fn a_call_that_is_over_tells_how_long_was_talked() -> Test {
        let call = Call::sample();
        let (sandbox, client) = api([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "talked for 123 s");
        // What your code asked is there to be looked at.
        assert_eq!(sandbox.requests().len(), 1);
        Ok(())
    }

    #[tokio::test]
    async fn nobody_answered() -> Test {
        let call = Call::sample()
            .to_builder()
            .status(CallStatus::NoAnswer)
            .duration(None)
            .build()?;
        let (_sandbox, client) = api([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "nobody answered");
        Ok(())
    }

    #[tokio::test]
    async fn a_status_of_tomorrow_breaks_nothing() -> Test {
        let mut call = Call::sample();
        call.status = "on_hold".into();
        call.end_time = None;
        let (_sandbox, client) = api([call.clone()]).await?;
        assert_eq!(summary(&client, call.id).await?, "still on_hold");
        Ok(())
    }

    #[tokio::test]
    async fn there_is_no_such_call() -> Test {
        let (_sandbox, client) = api([]).await?;
        assert_eq!(summary(&client, Uuid::nil()).await?, "no such call");
        Ok(())
    }
}
