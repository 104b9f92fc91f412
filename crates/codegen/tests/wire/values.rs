//! Sends values that must be escaped in a URL, a header or a form.

use std::sync::mpsc::Receiver;

use call_api_client::{Client, SECURITY_SCHEMES};
use call_api_transport::{Token, Transport};
use call_api_types::{FilePart, Range};

use crate::Outcome;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) async fn run(base: &str, client: &Client, requests: &Receiver<String>) -> Outcome {
    let range = || Range::builder().gte(1).build();
    send!(requests, client.path_value("a;b|c^d[e]\\f/g"));
    send!(requests, client.matrix_value(""));
    send!(requests, client.template_in_query("a&b=c#d").more("e"));
    send!(
        requests,
        client
            .list_values()
            .space(words(&["c d", "e%20f"]))
            .pipe(words(&["e|f", "50%"]))
            .x_words(Some(words(&["a", "b"])))
            .filter_tags(words(&["g", "h"]))
            .filter_since("i")
    );
    send!(
        requests,
        client
            .list_values()
            .space(words(&["c", "d", "e f"]))
            .pipe(words(&["unset"]))
            .pipe(None)
            .x_words(Vec::new())
    );
    send!(requests, client.list_values().x_words(words(&["a,b"])));
    send!(requests, client.versioned_body().body(range()?));
    send!(requests, client.text_with_charset().body("é"));
    send!(requests, client.form_with_charset().body(range()?));
    let picture = || FilePart::new("P");
    send!(
        requests,
        client.typed_parts().body_map(|body| body
            .xml("<a/>".to_owned())
            .picture(picture())
            .note("n".to_owned()))
    );
    send!(
        requests,
        client
            .typed_parts()
            .body_map(|body| body.picture(picture().with_media_type("image/jpeg")))
    );
    send!(requests, client.agent().user_agent("mine/1"));
    credentials(base, requests).await
}

/// Sends each credential to the operations of its scheme only.
async fn credentials(base: &str, requests: &Receiver<String>) -> Outcome {
    println!("SECURITY_SCHEMES {SECURITY_SCHEMES:?}");
    let one = Transport::builder(base)
        .token(Token::new("token")?)
        .build()?;
    let all = Transport::builder(base)
        .token(Token::new("token")?)
        .credential("key", Token::new("k&y")?)
        .credential("password", Token::new("user:pass")?)
        .credential("session", Token::new("s3ssion")?)
        .build()?;
    for client in [Client::new(one), Client::new(all)] {
        send!(requests, client.with_token());
        send!(requests, client.with_key());
        send!(requests, client.with_password());
        send!(requests, client.with_either());
        send!(requests, client.with_all());
    }
    Ok(())
}
