//! Sends each operation whose responses differ to typed mocks, and prints the decoded response of each status.

use std::fmt::Debug;

use call_api_client::builder::{
    AnySuccess, BodilessSuccess, ByStatus, Merged, OptionalBody, ReadTicket, TicketOrNothing,
    TimesOrCount, VendorJson,
};
use call_api_client::response::ByStatusResponse;
use call_api_client::{ByteStream, Client, Error, ErrorKind, Operation, Response};
use call_api_mock::{MockServer, MockServerExt as _};
use call_api_transport::Transport;
use call_api_types::{Range, Ticket};
use futures_util::TryStreamExt as _;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Prints the status and the decoded value or error.
fn show<O: Operation>(operation: &str, result: Result<Response<O::Output>, Error>)
where
    O::Output: Debug,
    O::ErrorBody: Debug,
{
    let error = match result {
        Ok(response) => return println!("{operation}: {} {:?}", response.status, response.value),
        Err(error) => error,
    };
    match (error.status(), error.body::<O>()) {
        (Some(status), Some(body)) => println!("{operation}: error {status} {body:?}"),
        (Some(status), None)
            if error.kind() != ErrorKind::Decode && error.kind() != ErrorKind::UnexpectedId =>
        {
            println!("{operation}: unexpected {status}");
        }
        _ => {
            let path = error.json_path();
            println!("{operation}: {} at {path:?}", error.kind());
        }
    }
}

/// Prints the status and the bytes of a stream.
async fn read(operation: &str, response: Response<ByteStream>) -> Outcome {
    let (status, kind) = (
        response.status,
        response.headers.get("content-type").cloned(),
    );
    let parts: Vec<_> = response.value.try_collect().await?;
    println!(
        "{operation}: {status} {kind:?} {:?}",
        String::from_utf8_lossy(&parts.concat())
    );
    Ok(())
}

pub(crate) async fn run() -> Outcome {
    let server = MockServer::start_async().await;
    let transport = Transport::builder(server.base_url()).max_attempts(1);
    let client = Client::new(transport.build()?);
    let range = Range::builder().gte(1).build()?;
    let words = ["a".to_owned(), "b".to_owned()];

    macro_rules! send {
        ($operation:ident, $answer:expr) => {{
            let mock = server.$operation(|_, then| drop($answer(then)));
            let result = client.$operation().send().await;
            mock.assert_async().await;
            mock.delete_async().await;
            result
        }};
    }
    macro_rules! show_response {
        ($builder:ident, $operation:ident, $answer:expr) => {
            show::<$builder>(stringify!($operation), send!($operation, $answer))
        };
    }
    use call_api_mock::operations::{
        AnySuccessThen, BodilessSuccessThen, ByStatusThen, MergedThen, OptionalBodyThen,
        VendorJsonThen,
    };
    show_response!(ByStatus, by_status, |then: ByStatusThen| then.ok(&range));
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .created(&words));
    show_response!(ByStatus, by_status, |then: ByStatusThen| then.no_content());
    show_response!(ByStatus, by_status, |then: ByStatusThen| then.not_found());
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .unprocessable_content(&range));
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .client_error(418, &words));
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .server_error(500, &words));
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .into_inner()
        .status(205));
    // A body that does not match its status is not decoded as that of another status.
    show_response!(ByStatus, by_status, |then: ByStatusThen| then
        .into_inner()
        .status(201)
        .body(r#"{"gte":1}"#));
    if let Ok(response) = send!(by_status, |then: ByStatusThen| then.accepted("a\r\n"))
        && let ByStatusResponse::Accepted(stream) = response.value
    {
        let bytes = stream.read_to_end().await?;
        println!("by_status: accepted {:?}", String::from_utf8_lossy(&bytes));
    }
    show_response!(OptionalBody, optional_body, |then: OptionalBodyThen| then
        .ok(&range));
    show_response!(OptionalBody, optional_body, |then: OptionalBodyThen| then
        .no_content());
    show_response!(
        BodilessSuccess,
        bodiless_success,
        |then: BodilessSuccessThen| then.no_content()
    );
    show_response!(AnySuccess, any_success, |then: AnySuccessThen| then
        .no_content());
    show_response!(AnySuccess, any_success, |then: AnySuccessThen| then
        .reset_content());
    show_response!(AnySuccess, any_success, |then: AnySuccessThen| then
        .into_inner()
        .status(201)
        .body(r#"{"gte":1}"#));
    show_response!(Merged, merged, |then: MergedThen| then.ok(&range));
    show_response!(Merged, merged, |then: MergedThen| then.created(&range));
    show_response!(Merged, merged, |then: MergedThen| then.unauthorized());
    show_response!(VendorJson, vendor_json, |then: VendorJsonThen| then
        .ok(&range));
    let text = send!(
        text_answer,
        |then: call_api_mock::operations::TextAnswerThen| then.ok("a,b")
    )?;
    read("text_answer", text).await?;
    let bytes = send!(
        bytes_answer,
        |then: call_api_mock::operations::BytesAnswerThen| then.ok([0x50, 0x4e])
    )?;
    read("bytes_answer", bytes).await?;
    let events = send!(
        event_stream,
        |then: call_api_mock::operations::EventStreamThen| then.ok("data: 1\n\n")
    )?;
    read("event_stream", events).await?;
    let (requested, other) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    for received in [requested, other] {
        let ticket = Ticket::builder().id(received).build()?;
        let mock = server.read_ticket(|_, then| drop(then.ok(&ticket)));
        show::<ReadTicket>("read_ticket", client.read_ticket(requested).send().await);
        mock.delete_async().await;
    }
    for received in [Some(requested), Some(other), None] {
        let ticket = received.map(|id| Ticket::builder().id(id).build());
        let ticket = ticket.transpose()?;
        let mock = server.ticket_or_nothing(|_, then| match &ticket {
            Some(ticket) => drop(then.ok(ticket)),
            None => drop(then.no_content()),
        });
        show::<TicketOrNothing>(
            "ticket_or_nothing",
            client.ticket_or_nothing(requested).send().await,
        );
        mock.delete_async().await;
    }
    // Without an offset, and an integer with a fraction of zero.
    for (status, body) in [(200, r#"["2026-11-28T10:00:00"]"#), (202, "5.0")] {
        let mock = server
            .times_or_count(|_, then| drop(then.into_inner().status(status).body(body)));
        show::<TimesOrCount>("times_or_count", client.times_or_count(requested).send().await);
        mock.delete_async().await;
    }
    Ok(())
}
