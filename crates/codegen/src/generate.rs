//! Step 5, generate: the normalized document becomes Rust tokens, by progenitor.
//!
//! progenitor and typify answer what they can't do with an error or a panic, neither of which says where. So a failure
//! is narrowed down: the document is cut to one schema or one operation with what it refers to, until the cut alone
//! fails.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use openapiv3::{OpenAPI, ReferenceOr, Responses};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use progenitor::{GenerationSettings, Generator, InterfaceStyle};
use serde_json::{Map, Value, json};
use syn::Item;
use syn::token::Brace;

use super::names;
use super::postprocess::{multipart, responses};
use super::unsupported::Unsupported;
use super::walk::{self, Kind};
use crate::pointer::Pointer;
use crate::problem::Finding;

/// The version of progenitor whose output is committed; Cargo.toml asks for exactly this one.
pub const PROGENITOR_VERSION: &str = "0.15.1";

/// Has progenitor write a document's code, as often as it is asked to: tokens stay on the thread that they were made on.
#[derive(Clone, Copy)]
pub struct Generate<'a>(&'a Value);

impl Generate<'_> {
    /// The types: what is in `mod types`.
    ///
    /// # Errors
    /// What progenitor says.
    pub fn types(&self) -> Result<TokenStream, String> {
        catching(|| Ok(sdk(&mut Generator::new(&settings(self.0)), &parsed(self.0)?)?.0))?
    }

    /// The types, and the client with the mocks.
    ///
    /// # Errors
    /// What progenitor says.
    pub fn both(&self) -> Result<(TokenStream, Operations), String> {
        catching(|| {
            let mut document = parsed(self.0)?;
            let mut generator = Generator::new(&settings(self.0));
            let (types, client) = sdk(&mut generator, &document)?;
            requests_only(&mut document);
            let operations = Operations {
                client,
                generator,
                requests: document,
            };
            Ok((types, operations))
        })?
    }
}

/// What progenitor makes of the operations.
pub struct Operations {
    /// The client with its builders, in which `mod types` is empty.
    pub client: TokenStream,
    generator: Generator,
    requests: OpenAPI,
}

impl Operations {
    /// The mocks, which are written when they are asked for. What they answer with is left out: `postprocess::mock` says it by
    /// status.
    ///
    /// # Errors
    /// What progenitor says.
    pub fn mock(mut self) -> Result<TokenStream, String> {
        catching(|| {
            self.generator
                .httpmock(&self.requests, "crate")
                .map_err(|error| error.to_string())
        })?
    }
}

/// What is in `mod types`, and the rest.
fn sdk(
    generator: &mut Generator,
    document: &OpenAPI,
) -> Result<(TokenStream, TokenStream), String> {
    let tokens = generator
        .generate_tokens(document)
        .map_err(|error| error.to_string())?;
    let mut types = TokenStream::new();
    let rest = items(tokens).flat_map(|mut item| {
        if matches!(item.as_slice(), [.., TokenTree::Ident(word), TokenTree::Ident(name), _] if word == "mod" && name == "types")
        {
            types = take_body(&mut item).unwrap_or_default();
        }
        item
    });
    let rest = rest.collect();
    Ok((types, rest))
}

