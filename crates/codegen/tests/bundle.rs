//! Documents in several files are bundled into one. Problems and unsupported statements name the file that they are in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that panics fails"
)]

mod common;

use std::fs;
use std::path::Path;

use call_api_codegen::load::{Source, load};
use call_api_codegen::problem::Problems;
use call_api_codegen::unsupported::Unsupported;
use call_api_codegen::write::Mode;
use call_api_codegen::{Options, Outcome, bundle};
use call_api_codegen::{adopt, diff};
use common::run;
use tempfile::TempDir;

const DOCUMENT: &str = "crates/codegen/tests/documents/parts/openapi.yaml";

/// Creates a folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Copies the document with all its files into a temporary folder.
fn copy() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let from = common::root().join(DOCUMENT);
    for (from, to) in [("", ""), ("schemas", "schemas")]
        .map(|(folder, to)| (from.parent().unwrap().join(folder), copy.path().join(to)))
    {
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), to.join(file.file_name())).unwrap();
            }
        }
    }
    copy
}

fn bundled(path: &Path) -> Result<(Source, Vec<Unsupported>), Problems> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let mut unsupported = Vec::new();
    let source = bundle::bundle(load(path, Path::new(&name), &name)?, &mut unsupported)?;
    Ok((source, unsupported))
}

