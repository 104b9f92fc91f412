//! Sends values that a URL, a header or a form can't hold as they are.

use std::sync::mpsc::Receiver;

use call_api_client::{Client, SECURITY_SCHEMES};
use call_api_transport::{Token, Transport};
use call_api_types::{FilePart, Range};

use crate::Outcome;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) async fn run(base: &str, client: &Client, seen: &Receiver<String>) -> Outcome {
    let range = || Range::builder().gte(1).build();
    call!(seen, client.path_value("a;b|c^d[e]\\f/g"));
    call!(seen, client.matrix_value(""));
    call!(seen, client.template_in_query("a&b=c#d").more("e"));
    call!(
        seen,
        client
            .list_values()
            .space(words(&["c d", "e%20f"]))
            .pipe(words(&["e|f", "50%"]))
            .x_words(words(&["a", "b"]))
            .filter_tags(words(&["g", "h"]))
            .filter_since("i")
    );
    call!(
        seen,
        client
            .list_values()
            .space(words(&["c", "d", "e f"]))
            .x_words(Vec::new())
    );
    call!(seen, client.list_values().x_words(words(&["a,b"])));
    call!(seen, client.versioned_body().body(range()?));
    call!(seen, client.text_with_charset().body("é"));
    call!(seen, client.form_with_charset().body(range()?));
    let picture = || FilePart::new("P");
    call!(
        seen,
        client.typed_parts().body_map(|body| body
            .xml("<a/>".to_owned())
            .picture(picture())
            .note("n".to_owned()))
    );
    call!(
        seen,
        client
            .typed_parts()
            .body_map(|body| body.picture(picture().with_media_type("image/jpeg")))
    );
    call!(seen, client.agent().user_agent("mine/1"));
    credentials(base, seen).await
}

/// Each credential goes to the operations of its scheme, and to no others.
async fn credentials(base: &str, seen: &Receiver<String>) -> Outcome {
    println!("SECURITY_SCHEMES {SECURITY_SCHEMES:?}");
    let one = Transport::builder(base)
        .token(Token::new("token")?)
        .build()?;
    let all = Transport::builder(base)
        .token(Token::new("token")?)
        .credential("key", Token::new("k&y")?)
        .credential("password", Token::new("user:pass")?)
        .build()?;
    for client in [Client::new(one), Client::new(all)] {
        call!(seen, client.with_token());
        call!(seen, client.with_key());
        call!(seen, client.with_password());
        call!(seen, client.with_either());
    }
    Ok(())
}