/// Generates the SDK and its mocks, and makes of it what `make` does. What that says is the generator's fault is looked
/// for in the document.
///
/// # Errors
/// The schemas or operations that progenitor can't turn into Rust, each with what it said.
pub fn generate<T>(
    document: &Value,
    make: impl Fn(&Generate<'_>, &Value) -> Result<T, String>,
) -> Result<T, Vec<Finding>> {
    let probed = responses::with_probes(document);
    make(&Generate(&probed), document).map_err(|cause| {
        let depth = [Depth::Read, Depth::Tokens]
            .into_iter()
            .find(|depth| fails(&probed, *depth).is_some());
        isolate(&probed, &cause, depth.unwrap_or(Depth::Whole))
    })
}

/// Generates, and leaves out what defeats the generator, so that one bad schema doesn't cost the other thousand: such a
/// schema is read as any JSON value, such an operation has no method. Each is noted as a loss. The answer has the
/// document that was generated from.
///
/// # Errors
/// What can't be left out: something that fails in the document as a whole.
pub fn generate_what_can_be<T>(
    mut document: Value,
    unsupported: &mut Vec<Unsupported>,
    make: impl Fn(&Generate<'_>, &Value) -> Result<T, String>,
) -> Result<(T, Value), Vec<Finding>> {
    let mut gone = BTreeSet::new();
    // Each round leaves out at least one thing; what is found later is what the first ones hid.
    for _ in 0..ROUNDS {
        let findings = match generate(&document, &make) {
            Ok(made) => return Ok((made, document)),
            Err(findings) => findings,
        };
        if findings
            .iter()
            .any(|finding| finding.pointer == Pointer::root())
        {
            return Err(findings);
        }
        for mut finding in findings {
            // What fails without it, too, is what it stands in.
            let tokens: Vec<String> = finding.pointer.tokens().collect();
            if !gone.insert(finding.pointer.clone())
                && let [_, _, name, properties, _] = tokens.as_slice()
                && properties == "properties"
            {
                finding.pointer = Pointer::schema(name);
            }
            leave_out(&mut document, &finding, unsupported);
        }
        for operation in multipart::without_parts(&document) {
            let cause = "the operation: the parts of its body defeat the generator".to_owned();
            leave_out(
                &mut document,
                &Finding::new(&operation, cause, ""),
                unsupported,
            );
        }
    }
    generate(&document, make).map(|made| (made, document))
}

/// How often what defeats the generator is looked for.
const ROUNDS: usize = 16;

fn leave_out(document: &mut Value, finding: &Finding, unsupported: &mut Vec<Unsupported>) {
    let tokens: Vec<_> = finding.pointer.tokens().collect();
    let instead = match tokens.as_slice() {
        [paths, path, method] if paths == "paths" => {
            if let Some(item) = document
                .get_mut(paths)
                .and_then(|paths| paths.get_mut(path))
                .and_then(Value::as_object_mut)
            {
                item.remove(method);
            }
            "the operation has no method"
        }
        _ => {
            if let Some(schema) = document.pointer_mut(finding.pointer.as_str()) {
                let description = schema.get("description").cloned();
                *schema = json!({});
                if let Some(description) = description {
                    schema["description"] = description;
                }
            }
            "it is read as any JSON value"
        }
    };
    unsupported.push(Unsupported::new(
        &finding.pointer,
        finding.cause.clone(),
        instead,
    ));
}

fn settings(document: &Value) -> GenerationSettings {
    let mut settings = GenerationSettings::new();
    settings
        .with_interface(InterfaceStyle::Builder)
        .with_derive("PartialEq")
        // A map in the order of its keys encodes to the same text each time.
        .with_map_type("::std::collections::BTreeMap");
    if let Some(file) = multipart::file_type(document) {
        settings.with_replacement(file, multipart::FILE_PART, std::iter::empty());
    }
    settings
}

/// Whether all that is generated is Rust.
fn attempt(document: &Value) -> Result<(), String> {
    let (types, mut operations) = Generate(document).both()?;
    parse(types)?;
    parse(std::mem::take(&mut operations.client))?;
    parse(operations.mock()?)?;
    Ok(())
}

fn parsed(document: &Value) -> Result<OpenAPI, String> {
    serde_path_to_error::deserialize(document)
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))
}

/// Parses tokens item by item, each of whose tokens are gone before the next: all tokens of a large document and all of
/// their tree, at once, would be most of the memory that generating takes.
///
/// # Errors
/// What is said of tokens that are not Rust.
pub fn parse(tokens: TokenStream) -> Result<syn::File, String> {
    let mut file = syn::File {
        shebang: None,
        frontmatter: None,
        attrs: Vec::new(),
        items: Vec::new(),
    };
    for item in items(tokens) {
        let item = parse_item(item)?;
        file.attrs.extend(item.attrs);
        file.items.extend(item.items);
    }
    Ok(file)
}

/// The tokens of each item.
pub fn items(tokens: TokenStream) -> impl Iterator<Item = Vec<TokenTree>> {
    let is_semicolon =
        |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if sign.as_char() == ';');
    let mut tokens = tokens.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut item = Vec::new();
        while let Some(token) = tokens.next() {
            // What ends in braces is an item, except where a semicolon follows: `use a::{b};`, `const A: B = C {};`.
            let ends = is_semicolon(&token)
                || matches!(&token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
                    && !tokens.peek().is_some_and(is_semicolon);
            item.push(token);
            if ends {
                break;
            }
        }
        (!item.is_empty()).then_some(item)
    })
}

