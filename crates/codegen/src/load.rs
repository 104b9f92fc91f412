//! Load: parses a file into a document.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use serde_saphyr::budget::BudgetBreach;

use super::origin::Origins;
use crate::problem::{Finding, Location, Problem, Problems};

/// The maximum size of a file in bytes. Memory use grows with the document, and an error is clearer than running out of
/// memory. See docs/performance.md for the memory that documents need.
const LARGEST: u64 = 16 << 20;

/// An unchanged document.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The path as the user gave it, for messages.
    pub path: String,
    /// The name in generated files: the path relative to the project, or else the file name, so that the output does
    /// not depend on the location of the project.
    pub label: String,
    /// The SHA-256 of the file in lower-case hex.
    pub sha256: String,
    /// The content.
    pub document: Value,
    /// The folder of the files that the document may refer to, or `None` if it has none.
    pub folder: Option<PathBuf>,
    /// The other files that [`bundle`](super::bundle) has included.
    pub parts: Vec<Part>,
    /// The origins of the parts of the document.
    pub origins: Origins,
}

impl Source {
    /// Converts findings to problems, each with the file and the location where the cause was written.
    pub fn problems(&self, origins: &Origins, findings: Vec<Finding>) -> Problems {
        let mut problems: Vec<Problem> = Vec::new();
        for finding in findings {
            let problem = origins.problem(finding, &self.path);
            // Something that is written once may be used twice.
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Problems(problems)
    }
}

/// A file that the document refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The name in generated files, like [`Source::label`].
    pub label: String,
    /// The SHA-256 of the file in lower-case hex.
    pub sha256: String,
}

/// Reads `path`, which messages show as `shown`. The format is that of the extension (`.json`, `.yaml`, `.yml`), or
/// else that of the first character.
///
/// # Errors
/// Errors if the file cannot be read, or is neither JSON nor YAML.
pub fn load(path: &Path, shown: &Path, label: &str) -> Result<Source, Problem> {
    let shown = shown.display().to_string().replace('\\', "/");
    let problem = |location, cause, remedy: &str| Problem {
        file: shown.clone(),
        location,
        cause,
        remedy: remedy.to_owned(),
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            problem(
                Location::File,
                format!("cannot read the document: {error}"),
                "name an existing file with `--spec FILE`",
            )
        })?;
    if bytes.len() as u64 > LARGEST {
        return Err(problem(
            Location::File,
            format!("the document is larger than {} MiB", LARGEST >> 20),
            "take out the paths and schemas that the SDK doesn't need, or raise `LARGEST` in crates/codegen/src/load.rs on a \
             machine with the memory for it (docs/performance.md)",
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let location = Location::Position { line, column: 1 };
        problem(
            location,
            "the document is not UTF-8".to_owned(),
            "save it as UTF-8 without a byte-order mark",
        )
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = if is_markdown(path) {
        // A description in a file of its own.
        Ok(Value::String(text.to_owned()))
    } else if is_json(path, text) {
        parse_json(text)
    } else {
        // The YAML parser needs more stack per level than an ordinary thread has.
        crate::stack::with_deep_stack(|| parse_yaml(text))
            .unwrap_or_else(|error| Err((Location::File, error.to_string())))
    }
    .map_err(|(location, cause)| {
        problem(
            location,
            cause,
            "fix the syntax at this position; nothing was generated",
        )
    })?;
    Ok(Source {
        path: shown,
        label: label.to_owned(),
        sha256: sha256(&bytes),
        document,
        folder: Some(folder(path)),
        ..Source::default()
    })
}

/// Returns the folder of a file. That of a bare file name is the current folder.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the SHA-256 of `bytes` in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hmac_sha256::Hash::hash(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_json(path: &Path, text: &str) -> bool {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("yaml" | "yml") => false,
        _ => text.trim_start().starts_with(['{', '[']),
    }
}

fn is_markdown(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "md" || extension == "markdown")
}

/// Parses JSON. A repeated key is an error, as in YAML, because one of its values would be lost.
fn parse_json(text: &str) -> Result<Value, (Location, String)> {
    serde_json::from_str(text)
        .map(|Distinct(value)| value)
        .map_err(|error| {
            let location = Location::Position {
                line: error.line(),
                column: error.column(),
            };
            let cause = error.to_string();
            // serde_json's message ends with the position, which the location already has.
            let cause = cause.split(" at line ").next().unwrap_or(&cause);
            (location, not_read("JSON", is_too_deep(text), cause))
        })
}

fn not_read(format: &str, is_too_deep: bool, cause: &str) -> String {
    if is_too_deep {
        format!("the document is nested too deeply to be read as {format}: {cause}")
    } else {
        format!("the document is not {format}: {cause}")
    }
}

/// Returns true if brackets outside of strings are nested deeper than [`MAX_DEPTH`]. The error of a parser does not have it.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    text.bytes().any(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

/// A JSON value without repeated keys.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
                let mut list = Vec::new();
                while let Some(Distinct(value)) = values.next_element()? {
                    list.push(value);
                }
                Ok(list.into())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut object = Map::new();
                while let Some(key) = entries.next_key::<String>()? {
                    if object.contains_key(&key) {
                        return Err(A::Error::custom(format!(
                            "the key `{key}` is repeated in an object"
                        )));
                    }
                    let Distinct(value) = entries.next_value()?;
                    object.insert(key, value);
                }
                Ok(object.into())
            }
        }
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

/// The maximum nesting of a document, which is also the limit of serde_json.
const MAX_DEPTH: usize = 127;

