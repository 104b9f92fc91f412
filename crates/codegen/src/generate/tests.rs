use super::*;
use crate::model::{BodyEncoding, Part};
use quote::quote;

fn document(schemas: Value, paths: Value) -> Value {
    json!({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths, "components": {"schemas": schemas}})
}

/// Returns the generated code.
fn rust(generate: &Generate<'_>, _: &Value) -> Result<[String; 2], String> {
    let (schemas, requests) = generate.read()?;
    let items = [
        items(generate.types(schemas)?).collect(),
        generate.client(requests)?,
    ];
    Ok(items
        .map(parse)
        .map(|file| file.map(|file| prettyplease::unparse(&file)))
        .map(Result::unwrap))
}

fn blamed(document: &Value) -> Vec<String> {
    let findings = generate(document, &Model::default(), rust)
        .err()
        .unwrap_or_default();
    findings
        .iter()
        .map(|finding| finding.pointer.to_string())
        .collect()
}

#[test]
fn failing_schemas_are_located() {
    let schemas = json!({
        "Fine": {"type": "object", "properties": {"bad": {"$ref": "#/components/schemas/Bad"}}},
        "Bad": {"type": "object", "format": "uri-map"},
        "Worse": {"type": "string", "enum": ["==", "!="]},
        "Good": {"type": "object"},
    });
    assert_eq!(
        blamed(&document(schemas, json!({}))),
        ["/components/schemas/Bad", "/components/schemas/Worse"]
    );
}

#[test]
fn failing_operation_is_located() {
    let response = |status: &str, schema: &str| {
        json!({status: {"description": "", "content": {"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{schema}")},
        }}}})
    };
    let mut two = response("200", "A");
    two["202"] = response("202", "B")["202"].clone();
    let paths = json!({
        "/fine/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
            "get": {"operationId": "fine", "responses": response("200", "A")},
        },
        "/bad": {"get": {"operationId": "bad", "responses": two}},
    });
    let schemas = json!({"A": {"type": "object"}, "B": {"type": "integer"}});
    assert_eq!(blamed(&document(schemas, paths)), ["/paths/~1bad/get"]);
}

#[test]
fn subdocument_includes_parameters_of_the_path_item() {
    let parameter = |name: &str| {
        let schema = json!({"$ref": "#/components/schemas/A"});
        json!({"name": name, "in": "query", "schema": schema})
    };
    let answer = |schema: &str| {
        json!({"description": "", "content": {"application/json": {
            "schema": {"$ref": format!("#/components/schemas/{schema}")},
        }}})
    };
    let paths = json!({
        "/fine": {
            "parameters": [{"$ref": "#/components/parameters/Page"}, parameter("size")],
            "get": {"operationId": "fine", "responses": {}},
        },
        "/bad": {"get": {"operationId": "bad", "responses": {"200": answer("A"), "202": answer("B")}}},
    });
    let schemas = json!({"A": {"type": "string"}, "B": {"type": "integer"}});
    let mut document = document(schemas, paths);
    document["components"]["parameters"] = json!({"Page": parameter("page")});
    assert_eq!(blamed(&document), ["/paths/~1bad/get"]);
}

#[test]
fn parse_by_item_equals_parse_as_a_whole() {
    let tokens = quote! {
        use a::{b, c};
        const D: E = E { f: 1 };
        pub mod inner {
            //! Documentation.
            use super::*;
            pub mod deeper { pub struct G(pub u8); }
            pub mod empty {}
            impl G { fn h(&self) -> u8 { self.0 } }
        }
        pub mod elsewhere;
        #[derive(Clone)]
        pub enum I { J }
    };
    let whole: syn::File = syn::parse2(tokens.clone()).unwrap();
    let text = prettyplease::unparse(&whole);
    assert_eq!(prettyplease::unparse(&parse(items(tokens)).unwrap()), text);
    assert!(text.contains("Documentation.") && text.contains("pub enum I"));
    assert!(parse(items(quote!(pub struct K; pub struct))).is_err());
}

#[test]
fn failing_objects_are_left_out() {
    let schemas = json!({
        "Good": {"type": "object", "properties": {"bad": {"$ref": "#/components/schemas/Bad"}}},
        "Bad": {"type": "object", "format": "uri-map"},
    });
    let multipart = json!({"content": {"multipart/form-data": {"schema": {"type": "object"}}}});
    let paths = json!({
        "/a": {"get": {"operationId": "a", "responses": {}}},
        "/b": {"post": {"operationId": "b", "requestBody": multipart, "responses": {}}},
    });
    let mut unsupported = Vec::new();
    let (_, document) = generate_what_can_be(
        document(schemas, paths),
        &Model::default(),
        &mut unsupported,
        rust,
    )
    .unwrap();
    let lost: Vec<_> = unsupported
        .iter()
        .map(|loss| (loss.pointer.as_str(), loss.instead.as_str()))
        .collect();
    assert_eq!(
        lost,
        [
            ("/components/schemas/Bad", "it is read as any JSON value"),
            ("/paths/~1b/post", "the operation has no method"),
        ]
    );
    assert_eq!(document["components"]["schemas"]["Bad"], json!({}));
    assert_eq!(walk::operations(&document).len(), 1);
}