/// Returns the report of a failed run. The first of `files` is the document.
#[track_caller]
fn failure_report(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let (outcome, report) = run(&Options {
        spec: Some(folder.path().join(files[0].0)),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Failed, "{report}");
    report.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn references_to_other_files_are_resolved() {
    let (source, unsupported) = bundled(&common::root().join(DOCUMENT)).unwrap();
    insta::assert_json_snapshot!(source.document);
    let parts: Vec<_> = source.parts.iter().map(|part| &part.label).collect();
    insta::assert_debug_snapshot!((parts, unsupported));
}

#[test]
fn unsupported_entries_name_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let (outcome, report) = run(&Options {
        spec: Some(common::root().join(DOCUMENT)),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let unsupported = fs::read_to_string(folder.path().join("out/openapi.unsupported.md")).unwrap();
    let entries: Vec<_> = unsupported
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    insta::assert_snapshot!(entries.join("\n"));
}

#[test]
fn change_of_any_file_is_stale() {
    let copy = copy();
    let options = |mode| Options {
        spec: Some(copy.path().join("openapi.yaml")),
        out: Some(copy.path().join("out")),
        mode,
        ..Options::new(common::root())
    };
    assert_eq!(run(&options(Mode::Write)).0, Outcome::Fresh);
    assert_eq!(run(&options(Mode::Check)).0, Outcome::Fresh);
    for part in ["schemas/contact.yaml", "responses.json", "paths.yaml"] {
        let path = copy.path().join(part);
        // Whitespace counts, although it does not change the generated code.
        fs::write(&path, fs::read_to_string(&path).unwrap() + "\n").unwrap();
        let (outcome, report) = run(&options(Mode::Check));
        assert_eq!(outcome, Outcome::Stale, "{part}: {report}");
        assert!(
            report.contains(&format!("// Source: {part} (SHA-256 ")),
            "{report}"
        );
        assert_eq!(run(&options(Mode::Write)).0, Outcome::Fresh);
    }
}

#[test]
fn unresolvable_reference_names_its_file() {
    let path = |reference: &str| {
        format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\npaths: {{}}\ncomponents: {{schemas: {{A: {{$ref: {reference}}}}}}}\n"
        )
    };
    let main = |reference: &str| ("api/openapi.yaml", path(reference));
    let report = |reference: &str, files: &[(&str, &str)]| {
        let (name, text) = main(reference);
        let all: Vec<(&str, &str)> = [(name, text.as_str())]
            .into_iter()
            .chain(files.iter().copied())
            .collect();
        failure_report(&all)
    };
    let reports = [
        report("https://example.com/a.yaml#/A", &[]),
        report("//example.com/a.yaml", &[]),
        report("missing.yaml", &[]),
        report("../a.yaml", &[("a.yaml", "type: object")]),
        report("/etc/hostname", &[]),
        report("parts", &[("api/parts/a.yaml", "{}")]),
        report("a.yaml#anchor", &[("api/a.yaml", "{}")]),
        report("a.yaml#/B", &[("api/a.yaml", "A: {}")]),
        report("a.json", &[("api/a.json", "{\"type\": }")]),
        // The problem is in the other file.
        report(
            "a.yaml#/A",
            &[(
                "api/a.yaml",
                "A: {properties: {b: {$ref: '#/components/schemas/A'}, c: {$ref: b.yaml}}}",
            )],
        ),
        report(
            "a.yaml",
            &[(
                "api/a.yaml",
                "{properties: {b: 7, c: {$ref: '#/properties/c'}}}",
            )],
        ),
        report(
            "a.yaml",
            &[
                ("api/a.yaml", "$ref: b.yaml"),
                ("api/b.yaml", "$ref: a.yaml"),
            ],
        ),
    ];
    insta::assert_snapshot!(reports.join("\n"));
}

#[test]
fn cyclic_path_item_reference_is_an_error() {
    let reports = failure_report(&[
        (
            "openapi.yaml",
            "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {/a: {$ref: '#/paths/~1b'}, /b: {$ref: 'b.yaml#/b'}}\n",
        ),
        ("b.yaml", "b: {$ref: 'openapi.yaml#/paths/~1a'}\n"),
    ]);
    insta::assert_snapshot!(reports);
}

/// A symbolic link out of the folder would read another file of this machine.
#[cfg(unix)]
#[test]
fn symbolic_link_out_of_the_folder_is_rejected() {
    let folder = folder(&[
        ("secret.yaml", "type: object"),
        (
            "api/openapi.yaml",
            "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\ncomponents: {schemas: {A: {$ref: a.yaml}}}\n",
        ),
    ]);
    std::os::unix::fs::symlink(
        folder.path().join("secret.yaml"),
        folder.path().join("api/a.yaml"),
    )
    .unwrap();
    let problems = bundled(&folder.path().join("api/openapi.yaml"))
        .err()
        .unwrap();
    assert_eq!(
        problems.0[0].cause,
        "the reference `a.yaml` is to a file outside of the document's folder"
    );
}

/// A chain of references may pass through any number of files.
#[test]
fn chain_of_500_files_is_resolved() {
    let schema = |index: usize| format!("properties: {{next: {{$ref: {}.yaml}}}}\n", index + 1);
    let mut files = vec![(
        "openapi.yaml".to_owned(),
        "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths: {}\ncomponents: {schemas: {A: {$ref: 0.yaml}}}\n".to_owned(),
    )];
    files.extend((0..500).map(|index| (format!("{index}.yaml"), schema(index))));
    files.push(("500.yaml".to_owned(), "type: string\n".to_owned()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let folder = folder(&files);
    let (source, _) = bundled(&folder.path().join("openapi.yaml")).unwrap();
    assert_eq!(
        source.document["components"]["schemas"]
            .as_object()
            .unwrap()
            .len(),
        501
    );
}

#[test]
fn diff_includes_changes_of_other_files() {
    let (old, new) = (copy(), copy());
    let part = new.path().join("schemas/call.json");
    let text = fs::read_to_string(&part).unwrap();
    fs::write(&part, text.replace("\"id\", \"contact\"", "\"id\"")).unwrap();
    let path = |folder: &TempDir| folder.path().join("openapi.yaml").display().to_string();
    let mut report = Vec::new();
    let options = diff::Options {
        version: "0.1.0".to_owned(),
        ..diff::Options::new(path(&old), path(&new), &common::no_fetch)
    };
    assert_eq!(
        diff::run(&options, &mut report).unwrap(),
        diff::Outcome::Breaking
    );
    let report = String::from_utf8(report).unwrap();
    insta::assert_snapshot!(
        report
            .replace(&path(&old), "old/openapi.yaml")
            .replace(&path(&new), "new/openapi.yaml")
    );
}

/// The project has its document in one file.
#[test]
fn adopt_bundles_several_files_into_one() {
    let (project, new) = (common::Copy::new(), copy());
    for path in ["Cargo.toml", "crates/call-api-types/Cargo.toml"] {
        project.write(path, &common::read(path));
    }
    // The settings name properties of this project's document.
    project.write(common::SETTINGS, "");
    project.run(Mode::Write);
    let options = adopt::Options {
        root: project.path().to_owned(),
        new: new.path().join("openapi.yaml").display().to_string(),
        keep_names: false,
        pins: Vec::new(),
        target: project.path().join("target"),
        fetch: &common::no_fetch,
        compile: &|_, _| Ok(Vec::new()),
    };
    let mut report = Vec::new();
    let outcome = adopt::run(&options, &mut report).unwrap();
    assert_eq!(
        outcome,
        adopt::Outcome::Adopted,
        "{}",
        String::from_utf8_lossy(&report)
    );
    let adopted: serde_json::Value = serde_json::from_str(&project.read(common::SPEC)).unwrap();
    let (source, _) = bundled(&new.path().join("openapi.yaml")).unwrap();
    assert_eq!(adopted, source.document);
    assert_eq!(project.run(Mode::Check).0, Outcome::Fresh);
}

#[test]
fn references_in_descriptions_and_examples_are_resolved() {
    let main = "\
openapi: 3.1.0
info: {$ref: info.yaml}
tags:
  - {name: calls, description: {$ref: docs/calls.md}}
paths:
  /calls:
    get:
      operationId: list_calls
      description: {$ref: docs/calls.md}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {$ref: schemas.yaml#/Call}
              examples:
                one: {$ref: examples.yaml#/one}
                two: {value: {$ref: call.json}}
                other: {value: {$ref: nowhere.json}}
";
    let folder = folder(&[
        ("openapi.yaml", main),
        (
            "info.yaml",
            "{title: t, version: '1', description: {$ref: docs/calls.md}}",
        ),
        ("docs/calls.md", "# Calls\n\nWho called."),
        ("call.json", r#"{"id": 1}"#),
        (
            "examples.yaml",
            "one: {$ref: '#/first'}\nfirst: {value: {$ref: call.json}}",
        ),
        (
            "schemas.yaml",
            "Call: {type: object, properties: {id: {type: integer, example: {$ref: '#/id'}}}}\nid: 7",
        ),
    ]);
    let (source, _) = bundled(&folder.path().join("openapi.yaml")).unwrap();
    let text = "# Calls\n\nWho called.";
    let at = |pointer: &str| source.document.pointer(pointer).cloned();
    let content = "/paths/~1calls/get/responses/200/content/application~1json/examples";
    let call = serde_json::json!({"id": 1});
    for (pointer, expected) in [
        ("/info/description".to_owned(), text.into()),
        ("/tags/0/description".to_owned(), text.into()),
        ("/paths/~1calls/get/description".to_owned(), text.into()),
        (format!("{content}/one/value"), call.clone()),
        (format!("{content}/two/value"), call),
        // `$ref` is an ordinary property in an example value.
        (
            format!("{content}/other/value"),
            serde_json::json!({"$ref": "nowhere.json"}),
        ),
        (
            "/components/schemas/Call/properties/id/example".to_owned(),
            7.into(),
        ),
    ] {
        assert_eq!(at(&pointer), Some(expected), "{pointer}");
    }
    let (outcome, report) = run(&Options {
        spec: Some(folder.path().join("openapi.yaml")),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
}

#[test]
fn missing_description_file_is_reported_with_its_pointer() {
    let main = "openapi: 3.1.0\ninfo: {title: t, version: '1'}\ntags: [{name: a, description: {$ref: a.md}}]\npaths: {}\n";
    let report = failure_report(&[("openapi.yaml", main)]);
    assert!(
        report.contains("openapi.yaml#/tags/0/description/$ref"),
        "{report}"
    );
}

#[test]
fn openapi_3_2_is_supported() {
    let main = "\
openapi: 3.2.0
$self: https://example.com/api/openapi.yaml
info: {title: t, version: '1'}
paths:
  /calls:
    get:
      operationId: list_calls
      parameters:
        - {name: q, in: querystring, content: {application/x-www-form-urlencoded: {schema: {type: object}}}}
      responses:
        '200':
          description: ok
          content: {application/json: {$ref: '#/components/mediaTypes/Calls'}}
    query:
      operationId: query_calls
      requestBody: {content: {application/json: {schema: {type: object}}}}
      responses: {'204': {description: ok}}
    additionalOperations:
      COPY: {operationId: copy_calls, responses: {'204': {description: ok}}}
  /events:
    get:
      operationId: list_events
      responses:
        '200':
          description: ok
          content: {text/event-stream: {itemSchema: {$ref: '#/components/schemas/Call'}}}
components:
  mediaTypes:
    Calls: {schema: {$ref: 'https://example.com/api/openapi.yaml#/components/schemas/Call'}}
  schemas:
    Call:
      type: object
      oneOf: [{$ref: '#/components/schemas/Phone'}, {$ref: '#/components/schemas/Video'}]
      discriminator: {propertyName: kind, defaultMapping: Phone}
    Phone: {type: object, properties: {kind: {type: string, const: Phone}, number: {type: string}}}
    Video: {type: object, properties: {kind: {type: string, const: Video}, url: {type: string}}}
";
    let folder = folder(&[("openapi.yaml", main)]);
    let (outcome, report) = run(&Options {
        spec: Some(folder.path().join("openapi.yaml")),
        out: Some(folder.path().join("out")),
        ..Options::new(common::root())
    });
    assert_eq!(outcome, Outcome::Fresh, "{report}");
    let unsupported = fs::read_to_string(folder.path().join("out/openapi.unsupported.md")).unwrap();
    let entries: Vec<_> = unsupported
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    insta::assert_snapshot!(entries.join("\n"));
}
