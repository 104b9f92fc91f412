//! A server that says the given bytes, and one call to it.

use std::cell::RefCell;

use call_api_transport::{Auth, Failure, Operation, ResponseBody, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const PING: Operation = Operation {
    id: "ping",
    path: "/ping",
    auth: Auth::None,
    body: ResponseBody::Buffered,
};

struct Stage {
    runtime: Runtime,
    listener: TcpListener,
    transport: Transport,
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// The status and body that the transport makes of these bytes.
pub fn answer(bytes: Vec<u8>, cap: u64) -> Result<(u16, Vec<u8>), Failure> {
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
            let url = format!("http://{}", listener.local_addr().expect("an address"));
            let transport = Transport::builder(url).max_attempts(1).body_limit(cap).build().expect("a transport");
            Stage { runtime, listener, transport }
        });
        let Stage { runtime, listener, transport } = stage;
        runtime.block_on(async {
            let server = async {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                // Until the client is done.
                let _ = stream.read(&mut [0; 16]).await;
            };
            let client = async {
                let request = transport.http_client().get(format!("{}/ping", transport.base_url()));
                let response = transport.execute(&PING, request.build().expect("a request")).await?;
                let status = response.status().as_u16();
                Ok((status, response.bytes().await.expect("it was read").to_vec()))
            };
            tokio::pin!(server, client);
            tokio::select! {
                result = &mut client => result,
                () = &mut server => client.await,
            }
        })
    })
}
