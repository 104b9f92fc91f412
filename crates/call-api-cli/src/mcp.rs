//! `mcp`: offers the operations of the API to an assistant, by the Model Context Protocol over standard input and output.
//!
//! The tools are made from the description of the operations, like the options of `request`.

use std::sync::Arc;
use std::time::Duration;

use call_api::{Call, Client, Contact, ErrorKind, Response, Uuid};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::McpArgs;
use crate::error::{CliError, CommandError, ErrorClass};
use crate::json;
use crate::operations::{Kind, OPERATIONS, Operation, Parameter, ValueType};
use crate::output::mask_number;
use crate::request::OperationArgs;

/// The tool that waits for a call.
const WAIT: &str = "wait_for_call";

/// The fewest digits of what is taken for an international phone number.
const MIN_DIGITS: usize = 7;

/// Serves until standard input ends.
pub(crate) async fn run(client: Client, args: McpArgs) -> Result<(), CommandError> {
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("cannot serve on standard input and output: {error}");
        CliError::new(ErrorClass::Failed, message)
    };
    let server = Server {
        client,
        args: Arc::new(args),
    };
    match server.serve(rmcp::transport::stdio()).await {
        Ok(service) => {
            service.waiting().await.map_err(|error| failed(&error))?;
            Ok(())
        }
        // Standard input ended before a client asked for anything.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(failed(&error).into()),
    }
}

#[derive(Clone)]
struct Server {
    client: Client,
    args: Arc<McpArgs>,
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let masked = match self.args.show_numbers {
            true => "",
            false => " Phone numbers and URLs of recordings are masked.",
        };
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("call-api", env!("CARGO_PKG_VERSION")))
            .with_instructions(format!(
                "Looks up and waits for phone calls of the call API. Times are UTC.{masked}"
            ))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let operations = OPERATIONS.iter().filter(|operation| self.offers(operation));
        let tools = operations.map(tool).chain([self.wait_tool()]);
        Ok(ListToolsResult::with_all_items(tools.collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let result = async {
            if request.name == WAIT {
                return self.wait(arguments).await;
            }
            let operation = Operation::named(&request.name);
            let Some(operation) = operation.filter(|operation| self.offers(operation)) else {
                let message = format!("no tool {:?}", request.name);
                return Err(Failure::Arguments(message));
            };
            self.send(operation, arguments).await
        };
        let result = tokio::select! {
            result = result => result,
            () = context.ct.cancelled() => Err(Failure::Arguments("canceled".to_owned())),
        };
        match result {
            Ok(text) => Ok(CallToolResult::success(self.content(&text)).into()),
            Err(Failure::Arguments(message)) => Err(ErrorData::invalid_params(message, None)),
            Err(Failure::Request(failure)) => {
                let report = json!({"error": failure.report()});
                Ok(CallToolResult::error(self.content(&report.to_string())).into())
            }
        }
    }
}

/// The reason a tool has no result.
enum Failure {
    /// The arguments do not fit the tool.
    Arguments(String),
    /// The request failed.
    Request(Box<CliError>),
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::Request(Box::new(error))
    }
}

