//! Compares two documents from the top: what they say of themselves, their operations, and their components.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::change::{Change, Comparison, Difference, Direction, DirectionalImpact, Impact};
use super::graph::{Graph, deprecated_ruling};
use super::location::{Side, show};
use super::rename;
use super::rust::{self, Answered, Answers, is_success, preference};
use super::schema;
use crate::names;
use crate::pointer::Pointer;
use crate::walk::{self, METHODS};

/// Why a change that only the wire shows is a break all the same.
const WIRE: &str =
    "code that uses the SDK stays as it is, but versions released before speak the old way";
const READERS: &str = "it is for readers";
const UNUSED: &str = "nothing refers to it";

/// Compares two valid documents.
pub(super) fn compare(old: &Value, new: &Value) -> Comparison {
    let (old, new) = (Side::new(old), Side::new(new));
    let schemas = Schemas::new(&old, &new);
    let mut api = Api {
        old: &old,
        new: &new,
        graph: Graph::new(&old, &new, &schemas.renamed),
        schemas: &schemas,
        entries: Vec::new(),
        operations: Vec::new(),
        used: BTreeSet::new(),
    };
    api.collect_used();
    api.document();
    api.servers();
    api.operations();
    api.security_schemes();
    api.schemas();
    api.other_components();
    api.finish()
}

/// Which named schemas are gone, which are new, and which have another name.
struct Schemas {
    renamed: BTreeMap<String, String>,
    gone: Vec<String>,
    come: Vec<String>,
}

impl Schemas {
    fn new(old: &Side<'_>, new: &Side<'_>) -> Self {
        let names = |side: &Side<'_>, other: &Side<'_>| -> Vec<String> {
            let known: BTreeSet<&String> = walk::schemas(other.document)
                .map(|(name, _)| name)
                .collect();
            let names = walk::schemas(side.document).map(|(name, _)| name);
            names
                .filter(|name| !known.contains(name))
                .cloned()
                .collect()
        };
        let (gone, come) = (names(old, new), names(new, old));
        let traits = |side: &Side<'_>, names: &[String]| -> BTreeMap<String, Traits> {
            names
                .iter()
                .map(|name| (name.clone(), Traits::of(side.document, &schema_place(name))))
                .collect()
        };
        let (before, after) = (traits(old, &gone), traits(new, &come));
        let pairs = rename::pair(&gone, &come, |a, b| {
            let likeness = rename::likeness(a, b);
            if names::type_name(a) == names::type_name(b) {
                return Some(3.0);
            }
            let alike = before[a].likeness(&after[b]);
            let clear = (alike >= 1.0 && before[a].tells())
                || (alike >= 0.5 && likeness >= rename::SIMILAR);
            clear.then_some(alike + likeness)
        });
        let renamed = pairs
            .into_iter()
            .map(|(i, j)| (gone[i].clone(), come[j].clone()))
            .collect();
        Self {
            renamed,
            gone,
            come,
        }
    }

    fn now(&self, name: &str) -> String {
        self.renamed
            .get(name)
            .map_or(name, String::as_str)
            .to_owned()
    }
}

/// By what a schema is recognized under another name: its properties or values, or else all that it says.
struct Traits {
    names: BTreeSet<String>,
    whole: Value,
}

impl Traits {
    fn of(document: &Value, place: &Pointer) -> Self {
        let Some(schema::Site {
            end: schema::End::Here(place, object),
            ..
        }) = schema::site(document, place, false)
        else {
            return Self {
                names: BTreeSet::new(),
                whole: Value::Null,
            };
        };
        let flat = schema::flatten(document, &place, object);
        let values = schema::values(object).unwrap_or_default();
        let names = flat
            .properties
            .into_iter()
            .map(|(name, _)| format!(".{name}"));
        Self {
            names: names
                .chain(values.iter().map(|value| value.to_string()))
                .collect(),
            whole: schema::canonical(&Value::Object(object.clone())),
        }
    }

    /// Whether it says enough to be recognized by that alone.
    fn tells(&self) -> bool {
        self.names.len() > 1
    }

    fn likeness(&self, other: &Self) -> f32 {
        if self.names.is_empty() || other.names.is_empty() {
            return if self.whole == other.whole { 1.0 } else { 0.0 };
        }
        let common = self.names.intersection(&other.names).count();
        let all = self.names.union(&other.names).count();
        common as f32 / all as f32
    }
}

fn schema_place(name: &str) -> Pointer {
    Pointer::root()
        .join("components")
        .join("schemas")
        .join(name)
}

/// An operation and where it is.
pub(super) struct Operation<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    /// Its place below `paths`.
    at: Pointer,
    /// Its own place, which is another one where the path item is a reference.
    place: Pointer,
    pub(super) object: &'a Value,
    item_place: Pointer,
    item: &'a Value,
}

/// The operations of a document, also those of path items that are references.
pub(super) fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document.get("paths").and_then(Value::as_object);
    let mut operations = Vec::new();
    for (path, item) in paths
        .into_iter()
        .flatten()
        .filter(|(path, _)| path.starts_with('/'))
    {
        let at = Pointer::root().join("paths").join(path);
        // What stands beside the reference of a path item wins.
        let target = resolve(document, &at);
        for (item_place, item) in [Some((at.clone(), item)), target].into_iter().flatten() {
            for (method, object) in item.as_object().into_iter().flatten() {
                let known = |known: &Operation<'_>| known.path == path && known.method == method;
                if METHODS.contains(&method.as_str())
                    && !operations.iter().rev().take(METHODS.len()).any(known)
                {
                    operations.push(Operation {
                        path,
                        method,
                        at: at.join(method),
                        place: item_place.join(method),
                        object,
                        item_place: item_place.clone(),
                        item,
                    });
                }
            }
        }
    }
    operations
}

/// The object at a place and its own place, after references.
fn resolve<'a>(document: &'a Value, place: &Pointer) -> Option<(Pointer, &'a Value)> {
    let mut place = place.clone();
    for _ in 0..64 {
        let value = document.pointer(place.as_str())?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(reference) => place = Pointer::from_ref(reference)?,
            None => return Some((place, value)),
        }
    }
    None
}

/// A path without the names of its parameters.
fn template(path: &str) -> String {
    let mut template = String::new();
    let mut within = false;
    for c in path.chars() {
        within = (within || c == '{') && c != '}';
        if !within {
            template.push(c);
        }
    }
    template
}

/// The names of a path's parameters, in order.
fn path_parameters(path: &str) -> Vec<&str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
        .collect()
}

/// A parameter and where it is.
#[derive(Clone)]
struct Parameter<'a> {
    name: &'a str,
    location: &'a str,
    place: Pointer,
    object: &'a Value,
}

