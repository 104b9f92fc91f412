//! A server that says the given bytes, and one call of the SDK to it.

use std::cell::RefCell;

use call_api::{Call, Client, Error, Uuid};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Long enough not to be found by chance, and easy to find by a fuzzer that is given it.
pub const TOKEN: &str = "s3cr3t-t0k3n";

struct Stage {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// What the SDK makes of these bytes; its error has been looked at.
pub fn answer(bytes: Vec<u8>, cap: u64) -> Result<Call, Error> {
    let result = STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let client = Client::builder()
                .base_url(url)
                .token(TOKEN)
                .max_attempts(1)
                .body_limit(cap);
            Stage { runtime, listener, client: client.build().expect("a client") }
        });
        let Stage { runtime, listener, client } = stage;
        runtime.block_on(async {
            let server = async {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                // Until the client is done.
                let _ = stream.read(&mut [0; 16]).await;
            };
            let call = std::future::IntoFuture::into_future(client.get_call(Uuid::nil()));
            tokio::pin!(server, call);
            tokio::select! {
                result = &mut call => result,
                () = &mut server => call.await,
            }
        })
    });
    if let Err(error) = &result {
        let line = error.to_string();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        let words = format!("{line}{error:?}{error:#?}{:?}", error.detail());
        assert!(!words.contains(TOKEN), "{words}");
    }
    result
}
