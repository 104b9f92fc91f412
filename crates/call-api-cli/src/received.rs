//! Fetched calls, with the JSON that the service sent.

use std::io;

use call_api::{Call, Error, Response, Uuid};

use crate::error::CliError;

/// A call, and its JSON.
#[derive(Debug)]
pub(crate) struct ReceivedCall {
    pub(crate) call: Call,
    /// `None` if the JSON is that of `call`, without unknown properties.
    json: Option<String>,
}

impl ReceivedCall {
    /// Returns the requested call, or the error. With `typed`, its JSON has the form of the API document; otherwise it is
    /// that of the service.
    pub(crate) fn new(
        id: Uuid,
        result: Result<Response<Call>, Error>,
        typed: bool,
    ) -> Result<Self, CliError> {
        let mut json = None;
        let result = result.map(|response| {
            json = (!typed).then(|| String::from_utf8_lossy(&response.body).into_owned());
            response.value
        });
        let call = result.map_err(|error| CliError::from(error).for_call(id))?;
        Ok(Self { call, json })
    }

    /// Returns the JSON of the call.
    pub(crate) fn json(&self) -> io::Result<String> {
        match &self.json {
            Some(json) => Ok(json.clone()),
            None => Ok(serde_json::to_string(&self.call)?),
        }
    }
}

impl From<Call> for ReceivedCall {
    fn from(call: Call) -> Self {
        Self { call, json: None }
    }
}