impl AsRef<str> for Parameter<'_> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl Parameter<'_> {
    fn required(&self) -> bool {
        self.location == "path" || flag(self.object, "required")
    }

    /// How the value becomes text: `style` and `explode` with their defaults (OpenAPI 3.1, section 4.8.12.2).
    fn style(&self) -> (String, bool, bool) {
        let by_location = if ["query", "cookie"].contains(&self.location) {
            "form"
        } else {
            "simple"
        };
        let style = text(self.object, "style").unwrap_or(by_location).to_owned();
        let explode = self.object.get("explode").and_then(Value::as_bool);
        let explode = explode.unwrap_or(style == "form");
        (style, explode, flag(self.object, "allowReserved"))
    }
}

fn flag(object: &Value, key: &str) -> bool {
    object.get(key) == Some(&json!(true))
}

fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn map<'a>(
    object: &'a Value,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
    object
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// Something of a document: its place and what is there.
type At<'a> = (Pointer, &'a Value);

/// By what two entries are one: kind, places and words.
type Identity = (&'static str, Option<Pointer>, Option<Pointer>, String);

/// By what operations are recognized.
type Recognize<'a> = dyn Fn(&Side<'a>, &Operation<'a>) -> Option<String>;

/// A fact and who meets it.
struct Entry {
    fact: Difference,
    directions: BTreeSet<Direction>,
    operations: BTreeSet<usize>,
}

/// An operation of both documents.
#[derive(Clone, Copy)]
struct Both<'o, 'a> {
    index: usize,
    old: &'o Operation<'a>,
    new: &'o Operation<'a>,
}

/// Something of both documents: its place and what is there.
#[derive(Clone)]
struct Sides<'a> {
    old: At<'a>,
    new: At<'a>,
}

impl<'a> Sides<'a> {
    fn get(&self, key: &str) -> (Option<&'a Value>, Option<&'a Value>) {
        (self.old.1.get(key), self.new.1.get(key))
    }

    fn join(&self, key: &str) -> (Pointer, Pointer) {
        (self.old.0.join(key), self.new.0.join(key))
    }
}

struct Api<'a> {
    old: &'a Side<'a>,
    new: &'a Side<'a>,
    graph: Graph<'a>,
    schemas: &'a Schemas,
    entries: Vec<Entry>,
    /// The names of the operations that entries refer to.
    operations: Vec<String>,
    /// What a reference leads to, other than schemas.
    used: BTreeSet<Pointer>,
}

impl<'a> Api<'a> {
    fn say(
        &mut self,
        kind: &'static str,
        what: impl Into<String>,
        places: (Option<Pointer>, Option<Pointer>),
        by: Option<usize>,
        ruling: Impact,
    ) {
        self.entries.push(Entry {
            fact: Difference {
                kind,
                what: what.into(),
                old: places.0,
                new: places.1,
                impact: DirectionalImpact::from(ruling),
            },
            directions: BTreeSet::new(),
            operations: by.into_iter().collect(),
        });
    }

    /// Like [`Self::say`], for what travels one way.
    fn say_of(
        &mut self,
        direction: Direction,
        kind: &'static str,
        what: impl Into<String>,
        places: (Option<Pointer>, Option<Pointer>),
        by: usize,
        ruling: Impact,
    ) {
        self.say(kind, what, places, Some(by), ruling);
        if let Some(entry) = self.entries.last_mut() {
            entry.directions.insert(direction);
        }
    }

    fn resolve(&self, old: &Pointer, new: &Pointer) -> (Option<At<'a>>, Option<At<'a>>) {
        (
            resolve(self.old.document, old),
            resolve(self.new.document, new),
        )
    }

    /// What anything refers to is compared where it is used.
    fn collect_used(&mut self) {
        for document in [self.old.document, self.new.document] {
            walk::walk(document, &mut |kind, _, value| {
                if kind != walk::Kind::Schema
                    && let Some(target) = text(value, "$ref").and_then(Pointer::from_ref)
                {
                    self.used.insert(target);
                }
            });
        }
    }

    fn finish(mut self) -> Comparison {
        let (placed, notes) = self.graph.finish();
        let placed = placed.into_iter().map(|placed| Entry {
            fact: placed.fact,
            directions: placed.directions.into_iter().collect(),
            operations: placed.operations,
        });
        self.entries.extend(placed);
        // What several operations meet in one place is one change.
        let mut merged: BTreeMap<Identity, Entry> = BTreeMap::new();
        for entry in self.entries {
            let fact = &entry.fact;
            let key = (
                fact.kind,
                fact.old.clone(),
                fact.new.clone(),
                fact.what.clone(),
            );
            match merged.get_mut(&key) {
                Some(known) => {
                    known.directions.extend(entry.directions);
                    known.operations.extend(entry.operations);
                }
                None => {
                    merged.insert(key, entry);
                }
            }
        }
        let mut changes: Vec<Change> = merged
            .into_values()
            .map(|entry| {
                let directions: Vec<Direction> = entry.directions.into_iter().collect();
                let (ruling, decisive) = entry.fact.impact.decide(&directions);
                Change {
                    kind: entry.fact.kind,
                    class: ruling.class,
                    what: entry.fact.what,
                    why: ruling.why,
                    old: entry.fact.old,
                    new: entry.fact.new,
                    directions,
                    decisive,
                    operations: entry
                        .operations
                        .into_iter()
                        .filter_map(|index| self.operations.get(index).cloned())
                        .collect(),
                }
            })
            .collect();
        changes.sort_by(|a, b| {
            let key = |change: &Change| (std::cmp::Reverse(change.class), change.pointer());
            key(a).cmp(&key(b)).then_with(|| a.what.cmp(&b.what))
        });
        Comparison { changes, notes }
    }

    /// What the document says of itself, and what the SDK has no part in.
    fn document(&mut self) {
        let (old, new) = (self.old.document, self.new.document);
        let root = Pointer::root();
        let info = root.join("info");
        let sides = |place: &Pointer| Sides {
            old: (
                place.clone(),
                old.pointer(place.as_str()).unwrap_or(&Value::Null),
            ),
            new: (
                place.clone(),
                new.pointer(place.as_str()).unwrap_or(&Value::Null),
            ),
        };
        let info = sides(&info);
        let whole = sides(&root);
        let keys: BTreeSet<&String> = [info.old.1, info.new.1]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect();
        for key in keys {
            let (a, b) = info.get(key);
            let short = key == "version" || key == "title";
            self.note_text(&info, key, &format!("`info.{key}`"), None, short && a != b);
        }
        let keys: BTreeSet<&String> = [old, new]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect();
        for key in keys {
            if key == "openapi" || key == "jsonSchemaDialect" {
                self.note_text(&whole, key, &format!("`{key}`"), None, true);
            } else if key == "tags" || key == "externalDocs" || key.starts_with("x-") {
                self.note_text(&whole, key, &format!("`{key}`"), None, false);
            }
        }
        let hooks = sides(&root.join("webhooks"));
        self.named(
            &hooks,
            "webhook",
            "the SDK generates nothing for webhooks: they are the caller's to serve",
        );
    }