/// Parses one item, and what is in it item by item if it is a module.
///
/// # Errors
/// What is said of tokens that are not Rust.
pub fn parse_item(mut tokens: Vec<TokenTree>) -> Result<syn::File, String> {
    let is_module =
        matches!(tokens.as_slice(), [.., TokenTree::Ident(word), _, _] if word == "mod");
    let content = match is_module.then(|| take_body(&mut tokens)).flatten() {
        Some(content) => Some(parse(content)?),
        None => None,
    };
    let mut file: syn::File = syn::parse2(tokens.into_iter().collect())
        .map_err(|error| format!("the generated code is not Rust: {error}"))?;
    if let (Some(content), Some(Item::Mod(module))) = (content, file.items.last_mut()) {
        module.attrs.extend(content.attrs);
        module.content = Some((Brace::default(), content.items));
    }
    Ok(file)
}

/// Takes out what is between an item's last braces.
pub fn take_body(item: &mut [TokenTree]) -> Option<TokenStream> {
    match item.last_mut()? {
        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
            let content = body.stream();
            // Were it left there, none of its tokens would be gone before the last of them is.
            *body = Group::new(Delimiter::Brace, TokenStream::new());
            Some(content)
        }
        _ => None,
    }
}

/// How far a document is generated to see whether it fails: most of what fails does so long before any code is written.
#[derive(Clone, Copy)]
enum Depth {
    /// Each schema and each operation is read, and no code is written.
    Read,
    /// The SDK's tokens are written.
    Tokens,
    /// As far as the committed files are.
    Whole,
}

/// Generates as far as `depth`; the error is what the generator said.
fn fails(document: &Value, depth: Depth) -> Option<String> {
    let tokens = |document: &Value| Generate(document).types();
    match depth {
        Depth::Read => {
            let mut ended = document.clone();
            ended["paths"][END]["get"] = end();
            // The end itself fails in any case: whoever gets there has read what stands before it.
            tokens(&ended).err().filter(|cause| !cause.contains(END_ID))
        }
        Depth::Tokens => tokens(document).err(),
        Depth::Whole => attempt(document).err(),
    }
}

/// The path of the operation at which reading a document ends.
const END: &str = "/x-codegen-end";
const END_ID: &str = "x_codegen_end";

/// An operation that progenitor refuses when it reads it, which is after all that stand before it, and before it writes.
fn end() -> Value {
    json!({"operationId": END_ID, "x-dropshot-websocket": {}, "responses": {}})
}

/// Leaves of the document what the mocks are generated from: the requests. The generator knows the schemas by now, and
/// it panics at a status that has no name.
fn requests_only(document: &mut OpenAPI) {
    if let Some(components) = &mut document.components {
        components.schemas.clear();
    }
    let paths = &mut document.paths.paths;
    paths.retain(|path, _| responses::probed(path).is_none());
    for item in paths.values_mut() {
        let ReferenceOr::Item(item) = item else {
            continue;
        };
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.head,
            &mut item.patch,
            &mut item.trace,
        ];
        for operation in operations.into_iter().flatten() {
            operation.responses = Responses::default();
            // A WebSocket without its 101 would be refused; to a mock its request is one like any other.
            operation.extensions.shift_remove("x-dropshot-websocket");
        }
    }
}

thread_local! {
    /// The message of the panic that is being caught, `None` while none is.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `work` and turns a panic within it into its message, unseen on standard error.
fn catching<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let caught = CAUGHT.with(|caught| match caught.borrow_mut().as_mut() {
                Some(message) => {
                    *message = message_of(info.payload());
                    true
                }
                None => false,
            });
            if !caught {
                previous(info);
            }
        }));
    });
    CAUGHT.with(|caught| *caught.borrow_mut() = Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    let message = CAUGHT
        .with(|caught| caught.borrow_mut().take())
        .unwrap_or_default();
    result.map_err(|_| message)
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned());
    // A panic that prints what it met can fill screens.
    let mut line: String = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() > 300 {
        let cut = (0..=300)
            .rev()
            .find(|index| line.is_char_boundary(*index))
            .unwrap_or_default();
        line.truncate(cut);
        line.push('…');
    }
    line
}

