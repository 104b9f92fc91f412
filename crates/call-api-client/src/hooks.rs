//! Where every request of the generated code is handed to the transport.
//!
//! progenitor's `ClientHooks` can only be implemented in the crate that defines `Client`, and its `exec` can return no
//! other error than reqwest's, which can't be made by hand. So a failure of the transport travels as a response that
//! `post` stops before anything reads it: it arrives as [`Error::UnexpectedResponse`], and
//! [`TransportError::from_response`] finds it there.

use call_api_transport::{Transport, TransportError};
use progenitor_client::{ClientHooks, Error, OperationInfo};

use crate::generated::{Client, operation};

impl ClientHooks<Transport> for Client {
    async fn exec(
        &self,
        request: reqwest::Request,
        info: &OperationInfo,
    ) -> reqwest::Result<reqwest::Response> {
        let result = self
            .inner
            .execute(operation(info.operation_id), request)
            .await;
        Ok(result.unwrap_or_else(TransportError::into_response))
    }

    async fn post<E>(
        &self,
        result: &reqwest::Result<reqwest::Response>,
        _: &OperationInfo,
    ) -> Result<(), Error<E>> {
        match result.as_ref().ok().and_then(TransportError::from_response) {
            Some(failure) => Err(Error::UnexpectedResponse(failure.clone().into_response())),
            None => Ok(()),
        }
    }
}