    /// Each of a map's members that differs, as something that the SDK has no part in.
    fn named(&mut self, sides: &Sides<'a>, what: &str, why: &'static str) {
        let names = |value: &'a Value| value.as_object().into_iter().flat_map(Map::keys);
        let all: BTreeSet<&String> = names(sides.old.1).chain(names(sides.new.1)).collect();
        for name in all {
            let (a, b) = sides.get(name);
            if a == b {
                continue;
            }
            let (old, new) = sides.join(name);
            let verb = match (a, b) {
                (None, _) => "is new",
                (_, None) => "is gone",
                _ => "changed",
            };
            let places = (a.map(|_| old), b.map(|_| new));
            self.say(
                "unused-changed",
                format!("the {what} `{name}` {verb}"),
                places,
                None,
                Impact::documentation(why),
            );
        }
    }

    /// A difference in what only readers read; with `values`, short enough to be said.
    fn note_text(
        &mut self,
        sides: &Sides<'a>,
        key: &str,
        name: &str,
        by: Option<usize>,
        values: bool,
    ) {
        let (a, b) = sides.get(key);
        if a == b {
            return;
        }
        let (old, new) = sides.join(key);
        let verb = match (a, b) {
            (Some(a), Some(b)) if values => format!("is {}, was {}", show(b), show(a)),
            (None, _) => "is new".to_owned(),
            (_, None) => "is gone".to_owned(),
            _ => "changed".to_owned(),
        };
        let places = (a.map(|_| old), b.map(|_| new));
        self.say(
            "annotation-changed",
            format!("{name} {verb}"),
            places,
            by,
            Impact::documentation(READERS),
        );
    }

    /// The texts of an object other than a schema, whether it is deprecated, and whatever nothing else looks at.
    fn texts(&mut self, sides: &Sides<'a>, label: &str, by: Option<usize>) {
        // What the objects that have texts say to programs; each is compared where it means something.
        const COMPARED: [&str; 20] = [
            "$ref",
            "operationId",
            "parameters",
            "requestBody",
            "responses",
            "callbacks",
            "servers",
            "security",
            "name",
            "in",
            "required",
            "style",
            "explode",
            "allowReserved",
            "schema",
            "content",
            "headers",
            "encoding",
            "type",
            "scheme",
        ];
        let keys: BTreeSet<&String> = [sides.old.1, sides.new.1]
            .into_iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect();
        for key in keys {
            match key.as_str() {
                "summary" | "description" | "example" | "examples" | "tags" => {
                    self.note_text(sides, key, &format!("the {key} of {label}"), by, false);
                }
                "deprecated" => {
                    let now = flag(sides.new.1, key);
                    if flag(sides.old.1, key) != now {
                        let (old, new) = sides.join(key);
                        let verb = if now {
                            "is deprecated"
                        } else {
                            "is no longer deprecated"
                        };
                        let places = (
                            sides.old.1.get(key).map(|_| old),
                            sides.new.1.get(key).map(|_| new),
                        );
                        self.say(
                            "deprecation",
                            format!("{label} {verb}"),
                            places,
                            by,
                            deprecated_ruling(now),
                        );
                    }
                }
                key if COMPARED.contains(&key) || METHODS.contains(&key) => {}
                key => self.note_text(sides, key, &format!("`{key}` of {label}"), by, false),
            }
        }
    }

    fn servers(&mut self) {
        let place = Pointer::root().join("servers");
        let list = |side: &'a Side<'a>| -> Vec<(usize, &'a str, &'a Value)> {
            let servers = side.document.get("servers").and_then(Value::as_array);
            let servers = servers.into_iter().flatten().enumerate();
            servers
                .filter_map(|(index, server)| Some((index, text(server, "url")?, server)))
                .collect()
        };
        let (old, new) = (list(self.old), list(self.new));
        let gone: Vec<_> = old
            .iter()
            .filter(|(_, url, _)| new.iter().all(|(_, other, _)| other != url))
            .collect();
        let come: Vec<_> = new
            .iter()
            .filter(|(_, url, _)| old.iter().all(|(_, other, _)| other != url))
            .collect();
        let moved = "a program that takes its address from the SDK calls another one";
        let mut come = come.into_iter();
        for (index, url, _) in gone {
            let old_place = Some(place.join(index));
            match come.next() {
                Some((now, other, _)) => {
                    let what = format!("the server is `{other}`, was `{url}`");
                    self.say(
                        "server-changed",
                        what,
                        (old_place, Some(place.join(now))),
                        None,
                        Impact::breaking(moved),
                    );
                }
                None => {
                    let why = "a program that takes its address from the SDK has it no longer";
                    self.say(
                        "server-removed",
                        format!("the server `{url}` is gone"),
                        (old_place, None),
                        None,
                        Impact::breaking(why),
                    );
                }
            }
        }
        for (index, url, _) in come {
            let what = format!("the server `{url}` is new");
            self.say(
                "server-added",
                what,
                (None, Some(place.join(index))),
                None,
                Impact::addition("programs call the others as before"),
            );
        }
        for (was, url, before) in &old {
            if let Some((is, _, after)) = new.iter().find(|(_, other, _)| other == url)
                && before != after
            {
                let places = (Some(place.join(was)), Some(place.join(is)));
                let what = format!("what is said of the server `{url}` changed");
                self.say(
                    "annotation-changed",
                    what,
                    places,
                    None,
                    Impact::documentation(READERS),
                );
            }
        }
    }

    fn operations(&mut self) {
        let (old, new) = (operations(self.old.document), operations(self.new.document));
        self.operations = new
            .iter()
            .map(|operation| self.new.method(&operation.at))
            .collect();
        let partners = self.partners(&old, &new);
        for (i, operation) in old.iter().enumerate() {
            match partners.get(&i) {
                Some(j) => self.operation(Both {
                    index: *j,
                    old: operation,
                    new: &new[*j],
                }),
                None => {
                    let name = self.old.method(&operation.at);
                    let what = format!(
                        "the operation `{name}` is gone: {} {}",
                        operation.method.to_uppercase(),
                        operation.path
                    );
                    let ruling = Impact::breaking("code that calls its method no longer compiles");
                    self.operations.push(name);
                    let by = Some(self.operations.len() - 1);
                    self.say(
                        "operation-removed",
                        what,
                        (Some(operation.at.clone()), None),
                        by,
                        ruling,
                    );
                }
            }
        }
        let known: BTreeSet<usize> = partners.into_values().collect();
        for (j, operation) in new.iter().enumerate().filter(|(j, _)| !known.contains(j)) {
            let name = self.new.method(&operation.at);
            let what = format!(
                "the operation `{name}` is new: {} {}",
                operation.method.to_uppercase(),
                operation.path
            );
            let ruling = Impact::addition("one more method breaks nothing");
            self.say(
                "operation-added",
                what,
                (None, Some(operation.at.clone())),
                Some(j),
                ruling,
            );
        }
    }

