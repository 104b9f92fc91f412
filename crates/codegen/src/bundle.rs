//! Step 2, bundle: replaces references to other files.
//!
//! - Files are relative to the referring file, and must be in the folder of the document or below it, so a document
//!   cannot read other files of the machine. Symbolic links are resolved first.
//! - The network is never used.
//! - The target of a reference becomes one component, however often it is referred to. Files may therefore refer to
//!   each other and to the document in circles. A component keeps its name or gets that of its file; if it is taken,
//!   the name of the file is prepended.
//! - Targets that cannot be components replace the reference: descriptions, tags, examples, operations, path items
//!   (also within the document), and whole maps such as `schemas: {$ref: schemas.yaml}`, which are not in the
//!   specification, but which all bundlers support.
//! - [`Origins`] records where everything was written.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::load::{self, Part, Source};
use super::names;
use super::origin::{self, Origin, Origins};
use super::unsupported::Unsupported;
use super::walk::{self, ChildKind, Kind};
use crate::pointer::Pointer;
use crate::problem::{Finding, Problem, Problems};

/// The maximum depth of references within an inlined target.
const DEEPEST: usize = 64;

/// The keywords whose values are data of the API, in which a reference has no meaning.
const PAYLOADS: [&str; 7] = [
    "example",
    "examples",
    "default",
    "enum",
    "const",
    "value",
    "dataValue",
];

/// The maximum number of inlined references. Only files that repeat each other have more.
const MOST: usize = 100_000;

/// Bundles the files that the document refers to.
///
/// # Errors
/// Errors for each reference that cannot be resolved, and for each file that cannot be read.
pub fn bundle(source: Source, unsupported: &mut Vec<Unsupported>) -> Result<Source, Problems> {
    if !refers_elsewhere(&source.document) {
        return Ok(source);
    }
    let mut document = source.document.clone();
    let mut bundle = Bundle::new(source);
    bundle.register_components(&mut document);
    bundle.visit(
        ChildKind::One(Kind::Document),
        &Pointer::root(),
        &mut document,
        At::root(),
    );
    while let Some((kind, section, name, target)) = bundle.waiting.pop_front() {
        let mut value = bundle.value(&target).cloned().unwrap_or_default();
        let place = component(section, &name);
        bundle.visit(ChildKind::One(kind), &place, &mut value, target);
        insert(&mut document, section, name, value);
    }
    // By now, a reference to a path item has been replaced by the path item.
    if let Some(components) = document
        .get_mut("components")
        .and_then(Value::as_object_mut)
    {
        components.remove("pathItems");
    }
    if !bundle.problems.is_empty() {
        return Err(Problems(bundle.problems));
    }
    unsupported.append(&mut bundle.unsupported);
    Ok(bundle.into_source(document))
}

/// Returns true if a reference leads to another file, or is one of a path item.
fn refers_elsewhere(document: &Value) -> bool {
    fn leaves(value: &Value) -> bool {
        match value {
            Value::Object(object) => object.iter().any(|(key, value)| match value {
                Value::String(text) => key == "$ref" && !text.starts_with('#'),
                value => leaves(value),
            }),
            Value::Array(values) => values.iter().any(leaves),
            _ => false,
        }
    }
    let has_path_items = |owner: &str| {
        let items = document.pointer(owner).and_then(Value::as_object);
        items
            .into_iter()
            .flatten()
            .any(|(_, item)| item.get("$ref").is_some())
    };
    has_path_items("/paths")
        || document.pointer("/components/pathItems").is_some()
        || leaves(document)
}

/// A location in one of the files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At {
    file: usize,
    pointer: Pointer,
}

impl At {
    fn root() -> Self {
        Self {
            file: DOCUMENT,
            pointer: Pointer::root(),
        }
    }

    fn join(&self, token: impl std::fmt::Display) -> Self {
        Self {
            file: self.file,
            pointer: self.pointer.join(token),
        }
    }
}

/// The index of the document among the files.
const DOCUMENT: usize = 0;

