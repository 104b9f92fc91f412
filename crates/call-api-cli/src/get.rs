//! `get`: fetches and prints calls.

use call_api::{Client, Uuid};
use futures_util::StreamExt as _;

use crate::args::GetArgs;
use crate::error::{CommandError, ErrorTally};
use crate::output::CallPrinter;
use crate::received::ReceivedCall;
use crate::ui::Ui;

pub(crate) async fn run(
    client: &Client,
    ids: Vec<Uuid>,
    is_list: bool,
    args: GetArgs,
    ui: &Ui,
) -> Result<(), CommandError> {
    let mut calls = CallPrinter::new(args.display, is_list, args.fields);
    if let [id] = ids[..] {
        // A batch waits for a `Retry-After` together; a single request is bound by its deadline.
        let result = client.get_call(id).send().await;
        calls.add(ReceivedCall::new(id, result, args.typed)?)?;
        return Ok(calls.finish(ui)?);
    }
    let mut tally = ErrorTally::default();
    let mut results = client.get_calls(ids).responses();
    while let Some((id, result)) = results.next().await {
        match ReceivedCall::new(id, result, args.typed) {
            Ok(call) => calls.add(call)?,
            Err(failure) => {
                tally.add(failure.class());
                ui.error(&failure);
            }
        }
    }
    calls.finish(ui)?;
    tally.end()
}