impl From<call_api::Error> for Failure {
    fn from(error: call_api::Error) -> Self {
        CliError::from(error).into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitArguments {
    id: Uuid,
    #[serde(default)]
    timeout_seconds: Option<u64>,
    #[serde(default)]
    settled: bool,
}

impl Server {
    /// Returns true if the operation is a tool.
    fn offers(&self, operation: &Operation) -> bool {
        let sends_json = operation.body.as_ref().is_none_or(|body| {
            let media_type = body.media_types.first();
            media_type.is_some_and(|media_type| crate::request::is_json(media_type))
        });
        sends_json && (is_read_only(operation) || self.args.allow_writes)
    }

    /// Sends a request of an operation, and returns the body of the response.
    async fn send(
        &self,
        operation: &'static Operation,
        mut arguments: JsonObject,
    ) -> Result<String, Failure> {
        let mut parameters = Vec::new();
        for parameter in &operation.parameters {
            match arguments.remove(&parameter.flag) {
                None | Some(Value::Null) if parameter.required => {
                    let message = format!("{} is required", parameter.flag);
                    return Err(Failure::Arguments(message));
                }
                None | Some(Value::Null) => {}
                Some(value) => {
                    check(parameter, &value)?;
                    parameters.push((parameter, value));
                }
            }
        }
        let body = match (&operation.body, arguments.remove("body")) {
            (Some(body), None) if body.required => {
                return Err(Failure::Arguments("body is required".to_owned()));
            }
            (Some(_), body) => body.map(|body| body.to_string().into_bytes()),
            (None, _) => None,
        };
        if let Some(name) = arguments.keys().next() {
            let message = format!("{} has no parameter {name:?}", operation.name);
            return Err(Failure::Arguments(message));
        }
        let args = OperationArgs::new(operation, parameters);
        let response: Response<_> = args.request(&self.client, body)?.send().await?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        Ok(match text.is_empty() {
            true => format!("done (status {})", response.status),
            false => text,
        })
    }

    /// Waits for a call, and returns it. On a timeout, its last state is part of the error.
    async fn wait(&self, arguments: JsonObject) -> Result<String, Failure> {
        let arguments: WaitArguments = serde_json::from_value(Value::Object(arguments))
            .map_err(|error| Failure::Arguments(error.to_string()))?;
        let longest = self.args.max_wait;
        let timeout = arguments.timeout_seconds.map(Duration::from_secs);
        let timeout = timeout.unwrap_or(longest).min(longest);
        let result = match arguments.settled {
            false => {
                let wait = self.client.wait_until_ended(arguments.id);
                wait.deadline(timeout)
                    .await
                    .map(|call| json!({"call": call}))
            }
            true => {
                let wait = self.client.wait_until_settled(arguments.id);
                let settled = wait.deadline(timeout).settle_time(timeout).await;
                settled.map(|settled| {
                    let missing = settled.missing.iter().map(|property| property.name());
                    json!({"call": settled.call, "missing": missing.collect::<Vec<_>>()})
                })
            }
        };
        match result {
            Ok(value) => Ok(value.to_string()),
            Err(error) if error.kind() == ErrorKind::Timeout => match error.last_seen::<Call>() {
                Some(call) => Ok(json!({"call": call, "timed_out": true}).to_string()),
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    fn wait_tool(&self) -> Tool {
        let longest = self.args.max_wait.as_secs().max(1);
        let schema = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid", "description": "The id of the call"},
                "timeout_seconds": {
                    "type": "integer", "minimum": 1, "maximum": longest, "default": longest,
                    "description": "Give up after this time, and return the call as it is then",
                },
                "settled": {
                    "type": "boolean", "default": false,
                    "description": "Wait until what comes after the end is there, too, such as the recording",
                },
            },
            "required": ["id"],
            "additionalProperties": false,
        });
        let description = "Waits until a phone call has ended, and returns it. `timed_out` is true if it has not; \
                           `missing` lists what a settled call lacks.";
        Tool::new(WAIT, description, object(schema))
            .with_annotations(ToolAnnotations::new().read_only(true))
    }

    /// Returns the content of a result: masked, and of a bounded size.
    fn content(&self, text: &str) -> Vec<ContentBlock> {
        let mut text = match (serde_json::from_str::<Value>(text), self.args.show_numbers) {
            (Ok(_), true) => json::compact(text),
            (Ok(mut value), false) => {
                mask(&mut value);
                value.to_string()
            }
            (Err(_), true) => text.to_owned(),
            (Err(_), false) => mask_numbers_in(text),
        };
        let (size, limit) = (text.len(), self.args.max_result);
        if size <= limit {
            return vec![ContentBlock::text(text)];
        }
        text.truncate(text.floor_char_boundary(limit));
        let note = format!(
            "The result was cut off after {limit} of {size} bytes; ask for less, for example for fewer items."
        );
        vec![ContentBlock::text(text), ContentBlock::text(note)]
    }
}

fn is_read_only(operation: &Operation) -> bool {
    matches!(operation.method.as_str(), "GET" | "HEAD")
}

/// Returns the tool of an operation.
fn tool(operation: &'static Operation) -> Tool {
    let texts = [
        operation.summary.as_deref(),
        operation.description.as_deref(),
    ];
    let texts = texts.into_iter().flatten();
    let mut description = texts.collect::<Vec<_>>().join("\n\n");
    if description.is_empty() {
        description = format!("{} {}", operation.method, operation.path);
    }
    let mut properties = JsonObject::new();
    let mut required = Vec::new();
    for parameter in &operation.parameters {
        properties.insert(parameter.flag.clone(), parameter_schema(parameter));
        if parameter.required {
            required.push(parameter.flag.as_str());
        }
    }
    if let Some(body) = &operation.body {
        let example = body.example.as_ref();
        let example = example.and_then(|example| serde_json::from_str(example.get()).ok());
        let mut schema = json!({"description": "The body of the request"});
        if let Some(example) = example {
            schema["examples"] = Value::Array(vec![example]);
        }
        properties.insert("body".to_owned(), schema);
        if body.required {
            required.push("body");
        }
    }
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let is_read_only = is_read_only(operation);
    let annotations = ToolAnnotations::new().read_only(is_read_only);
    Tool::new(operation.name.as_str(), description, object(schema)).with_annotations(
        match is_read_only {
            true => annotations,
            false => annotations.destructive(operation.method != "POST"),
        },
    )
}

fn parameter_schema(parameter: &Parameter) -> Value {
    let mut schema = value_schema(&parameter.ty);
    if let Some(description) = &parameter.description {
        schema["description"] = description.as_str().into();
    }
    if let Some(default) = &parameter.default {
        schema["default"] = default.clone();
    }
    schema
}

fn value_schema(ty: &ValueType) -> Value {
    let mut schema = match ty.kind {
        Kind::String => json!({"type": "string"}),
        Kind::Integer => json!({"type": "integer"}),
        Kind::Number => json!({"type": "number"}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::List => json!({"type": "array"}),
        Kind::Object => json!({"type": "object"}),
        Kind::Any => json!({}),
    };
    if let Some(format) = &ty.format {
        schema["format"] = format.as_str().into();
    }
    if !ty.values.is_empty() {
        schema["enum"] = Value::Array(ty.values.clone());
    }
    if let Some(items) = &ty.items {
        schema["items"] = value_schema(items);
    }
    schema
}

/// Errors if a value is of another kind than the parameter. The service checks formats and bounds.
fn check(parameter: &Parameter, value: &Value) -> Result<(), Failure> {
    let fits = match parameter.ty.kind {
        Kind::String => value.is_string(),
        Kind::Integer => value.is_i64() || value.is_u64(),
        Kind::Number => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::List => value.is_array(),
        Kind::Object => value.is_object(),
        Kind::Any => true,
    };
    match fits {
        true => Ok(()),
        false => Err(Failure::Arguments(format!(
            "{} must be a {}",
            parameter.flag, parameter.ty.words
        ))),
    }
}

/// Returns the schema as an object; all schemas here are.
fn object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

/// Masks phone numbers and URLs of recordings.
fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = mask_numbers_in(text),
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(properties) => {
            for (name, value) in properties {
                match value {
                    Value::String(text) if name == Contact::name_in_json("identifier") => {
                        *text = mask_number(text);
                    }
                    Value::String(text) if name == Call::name_in_json("recording_url") => {
                        "***".clone_into(text);
                    }
                    value => mask(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Masks what looks like an international phone number: a plus sign and at least seven digits, perhaps divided by spaces,
/// hyphens, dots or parentheses.
fn mask_numbers_in(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('+') {
        masked.push_str(&rest[..start]);
        let tail = &rest[start + 1..];
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')');
        let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
        let digits: String = tail[..end].chars().filter(char::is_ascii_digit).collect();
        if digits.len() < MIN_DIGITS {
            masked.push('+');
            rest = tail;
            continue;
        }
        masked.push_str(&mask_number(&digits));
        // What follows the last digit is not part of the number.
        let end = tail[..end].rfind(|c: char| c.is_ascii_digit());
        rest = &tail[end.map_or(0, |end| end + 1)..];
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_text_are_masked() {
        for (text, expected) in [
            ("call +34600123456, now", "call ***456, now"),
            ("+44 (7700) 900-123.", "***123."),
            ("1+1, +01:00 and a+b", "1+1, +01:00 and a+b"),
            ("+34600123456+34600123789", "***456***789"),
        ] {
            assert_eq!(mask_numbers_in(text), expected);
        }
    }

    #[test]
    fn sensitive_properties_are_masked_at_any_depth() {
        let identifier = Contact::name_in_json("identifier");
        let url = Call::name_in_json("recording_url");
        let value = |number, link, note| {
            let item = json!({"contact": {identifier: number}, url: link, "note": note});
            json!({"items": [item], url: null})
        };
        let mut masked = value("600123456", "https://a.example/?s=1", "+34600123456");
        mask(&mut masked);
        assert_eq!(masked, value("***456", "***", "***456"));
    }

    #[test]
    fn operations_that_write_are_offered_only_if_allowed() {
        let client = Client::builder()
            .base_url("http://localhost:1")
            .token("x")
            .build()
            .unwrap();
        let server = |allow_writes| Server {
            client: client.clone(),
            args: Arc::new(McpArgs {
                allow_writes,
                show_numbers: false,
                max_result: 1,
                max_wait: Duration::from_secs(1),
            }),
        };
        let operation = |method: &str, media_type: &str| -> Operation {
            let operation = json!({
                "name": "x", "id": "x", "method": method, "path": "/x", "auth": "bearer", "responses": [],
                "parameters": [], "body": {"media_types": [media_type], "required": true},
            });
            serde_json::from_value(operation).unwrap()
        };
        for (method, media_type, read_only, allowed) in [
            ("GET", "application/json", true, true),
            ("POST", "application/json", false, true),
            ("DELETE", "application/json", false, true),
            ("POST", "multipart/form-data", false, false),
        ] {
            let operation = operation(method, media_type);
            assert_eq!(server(false).offers(&operation), read_only, "{method}");
            assert_eq!(server(true).offers(&operation), allowed, "{method}");
        }
    }

    #[test]
    fn tool_describes_the_parameters_of_its_operation() {
        let get_call = tool(Operation::named("get_call").unwrap());
        let id = &get_call.input_schema["properties"]["id"];
        assert_eq!(id["type"], "string");
        assert_eq!(id["format"], "uuid");
        assert!(id["description"].is_string());
        assert_eq!(get_call.input_schema["required"], json!(["id"]));
        assert_eq!(get_call.annotations.unwrap().read_only_hint, Some(true));
    }
}
