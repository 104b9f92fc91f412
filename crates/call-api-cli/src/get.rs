//! `get`: fetches calls and prints them.

use call_api::{Client, Uuid};

use crate::args::Look;
use crate::failure::{End, Failure, Tally};
use crate::output::Calls;
use crate::ui::Ui;

pub(crate) async fn run(client: &Client, ids: Vec<Uuid>, look: Look, ui: &Ui) -> Result<(), End> {
    let mut calls = Calls::new(look, ids.len() > 1);
    let mut tally = Tally::default();
    for id in ids {
        match client.get_call(id).await {
            Ok(call) => calls.add(call)?,
            Err(error) => {
                let failure = Failure::from(error).of_call(id);
                tally.add(failure.class());
                ui.error(&failure);
            }
        }
    }
    calls.finish()?;
    tally.end()
}