    /// Which old operation is which new one: by path and method, then by name, and then by likeness.
    fn partners(&self, old: &[Operation<'a>], new: &[Operation<'a>]) -> BTreeMap<usize, usize> {
        let mut partners = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let keys: [&Recognize<'a>; 3] = [
            &|_, operation| Some(format!("{} {}", operation.method, operation.path)),
            &|_, operation| Some(format!("{} {}", operation.method, template(operation.path))),
            &|side, operation| {
                text(operation.object, "operationId").map(|_| side.method(&operation.at))
            },
        ];
        for key in keys {
            let mut by_key = BTreeMap::new();
            for (j, operation) in new.iter().enumerate().filter(|(j, _)| !taken.contains(j)) {
                if let Some(key) = key(self.new, operation) {
                    by_key.entry(key).or_insert(j);
                }
            }
            for (i, operation) in old.iter().enumerate() {
                if !partners.contains_key(&i)
                    && let Some(j) = key(self.old, operation).and_then(|key| by_key.remove(&key))
                {
                    partners.insert(i, j);
                    taken.insert(j);
                }
            }
        }
        let named = |side: &Side<'a>,
                     operations: &[Operation<'a>],
                     free: &dyn Fn(usize) -> bool|
         -> Vec<(usize, String)> {
            let free = (0..operations.len()).filter(|index| free(*index));
            free.map(|index| (index, side.method(&operations[index].at)))
                .collect()
        };
        let gone = named(self.old, old, &|i| !partners.contains_key(&i));
        let come = named(self.new, new, &|j| !taken.contains(&j));
        let names = |list: &[(usize, String)]| {
            list.iter()
                .map(|(index, name)| Named(*index, name.clone()))
                .collect::<Vec<_>>()
        };
        let (gone, come) = (names(&gone), names(&come));
        let pairs = rename::pair(&gone, &come, |a, b| {
            let (x, y) = (&old[a.0], &new[b.0]);
            let likeness = rename::likeness(&a.1, &b.1);
            let paths = rename::likeness(&template(x.path), &template(y.path));
            let same = x.method == y.method
                && path_parameters(x.path).len() == path_parameters(y.path).len()
                && self.bodies(self.old, x, true) == self.bodies(self.new, y, false);
            (same && likeness >= rename::SIMILAR && paths >= rename::SIMILAR).then_some(likeness)
        });
        partners.extend(pairs.into_iter().map(|(i, j)| (gone[i].0, come[j].0)));
        partners
    }

    /// The shapes of the bodies of an operation's answers that aren't errors.
    fn bodies(&self, side: &Side<'a>, operation: &Operation<'a>, old: bool) -> Vec<Value> {
        self.answers(side, operation, old)
            .into_iter()
            .filter(|(status, _)| is_success(status))
            .map(|(_, shape)| shape)
            .collect()
    }

    /// The statuses that an operation answers with, each with the shape of its body, null where it has none.
    fn answers(
        &self,
        side: &Side<'a>,
        operation: &Operation<'a>,
        old: bool,
    ) -> Vec<(String, Value)> {
        let place = operation.place.join("responses");
        let statuses = map(operation.object, "responses").map(|(status, _)| status);
        let statuses = statuses.filter(|status| !status.starts_with("x-"));
        statuses
            .map(|status| {
                let shape =
                    resolve(side.document, &place.join(status)).and_then(|(place, response)| {
                        let media = preferred(response)?;
                        if preference(media) > 1 {
                            return Some(Value::from(rust::BYTES));
                        }
                        let schema = place.join("content").join(media).join("schema");
                        Some(schema::shape(side.document, &schema, |name| {
                            if old {
                                self.schemas.now(name)
                            } else {
                                name.to_owned()
                            }
                        }))
                    });
                (status.to_uppercase(), shape.unwrap_or(Value::Null))
            })
            .collect()
    }

    fn operation(&mut self, both: Both<'_, 'a>) {
        let (old, new) = (both.old, both.new);
        let by = Some(both.index);
        let places = (Some(old.at.clone()), Some(new.at.clone()));
        let names = (self.old.method(&old.at), self.new.method(&new.at));
        let label = format!("`{}`", names.1);
        if old.method != new.method {
            let what = format!(
                "{label} is {}, was {}",
                new.method.to_uppercase(),
                old.method.to_uppercase()
            );
            self.say(
                "method-changed",
                what,
                places.clone(),
                by,
                Impact::breaking(WIRE),
            );
        }
        if template(old.path) != template(new.path) {
            let what = format!("the path of {label} is {}, was {}", new.path, old.path);
            self.say(
                "path-changed",
                what,
                places.clone(),
                by,
                Impact::breaking(WIRE),
            );
        }
        let ids = (
            text(old.object, "operationId"),
            text(new.object, "operationId"),
        );
        if ids.0 != ids.1 {
            let (what, ruling) = if names.0 == names.1 {
                let what = format!("the operationId of {label} changed");
                (what, Impact::documentation("its method keeps its name"))
            } else {
                let what = format!("the operation `{}` is `{}` now", names.0, names.1);
                (what, Impact::breaking("its method has another name"))
            };
            let place = |operation: &Operation<'a>, id: Option<&str>| {
                id.map(|_| operation.place.join("operationId"))
            };
            self.say(
                "operation-renamed",
                what,
                (place(old, ids.0), place(new, ids.1)),
                by,
                ruling,
            );
        }
        let sides = Sides {
            old: (old.place.clone(), old.object),
            new: (new.place.clone(), new.object),
        };
        self.texts(&sides, &label, by);
        self.texts(
            &Sides {
                old: (old.item_place.clone(), old.item),
                new: (new.item_place.clone(), new.item),
            },
            &format!("the path `{}`", new.path),
            by,
        );
        for (key, why) in [
            (
                "callbacks",
                "the SDK generates nothing for callbacks: they are the caller's to serve",
            ),
            ("servers", "the SDK takes one address for all operations"),
        ] {
            let (a, b) = sides.get(key);
            if a != b {
                let (old, new) = sides.join(key);
                let places = (a.map(|_| old), b.map(|_| new));
                self.say(
                    "unused-changed",
                    format!("`{key}` of {label} changed"),
                    places,
                    by,
                    Impact::documentation(why),
                );
            }
        }
        self.parameters(both);
        self.request_body(both, &sides);
        self.responses(both);
        self.security(both);
    }

