//! The servers that the document names, as a constant: which of them is meant is the caller's to say.

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
        "The servers that the document names. One that begins with a slash is relative to where the document is from."
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
    fn the_servers_are_a_constant() {
        let mut file: syn::File = parse_quote!();
        let document = json!({"servers": [
            {"url": "https://a.example", "description": "The one\nto use"},
            {"url": "/v1"},
        ]});
        add(&mut file, &document);
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