/// Parses YAML with the core schema of YAML 1.2: `on`, `no`, `18:00` and dates are strings. A repeated key is an error,
/// because one of its values would be lost.
fn parse_yaml(text: &str) -> Result<Value, (Location, String)> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        // The core schema reads these as numbers. As a string, a code such as 049 keeps its zero.
        leading_zero_numbers_as_strings: true,
        with_snippet: false,
        // Nesting as deep as in JSON, and a size beyond any published document. The number of uses of an anchor is not
        // limited, because the size after expansion is limited below.
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: 5_000_000,
            max_events: 10_000_000,
            max_total_scalar_bytes: 512 << 20,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 1_000_000,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error
            .location()
            .map_or(Location::File, |location| Location::Position {
                line: usize::try_from(location.line()).unwrap_or(usize::MAX),
                column: usize::try_from(location.column()).unwrap_or(usize::MAX),
            });
        let cause = error.to_string();
        let cause = cause.lines().next().unwrap_or_default();
        let cause = cause.strip_prefix("error: ").unwrap_or(cause);
        let cause = cause.split(" at line ").next().unwrap_or(cause);
        // The rest of the message is advice for users of the parser.
        let cause = cause.split(", set ").next().unwrap_or(cause);
        let breaches_depth = matches!(
            error.without_snippet(),
            serde_saphyr::Error::Budget {
                breach: BudgetBreach::Depth { .. },
                ..
            }
        );
        let is_too_deep = breaches_depth || is_too_deep(text);
        (place, not_read("YAML", is_too_deep, cause))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn yaml_uses_the_core_schema_of_1_2() {
        let text = "time: 18:00\nswitch: on\nanswer: no\ndate: 2020-01-01\nnumber: 1_000\nyes: true\n200: ok\nnull_: ~\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({
                "time": "18:00", "switch": "on", "answer": "no", "date": "2020-01-01", "number": "1_000",
                "yes": true, "200": "ok", "null_": null,
            })
        );
    }

    #[test]
    fn yaml_numbers_follow_1_2() {
        let text = "octal: 0o17\nzeros: 017\nhex: 0x1F\nbase_60: 190:20:30\nphone: '+49'\nsign: +1\nfloat: 1.10\nversion: 1.2.3\n\
                    yes: yes\noff: Off\ny: y\nempty:\ntime: 2001-12-14t21:59:43.10-05:00\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({
                "octal": 15, "zeros": "017", "hex": 31, "base_60": "190:20:30", "phone": "+49", "sign": 1, "float": 1.1,
                "version": "1.2.3", "yes": "yes", "off": "Off", "y": "y", "empty": null,
                "time": "2001-12-14t21:59:43.10-05:00",
            })
        );
    }

    #[test]
    fn anchors_are_expanded_up_to_a_limit() {
        let text = "a: &a {b: 1}\nc: *a\nd: {<<: *a, e: 2}\n";
        assert_eq!(
            parse_yaml(text).unwrap(),
            json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}})
        );
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..60 {
            let last = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [*a{last}, *a{last}]\n"));
        }
        assert!(parse_yaml(&bomb).is_err());
    }

    #[test]
    fn hundreds_of_aliases_of_one_anchor_are_read() {
        let mut text = "error: &error {code: 1, words: [a, b]}\nuses:\n".to_owned();
        text.push_str(&"  - *error\n".repeat(500));
        let document = parse_yaml(&text).unwrap();
        let uses = document["uses"].as_array().unwrap();
        assert_eq!(uses.len(), 500);
        assert!(uses.iter().all(|used| *used == document["error"]));
    }

    #[test]
    fn yaml_and_json_have_the_same_maximum_nesting() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let read = move || {
            for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false), (10_000, false)] {
                assert_eq!(parse_json(&nested(depth)).is_ok(), fits, "JSON, {depth}");
                assert_eq!(parse_yaml(&nested(depth)).is_ok(), fits, "YAML, {depth}");
            }
        };
        // The stack of a test thread is smaller than that of [`stack`](crate::stack).
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(read);
        thread.unwrap().join().unwrap();
    }

    #[test]
    fn repeated_key_is_an_error() {
        let (place, cause) = parse_yaml("a: 1\na: 2\n").unwrap_err();
        assert_eq!(place, Location::Position { line: 2, column: 1 });
        assert!(cause.contains("duplicate mapping key"), "{cause}");
    }

    #[test]
    fn json_values_are_kept() {
        let text =
            r#"{"a": [null, true, -1, 18446744073709551615, 1.5, "x\u00e9"], "b": {"a": {}}}"#;
        assert_eq!(
            parse_json(text).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
        let (place, cause) = parse_json("{\n\"a\": 1,\n\"a\": 2}").unwrap_err();
        assert_eq!(place, Location::Position { line: 3, column: 3 });
        assert!(
            cause.ends_with("the key `a` is repeated in an object"),
            "{cause}"
        );
    }

    #[test]
    fn folder_of_bare_file_name_is_the_current_one() {
        let folders = ["api.yaml", "./api.yaml", "spec/api.yaml", "/api.yaml"].map(|path| {
            let folder = folder(Path::new(path));
            assert!(path == "spec/api.yaml" || folder.canonicalize().is_ok());
            folder
        });
        assert_eq!(folders, [".", ".", "spec", "/"].map(PathBuf::from));
    }

    #[test]
    fn load_keeps_the_order_of_keys() {
        let document = parse_json(r#"{"b": 1, "a": 2}"#).unwrap();
        assert_eq!(
            document.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["b", "a"]
        );
    }

    #[test]
    fn sha256_matches_the_test_vectors() {
        // Test vectors of FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