    fn collect(side: &'a Side<'a>, operation: &Operation<'a>) -> Vec<Parameter<'a>> {
        let mut parameters: Vec<Parameter<'a>> = Vec::new();
        for (place, object) in [
            (&operation.item_place, operation.item),
            (&operation.place, operation.object),
        ] {
            let count = object
                .get("parameters")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            for index in 0..count {
                let Some((place, object)) =
                    resolve(side.document, &place.join("parameters").join(index))
                else {
                    continue;
                };
                let (Some(name), Some(location)) = (text(object, "name"), text(object, "in"))
                else {
                    continue;
                };
                parameters.retain(|known| (known.name, known.location) != (name, location));
                parameters.push(Parameter {
                    name,
                    location,
                    place,
                    object,
                });
            }
        }
        parameters
    }

    fn parameters(&mut self, both: Both<'_, 'a>) {
        let mut gone = Self::collect(self.old, both.old);
        let mut come = Self::collect(self.new, both.new);
        let mut pairs = Vec::new();
        let mut take =
            |gone: &mut Vec<Parameter<'a>>,
             come: &mut Vec<Parameter<'a>>,
             same: &dyn Fn(&Parameter<'a>, &Parameter<'a>) -> bool| {
                gone.retain(|a| {
                    let Some(position) = come.iter().position(|b| same(a, b)) else {
                        return true;
                    };
                    pairs.push((a.clone(), come.remove(position)));
                    false
                });
            };
        take(&mut gone, &mut come, &|a, b| {
            let names = if a.location == "header" {
                // Field names are compared without regard to case (RFC 9110, section 5.1).
                a.name.eq_ignore_ascii_case(b.name)
            } else {
                a.name == b.name
            };
            names && a.location == b.location
        });
        let (before, after) = (
            path_parameters(both.old.path),
            path_parameters(both.new.path),
        );
        take(&mut gone, &mut come, &|a, b| {
            let position = |names: &[&str], parameter: &Parameter<'a>| {
                names.iter().position(|name| *name == parameter.name)
            };
            let at = (position(&before, a), position(&after, b));
            a.location == "path"
                && b.location == "path"
                && at.0.is_some()
                && at.0 == at.1
                && before.len() == after.len()
        });
        take(&mut gone, &mut come, &|a, b| a.name == b.name);
        let likely = rename::pair(&gone, &come, |a, b| {
            let shape = |side: &Side<'a>, parameter: &Parameter<'a>, old: bool| {
                schema::shape(side.document, &parameter.place.join("schema"), |name| {
                    if old {
                        self.schemas.now(name)
                    } else {
                        name.to_owned()
                    }
                })
            };
            let likeness = rename::likeness(a.name, b.name);
            let same =
                a.location == b.location && shape(self.old, a, true) == shape(self.new, b, false);
            (same && likeness >= rename::SIMILAR).then_some(likeness)
        });
        let renamed: Vec<_> = likely
            .iter()
            .map(|(i, j)| (gone[*i].clone(), come[*j].clone()))
            .collect();
        for (a, b) in pairs.into_iter().chain(renamed) {
            self.parameter(both.index, &a, &b);
        }
        for (index, parameter) in gone.iter().enumerate() {
            if likely.iter().all(|(i, _)| *i != index) {
                let what = format!(
                    "the {} parameter `{}` is gone",
                    parameter.location, parameter.name
                );
                let ruling = Impact::breaking("code that sets it no longer compiles");
                let places = (Some(parameter.place.clone()), None);
                self.say_of(
                    Direction::Request,
                    "parameter-removed",
                    what,
                    places,
                    both.index,
                    ruling,
                );
            }
        }
        for (index, parameter) in come.iter().enumerate() {
            if likely.iter().all(|(_, j)| *j != index) {
                let (what, ruling) = if parameter.required() {
                    let what = format!(
                        "the {} parameter `{}` is new, and required",
                        parameter.location, parameter.name
                    );
                    (what, Impact::breaking("a call without it fails"))
                } else {
                    let what = format!(
                        "the {} parameter `{}` is new",
                        parameter.location, parameter.name
                    );
                    (
                        what,
                        Impact::addition(
                            "calls are made by builders: one more setter breaks nothing",
                        ),
                    )
                };
                let places = (None, Some(parameter.place.clone()));
                self.say_of(
                    Direction::Request,
                    "parameter-added",
                    what,
                    places,
                    both.index,
                    ruling,
                );
            }
        }
    }

    fn parameter(&mut self, index: usize, a: &Parameter<'a>, b: &Parameter<'a>) {
        let label = format!("the parameter `{}`", b.name);
        let places = (Some(a.place.clone()), Some(b.place.clone()));
        let mut say = |kind, what, ruling| {
            self.say_of(
                Direction::Request,
                kind,
                what,
                places.clone(),
                index,
                ruling,
            );
        };
        if a.location != b.location {
            let what = format!(
                "{label} goes into the {}, was in the {}",
                b.location, a.location
            );
            say("parameter-moved", what, Impact::breaking(WIRE));
        }
        if names::method_name(a.name) != names::method_name(b.name) {
            let likely = if a.location == "path" { "" } else { " likely" };
            let what = format!("the parameter `{}` is{likely} `{}` now", a.name, b.name);
            say(
                "parameter-renamed",
                what,
                Impact::breaking("its setter has another name"),
            );
        } else if a.name != b.name && a.location != "path" && a.location != "header" {
            let what = format!("the parameter `{}` is `{}` now", a.name, b.name);
            say("parameter-renamed", what, Impact::breaking(WIRE));
        }
        match (a.required(), b.required()) {
            (false, true) => say(
                "parameter-required",
                format!("{label} is required, was optional"),
                Impact::breaking("a call without it fails"),
            ),
            (true, false) => say(
                "parameter-optional",
                format!("{label} is optional, was required"),
                Impact::addition("calls that set it go on as before"),
            ),
            _ => {}
        }
        if a.location == b.location && a.style() != b.style() {
            let text = |(style, explode, reserved): (String, bool, bool)| {
                let explode = if explode { ", exploded" } else { "" };
                let reserved = if reserved { ", unescaped" } else { "" };
                format!("`{style}`{explode}{reserved}")
            };
            let what = format!(
                "{label} is written as {}, was {}",
                text(b.style()),
                text(a.style())
            );
            say("style-changed", what, Impact::breaking(WIRE));
        }
        let sides = Sides {
            old: (a.place.clone(), a.object),
            new: (b.place.clone(), b.object),
        };
        self.texts(&sides, &label, Some(index));
        match sides.get("schema") {
            (Some(_), Some(_)) => {
                let (old, new) = sides.join("schema");
                self.graph
                    .compare(old, new, Some((index, Direction::Request)));
            }
            (None, None) => self.content(&sides, &label, index, Direction::Request),
            _ => self.schema_lost(&sides, &label, index, Direction::Request),
        }
    }