/// The smallest parts of the document that fail by themselves, generated as far as the document itself has to be to fail.
fn isolate(document: &Value, cause: &str, depth: Depth) -> Vec<Finding> {
    let remedy =
        "mend or simplify it in the document; progenitor can't turn it into Rust as it stands";
    let finding = |pointer: &Pointer, what: &str, cause: &str| {
        Finding::new(
            pointer,
            format!("{what} defeats the generator: {cause}"),
            remedy,
        )
    };
    let root = Pointer::root();
    let schemas = root.join("components").join("schemas");
    let named: Vec<Pointer> = walk::schemas(document)
        .map(|(name, _)| schemas.join(name))
        .collect();
    let mut failing: Vec<(Pointer, String, String)> = failing_alone(document, &named, depth)
        .into_iter()
        .map(|(pointer, cause)| {
            let name = pointer.tokens().last().unwrap_or_default();
            (pointer, format!("the schema `{name}`"), cause)
        })
        .collect();
    // A schema that fails only because of what it refers to is not to blame.
    let places: BTreeSet<_> = failing
        .iter()
        .map(|(pointer, ..)| pointer.clone())
        .collect();
    failing.retain(|(pointer, ..)| {
        let mut within = transitive_refs(document, std::slice::from_ref(pointer));
        within.remove(pointer);
        within.is_disjoint(&places)
    });
    let mut failing: Vec<_> = failing
        .into_iter()
        .flat_map(
            |failing| match failing_properties(document, &failing.0, depth) {
                properties if properties.is_empty() => vec![failing],
                properties => properties,
            },
        )
        .collect();
    if failing.is_empty() {
        let operations = walk::operations(document);
        let places: Vec<Pointer> = operations
            .iter()
            .map(|operation| operation.pointer.clone())
            .collect();
        for (place, cause) in failing_alone(document, &places, depth) {
            let Some(operation) = operations
                .iter()
                .find(|operation| operation.pointer == place)
            else {
                continue;
            };
            // A probe stands for the operation whose body it asks for.
            let real = responses::probed(operation.path).and_then(|method| {
                operations
                    .iter()
                    .find(|real| real.id().is_some_and(|id| names::method_name(id) == method))
            });
            let operation = real.unwrap_or(operation);
            let what = format!(
                "the operation `{} {}`",
                operation.method.to_uppercase(),
                operation.path
            );
            failing.push((operation.pointer.clone(), what, cause));
        }
    }
    if failing.is_empty() {
        return vec![finding(&root, "the document as a whole", cause)];
    }
    failing
        .iter()
        .map(|(pointer, what, cause)| finding(pointer, what, cause))
        .collect()
}

/// The properties of a schema that fail by themselves, so that one doesn't cost the others.
fn failing_properties(
    document: &Value,
    schema: &Pointer,
    depth: Depth,
) -> Vec<(Pointer, String, String)> {
    let small = subdocument(document, std::slice::from_ref(schema));
    let properties = schema.join("properties");
    let names = small
        .pointer(properties.as_str())
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, _)| name);
    let with_only = |name: Option<&String>| {
        let mut alone = small.clone();
        let object = alone.pointer_mut(schema.as_str())?;
        object["required"] = json!([]);
        object["properties"]
            .as_object_mut()?
            .retain(|other, _| Some(other) == name);
        fails(&alone, depth)
    };
    // What fails without any property is not theirs to answer for.
    if with_only(None).is_some() {
        return Vec::new();
    }
    let failing = names.filter_map(|name| {
        let cause = with_only(Some(name))?;
        Some((
            properties.join(name),
            format!("the property `{name}`"),
            cause,
        ))
    });
    failing.collect()
}

/// Those of the places that fail by themselves, each with what was said of it. They are looked for by bisection: where few
/// of many fail, most are never tried alone.
fn failing_alone(document: &Value, places: &[Pointer], depth: Depth) -> Vec<(Pointer, String)> {
    if places.is_empty() {
        return Vec::new();
    }
    match (fails(&subdocument(document, places), depth), places) {
        (None, _) => Vec::new(),
        (Some(cause), [place]) => vec![(place.clone(), cause)],
        (Some(_), _) => {
            let (first, second) = places.split_at(places.len() / 2);
            let mut failing = failing_alone(document, first, depth);
            failing.extend(failing_alone(document, second, depth));
            failing
        }
    }
}

