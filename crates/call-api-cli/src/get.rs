//! `get`: fetches calls and prints them.

use call_api::{Client, Uuid};

use crate::args::Look;
use crate::failure::{End, Tally, asked_for};
use crate::output::Calls;
use crate::ui::Ui;

pub(crate) async fn run(client: &Client, ids: Vec<Uuid>, look: Look, ui: &Ui) -> Result<(), End> {
    let mut calls = Calls::new(look, ids.len() > 1);
    if let [id] = ids[..] {
        // Many wait together for a service that asks for it; one waits no longer than its deadline.
        let result = client.get_call(id).await;
        calls.add(asked_for(id, result)?)?;
        return Ok(calls.finish()?);
    }
    let mut tally = Tally::default();
    let mut results = client.get_calls(ids);
    while let Some((id, result)) = results.next().await {
        match asked_for(id, result) {
            Ok(call) => calls.add(call)?,
            Err(failure) => {
                tally.add(failure.class());
                ui.error(&failure);
            }
        }
    }
    calls.finish()?;
    tally.end()
}
