//! Bundle: replaces references to other files.
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
//! - A reference such as `#/$defs/Part` that has no target is changed to the definition of that name in the innermost
//!   enclosing schema, which becomes a component.
//! - Schemas, path templates, media types and credentials that are common, but not valid or not clear, are replaced: see
//!   `schemas`, `paths`, `content` and `credentials`.
//! - [`Origins`] records where everything was written.

mod absent;
mod content;
mod credentials;
mod definitions;
mod files;
mod paths;
mod schemas;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::load::{Part, Source};
use crate::names;
use crate::origin::{Origin, Origins};
use crate::pointer::{Lookup as _, Pointer};
use crate::problem::Problems;
use crate::unsupported::Unsupported;
use crate::walk::{self, ChildKind, Kind};
use files::{At, DOCUMENT, Files};

/// The maximum depth of references within an inlined target.
const MAX_DEPTH: usize = 64;

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
const MAX_INLINED: usize = 100_000;

/// Bundles the files that the document refers to.
///
/// # Errors
/// Errors for each reference that cannot be resolved, and for each file that cannot be read.
pub fn bundle(source: Source, unsupported: &mut Vec<Unsupported>) -> Result<Source, Problems> {
    let mut source = source;
    let moves = paths::with_slash(&mut source.document);
    moved(&mut source, &moves);
    loop {
        let moves = schemas::tuples(&mut source.document);
        if moves.is_empty() {
            break;
        }
        moved(&mut source, &moves);
    }
    let mut source = if refers_elsewhere(&source.document) {
        bundle_files(source, unsupported)?
    } else {
        source
    };
    absent::correct(&mut source.document);
    definitions::hoist(&mut source);
    schemas::correct(&mut source.document, unsupported);
    let moves = schemas::annotations(&mut source.document);
    moved(&mut source, &moves);
    let moves = paths::clarify(&mut source.document, unsupported);
    moved(&mut source, &moves);
    let moves = content::clarify(&mut source.document, unsupported);
    moved(&mut source, &moves);
    credentials::clarify(&mut source.document, unsupported);
    Ok(source)
}

/// Records moves, and makes references to these locations, and to those within them, refer to the new ones.
fn moved(source: &mut Source, moves: &[(Pointer, Pointer)]) {
    if moves.is_empty() {
        return;
    }
    for (old, new) in moves {
        source.origins.moved(old, new);
    }
    walk::walk_mut(&mut source.document, &mut |_, _, value| {
        let Some(Value::String(reference)) = value.get_mut("$ref") else {
            return;
        };
        let Some(mut target) = Pointer::from_ref(reference) else {
            return;
        };
        let mut is_moved = false;
        // Moves within others come first, with the old location of those.
        for (old, new) in moves {
            if let Some(within) = target.within(old) {
                target = new.append(within);
                is_moved = true;
            }
        }
        if is_moved {
            *reference = target.to_ref();
        }
    });
}

fn bundle_files(source: Source, unsupported: &mut Vec<Unsupported>) -> Result<Source, Problems> {
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
        let mut value = bundle.files.value(&target).cloned().unwrap_or_default();
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
    if !bundle.files.problems.is_empty() {
        return Err(Problems(bundle.files.problems));
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
        let items = document.at(owner).and_then(Value::as_object);
        items
            .into_iter()
            .flatten()
            .any(|(_, item)| item.get("$ref").is_some())
    };
    has_path_items("/paths") || document.at("/components/pathItems").is_some() || leaves(document)
}

/// The bundle that is being made.
struct Bundle {
    files: Files,
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
    unsupported: Vec<Unsupported>,
}

impl Bundle {
    fn new(document: Source) -> Self {
        Self {
            files: Files::new(document),
            placed: BTreeMap::new(),
            taken: BTreeMap::new(),
            waiting: VecDeque::new(),
            origins: BTreeMap::new(),
            open: Vec::new(),
            replaced: 0,
            unsupported: Vec::new(),
        }
    }

    fn into_source(self, document: Value) -> Source {
        let Files { sources, parts, .. } = self.files;
        let mut files = sources.into_iter();
        let main = files.next();
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
                    let Some(target) = self.files.resolve(&from, &reference) else {
                        break;
                    };
                    let key = (section, target.clone());
                    if target.file == DOCUMENT || self.placed.contains_key(&key) {
                        break;
                    }
                    *entry = self.files.value(&target).cloned().unwrap_or_default();
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
            let Some(target) = self.files.resolve(from, &reference) else {
                return;
            };
            if !self.enter(from, &reference, &target) {
                return;
            }
            let Some(mut content) = self.files.value(&target).cloned() else {
                let cause = format!("the reference `{reference}` has no target");
                self.files.problem(
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
        if !circle && self.open.len() <= MAX_DEPTH && self.replaced <= MAX_INLINED {
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
        self.files.problem(&from.join("$ref"), cause, remedy);
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
                self.files.existing(from, &reference)
            } else {
                self.files.resolve(from, &reference)
            };
            let Some(target) = target.filter(|target| self.enter(from, &reference, target)) else {
                return;
            };
            *value = self.files.value(&target).cloned().unwrap_or_default();
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
        let target = self.files.resolve_at(from, at, reference)?;
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
        let file = self.files.source(target);
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

/// Returns true if the target in a mapping is a reference, not the name of a schema.
fn names_a_file(text: &str) -> bool {
    text.contains('#')
        || [".json", ".yaml", ".yml"]
            .iter()
            .any(|ending| text.ends_with(ending))
}