/// The parameters of its path, which belong to the operation at a place.
fn of_path<'a>(document: &'a Value, place: &Pointer) -> Option<&'a Value> {
    match place.tokens().collect::<Vec<_>>().as_slice() {
        [paths, path, _] if paths == "paths" => document[paths][path].get("parameters"),
        _ => None,
    }
}

/// The components that the objects at `roots` refer to, directly or not, and the roots.
pub(crate) fn transitive_refs(document: &Value, roots: &[Pointer]) -> BTreeSet<Pointer> {
    let mut reached: BTreeSet<Pointer> = BTreeSet::new();
    let mut waiting: Vec<Pointer> = roots.to_vec();
    while let Some(place) = waiting.pop() {
        if reached.contains(&place) {
            continue;
        }
        if let Some(value) = document.pointer(place.as_str()) {
            let mut note = |_, _: &Pointer, value: &Value| {
                waiting.extend(
                    value
                        .get("$ref")
                        .and_then(Value::as_str)
                        .and_then(Pointer::from_ref),
                );
            };
            walk::walk_from(kind_of(&place), &place, value, &mut note);
            for parameter in of_path(document, &place)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                walk::walk_from(Kind::Parameter, &place, parameter, &mut note);
            }
        }
        reached.insert(place);
    }
    reached
}

fn kind_of(place: &Pointer) -> Kind {
    let tokens: Vec<_> = place.tokens().collect();
    match tokens
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["paths", .., "schema"] => Kind::Schema,
        ["paths", ..] => Kind::Operation,
        ["components", "responses", _] => Kind::Response,
        ["components", "parameters", _] => Kind::Parameter,
        ["components", "requestBodies", _] => Kind::RequestBody,
        ["components", "headers", _] => Kind::Header,
        ["components", "callbacks", _] => Kind::Callback,
        _ => Kind::Schema,
    }
}

/// The document with nothing but the objects at `roots` and what they refer to.
fn subdocument(document: &Value, roots: &[Pointer]) -> Value {
    let mut small = json!({"openapi": document["openapi"], "info": document["info"], "paths": {}, "components": {}});
    for place in transitive_refs(document, roots) {
        let Some(value) = document.pointer(place.as_str()) else {
            continue;
        };
        let tokens: Vec<_> = place.tokens().collect();
        if let Some(parameters) = of_path(document, &place) {
            let path = tokens.iter().take(2).cloned();
            let list: Vec<_> = path.chain(["parameters".to_owned()]).collect();
            put(&mut small, &list, parameters);
        }
        put(&mut small, &tokens, value);
    }
    small
}

