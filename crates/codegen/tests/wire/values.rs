//! Sends values that a URL, a header or a form can't hold as they are.

use std::sync::mpsc::Receiver;

use call_api_client::Client;
use call_api_types::{FilePart, Range};

use crate::Outcome;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) async fn run(client: &Client, seen: &Receiver<String>) -> Outcome {
    let range = || Range::builder().gte(1).build();
    call!(seen, client.path_value().value("a;b|c^d[e]\\f/g"));
    call!(seen, client.matrix_value().empty(""));
    call!(seen, client.template_in_query().mode("a&b=c#d").more("e"));
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
    Ok(())
}
