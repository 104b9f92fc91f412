//! Scenarios: what a sandbox starts with, in a YAML file. `scenario.schema.json` is their schema.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use call_api_types::Call;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::import::read_calls;
use super::tokens::CHECK_FILE;
use crate::call_json::CallJson;
use crate::{DEFAULT_TENANT, Faults, InvalidWebhook, Sandbox, SandboxBuilder, Script, Webhook};

/// The calls, scripts, faults, tokens and webhooks at the start.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The Bearer tokens of each tenant.
    #[serde(default)]
    tokens: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    calls: Vec<ScenarioCall>,
    /// Files of JSON lines with calls of the default tenant, relative to the scenario.
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    faults: Faults,
    #[serde(default)]
    webhooks: Vec<ScenarioWebhook>,
    /// The calls of the files.
    #[serde(skip)]
    read: Vec<CallJson>,
}

/// A call of a scenario.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioCall {
    #[serde(default)]
    tenant: Option<String>,
    /// The properties that differ from the example call.
    call: Map<String, Value>,
    #[serde(default)]
    script: Option<Value>,
}

/// A receiver of webhooks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScenarioWebhook {
    url: String,
    #[serde(default)]
    secret: Option<String>,
}

impl Scenario {
    /// Reads a scenario, or calls as JSON lines if the file is named so.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let mut scenario = Self::default();
        let is_lines = file
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        if is_lines {
            scenario.add_calls(file)?;
            return Ok(scenario);
        }
        let name = file.display();
        let text = fs::read_to_string(file)
            .map_err(|error| format!("cannot read the scenario {name}: {error}; {CHECK_FILE}"))?;
        scenario = serde_saphyr::from_str(&text).map_err(|error| {
            let error = error.to_string();
            let first = error.lines().find(|line| !line.trim().is_empty());
            let first = first.unwrap_or(&error).trim();
            let first = first.strip_prefix("error: ").unwrap_or(first);
            format!("cannot read the scenario {name}: {first}")
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        for file in std::mem::take(&mut scenario.files) {
            scenario.add_calls(&folder.join(file))?;
        }
        Ok(scenario)
    }

    /// Adds the calls of a file of JSON lines.
    pub(crate) fn add_calls(&mut self, file: &Path) -> Result<(), String> {
        self.read.extend(read_calls(file)?);
        Ok(())
    }

    /// Returns each token with its tenant.
    pub(crate) fn tokens(&self) -> Vec<(String, String)> {
        let tokens = self.tokens.iter();
        tokens
            .flat_map(|(tenant, tokens)| tokens.iter().map(|token| (tenant.clone(), token.clone())))
            .collect()
    }

    /// Returns the receivers of webhooks.
    pub(crate) fn webhooks(&self) -> Result<Vec<Webhook>, String> {
        let parse = |webhook: &ScenarioWebhook| -> Result<Webhook, InvalidWebhook> {
            let receiver = Webhook::new(&webhook.url)?;
            match &webhook.secret {
                Some(secret) => receiver.secret(secret),
                None => Ok(receiver),
            }
        };
        let webhooks = (1..).zip(&self.webhooks);
        webhooks
            .map(|(number, webhook)| {
                parse(webhook).map_err(|error| format!("webhook {number} of the scenario: {error}"))
            })
            .collect()
    }

    /// Adds calls, scripts and faults to a builder.
    pub(crate) fn apply(self, mut builder: SandboxBuilder) -> io::Result<SandboxBuilder> {
        let of_files = self.read.into_iter();
        builder = builder.raw_calls(of_files.map(|call| (DEFAULT_TENANT.to_owned(), call)));
        for (index, call) in self.calls.into_iter().enumerate() {
            builder = call.apply(builder).map_err(|error| {
                super::invalid(format!("call {} of the scenario: {error}", index + 1))
            })?;
        }
        Ok(builder.faults(self.faults))
    }
}

impl ScenarioCall {
    fn apply(self, builder: SandboxBuilder) -> Result<SandboxBuilder, String> {
        let tenant = self.tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned());
        let example = serde_json::to_value(Sandbox::example_call());
        let mut call = example.map_err(|error| error.to_string())?;
        merge(&mut call, Value::Object(self.call));
        let Some(script) = self.script else {
            let call = CallJson::parse(&call.to_string()).map_err(|error| error.to_string())?;
            return Ok(builder.raw_calls([(tenant, call)]));
        };
        let call: Call = serde_json::from_value(call).map_err(|error| error.to_string())?;
        let script = Script::from_json(script).map_err(|error| format!("script: {error}"))?;
        Ok(builder.run_for(tenant, call, script))
    }
}

/// Replaces properties, at any depth.
fn merge(base: &mut Value, changes: Value) {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            for (name, value) in changes {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, changes) => *base = changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_keeps_what_is_not_changed() {
        let mut base = serde_json::json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(
            &mut base,
            serde_json::json!({"a": {"c": null}, "d": [], "e": 3}),
        );
        let expected = serde_json::json!({"a": {"b": 1, "c": null}, "d": [], "e": 3});
        assert_eq!(base, expected);
    }
}
