use super::*;
use crate::model::{BodyEncoding, Operation, Parameter, ParameterKey, Part, RequestBody};
use crate::pointer::Pointer;
use serde_json::json;

/// The body of a `send` as progenitor writes it, corrected for an operation with these facts.
fn corrected(path: &str, facts: Operation, body: syn::Block) -> String {
    let types = parse_quote! {};
    corrected_with(&types, path, facts, body)
}

fn corrected_with(types: &syn::File, path: &str, facts: Operation, body: syn::Block) -> String {
    let document = json!({"paths": {path: {"get": {
        "operationId": "a",
        "requestBody": {"content": {"application/json": {
            "schema": {"$ref": "#/components/schemas/upload_body"},
        }}},
    }}}});
    let mut model = Model::default();
    *model.operation_mut(&Pointer::root().join("paths").join(path).join("get")) = facts;
    let mut file: syn::File = parse_quote! {
        pub mod builder {
            impl<'a> A<'a> {
                pub async fn send(self) {
                    #body
                    let info = OperationInfo { operation_id: "a" };
                }
            }
        }
    };
    let mut bodies = multipart::bodies(&document, &model);
    multipart::note(types, &mut bodies);
    correct(&mut file, &bodies, &document, &model);
    prettyplease::unparse(&file)
}

/// The facts of an operation with these parameters: location, name, name on the wire, style.
fn with_parameters<const N: usize>(
    parameters: [(&str, &str, Option<&str>, Option<Style>); N],
) -> Operation {
    let parameters = parameters.map(|(location, name, wire_name, style)| {
        let wire_name = wire_name.map(str::to_owned);
        (
            ParameterKey::new(location, name),
            Parameter { wire_name, style },
        )
    });
    Operation {
        parameters: parameters.into(),
        ..Operation::default()
    }
}

fn with_encoding(encoding: BodyEncoding) -> Operation {
    Operation {
        body: RequestBody {
            encoding,
            ..RequestBody::default()
        },
        ..Operation::default()
    }
}

fn part(name: &str, is_file: bool, media_type: Option<&str>) -> Part {
    Part {
        name: name.to_owned(),
        is_file,
        media_type: media_type.map(str::to_owned),
    }
}

#[test]
fn parameter_names_are_sent_as_documented() {
    insta::assert_snapshot!(corrected(
        "/a",
        with_parameters([
            ("query", "date_lt", Some("Date<"), None),
            ("header", "id_header", Some("id"), None),
        ]),
        parse_quote!({
            let url = format!("{}/a", client.baseurl,);
            header_map.append("id_header", id_header.to_string().try_into()?);
            let mut request = client
                .client
                .get(url)
                .query(&progenitor_client::QueryParam::new("date", &date))
                .query(&progenitor_client::QueryParam::new("date_lt", &date_lt))
                .headers(header_map)
                .build()?;
        })
    ));
}

#[test]
fn parameter_values_are_encoded_in_their_style() {
    insta::assert_snapshot!(corrected(
        "/a/{when}/{plain}",
        with_parameters([
            ("path", "when", None, Some(Style::LabelExploded)),
            ("query", "list", Some("list[]"), Some(Style::Comma)),
            ("header", "X-List", None, Some(Style::Simple)),
        ]),
        parse_quote!({
            let _url = format!(
                "{}/a/{}/{}",
                client.baseurl,
                encode_path(&when.to_string()),
                encode_path(&plain.to_string()),
            );
            if let Some(value) = x_list {
                header_map.append("X-List", value.to_string().try_into()?);
            }
            let mut request = client
                .client
                .get(_url)
                .query(&progenitor_client::QueryParam::new("list", &list))
                .build()?;
        })
    ));
}

#[test]
fn path_is_sent_exactly_as_documented() {
    insta::assert_snapshot!(corrected(
        "/a//b c/é/{d}?x=1#e",
        Operation::default(),
        parse_quote!({
            let url = format!(
                "{}/a/b c/é/{}?x=1#e",
                client.baseurl,
                encode_path(&d.to_string()),
            );
        })
    ));
}

#[test]
fn methods_missing_in_reqwest_are_sent_by_name() {
    insta::assert_snapshot!(corrected(
        "/a",
        Operation::default(),
        parse_quote!({
            let mut request = client.client.options(url).build()?;
            let mut request = client.client.trace(url).build()?;
            let mut request = client.client.head(url).build()?;
        })
    ));
}

#[test]
fn media_types_are_sent_as_documented() {
    insta::assert_snapshot!(corrected(
        "/a",
        Operation {
            accept: Some("application/hal+json".to_owned()),
            body: RequestBody {
                content_type: Some("application/merge-patch+json".to_owned()),
                ..RequestBody::default()
            },
            ..Operation::default()
        },
        parse_quote!({
            let mut request = client
                .client
                .patch(url)
                .header(
                    ::reqwest::header::ACCEPT,
                    ::reqwest::header::HeaderValue::from_static("application/json"),
                )
                .json(&body)
                .build()?;
            let mut request = client
                .client
                .put(url)
                .header(
                    ::reqwest::header::CONTENT_TYPE,
                    ::reqwest::header::HeaderValue::from_static("application/octet-stream"),
                )
                .body(body)
                .build()?;
        })
    ));
}

#[test]
fn form_with_lists_is_encoded_by_the_client() {
    insta::assert_snapshot!(corrected(
        "/a",
        with_encoding(BodyEncoding::Form(vec![
            ("deep".to_owned(), Style::Deep),
            ("csv".to_owned(), Style::Comma),
        ])),
        parse_quote!({
            let mut request = client.client.post(url).form_urlencoded(&body)?.build()?;
        })
    ));
}

#[test]
fn multipart_body_is_written_part_by_part() {
    let types = parse_quote! {
        pub struct UploadBody {
            pub file: FilePart,
            #[serde(rename = "files[]")]
            pub files: ::std::vec::Vec<FilePart>,
            pub image: ::std::option::Option<FilePart>,
            pub scans: ::std::option::Option<::std::vec::Vec<FilePart>>,
            pub text: ::std::string::String,
            pub csv: ::std::option::Option<::std::string::String>,
        }
    };
    insta::assert_snapshot!(corrected_with(
        &types,
        "/a",
        with_encoding(BodyEncoding::Multipart(vec![
            part("file", true, None),
            part("files[]", true, None),
            part("image", true, Some("image/png")),
            part("scans", true, None),
            part("text", false, None),
            part("csv", false, Some("text/csv")),
        ])),
        parse_quote!({
            let mut request = client.client.post(url).header(A, B).json(&body).build()?;
        })
    ));
}