    /// One side has a schema and the other hasn't.
    fn schema_lost(&mut self, sides: &Sides<'a>, label: &str, index: usize, direction: Direction) {
        let (before, after) = sides.get("schema");
        let (old, new) = sides.join("schema");
        let verb = match (before, after) {
            (None, None) | (Some(_), Some(_)) => return,
            (None, Some(_)) => "says what it is",
            (Some(_), None) => "no longer says what it is",
        };
        let places = (before.map(|_| old), after.map(|_| new));
        let ruling = Impact::breaking("its Rust type is another one");
        self.say_of(
            direction,
            "type-changed",
            format!("{label} {verb}"),
            places,
            index,
            ruling,
        );
    }

    fn request_body(&mut self, both: Both<'_, 'a>, sides: &Sides<'a>) {
        let (old, new) = sides.join("requestBody");
        let label = "the request body";
        match self.resolve(&old, &new) {
            (Some(old), Some(new)) => {
                let sides = Sides { old, new };
                let places = (Some(sides.old.0.clone()), Some(sides.new.0.clone()));
                match (flag(sides.old.1, "required"), flag(sides.new.1, "required")) {
                    (false, true) => {
                        let ruling = Impact::breaking("a call without it is refused");
                        self.say_of(
                            Direction::Request,
                            "body-required",
                            "the request body is required, was optional",
                            places,
                            both.index,
                            ruling,
                        );
                    }
                    (true, false) => {
                        let ruling = Impact::addition("calls that send it go on as before");
                        self.say_of(
                            Direction::Request,
                            "body-optional",
                            "the request body is optional, was required",
                            places,
                            both.index,
                            ruling,
                        );
                    }
                    _ => {}
                }
                self.texts(&sides, label, Some(both.index));
                self.content(&sides, label, both.index, Direction::Request);
            }
            (Some((place, _)), None) => {
                let ruling = Impact::breaking("code that sends it no longer compiles");
                self.say_of(
                    Direction::Request,
                    "body-removed",
                    "the request body is gone",
                    (Some(place), None),
                    both.index,
                    ruling,
                );
            }
            (None, Some((place, body))) => {
                let (what, ruling) = if flag(body, "required") {
                    (
                        "the request body is new, and required",
                        Impact::breaking("a call without it is refused"),
                    )
                } else {
                    (
                        "the request body is new",
                        Impact::addition(
                            "calls are made by builders: one more setter breaks nothing",
                        ),
                    )
                };
                self.say_of(
                    Direction::Request,
                    "body-added",
                    what,
                    (None, Some(place)),
                    both.index,
                    ruling,
                );
            }
            (None, None) => {}
        }
    }

