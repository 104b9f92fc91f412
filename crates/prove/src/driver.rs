//! The program that decodes and encodes samples with the generated types, and sends requests with the generated client.
//!
//! There is one for each document, compiled beside the generated crates. It reads a question from each line of its input,
//! and writes an answer to each line of its output. A decoder that overflows its stack ends only this process.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use call_api_codegen::layout;
use call_api_codegen::plan::{Output, Plan};
use serde_json::Value;

use crate::operations::{Body, Operation, Setter};

/// The source that all drivers have in common.
const MAIN: &str = include_str!("driver/main.rs");

/// The source that sends requests.
const REQUESTS: &str = include_str!("driver/requests.rs");

/// Returns the name of the driver's package for the document with this name.
pub fn package(name: &str) -> String {
    format!("driver-{name}")
}

/// Adds the driver to the plan of the generated crates.
pub fn add(plan: &mut Plan, name: &str, types: &[String], operations: &[Operation]) {
    let mut add = |path: &str, contents: String| {
        plan.outputs.push(Output {
            path: path.into(),
            contents,
        });
    };
    add(
        "crates/driver/Cargo.toml",
        manifest(name, !operations.is_empty()),
    );
    let mut main = MAIN.to_owned();
    main.push_str(&decode_arms(types));
    if operations.is_empty() {
        main.push_str(NO_REQUESTS);
    } else {
        main.push_str("\nmod requests;\n");
        add(
            "crates/driver/src/requests.rs",
            REQUESTS.to_owned() + &request_arms(operations),
        );
    }
    add("crates/driver/src/main.rs", main);
}