/// Puts `value` at a place, and makes the objects above it.
fn put(target: &mut Value, tokens: &[String], value: &Value) {
    match tokens {
        [] => *target = value.clone(),
        [first, rest @ ..] => {
            if !target.is_object() {
                *target = Value::Object(Map::new());
            }
            if let Some(object) = target.as_object_mut() {
                put(object.entry(first).or_insert(Value::Null), rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn document(schemas: Value, paths: Value) -> Value {
        json!({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths, "components": {"schemas": schemas}})
    }

    /// What is generated, as text.
    fn rust(generate: &Generate<'_>, _: &Value) -> Result<[String; 3], String> {
        let (types, mut operations) = generate.both()?;
        let client = std::mem::take(&mut operations.client);
        Ok([types, client, operations.mock()?]
            .map(parse)
            .map(|file| file.map(|file| prettyplease::unparse(&file)))
            .map(Result::unwrap))
    }

    fn blamed(document: &Value) -> Vec<String> {
        let findings = generate(document, rust).err().unwrap_or_default();
        findings
            .iter()
            .map(|finding| finding.pointer.to_string())
            .collect()
    }

    #[test]
    fn of_several_schemas_those_are_blamed_that_fail_by_themselves() {
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
    fn of_several_operations_the_one_is_blamed_that_fails() {
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
    fn what_the_parameters_of_a_path_refer_to_belongs_to_its_operations() {
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
    fn parts_are_parsed_to_what_the_whole_is() {
        let tokens = quote! {
            use a::{b, c};
            const D: E = E { f: 1 };
            pub mod inner {
                //! What is in it.
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
        assert_eq!(prettyplease::unparse(&parse(tokens).unwrap()), text);
        assert!(text.contains("What is in it") && text.contains("pub enum I"));
        assert!(parse(quote!(pub struct K; pub struct)).is_err());
    }

    #[test]
    fn what_fails_is_left_out_and_the_rest_is_generated() {
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
        let (_, document) =
            generate_what_can_be(document(schemas, paths), &mut unsupported, rust).unwrap();
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
    fn a_websocket_has_a_method_and_a_mock() {
        let socket = json!({"get": {
            "operationId": "stream",
            "x-dropshot-websocket": {},
            "responses": {"101": {"description": "Switching protocols"}},
        }});
        let document = document(json!({}), json!({"/stream": socket}));
        let [_, client, mock] = generate(&document, rust).unwrap();
        assert!(client.contains("pub fn stream("), "{client}");
        assert!(mock.contains("fn stream<"), "{mock}");
    }

    #[test]
    fn a_schema_that_cannot_be_read_fails_at_each_depth() {
        let good = document(json!({"Good": {"type": "object"}}), json!({}));
        for depth in [Depth::Read, Depth::Tokens, Depth::Whole] {
            assert_eq!(fails(&good, depth), None);
        }
        let bad = json!({"Bad": {"type": "object", "format": "uri-map"}});
        for depth in [Depth::Read, Depth::Tokens, Depth::Whole] {
            assert!(fails(&document(bad.clone(), json!({})), depth).is_some());
        }
    }

    #[test]
    fn an_operation_whose_parts_are_left_out_is_left_out() {
        let post = json!({"post": {"operationId": "a", "responses": {}, "requestBody": {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parts"}}},
            "x-codegen": {"multipart": {"a": {"file": false}}},
        }}});
        let paths = json!({"/a": post});
        let schemas = json!({"Parts": {"type": "object", "format": "x", "properties": {"a": {}}}});
        let mut unsupported = Vec::new();
        let (_, document) =
            generate_what_can_be(document(schemas, paths), &mut unsupported, rust).unwrap();
        assert_eq!(walk::operations(&document).len(), 0);
        let lost: Vec<_> = unsupported
            .iter()
            .map(|loss| loss.pointer.as_str())
            .collect();
        assert_eq!(lost, ["/components/schemas/Parts", "/paths/~1a/post"]);
    }

    #[test]
    fn what_fails_with_any_property_fails_as_a_whole() {
        let odd = json!({"items": {}, "properties": {"a": {}, "b": {}}});
        let mut unsupported = Vec::new();
        let (_, document) = generate_what_can_be(
            document(json!({"Odd": odd}), json!({})),
            &mut unsupported,
            rust,
        )
        .unwrap();
        assert_eq!(document["components"]["schemas"]["Odd"], json!({}));
        let last = unsupported.last().map(|loss| loss.pointer.as_str());
        assert_eq!(last, Some("/components/schemas/Odd"));
    }

    #[test]
    fn a_property_that_fails_costs_no_other() {
        let schemas = json!({"Call": {"type": "object", "required": ["id", "bad"], "properties": {
            "id": {"type": "string"},
            "bad": {"type": "object", "format": "uri-map", "description": "d"},
        }}});
        let mut unsupported = Vec::new();
        let (_, document) =
            generate_what_can_be(document(schemas, json!({})), &mut unsupported, rust).unwrap();
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
    fn a_document_that_is_none_for_openapiv3_is_blamed_by_place() {
        let schemas = json!({"Odd": {"type": "string", "minLength": -1}});
        assert_eq!(
            blamed(&document(schemas, json!({}))),
            ["/components/schemas/Odd"]
        );
    }

    #[test]
    fn the_version_that_the_headers_name_is_the_one_in_use() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!(
            "name = \"progenitor\"\nversion = \"{PROGENITOR_VERSION}\""
        )));
    }

    #[test]
    fn a_caught_panic_leaves_others_to_be_reported() {
        assert_eq!(
            catching(|| panic!("a  message\nof two lines"))
                .err()
                .as_deref(),
            Some("a message of two lines")
        );
        assert_eq!(catching(|| 1), Ok(1));
        CAUGHT.with(|caught| assert!(caught.borrow().is_none()));
    }
}
