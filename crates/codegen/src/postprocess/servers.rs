//! The servers of the document, as a constant. The caller chooses one.

use quote::quote;
use serde_json::Value;
use syn::parse_quote;

/// Adds `SERVERS`, the URLs in the document's order.
pub(super) fn add(file: &mut syn::File, document: &Value) {
    let servers = document.get("servers").and_then(Value::as_array);
    let servers: Vec<(&str, Option<&str>)> = servers
        .into_iter()
        .flatten()
        .filter_map(|server| {
            let text = |key: &str| server.get(key).and_then(Value::as_str);
            Some((text("url")?, text("description")))
        })
        .collect();
    let mut doc =
        "The servers of the document. A URL with a leading slash is relative to the location of the document."
            .to_owned();
    let described: Vec<String> = servers
        .iter()
        .filter_map(|(url, description)| {
            let words: Vec<&str> = (*description)?.split_whitespace().collect();
            Some(format!("- `{url}`: {}", words.join(" ")))
        })
        .collect();
    if !described.is_empty() {
        doc.push_str("\n\n");
        doc.push_str(&described.join("\n"));
    }
    let urls = servers.iter().map(|(url, _)| quote!(#url));
    file.items.push(parse_quote! {
        #[doc = #doc]
        pub const SERVERS: &[&str] = &[#(#urls),*];
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn servers_become_a_constant() {
        let mut file: syn::File = parse_quote!();
        let document = json!({"servers": [
            {"url": "https://a.example", "description": "The one\nto use"},
            {"url": "/v1"},
        ]});
        add(&mut file, &document);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