    /// The media types of a body and what each of them holds.
    fn content(&mut self, sides: &Sides<'a>, label: &str, index: usize, direction: Direction) {
        let (old_place, new_place) = sides.join("content");
        let (a, b) = (preferred(sides.old.1), preferred(sides.new.1));
        let whole = (Some(sides.old.0.clone()), Some(sides.new.0.clone()));
        let (a, b) = match (a, b) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return,
            (None, Some(_)) => {
                let what = format!("{label} has a body, had none");
                self.say_of(
                    direction,
                    "body-added",
                    what,
                    whole,
                    index,
                    Impact::breaking("the method has another type"),
                );
                return;
            }
            (Some(_), None) => {
                let what = format!("{label} has no body, had one");
                self.say_of(
                    direction,
                    "body-removed",
                    what,
                    whole,
                    index,
                    Impact::breaking("the method has another type"),
                );
                return;
            }
        };
        let has = |object: &Value, media: &str| {
            map(object, "content").any(|(other, _)| bare(other) == bare(media))
        };
        if bare(a) != bare(b) && !(has(sides.new.1, a) && preference(a) == preference(b)) {
            let what = format!("{label} is `{}`, was `{}`", bare(b), bare(a));
            let ruling = if preference(a) <= 1 && preference(b) <= 1 {
                Impact::breaking(WIRE)
            } else {
                Impact::breaking("it is written and read in another way")
            };
            let places = (Some(old_place.join(a)), Some(new_place.join(b)));
            self.say_of(direction, "media-type-changed", what, places, index, ruling);
        }
        let unused = "the SDK speaks the one that it prefers";
        for (media, _) in map(sides.old.1, "content") {
            if bare(media) != bare(a) && !has(sides.new.1, media) {
                let what = format!("{label} is no longer to be had as `{}`", bare(media));
                self.say_of(
                    direction,
                    "media-type-removed",
                    what,
                    (Some(old_place.join(media)), None),
                    index,
                    Impact::documentation(unused),
                );
            }
        }
        for (media, _) in map(sides.new.1, "content") {
            if bare(media) != bare(b) && !has(sides.old.1, media) {
                let what = format!("{label} is to be had as `{}`, too", bare(media));
                self.say_of(
                    direction,
                    "media-type-added",
                    what,
                    (None, Some(new_place.join(media))),
                    index,
                    Impact::documentation(unused),
                );
            }
        }
        let mut pairs = vec![(a, b)];
        for (media, _) in map(sides.old.1, "content").filter(|(media, _)| *media != a) {
            let same = map(sides.new.1, "content")
                .find(|(other, _)| bare(other) == bare(media) && *other != b);
            pairs.extend(same.map(|(other, _)| (media, other)));
        }
        for (x, y) in pairs {
            let media = |object: &'a Value, name: &str| {
                map(object, "content")
                    .find(|(other, _)| *other == name)
                    .map(|(_, media)| media)
            };
            let (Some(before), Some(after)) = (media(sides.old.1, x), media(sides.new.1, y)) else {
                continue;
            };
            let media = Sides {
                old: (old_place.join(x), before),
                new: (new_place.join(y), after),
            };
            self.texts(&media, label, Some(index));
            let (old, new) = media.join("encoding");
            let encoding = media.get("encoding");
            if encoding.0 != encoding.1 {
                let places = (encoding.0.map(|_| old), encoding.1.map(|_| new));
                self.say_of(
                    direction,
                    "style-changed",
                    format!("the encoding of {label} changed"),
                    places,
                    index,
                    Impact::breaking(WIRE),
                );
            }
            let (old, new) = media.join("schema");
            match media.get("schema") {
                (Some(_), Some(_)) => self.graph.compare(old, new, Some((index, direction))),
                _ => self.schema_lost(&media, label, index, direction),
            }
        }
    }

    fn responses(&mut self, both: Both<'_, 'a>) {
        let before = self.answers(self.old, both.old, true);
        let after = self.answers(self.new, both.new, false);
        let spelled = |operation: &Operation<'a>, status: &str| {
            let mut statuses = map(operation.object, "responses").map(|(status, _)| status);
            let status = statuses.find(|known| known.to_uppercase() == status);
            status.map(|status| operation.place.join("responses").join(status))
        };
        let said = |status: &str| match status {
            "DEFAULT" => "default".to_owned(),
            status => status.to_owned(),
        };
        for (status, _) in &before {
            let Some(old) = spelled(both.old, status) else {
                continue;
            };
            match spelled(both.new, status) {
                Some(new) => self.response(both.index, &said(status), &old, &new),
                None => {
                    let ruling = Self::answer_ruling(status, (&before, &after), false);
                    self.say_of(
                        Direction::Response,
                        "status-removed",
                        format!("the {} response is gone", said(status)),
                        (Some(old), None),
                        both.index,
                        ruling,
                    );
                }
            }
        }
        for (status, _) in &after {
            if let (None, Some(new)) = (spelled(both.old, status), spelled(both.new, status)) {
                let ruling = Self::answer_ruling(status, (&before, &after), true);
                self.say_of(
                    Direction::Response,
                    "status-added",
                    format!("the {} response is new", said(status)),
                    (None, Some(new)),
                    both.index,
                    ruling,
                );
            }
        }
    }

    /// What it means that a status has come or gone.
    fn answer_ruling(status: &str, (before, after): (&Answers, &Answers), added: bool) -> Impact {
        let success = if status == "DEFAULT" {
            // Beside a success it is an error, and else both.
            let any = |answers: &Answers| answers.iter().any(|(status, _)| is_success(status));
            !any(before) || !any(after)
        } else {
            is_success(status)
        };
        if status.starts_with('3') || (status.starts_with('1') && !success) {
            return Impact::documentation(
                "the SDK follows no redirect and waits for the last answer",
            );
        }
        let what = if success {
            "what the method returns"
        } else {
            "the method's error"
        };
        match (
            rust::answered(before, success),
            rust::answered(after, success),
        ) {
            (Answered::ByStatus, Answered::ByStatus) if added => Impact::addition(format!(
                "{what} tells one more status apart, and is non-exhaustive"
            )),
            (Answered::ByStatus, Answered::ByStatus) => {
                Impact::breaking(format!("{what} has that status no longer"))
            }
            (was, is) if was == is => Impact::addition(format!("{what} keeps its type")),
            _ => Impact::breaking(format!("{what} is another type")),
        }
    }

    fn response(&mut self, index: usize, status: &str, old: &Pointer, new: &Pointer) {
        let (Some(old), Some(new)) = self.resolve(old, new) else {
            return;
        };
        let sides = Sides { old, new };
        let label = format!("the {status} response");
        self.texts(&sides, &label, Some(index));
        self.content(&sides, &label, index, Direction::Response);
        let (old, new) = sides.join("headers");
        let named = |object: &'a Value, name: &str| {
            map(object, "headers")
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(name, _)| name)
        };
        for (name, _) in map(sides.old.1, "headers") {
            let Some(now) = named(sides.new.1, name) else {
                let ruling = Impact::breaking("a program that reads it finds nothing");
                self.say_of(
                    Direction::Response,
                    "header-removed",
                    format!("the header `{name}` of {label} is gone"),
                    (Some(old.join(name)), None),
                    index,
                    ruling,
                );
                continue;
            };
            if let (Some(a), Some(b)) = self.resolve(&old.join(name), &new.join(now)) {
                let header = Sides { old: a, new: b };
                self.texts(
                    &header,
                    &format!("the header `{name}` of {label}"),
                    Some(index),
                );
                let label = format!("the header `{name}` of {label}");
                self.schema_lost(&header, &label, index, Direction::Response);
                if let (Some(_), Some(_)) = header.get("schema") {
                    let (old, new) = header.join("schema");
                    self.graph
                        .compare(old, new, Some((index, Direction::Response)));
                }
            }
        }
        for (name, _) in map(sides.new.1, "headers") {
            if named(sides.old.1, name).is_none() {
                let ruling = Impact::addition("it can be read where it was passed over");
                self.say_of(
                    Direction::Response,
                    "header-added",
                    format!("the header `{name}` of {label} is new"),
                    (None, Some(new.join(name))),
                    index,
                    ruling,
                );
            }
        }
    }

    fn security(&mut self, both: Both<'_, 'a>) {
        let renamed = self.renamed_schemes();
        let of = |side: &Side<'a>, operation: &Operation<'a>, old: bool| {
            let (place, list) = match operation.object.get("security") {
                Some(list) => (operation.place.join("security"), Some(list)),
                None => (
                    Pointer::root().join("security"),
                    side.document.get("security"),
                ),
            };
            let list = list.and_then(Value::as_array);
            let mut alternatives: BTreeSet<BTreeSet<String>> = BTreeSet::new();
            for requirement in list.into_iter().flatten().filter_map(Value::as_object) {
                let schemes = requirement.iter().map(|(name, scopes)| {
                    let name = if old {
                        renamed.get(name).unwrap_or(name)
                    } else {
                        name
                    };
                    let mut scopes: Vec<&str> = scopes
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(Value::as_str)
                        .collect();
                    scopes.sort_unstable();
                    if scopes.is_empty() {
                        format!("`{name}`")
                    } else {
                        format!("`{name}` ({})", scopes.join(", "))
                    }
                });
                alternatives.insert(schemes.collect());
            }
            if alternatives.is_empty() {
                alternatives.insert(BTreeSet::new());
            }
            (place, alternatives)
        };
        let (a, b) = (of(self.old, both.old, true), of(self.new, both.new, false));
        if a.1 == b.1 {
            return;
        }
        let text = |alternatives: &BTreeSet<BTreeSet<String>>| {
            let alternatives: Vec<String> = alternatives
                .iter()
                .map(|all| match all.is_empty() {
                    true => "nothing".to_owned(),
                    false => all.iter().cloned().collect::<Vec<_>>().join(" with "),
                })
                .collect();
            alternatives.join(" or ")
        };
        let what = format!("it asks for {}, was {}", text(&b.1), text(&a.1));
        let ruling = if b.1.contains(&BTreeSet::new()) || a.1.is_subset(&b.1) {
            Impact::addition("the credential that was asked for still does")
        } else {
            Impact::breaking("a credential that was enough no longer is")
        };
        self.say_of(
            Direction::Request,
            "security-changed",
            what,
            (Some(a.0), Some(b.0)),
            both.index,
            ruling,
        );
    }

    fn schemes(side: &Side<'a>) -> BTreeMap<&'a String, &'a Value> {
        let schemes = side.document.pointer("/components/securitySchemes");
        schemes
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .collect()
    }

    /// The security schemes that have another name now, and are the same.
    fn renamed_schemes(&self) -> BTreeMap<String, String> {
        let (old, new) = (Self::schemes(self.old), Self::schemes(self.new));
        let mut renamed = BTreeMap::new();
        for (name, scheme) in &old {
            let same = |(other, candidate): &(&&String, &&Value)| {
                !old.contains_key(**other) && credential(candidate) == credential(scheme)
            };
            if !new.contains_key(name)
                && let Some((other, _)) = new.iter().find(same)
            {
                renamed.insert((*name).clone(), (*other).clone());
            }
        }
        renamed
    }

    fn security_schemes(&mut self) {
        let place = Pointer::root().join("components").join("securitySchemes");
        let (old, new) = (Self::schemes(self.old), Self::schemes(self.new));
        let renamed = self.renamed_schemes();
        for (name, scheme) in &old {
            let now = renamed.get(*name).unwrap_or(name);
            let Some(other) = new.get(now) else {
                let ruling = Impact::documentation("what each operation asks for is said there");
                self.say(
                    "scheme-removed",
                    format!("the security scheme `{name}` is gone"),
                    (Some(place.join(name)), None),
                    None,
                    ruling,
                );
                continue;
            };
            let sides = Sides {
                old: (place.join(name), scheme),
                new: (place.join(now), other),
            };
            let places = (Some(sides.old.0.clone()), Some(sides.new.0.clone()));
            let label = format!("the security scheme `{now}`");
            if now != *name {
                let ruling = Impact::documentation("it is the same credential");
                self.say(
                    "scheme-renamed",
                    format!("the security scheme `{name}` is `{now}` now"),
                    places.clone(),
                    None,
                    ruling,
                );
            }
            if credential(scheme) != credential(other) {
                let what = format!(
                    "{label} is {}, was {}",
                    credential(other),
                    credential(scheme)
                );
                self.say(
                    "scheme-changed",
                    what,
                    places,
                    None,
                    Impact::breaking("the credential is sent in another way"),
                );
            }
            self.texts(&sides, &label, None);
        }
        for name in new.keys() {
            if !old.contains_key(name) && !renamed.values().any(|now| now == *name) {
                let ruling = Impact::addition("what each operation asks for is said there");
                self.say(
                    "scheme-added",
                    format!("the security scheme `{name}` is new"),
                    (None, Some(place.join(name))),
                    None,
                    ruling,
                );
            }
        }
    }

    fn schemas(&mut self) {
        let schemas = self.schemas;
        for name in &schemas.gone {
            let place = schema_place(name);
            let Some(now) = schemas.renamed.get(name) else {
                let ruling = Impact::breaking("code that names its type no longer compiles");
                self.say(
                    "schema-removed",
                    format!("the schema `{name}` is gone"),
                    (Some(place), None),
                    None,
                    ruling,
                );
                continue;
            };
            let new = schema_place(now);
            let (what, ruling) = if names::type_name(name) == names::type_name(now) {
                (
                    format!("the schema `{name}` is `{now}` now"),
                    Impact::documentation("its type keeps its name"),
                )
            } else {
                (
                    format!("the schema `{name}` is likely `{now}` now"),
                    Impact::breaking("its type has another name"),
                )
            };
            self.say(
                "schema-renamed",
                what,
                (Some(place.clone()), Some(new.clone())),
                None,
                ruling,
            );
            self.graph.compare(place, new, None);
        }
        let known: BTreeSet<&String> = schemas.renamed.values().collect();
        for name in schemas.come.iter().filter(|name| !known.contains(name)) {
            let ruling = Impact::addition("one more type breaks nothing");
            self.say(
                "schema-added",
                format!("the schema `{name}` is new"),
                (None, Some(schema_place(name))),
                None,
                ruling,
            );
        }
        let come: BTreeSet<&String> = schemas.come.iter().collect();
        for (name, _) in walk::schemas(self.new.document).filter(|(name, _)| !come.contains(name)) {
            self.graph
                .compare(schema_place(name), schema_place(name), None);
        }
    }

    /// Components that are no schemas mean something by their use only; what no operation uses is for readers.
    fn other_components(&mut self) {
        for (kind, what) in [
            ("parameters", "parameter"),
            ("responses", "response"),
            ("requestBodies", "request body"),
            ("headers", "header"),
            ("examples", "example"),
            ("links", "link"),
            ("callbacks", "callback"),
            ("pathItems", "path item"),
        ] {
            let place = Pointer::root().join("components").join(kind);
            let all = |side: &Side<'a>| {
                side.document
                    .pointer(place.as_str())
                    .and_then(Value::as_object)
            };
            let (old, new) = (all(self.old), all(self.new));
            let names: BTreeSet<&String> = [old, new]
                .into_iter()
                .flatten()
                .flat_map(Map::keys)
                .collect();
            for name in names {
                let (a, b) = (
                    old.and_then(|all| all.get(name)),
                    new.and_then(|all| all.get(name)),
                );
                let at = place.join(name);
                if a == b || self.used.contains(&at) || kind == "pathItems" {
                    continue;
                }
                let verb = match (a, b) {
                    (None, _) => "is new",
                    (_, None) => "is gone",
                    _ => "changed",
                };
                let places = (a.map(|_| at.clone()), b.map(|_| at.clone()));
                self.say(
                    "unused-changed",
                    format!("the {what} `{name}` {verb}"),
                    places,
                    None,
                    Impact::documentation(UNUSED),
                );
            }
        }
    }
}

struct Named(usize, String);

impl AsRef<str> for Named {
    fn as_ref(&self) -> &str {
        &self.1
    }
}

/// A media type without its parameters.
fn bare(media: &str) -> String {
    media
        .split(';')
        .next()
        .unwrap_or(media)
        .trim()
        .to_ascii_lowercase()
}

/// The media type that the SDK speaks, of those that a body may have.
fn preferred(object: &Value) -> Option<&String> {
    map(object, "content")
        .map(|(media, _)| media)
        .min_by_key(|media| preference(media))
}

/// How a credential travels, which is what a security scheme is to the SDK.
fn credential(scheme: &Value) -> String {
    let part = |key: &str| text(scheme, key).unwrap_or_default();
    match part("type") {
        "http" => format!("HTTP {}", part("scheme").to_lowercase()),
        "apiKey" => format!("a key in the {} `{}`", part("in"), part("name")),
        other => format!("`{other}`"),
    }
}