#[test]
fn body_has_a_builder_if_its_type_has_one() {
    let client = |schema: Value| {
        let body = json!({"schema": {"$ref": "#/components/schemas/Pet"}});
        let post = json!({"operationId": "add", "responses": {}, "requestBody": {
            "required": true, "content": {"application/json": body},
        }});
        let document = document(json!({"Pet": schema}), json!({"/a": {"post": post}}));
        let [_, client] = generate(&document, &Model::default(), rust).unwrap();
        client.contains("types::builder::Pet")
    };
    let properties = json!({"name": {"type": "string"}, "age": {"type": "integer"}});
    assert!(client(json!({"type": "object", "properties": properties})));
    assert!(!client(
        json!({"type": "object", "nullable": true, "properties": properties})
    ));
    assert!(!client(
        json!({"type": "object", "additionalProperties": {"type": "string"}})
    ));
}

#[test]
fn types_of_operations_are_declared() {
    let parameter = |schema: Value| {
        let parameter = json!({"name": "kind", "in": "query", "schema": schema});
        let get = json!({"operationId": "list", "parameters": [parameter], "responses": {}});
        let document = document(
            json!({"A": {"type": "object"}}),
            json!({"/a": {"get": get}}),
        );
        let [types, client] = generate(&document, &Model::default(), rust).unwrap();
        (
            types.contains("enum ListKind"),
            client.contains("types::ListKind"),
        )
    };
    assert_eq!(
        parameter(json!({"type": "string", "enum": ["a"]})),
        (true, true)
    );
    assert_eq!(parameter(json!({"type": "string"})), (false, false));
}

#[test]
fn websocket_operation_has_a_method() {
    let socket = json!({"get": {
        "operationId": "stream",
        "x-dropshot-websocket": {},
        "responses": {"101": {"description": "Switching protocols"}},
    }});
    let document = document(json!({}), json!({"/stream": socket}));
    let [_, client] = generate(&document, &Model::default(), rust).unwrap();
    assert!(client.contains("pub fn stream("), "{client}");
}

#[test]
fn operation_without_its_parts_is_left_out() {
    let post = json!({"post": {"operationId": "a", "responses": {}, "requestBody": {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parts"}}},
    }}});
    let paths = json!({"/a": post});
    let schemas = json!({"Parts": {"type": "object", "format": "x", "properties": {"a": {}}}});
    let mut model = Model::default();
    let place = Pointer::root().join("paths").join("/a").join("post");
    let part = Part {
        name: "a".to_owned(),
        is_file: false,
        media_type: None,
    };
    model.operation_mut(&place).body.encoding = BodyEncoding::Multipart(vec![part]);
    let mut unsupported = Vec::new();
    let (_, document) =
        generate_what_can_be(document(schemas, paths), &model, &mut unsupported, rust).unwrap();
    assert_eq!(walk::operations(&document).len(), 0);
    let lost: Vec<_> = unsupported
        .iter()
        .map(|loss| loss.pointer.as_str())
        .collect();
    assert_eq!(lost, ["/components/schemas/Parts", "/paths/~1a/post"]);
}

#[test]
fn schema_failing_without_properties_is_left_out() {
    let odd = json!({"items": {}, "properties": {"a": {}, "b": {}}});
    let mut unsupported = Vec::new();
    let (_, document) = generate_what_can_be(
        document(json!({"Odd": odd}), json!({})),
        &Model::default(),
        &mut unsupported,
        rust,
    )
    .unwrap();
    assert_eq!(document["components"]["schemas"]["Odd"], json!({}));
    let last = unsupported.last().map(|loss| loss.pointer.as_str());
    assert_eq!(last, Some("/components/schemas/Odd"));
}

#[test]
fn failing_property_leaves_others() {
    let schemas = json!({"Call": {"type": "object", "required": ["id", "bad"], "properties": {
        "id": {"type": "string"},
        "bad": {"type": "object", "format": "uri-map", "description": "d"},
    }}});
    let mut unsupported = Vec::new();
    let (_, document) = generate_what_can_be(
        document(schemas, json!({})),
        &Model::default(),
        &mut unsupported,
        rust,
    )
    .unwrap();
    let lost: Vec<_> = unsupported
        .iter()
        .map(|loss| loss.pointer.as_str())
        .collect();
    assert_eq!(lost, ["/components/schemas/Call/properties/bad"]);
    assert_eq!(
        document["components"]["schemas"]["Call"]["properties"],
        json!({"id": {"type": "string"}, "bad": {"description": "d"}})
    );
}

#[test]
fn document_rejected_by_openapiv3_is_located() {
    let schemas = json!({"Odd": {"type": "string", "minLength": -1}});
    assert_eq!(
        blamed(&document(schemas, json!({}))),
        ["/components/schemas/Odd"]
    );
}

#[test]
fn progenitor_version_matches_the_lock_file() {
    let lock = include_str!("../../../../Cargo.lock");
    assert!(lock.contains(&format!(
        "name = \"progenitor\"\nversion = \"{PROGENITOR_VERSION}\""
    )));
}

#[test]
fn catching_a_panic_does_not_hide_others() {
    assert_eq!(
        catching(|| panic!("a  message\nof two lines"))
            .err()
            .as_deref(),
        Some("a message of two lines")
    );
    assert_eq!(catching(|| 1), Ok(1));
    CAUGHT.with(|caught| assert!(caught.borrow().is_none()));
}
