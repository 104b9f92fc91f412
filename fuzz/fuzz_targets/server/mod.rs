//! A server that sends the given bytes, and a request of the SDK to it.

use std::cell::RefCell;

use call_api::{Call, Client, Error, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Too long to occur by chance; a seed contains it.
pub const TOKEN: &str = "s3cr3t-t0k3n";

struct Fixture {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
}

thread_local! {
    static FIXTURE: RefCell<Option<Fixture>> = const { RefCell::new(None) };
}

/// Sends `bytes` to the SDK and returns its result. Asserts that an error is one line and omits the token.
pub fn answer(bytes: Vec<u8>, limit: u64) -> Result<Call, Error> {
    let result = FIXTURE.with_borrow_mut(|fixture| {
        let fixture = fixture.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let client = Client::builder()
                .base_url(url)
                .token(TOKEN)
                .max_attempts(1)
                .body_limit(limit);
            Fixture { runtime, listener, client: client.build().expect("a client") }
        });
        let Fixture { runtime, listener, client } = fixture;
        runtime.block_on(async {
            let server = async {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                // Waits until the client closes the connection.
                let _ = stream.read(&mut [0; 16]).await;
            };
            let request = std::future::IntoFuture::into_future(client.get_call(Uuid::nil()));
            tokio::pin!(server, request);
            tokio::select! {
                result = &mut request => result,
                () = &mut server => request.await,
            }
        })
    });
    if let Err(error) = &result {
        let line = error.to_string();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let texts = format!("{line}{error:?}{error:#?}{:?}", error.detail());
        assert!(!texts.contains(TOKEN), "{texts}");
    }
    result
}