const NO_REQUESTS: &str = "
mod requests {
    pub(crate) struct Sender;
    impl Sender {
        pub(crate) fn new() -> Result<Self, String> {
            Ok(Self)
        }
        pub(crate) fn send(&self, _: usize, _: &str) -> Result<String, String> {
            Err(\"there are no operations\".to_owned())
        }
    }
}
";

fn manifest(name: &str, with_client: bool) -> String {
    let ours = |package: &str| {
        format!("{package} = {{ package = \"{package}-{name}\", path = \"../{package}\" }}\n")
    };
    let mut dependencies = ours(&layout::package("types"));
    if with_client {
        dependencies += &ours(&layout::package("client"));
        let transport = layout::package("transport");
        dependencies += &format!(
            "{transport} = {{ path = \"../../../{}\" }}\n",
            layout::folder("transport")
        );
        dependencies += "\
             chrono.workspace = true\n\
             reqwest.workspace = true\n\
             tokio = { workspace = true, features = [\"rt\", \"net\", \"time\"] }\n\
             uuid.workspace = true\n";
    }
    format!(
        "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nserde.workspace = true\nserde_json.workspace = true\n{dependencies}",
        package(name)
    )
}

fn decode_arms(types: &[String]) -> String {
    let arms = |of: &dyn Fn(&str) -> String| {
        let arms = types.iter().enumerate();
        arms.map(|(index, name)| format!("        {index} => {},\n", of(name)))
            .collect::<String>()
    };
    format!(
        "\nfn decode(index: usize, sample: &str) -> Result<String, String> {{\n    match index {{\n{}        \
         _ => Err(\"no such type\".to_owned()),\n    }}\n}}\n\n\
         fn size(index: usize) -> Option<(usize, bool)> {{\n    match index {{\n{}        _ => None,\n    }}\n}}\n",
        arms(&|name| format!("round_trip::<types::{name}>(sample)")),
        arms(&|name| format!("size_of_type::<types::{name}>()")),
    )
}

fn request_arms(operations: &[Operation]) -> String {
    let mut arms = String::new();
    let mut functions = String::new();
    for (index, operation) in operations.iter().enumerate() {
        arms += &format!("        {index} => operation_{index}(client, arguments).await,\n");
        let mut body = constructor(operation);
        let mut set = |argument: String, setter: &Setter, changes: &str| {
            let Setter { name, takes, .. } = setter;
            let value = if setter.takes(&["reqwest", "Body"]) {
                "bytes(value)?".to_owned()
            } else {
                format!("read::<{takes}>(value)?")
            };
            let binding = if changes.is_empty() {
                "value"
            } else {
                "mut value"
            };
            body += &format!(
                "    if let Some(value) = {argument} {{\n        let {binding} = {value};\n{changes}        \
                 builder = builder.{name}(value);\n    }}\n"
            );
        };
        for parameter in &operation.parameters {
            for (property, setter) in &parameter.setters {
                if setter.argument.is_some() {
                    continue;
                }
                let argument = format!("arguments.get({:?})", parameter.key());
                let argument = match property {
                    None => argument,
                    Some(property) => {
                        format!("{argument}.and_then(|object| object.get({property:?}))")
                    }
                };
                set(argument, setter, "");
            }
        }
        if let Some(body) = &operation.body
            && let Some(setter) = &body.setter
        {
            set(
                "arguments.get(\"body\")".to_owned(),
                setter,
                &leave_out(body),
            );
        }
        functions += &format!(
            "\nasync fn operation_{index}(client: &Client, arguments: &Map<String, Value>) -> Result<(), String> {{\n{body}    \
             builder.send().await.map(|_| ()).map_err(|error| error.to_string())\n}}\n"
        );
    }
    format!(
        "\nasync fn operation(client: &Client, index: usize, arguments: &Map<String, Value>) -> Result<(), String> {{\n    \
         match index {{\n{arms}        _ => Err(\"no such operation\".to_owned()),\n    }}\n}}\n{functions}"
    )
}

/// Returns the code that leaves properties out of a body.
fn leave_out(body: &Body) -> String {
    let fields = body.read_only.iter().map(|(property, field)| {
        format!(
            "        if leaves_out(arguments, {property:?}) {{\n            value.{field} = Default::default();\n        }}\n"
        )
    });
    fields.collect()
}

/// Returns the code that calls the client's method with its arguments.
fn constructor(operation: &Operation) -> String {
    let mut arguments: Vec<(usize, String)> = Vec::new();
    for parameter in &operation.parameters {
        for (_, setter) in &parameter.setters {
            if let Some(index) = setter.argument {
                let (takes, key) = (&setter.takes, parameter.key());
                let missing = format!("{key} is not given");
                let value = format!("read::<{takes}>(arguments.get({key:?}).ok_or({missing:?})?)?");
                arguments.push((index, value));
            }
        }
    }
    arguments.sort();
    let values: Vec<String> = arguments.into_iter().map(|(_, value)| value).collect();
    format!(
        "    let mut builder = client.{}({});\n",
        operation.function,
        values.join(", ")
    )
}

/// Compiles the drivers of these documents. Returns the program of each, or its first compile error.
///
/// # Errors
/// Cargo cannot be run.
pub fn compile(
    work: &Path,
    target: &Path,
    names: &[&str],
) -> io::Result<BTreeMap<String, Result<PathBuf, String>>> {
    // Cargo sets it, so the same toolchain is used.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--keep-going", "--message-format=json"]);
    for name in names {
        command.args(["--package", &package(name)]);
    }
    command
        .current_dir(work)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdin(Stdio::null());
    // Cargo sets variables of the package that runs, which is not the package that is compiled here.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    let output = command.output()?;
    let mut programs = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let text = |place: &str| message.pointer(place).and_then(Value::as_str);
        let package_id = text("/package_id").unwrap_or_default();
        let Some(name) = names
            .iter()
            .find(|name| package_id.contains(&format!("/{name}/crates/")))
        else {
            continue;
        };
        match (
            text("/executable"),
            text("/message/level"),
            text("/message/rendered"),
        ) {
            (Some(program), ..) => {
                programs
                    .entry((*name).to_owned())
                    .or_insert_with(|| Ok(PathBuf::from(program)));
            }
            (_, Some("error"), Some(error)) => {
                programs.insert((*name).to_owned(), Err(error.to_owned()));
            }
            _ => {}
        }
    }
    for name in names {
        programs.entry((*name).to_owned()).or_insert_with(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!(
                "cargo ended with {}: {}",
                output.status,
                errors.trim()
            ))
        });
    }
    Ok(programs)
}