struct Bundle {
    /// The folder of all files, without symbolic links, or `None` if the document is not a file.
    folder: Option<PathBuf>,
    files: Vec<Source>,
    /// The files except the document, with paths relative to the folder.
    parts: Vec<String>,
    /// The indices of the files, by real path.
    known: BTreeMap<PathBuf, Option<usize>>,
    /// The components that the targets of references have become.
    placed: BTreeMap<(&'static str, At), Pointer>,
    /// The names of the components in each section.
    taken: BTreeMap<&'static str, BTreeSet<String>>,
    /// The components to add: kind, section, name, and original location.
    waiting: VecDeque<(Kind, &'static str, String, At)>,
    /// The origins of everything that was moved.
    origins: BTreeMap<Pointer, At>,
    /// The inlined targets around the current location.
    open: Vec<At>,
    replaced: usize,
    problems: Vec<Problem>,
    unsupported: Vec<Unsupported>,
}

impl Bundle {
    fn new(document: Source) -> Self {
        let folder = document
            .folder
            .as_ref()
            .and_then(|folder| folder.canonicalize().ok());
        let mut known = BTreeMap::new();
        if let (Some(folder), Some(name)) = (&folder, Path::new(&document.path).file_name()) {
            known.insert(folder.join(name), Some(DOCUMENT));
        }
        Self {
            folder,
            files: vec![document],
            parts: Vec::new(),
            known,
            placed: BTreeMap::new(),
            taken: BTreeMap::new(),
            waiting: VecDeque::new(),
            origins: BTreeMap::new(),
            open: Vec::new(),
            replaced: 0,
            problems: Vec::new(),
            unsupported: Vec::new(),
        }
    }

    fn into_source(self, document: Value) -> Source {
        let mut files = self.files.into_iter();
        let main = files.next();
        let parts: Vec<String> = self.parts;
        let mut origins = Origins::default();
        for (place, at) in self.origins {
            let file = at
                .file
                .checked_sub(1)
                .and_then(|index| parts.get(index).cloned());
            let pointer = at.pointer;
            origins.written(place, Origin { file, pointer });
        }
        let parts = files
            .map(|file| Part {
                label: file.label,
                sha256: file.sha256,
            })
            .collect();
        Source {
            document,
            parts,
            origins,
            ..main.unwrap_or_default()
        }
    }

    fn value(&self, at: &At) -> Option<&Value> {
        self.files
            .get(at.file)?
            .document
            .pointer(at.pointer.as_str())
    }

    fn problem(&mut self, at: &At, cause: String, remedy: impl Into<String>) {
        let file = self.files.get(at.file).map_or("", |file| &file.path);
        let problem = Finding::new(&at.pointer, cause, remedy).in_file(file);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Names the components that are only a reference before anything else: their targets take their names.
    fn register_components(&mut self, document: &mut Value) {
        let root = Pointer::root().join("components");
        let Some(components) = document.get_mut("components") else {
            return;
        };
        let mut from = At::root().join("components");
        self.splice(
            ChildKind::One(Kind::Components),
            &root,
            components,
            &mut from,
        );
        self.open.clear();
        for (section, entries) in components.as_object_mut().into_iter().flatten() {
            let ChildKind::Map(kind) = walk::child_kind(Kind::Components, section) else {
                continue;
            };
            let place = root.join(section);
            let mut from = self.from(&place, from.join(section));
            self.splice(ChildKind::Map(kind), &place, entries, &mut from);
            self.open.clear();
            let (Some(section), Some(entries)) = (self::section(kind), entries.as_object_mut())
            else {
                continue;
            };
            for (name, entry) in entries {
                let taken = self.taken.entry(section).or_default();
                taken.insert(names::type_name(name));
                let place = place.join(name);
                let mut from = self.from(&place, from.join(name));
                if from.file != DOCUMENT {
                    self.placed.insert((section, from.clone()), place.clone());
                }
                while let Some(reference) = reference(entry)
                    .filter(|_| is_alone(entry))
                    .map(str::to_owned)
                {
                    if from.file == DOCUMENT && reference.starts_with('#') {
                        break;
                    }
                    let Some(target) = self.resolve(&from, &reference) else {
                        break;
                    };
                    let key = (section, target.clone());
                    if target.file == DOCUMENT || self.placed.contains_key(&key) {
                        break;
                    }
                    *entry = self.value(&target).cloned().unwrap_or_default();
                    self.placed.insert(key, place.clone());
                    self.origins.insert(place.clone(), target.clone());
                    from = target;
                }
            }
        }
    }

    /// Returns the origin of a value, or `otherwise` if it was not moved.
    fn from(&self, place: &Pointer, otherwise: At) -> At {
        self.origins.get(place).cloned().unwrap_or(otherwise)
    }

    /// Rewrites the references in a value of the kind `holds` that was written at `from`.
    fn visit(&mut self, holds: ChildKind, place: &Pointer, value: &mut Value, mut from: At) {
        match holds {
            // Webhooks are not read.
            ChildKind::One(Kind::Link) => return,
            ChildKind::One(Kind::Example) => return self.visit_data(place, value, &from, true),
            _ => {}
        }
        let open = self.open.len();
        self.splice(holds, place, value, &mut from);
        match holds {
            ChildKind::Map(kind) => {
                for (key, value) in value.as_object_mut().into_iter().flatten() {
                    let place = place.join(key);
                    let from = self.from(&place, from.join(key));
                    self.visit(ChildKind::One(kind), &place, value, from);
                }
            }
            ChildKind::List(kind) => {
                for (index, value) in value.as_array_mut().into_iter().flatten().enumerate() {
                    self.visit(
                        ChildKind::One(kind),
                        &place.join(index),
                        value,
                        from.join(index),
                    );
                }
            }
            ChildKind::One(kind) => {
                self.rewrite(kind, value, &from);
                for (key, value) in value.as_object_mut().into_iter().flatten() {
                    let (place, at) = (place.join(key), from.join(key));
                    let at = self.from(&place, at);
                    match walk::child_kind(kind, key) {
                        ChildKind::Nothing if key.starts_with("x-") => {}
                        ChildKind::Nothing => {
                            self.visit_data(&place, value, &at, PAYLOADS.contains(&key.as_str()));
                        }
                        holds => self.visit(holds, &place, value, at),
                    }
                }
            }
            ChildKind::Nothing => {}
        }
        self.open.truncate(open);
    }

    /// Inlines the target of a reference that cannot become a component, and changes `from` to its location. Keys next
    /// to the reference take precedence.
    fn splice(&mut self, holds: ChildKind, place: &Pointer, value: &mut Value, from: &mut At) {
        if matches!(holds, ChildKind::One(kind) if section(kind).is_some()) {
            return;
        }
        while let Some(reference) = reference(value).map(str::to_owned) {
            let Some(target) = self.resolve(from, &reference) else {
                return;
            };
            if !self.enter(from, &reference, &target) {
                return;
            }
            let Some(mut content) = self.value(&target).cloned() else {
                let cause = format!("the reference `{reference}` has no target");
                self.problem(
                    &from.join("$ref"),
                    cause,
                    "define the target, or fix the reference",
                );
                return;
            };
            if let (Some(content), Value::Object(beside)) = (content.as_object_mut(), value.take())
            {
                for (key, value) in beside.into_iter().filter(|(key, _)| key != "$ref") {
                    self.origins
                        .entry(place.join(&key))
                        .or_insert_with(|| from.join(&key));
                    if content.contains_key(&key) {
                        let what = format!("`{key}` of the target of the reference");
                        let instead = "the one next to the reference is used";
                        self.unsupported
                            .push(Unsupported::new(&place.join(&key), what, instead));
                    }
                    content.insert(key, value);
                }
            }
            *value = content;
            self.origins.insert(place.clone(), target.clone());
            *from = target;
        }
    }

    /// Records that the target is inlined. Returns false if it encloses the reference, or if there are too many inlined
    /// references.
    fn enter(&mut self, from: &At, reference: &str, target: &At) -> bool {
        self.replaced += 1;
        let circle = self.open.contains(target);
        if !circle && self.open.len() <= DEEPEST && self.replaced <= MOST {
            self.open.push(target.clone());
            return true;
        }
        let (cause, remedy) = if circle {
            (
                "is circular",
                "replace one reference of the circle by an object",
            )
        } else {
            (
                "exceeds the maximum number of references between files",
                "bundle the document into one file",
            )
        };
        let cause = format!("the reference `{reference}` {cause}");
        self.problem(&from.join("$ref"), cause, remedy);
        false
    }

    /// Inlines references that the specification does not allow: in a description, a list of tags, an example. A
    /// payload may have a property `$ref`, so there only a reference to an existing file counts.
    fn visit_data(&mut self, place: &Pointer, value: &mut Value, from: &At, is_payload: bool) {
        if let Some(reference) = reference(value)
            .filter(|_| is_alone(value))
            .map(str::to_owned)
        {
            if from.file == DOCUMENT && reference.starts_with('#') {
                return;
            }
            let target = if is_payload {
                self.existing(from, &reference)
            } else {
                self.resolve(from, &reference)
            };
            let Some(target) = target.filter(|target| self.enter(from, &reference, target)) else {
                return;
            };
            *value = self.value(&target).cloned().unwrap_or_default();
            self.origins.insert(place.clone(), target.clone());
            self.visit_data(place, value, &target, is_payload);
            self.open.pop();
            return;
        }
        match value {
            Value::Object(object) => {
                for (key, value) in object.iter_mut().filter(|(key, _)| !key.starts_with("x-")) {
                    let is_payload = is_payload || PAYLOADS.contains(&key.as_str());
                    self.visit_data(&place.join(key), value, &from.join(key), is_payload);
                }
            }
            Value::Array(values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    self.visit_data(&place.join(index), value, &from.join(index), is_payload);
                }
            }
            _ => {}
        }
    }

    /// Returns the target of a reference without reporting an error.
    fn existing(&mut self, from: &At, reference: &str) -> Option<At> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let pointer = Pointer::from_ref(&format!("#{fragment}"))?;
        let file = match path {
            "" => from.file,
            path => self.file(from, path).ok().flatten()?,
        };
        let target = At { file, pointer };
        self.value(&target).is_some().then_some(target)
    }

    /// Changes a reference to the component that its target has become.
    fn rewrite(&mut self, kind: Kind, value: &mut Value, from: &At) {
        let Some(section) = section(kind) else {
            return;
        };
        if let Some(reference) = reference(value)
            && let Some(new) =
                self.new_reference((kind, section), from, &from.join("$ref"), reference)
            && let Some(place) = value.get_mut("$ref")
        {
            *place = json!(new);
        }
        let mapping = value
            .get_mut("discriminator")
            .and_then(|discriminator| discriminator.get_mut("mapping"))
            .and_then(Value::as_object_mut);
        for (tag, target) in mapping.into_iter().flatten() {
            let at = from.join("discriminator").join("mapping").join(tag);
            if let Some(text) = target.as_str().filter(|text| names_a_file(text))
                && let Some(new) = self.new_reference((kind, section), from, &at, text)
            {
                *target = json!(new);
            }
        }
    }

    /// Returns the reference in the bundle, or `None` if it does not change.
    fn new_reference(
        &mut self,
        (kind, section): (Kind, &'static str),
        from: &At,
        at: &At,
        reference: &str,
    ) -> Option<String> {
        if from.file == DOCUMENT && reference.starts_with('#') {
            return None;
        }
        let target = self.resolve_at(from, at, reference)?;
        if target.file == DOCUMENT {
            return Some(target.pointer.to_ref());
        }
        if let Some(place) = self.placed.get(&(section, target.clone())) {
            return Some(place.to_ref());
        }
        let name = self.name(section, &target);
        let place = component(section, &name);
        self.placed.insert((section, target.clone()), place.clone());
        self.origins.insert(place.clone(), target.clone());
        self.waiting.push_back((kind, section, name, target));
        Some(place.to_ref())
    }

    /// Returns a free name for a component: its own or that of its file, with the name of the file prepended if
    /// necessary.
    fn name(&mut self, section: &'static str, target: &At) -> String {
        const NAMED: [&str; 8] = [
            "schemas",
            "definitions",
            "$defs",
            "parameters",
            "responses",
            "requestBodies",
            "headers",
            "callbacks",
        ];
        let file = self.files.get(target.file);
        let stem = file
            .and_then(|file| Path::new(&file.path).file_stem())
            .unwrap_or_default();
        let stem = stem.to_string_lossy().into_owned();
        let steps: Vec<String> = target.pointer.tokens().collect();
        let own = match steps.as_slice() {
            [] => stem.clone(),
            [name] => name.clone(),
            [.., map, name] if NAMED.contains(&map.as_str()) => name.clone(),
            _ => names::for_place(
                file.map_or(&Value::Null, |file| &file.document),
                &target.pointer,
            ),
        };
        let taken = self.taken.entry(section).or_default();
        if !taken.contains(&names::type_name(&own)) {
            return names::unique(&own, taken);
        }
        let words = [stem, own].map(|word| names::type_name(&word));
        names::unique(&names::join(&words), taken)
    }

    /// Returns the target of a reference that was written at `from`, if its file may be read.
    fn resolve(&mut self, from: &At, reference: &str) -> Option<At> {
        self.resolve_at(from, &from.join("$ref"), reference)
    }

    /// Resolves like [`Self::resolve`], but reports errors at another location than `$ref`.
    fn resolve_at(&mut self, from: &At, at: &At, reference: &str) -> Option<At> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let Some(pointer) = Pointer::from_ref(&format!("#{fragment}")) else {
            let cause = format!("the reference `{reference}` is to an anchor");
            self.problem(
                at,
                cause,
                "name the location instead, such as \"call.yaml#/Call\"",
            );
            return None;
        };
        let file = if path.is_empty() || self.is_own_address(from, path) {
            from.file
        } else {
            match self.file(from, path) {
                Ok(file) => file?,
                Err((cause, remedy)) => {
                    self.problem(at, format!("the reference `{reference}` {cause}"), remedy);
                    return None;
                }
            }
        };
        let target = At { file, pointer };
        if file != DOCUMENT && self.value(&target).is_none() {
            let in_document = At {
                file: DOCUMENT,
                pointer: target.pointer.clone(),
            };
            let remedy = if path.is_empty() && self.value(&in_document).is_some() {
                "a reference without a file is to the file that contains it: add the file of the document before the `#`"
            } else {
                "define the target, or fix the reference"
            };
            self.problem(
                at,
                format!("the reference `{reference}` has no target"),
                remedy,
            );
            return None;
        }
        Some(target)
    }

    /// Returns true if the path is the address that the file declares for itself (OpenAPI 3.2, section 4.1.2).
    fn is_own_address(&self, from: &At, path: &str) -> bool {
        self.files
            .get(from.file)
            .and_then(|file| file.document.get("$self"))
            .is_some_and(|address| address == path)
    }

    /// Returns the file of a reference, or `None` if it cannot be read, which is reported once.
    fn file(&mut self, from: &At, path: &str) -> Result<Option<usize>, (String, String)> {
        if is_address(path) {
            let remedy = "the network is never used: save the file next to the document, and refer to it by its path";
            return Err(("is an address".to_owned(), remedy.to_owned()));
        }
        let Some(root) = self.folder.clone() else {
            let remedy = "save the document and the files that it refers to in one folder";
            let cause = "is to a file, but the document is not in a folder";
            return Err((cause.to_owned(), remedy.to_owned()));
        };
        let folder = self
            .files
            .get(from.file)
            .and_then(|file| file.folder.clone());
        let unreadable = |error: io::Error| {
            let cause = format!("is to a file that cannot be read: {error}");
            (cause, "add the file, or fix the reference".to_owned())
        };
        let named = folder
            .unwrap_or_else(|| root.clone())
            .join(crate::pointer::percent_decode(path));
        let real = named.canonicalize().map_err(unreadable)?;
        let Ok(within) = real.strip_prefix(&root) else {
            let cause = "is to a file outside of the document's folder".to_owned();
            let remedy = "move the document to a folder that contains all its files, or bundle it into one file";
            return Err((cause, remedy.to_owned()));
        };
        if let Some(known) = self.known.get(&real) {
            return Ok(*known);
        }
        if !real.is_file() {
            return Err(unreadable(io::Error::other("it is no file")));
        }
        let within = within.to_string_lossy().replace('\\', "/");
        let main = self.files.first();
        let [shown, label] = [main.map(|main| &main.path), main.map(|main| &main.label)]
            .map(|main| origin::beside(main.map_or("", String::as_str), &within));
        match load::load(&real, Path::new(&shown), &label) {
            Ok(file) => {
                let index = self.files.len();
                self.files.push(file);
                self.parts.push(within);
                self.known.insert(real, Some(index));
                Ok(Some(index))
            }
            Err(problem) => {
                self.problems.push(problem);
                self.known.insert(real, None);
                Ok(None)
            }
        }
    }
}

/// Returns the section of `components` for a kind, or `None` if there is none or if the kind is inlined.
fn section(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Schema => Some("schemas"),
        Kind::Parameter => Some("parameters"),
        Kind::RequestBody => Some("requestBodies"),
        Kind::Response => Some("responses"),
        Kind::Header => Some("headers"),
        Kind::Callback => Some("callbacks"),
        _ => None,
    }
}

fn component(section: &str, name: &str) -> Pointer {
    Pointer::root().join("components").join(section).join(name)
}

fn insert(document: &mut Value, section: &str, name: String, value: Value) {
    fn object<'a>(owner: &'a mut Value, key: &str) -> Option<&'a mut Value> {
        Some(
            owner
                .as_object_mut()?
                .entry(key)
                .or_insert_with(|| Value::Object(Map::new())),
        )
    }
    if let Some(entries) = object(document, "components")
        .and_then(|components| object(components, section))
        .and_then(Value::as_object_mut)
    {
        entries.insert(name, value);
    }
}

fn reference(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

/// Returns true if the object has no key except the reference.
fn is_alone(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.len() == 1)
}

/// Returns true if the text is a URL: it starts with a scheme or a host.
fn is_address(path: &str) -> bool {
    let scheme = path.split_once(':').map_or("", |(scheme, _)| scheme);
    path.starts_with("//")
        || (scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
}

/// Returns true if the target in a mapping is a reference, not the name of a schema.
fn names_a_file(text: &str) -> bool {
    text.contains('#')
        || [".json", ".yaml", ".yml"]
            .iter()
            .any(|ending| text.ends_with(ending))
}
