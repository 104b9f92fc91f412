//! `request`: sends a request of any operation of the API's document.
//!
//! The subcommands, their options and their help are made from the description of the operations.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use call_api::http::Method;
use call_api::raw::RawRequest;
use call_api::{Client, Items, Response};
use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{CliError, CommandError, ErrorClass};
use crate::operations::{
    Kind, Location, OPERATIONS, Operation, Parameter, Stream, StreamFormat, ValueType,
};
use crate::stdout::{print_line, stdout};
use crate::{input, json};

/// The arguments of `request`.
#[derive(Debug)]
pub(crate) struct RequestArgs(Option<OperationArgs>);

/// An operation with the arguments for it.
#[derive(Debug)]
pub(crate) struct OperationArgs {
    operation: &'static Operation,
    parameters: Vec<(&'static Parameter, Value)>,
    /// The file of the body.
    pub(crate) body: Option<PathBuf>,
    /// Fetch all pages of a list.
    all: bool,
}

impl Args for RequestArgs {
    fn augment_args(command: Command) -> Command {
        command
            .disable_help_subcommand(true)
            .subcommand_value_name("OPERATION")
            .subcommand_help_heading("Operations")
            // Other commands start without reading the description.
            .defer(|command| command.subcommands(OPERATIONS.iter().map(subcommand)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RequestArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let chosen = matches.subcommand();
        let operation = chosen.and_then(|(name, matches)| Some((Operation::named(name)?, matches)));
        Ok(Self(operation.map(|(operation, matches)| {
            let value = |parameter: &'static Parameter| {
                let mut values = matches.get_many::<Value>(&parameter.flag)?.cloned();
                let value = match parameter.ty.kind {
                    Kind::List => Value::Array(values.collect()),
                    _ => values.next()?,
                };
                Some((parameter, value))
            };
            let body = operation.body.as_ref();
            OperationArgs {
                operation,
                parameters: operation.parameters.iter().filter_map(value).collect(),
                body: body.and_then(|_| matches.get_one("body").cloned()),
                all: operation.paging.is_some() && matches.get_flag("all"),
            }
        })))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns the subcommand of an operation.
fn subcommand(operation: &'static Operation) -> Command {
    let target = format!("{} {}", operation.method, operation.path);
    let title = operation.summary.as_ref().unwrap_or(&target);
    let mut long = format!("{title}\n\n{target}");
    if operation.deprecated {
        long.push_str("\n\nDeprecated.");
    }
    if let Some(description) = &operation.description {
        long.push_str("\n\n");
        long.push_str(description);
    }
    let mut command = Command::new(operation.name.as_str())
        .about(title)
        .long_about(long)
        .after_help(responses(operation))
        .args(operation.parameters.iter().map(argument));
    if operation.id != operation.name && Operation::named(&operation.id).is_none() {
        command = command.alias(operation.id.as_str());
    }
    if operation.paging.is_some() {
        let argument = Arg::new("all")
            .long("all")
            .action(ArgAction::SetTrue)
            .help("Fetch all pages of the list, and print the items as JSON, one per line");
        command = command.arg(argument);
    }
    if let Some(body) = &operation.body {
        let mut help = format!(
            "The file with the body ({}); `-` is standard input",
            body.media_types.first().map_or("", String::as_str)
        );
        if let Some(example) = &body.example {
            help.push_str(&format!(", such as {}", json::compact(example.get())));
        }
        let argument = Arg::new("body")
            .long("body")
            .value_name("FILE")
            .value_hint(ValueHint::FilePath)
            .value_parser(ValueParser::path_buf())
            .required(body.required)
            .help(help);
        command = command.arg(argument);
    }
    command
}

/// Returns the list of an operation's responses.
fn responses(operation: &Operation) -> String {
    let lines = operation.responses.iter().map(|response| {
        let description = response.description.as_deref().unwrap_or_default();
        let media_type = match &response.media_type {
            Some(media_type) => format!(" ({media_type})"),
            None => String::new(),
        };
        format!("  {}  {description}{media_type}", response.status)
    });
    let lines: Vec<String> = lines.collect();
    format!("Responses:\n{}", lines.join("\n"))
}

/// Returns the option of a parameter.
fn argument(parameter: &'static Parameter) -> Arg {
    let single = match (parameter.ty.kind, &parameter.ty.items) {
        (Kind::List, Some(items)) => items,
        _ => &parameter.ty,
    };
    let mut help = parameter.description.clone().unwrap_or_default();
    if help.is_empty() {
        help.push_str("The ");
        help.push_str(&parameter.ty.words);
    }
    if parameter.ty.kind == Kind::List {
        help.push_str("; repeatable");
    }
    if parameter.deprecated {
        help.push_str(" [deprecated]");
    }
    if let Some(default) = &parameter.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let mut argument = Arg::new(parameter.flag.as_str())
        .long(parameter.flag.as_str())
        .value_name(value_name(single))
        .required(parameter.required)
        .value_parser(value_parser(single))
        .allow_negative_numbers(true)
        .help(help);
    if parameter.ty.kind == Kind::List {
        argument = argument.action(ArgAction::Append);
    }
    if let Some(alias) = &parameter.alias {
        argument = argument.alias(alias.as_str());
    }
    argument
}

fn value_name(ty: &ValueType) -> &'static str {
    match (ty.kind, ty.format.as_deref()) {
        (Kind::String, Some("uuid")) => "UUID",
        (Kind::String, Some("date-time")) => "TIME",
        (Kind::String, Some("date")) => "DATE",
        (Kind::String, _) => "TEXT",
        (Kind::Integer | Kind::Number, _) => "NUMBER",
        (Kind::Boolean, _) => "BOOL",
        (Kind::List | Kind::Object, _) => "JSON",
        (Kind::Any, _) => "VALUE",
    }
}

/// Returns the parser of a single value. The service checks formats and bounds.
fn value_parser(ty: &'static ValueType) -> ValueParser {
    use clap::builder::TypedValueParser as _;

    let text = |value: &'static Value| match value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    };
    let values: Option<Vec<&str>> = ty.values.iter().map(text).collect();
    if let Some(values) = values.filter(|values| !values.is_empty()) {
        let parser = PossibleValuesParser::new(values).map(Value::String);
        return ValueParser::new(parser);
    }
    let kind = ty.kind;
    ValueParser::new(move |text: &str| parse(kind, text))
}

fn parse(kind: Kind, text: &str) -> Result<Value, &'static str> {
    let parsed = || serde_json::from_str::<Value>(text).ok();
    let (value, expected) = match kind {
        Kind::String | Kind::Any => return Ok(text.into()),
        Kind::Integer => (
            parsed().filter(|value| value.is_i64() || value.is_u64()),
            "expected an integer",
        ),
        Kind::Number => (parsed().filter(Value::is_number), "expected a number"),
        Kind::Boolean => (parsed().filter(Value::is_boolean), "expected true or false"),
        Kind::List => (parsed().filter(Value::is_array), "expected a list as JSON"),
        Kind::Object => (
            parsed().filter(Value::is_object),
            "expected an object as JSON",
        ),
    };
    value.ok_or(expected)
}

impl RequestArgs {
    /// Returns the operation with its arguments, if one is given.
    pub(crate) fn operation(self) -> Option<OperationArgs> {
        self.0
    }
}

/// Prints the operations.
pub(crate) fn list() -> io::Result<()> {
    let width = |text: fn(&Operation) -> usize| OPERATIONS.iter().map(text).max().unwrap_or(0);
    let names = width(|operation| operation.name.len());
    let methods = width(|operation| operation.method.len());
    let paths = width(|operation| operation.path.len());
    let mut out = stdout();
    for Operation {
        name,
        method,
        path,
        summary,
        ..
    } in OPERATIONS.iter()
    {
        let summary = summary.as_deref().unwrap_or_default();
        let line = format!("{name:names$}  {method:methods$}  {path:paths$}  {summary}");
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()
}

impl OperationArgs {
    #[cfg(feature = "mcp")]
    pub(crate) fn new(
        operation: &'static Operation,
        parameters: Vec<(&'static Parameter, Value)>,
    ) -> Self {
        Self {
            operation,
            parameters,
            body: None,
            all: false,
        }
    }

    /// Returns the body, if one is given. Blocks until it is read.
    pub(crate) fn read_body(&self) -> Result<Option<Vec<u8>>, CliError> {
        let path = self.body.as_deref();
        let body = path.and_then(|path| Some(read_body(path, self.media_type()?)));
        body.transpose()
    }

    /// Returns the media type of the body.
    fn media_type(&self) -> Option<&'static str> {
        let body = self.operation.body.as_ref()?;
        body.media_types.first().map(String::as_str)
    }

    /// Sends the request, and prints the body of the response.
    pub(crate) async fn run(
        self,
        client: &Client,
        body: Option<Vec<u8>>,
    ) -> Result<(), CommandError> {
        let request = self.request(client, body)?;
        match &self.operation.paging {
            Some(paging) if self.all => {
                // Once in the life of the program.
                let paging = Box::leak(Box::new(paging.spec()));
                print_items(request.pages(paging).items()).await
            }
            _ => match self.operation.default_stream() {
                Some(stream) => print_stream(request, stream).await,
                None => print(&request.send().await?),
            },
        }
    }

    pub(crate) fn request(
        &self,
        client: &Client,
        body: Option<Vec<u8>>,
    ) -> Result<RawRequest, CliError> {
        let operation = self.operation;
        let method = Method::from_bytes(operation.method.as_bytes())
            .map_err(|error| CliError::new(ErrorClass::Failed, error.to_string()))?;
        let mut request = RawRequest::new(client, method, &operation.spec());
        for (parameter, value) in &self.parameters {
            let (name, style) = (parameter.name.as_str(), parameter.encoding);
            request = match parameter.location {
                Location::Path => request.path(name, value, style),
                Location::Query => request.query(name, value, style),
                Location::Header => request.header(name, value, style),
            };
        }
        let accepted = operation.responses.iter();
        let accepted = accepted.filter(|response| response.status.starts_with('2'));
        if let Some(accept) = accepted
            .filter_map(|response| response.media_type.as_deref())
            .next()
        {
            request = request.header("accept", &accept.into(), None);
        }
        if operation.takes_idempotency_key() {
            request = request.make_idempotency_key();
        }
        if let (Some(body), Some(media_type)) = (body, self.media_type()) {
            request = request.body(media_type, body);
        }
        Ok(request)
    }
}

/// Prints each item of a list as it arrives, as the service sent it, on a line of its own.
async fn print_items(mut items: Items<Box<RawValue>>) -> Result<(), CommandError> {
    while let Some(item) = items.next().await {
        print_line(json::compact(item?.get()))?;
    }
    Ok(())
}

/// Prints each item of a stream as it arrives, on a line of its own.
async fn print_stream(request: RawRequest, stream: &'static Stream) -> Result<(), CommandError> {
    match &stream.format {
        StreamFormat::Events(fields) => {
            let mut events = request.events::<Box<RawValue>>(fields.data());
            while let Some(event) = events.next().await {
                print_line(json::compact(event?.item.get()))?;
            }
        }
        StreamFormat::Lines => {
            let mut lines = request.lines::<Box<RawValue>>(&stream.media_type);
            while let Some(item) = lines.next().await {
                print_line(json::compact(item?.get()))?;
            }
        }
    }
    Ok(())
}

/// Reads a body from a file, or from standard input if the path is `-`.
fn read_body(path: &Path, media_type: &str) -> Result<Vec<u8>, CliError> {
    if media_type.starts_with("multipart/") {
        return Err(CliError::usage(
            "cannot send the body: it has several parts, which this command does not support",
        ));
    }
    let mut body = Vec::new();
    input::open(path, "the body")?
        .read_to_end(&mut body)
        .map_err(|error| input::unreadable(path, "the body", &error))?;
    if is_json(media_type)
        && let Err(error) = serde_json::from_slice::<IgnoredAny>(&body)
    {
        return Err(CliError::usage(format!(
            "cannot send the body in {}: it is not JSON: {error}",
            path.display()
        )));
    }
    Ok(body)
}

pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json") || essence.ends_with("+json")
}

/// Prints the body: JSON with one property per line, anything else as it is.
fn print(response: &Response<impl Sized>) -> Result<(), CommandError> {
    let content_type = response.headers.get("content-type");
    let media_type = content_type.and_then(|value| value.to_str().ok());
    let mut out = stdout();
    if media_type.is_some_and(is_json) && !response.body.is_empty() {
        let text = str::from_utf8(&response.body).ok();
        let text = text.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
        let Some(text) = text else {
            let message = "the response says that it is JSON, but is not; check that the base URL names the service";
            return Err(CliError::new(ErrorClass::BadResponse, message).into());
        };
        writeln!(out, "{}", json::pretty(text))?;
    } else {
        out.write_all(&response.body)?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use call_api_sandbox::Sandbox;

    use super::*;

    /// Returns the request that the sandbox receives for an operation, with `x` as the value of each parameter of its path.
    async fn sent(operation: &Value) -> call_api_sandbox::Request {
        let description = serde_json::json!({"operations": [operation]});
        let sandbox = Sandbox::builder().operations(&description.to_string());
        let sandbox = sandbox.unwrap().start().await.unwrap();
        let operation = serde_json::from_value(operation.clone()).unwrap();
        let operation: &'static Operation = Box::leak(Box::new(operation));
        let of_path = operation.parameters.iter();
        let of_path = of_path.filter(|parameter| parameter.location == Location::Path);
        let args = OperationArgs {
            operation,
            parameters: of_path.map(|parameter| (parameter, "x".into())).collect(),
            body: None,
            all: false,
        };
        let client = Client::builder().base_url(sandbox.base_url());
        let client = client.token(sandbox.token()).build().unwrap();
        args.request(&client, None).unwrap().send().await.unwrap();
        sandbox.requests().remove(0)
    }

    #[test]
    fn values_have_the_kind_of_the_parameter() {
        assert_eq!(parse(Kind::String, "1"), Ok("1".into()));
        assert_eq!(parse(Kind::Integer, "-1"), Ok((-1).into()));
        assert_eq!(parse(Kind::Number, "1.5"), Ok(1.5.into()));
        assert_eq!(parse(Kind::Boolean, "true"), Ok(true.into()));
        assert!(parse(Kind::Object, "{\"a\": 1}").is_ok_and(|value| value["a"] == 1));
        for (kind, text) in [
            (Kind::Integer, "1.5"),
            (Kind::Integer, "x"),
            (Kind::Number, ""),
            (Kind::Boolean, "yes"),
            (Kind::List, "1"),
            (Kind::Object, "[]"),
        ] {
            assert!(parse(kind, text).is_err(), "{kind:?} {text}");
        }
    }

    #[tokio::test]
    async fn parameter_in_the_query_of_the_path_is_sent() {
        let request = sent(&serde_json::json!({
            "name": "list_pets", "id": "list_pets", "method": "GET", "path": "/v1/m%C3%A4use?mode={mode}&all=1",
            "auth": "bearer", "responses": [],
            "parameters": [{
                "name": "mode", "rust_name": "mode", "location": "path", "required": true,
                "type": {"kind": "string", "words": "string"},
            }],
        }))
        .await;
        assert_eq!(request.path, "/v1/m%C3%A4use");
        assert_eq!(request.query.as_deref(), Some("mode=x&all=1"));
    }

    #[tokio::test]
    async fn request_has_an_idempotency_key_if_the_operation_has_the_header() {
        let request = sent(&serde_json::json!({
            "name": "add_pet", "id": "add_pet", "method": "POST", "path": "/v1/pets", "auth": "bearer", "responses": [],
            "parameters": [{
                "name": "Idempotency-Key", "rust_name": "idempotency_key", "location": "header", "required": false,
                "type": {"kind": "string", "words": "string"},
            }],
        }))
        .await;
        assert!(request.headers.contains_key("idempotency-key"));
    }

    #[tokio::test]
    async fn example_stream_of_the_sandbox_is_read() {
        let operation = serde_json::json!({
            "name": "watch", "id": "watch", "method": "GET", "path": "/v1/events", "auth": "none", "parameters": [],
            "responses": [{"status": "200", "media_type": "text/event-stream", "example": "event: a\ndata: [1,\ndata: 2]\n\n"}],
            "stream": {"media_type": "text/event-stream", "format": {"events": {"fields": ["a"]}}},
        });
        let description = serde_json::json!({"operations": [operation]}).to_string();
        let sandbox = Sandbox::builder().operations(&description).unwrap();
        let sandbox = sandbox.start().await.unwrap();
        let operation: &'static Operation =
            Box::leak(Box::new(serde_json::from_value(operation).unwrap()));
        let args = OperationArgs {
            operation,
            parameters: Vec::new(),
            body: None,
            all: false,
        };
        let client = Client::builder()
            .base_url(sandbox.base_url())
            .build()
            .unwrap();
        let request = args.request(&client, None).unwrap();
        let StreamFormat::Events(fields) = &operation.default_stream().unwrap().format else {
            panic!("no events");
        };
        let mut events = request.events::<Value>(fields.data());
        let item = events.next().await.unwrap().unwrap().item;
        assert_eq!(item, serde_json::json!({"data": [1, 2], "event": "a"}));
        assert!(events.next().await.is_none());
    }

    #[test]
    fn body_in_something_other_than_a_file_is_refused() {
        let error = read_body(Path::new("src"), "application/json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the body in src: it is not a regular file; use `-` and redirect it to standard input"
        );
    }
}
