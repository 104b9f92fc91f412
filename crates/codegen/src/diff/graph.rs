//! Compares schemas, each pair of places once, and knows by which operations and in which direction each is reached.
//!
//! The pairs form a graph: an operation leads to the schemas of its parameters and bodies, a schema to those that it is
//! made of. Each pair is compared by itself, so a component that a hundred operations use is compared and reported once,
//! and a schema that contains itself is met again and not followed again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::change::{Difference, Direction, DirectionalImpact, Impact, Note};
use super::location::{Side, show};
use super::rename;
use super::rust::{self, Form, Presence};
use super::schema::{self, End, Flat, Object, Site, Union};
use crate::names;
use crate::pointer::Pointer;

/// How deep schemas may stand within each other without a name; beyond, two are only said to be equal or not.
const DEEPEST: usize = 200;

/// Two places that are compared.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    old: Pointer,
    new: Pointer,
    /// A property's null and default are judged together with whether it is required, by the object around it.
    property: bool,
}

struct Pair {
    key: Key,
    depth: usize,
    facts: Vec<Difference>,
    children: Vec<usize>,
    uses: BTreeSet<(usize, Direction)>,
}

/// A fact with the directions in which its place is reached, and the operations that do.
pub(super) struct Placed {
    pub(super) fact: Difference,
    pub(super) directions: Vec<Direction>,
    pub(super) operations: BTreeSet<usize>,
}

/// The pairs of schemas of two documents.
pub(super) struct Graph<'a> {
    old: &'a Side<'a>,
    new: &'a Side<'a>,
    /// Schemas that have another name now: old to new.
    renamed: &'a BTreeMap<String, String>,
    pairs: Vec<Pair>,
    index: HashMap<Key, usize>,
    notes: BTreeSet<Note>,
}

/// What the comparison of one pair found.
#[derive(Default)]
struct Found {
    facts: Vec<Difference>,
    children: Vec<(Key, usize)>,
    notes: Vec<Note>,
}

impl Found {
    fn fact(
        &mut self,
        kind: &'static str,
        what: String,
        old: Option<Pointer>,
        new: Option<Pointer>,
        impact: DirectionalImpact,
    ) {
        self.facts.push(Difference {
            kind,
            what,
            old,
            new,
            impact,
        });
    }

    fn child(&mut self, old: Pointer, new: Pointer, property: bool, depth: usize) {
        self.children.push((Key { old, new, property }, depth));
    }
}

impl<'a> Graph<'a> {
    pub(super) fn new(
        old: &'a Side<'a>,
        new: &'a Side<'a>,
        renamed: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            old,
            new,
            renamed,
            pairs: Vec::new(),
            index: HashMap::new(),
            notes: BTreeSet::new(),
        }
    }

    /// Has the schemas at two places compared; with `by`, they are what that operation sends or receives.
    pub(super) fn compare(&mut self, old: Pointer, new: Pointer, by: Option<(usize, Direction)>) {
        let key = Key {
            old,
            new,
            property: false,
        };
        let id = self.pair(key, 0);
        self.pairs[id].uses.extend(by);
    }

    fn pair(&mut self, key: Key, depth: usize) -> usize {
        if let Some(id) = self.index.get(&key) {
            return *id;
        }
        let id = self.pairs.len();
        self.index.insert(key.clone(), id);
        self.pairs.push(Pair {
            key,
            depth,
            facts: Vec::new(),
            children: Vec::new(),
            uses: BTreeSet::new(),
        });
        id
    }

    /// Compares all that is asked for and all that it leads to.
    pub(super) fn finish(mut self) -> (Vec<Placed>, Vec<Note>) {
        let mut next = 0;
        while let Some(pair) = self.pairs.get(next) {
            let found = self.visit(&pair.key, pair.depth);
            let children: Vec<usize> = found
                .children
                .into_iter()
                .map(|(key, depth)| self.pair(key, depth))
                .collect();
            if let Some(pair) = self.pairs.get_mut(next) {
                pair.facts = found.facts;
                pair.children = children;
            }
            self.notes.extend(found.notes);
            next += 1;
        }
        let mut uses = self.uses();
        let mut placed = Vec::new();
        for (pair, uses) in self.pairs.iter_mut().zip(&mut uses) {
            let directions: BTreeSet<Direction> = uses.iter().map(|(_, way)| *way).collect();
            let operations: BTreeSet<usize> =
                uses.drain(..).map(|(operation, _)| operation).collect();
            for fact in std::mem::take(&mut pair.facts) {
                placed.push(Placed {
                    fact,
                    directions: directions.iter().copied().collect(),
                    operations: operations.clone(),
                });
            }
        }
        (placed, self.notes.into_iter().collect())
    }

    /// The uses from which each pair with facts is reached.
    fn uses(&self) -> Vec<Vec<(usize, Direction)>> {
        let mut roots: BTreeMap<(usize, Direction), Vec<usize>> = BTreeMap::new();
        for (id, pair) in self.pairs.iter().enumerate() {
            for by in &pair.uses {
                roots.entry(*by).or_default().push(id);
            }
        }
        let mut uses = vec![Vec::new(); self.pairs.len()];
        let mut seen = vec![0; self.pairs.len()];
        for (round, (by, mut waiting)) in (1..).zip(roots) {
            while let Some(id) = waiting.pop() {
                if std::mem::replace(&mut seen[id], round) == round {
                    continue;
                }
                let pair = &self.pairs[id];
                if !pair.facts.is_empty() {
                    uses[id].push(by);
                }
                waiting.extend(pair.children.iter().filter(|child| seen[**child] != round));
            }
        }
        uses
    }

    fn now(&self, name: &str) -> String {
        self.renamed
            .get(name)
            .map_or(name, String::as_str)
            .to_owned()
    }

    /// What stands at two places. Where one names a schema and the other says it in place, the name is followed, too.
    fn sites(&self, old: &Pointer, new: &Pointer) -> Option<(Site<'a>, Site<'a>)> {
        let a = schema::site(self.old.document, old, true)?;
        let b = schema::site(self.new.document, new, true)?;
        match (&a.end, &b.end) {
            (End::Named(..), End::Here(..)) => {
                Some((schema::site(self.old.document, old, false)?, b))
            }
            (End::Here(..), End::Named(..)) => {
                Some((a, schema::site(self.new.document, new, false)?))
            }
            _ => Some((a, b)),
        }
    }

    fn visit(&self, key: &Key, depth: usize) -> Found {
        let mut found = Found::default();
        let label = self.new.label(&key.new);
        if depth > DEEPEST {
            let value = |side: &Side<'a>, place: &Pointer| side.document.pointer(place.as_str());
            if value(self.old, &key.old) != value(self.new, &key.new) {
                found.fact(
                    "type-changed",
                    format!("what stands deeper than {DEEPEST} schemas within {label} differs"),
                    Some(key.old.clone()),
                    Some(key.new.clone()),
                    DirectionalImpact::from(Impact::breaking(
                        "so deep nothing is told apart, and the worst is assumed",
                    )),
                );
            }
            return found;
        }
        let Some((old, new)) = self.sites(&key.old, &key.new) else {
            return found;
        };
        if !key.property && old.nullable != new.nullable {
            self.nullable(&mut found, key, &label, new.nullable);
        }
        self.annotations(&mut found, (&old, &new), key, &label);
        match (&old.end, &new.end) {
            (End::Named(a, old_place), End::Named(b, new_place)) => {
                if self.now(a) == *b || names::type_name(a) == names::type_name(b) {
                    found.child(old_place.clone(), new_place.clone(), false, 0);
                } else {
                    found.fact(
                        "type-changed",
                        format!("{label} is `{b}`, was `{a}`"),
                        Some(key.old.clone()),
                        Some(key.new.clone()),
                        DirectionalImpact::from(Impact::breaking("its Rust type is another one")),
                    );
                }
            }
            (End::Here(old_place, old_object), End::Here(new_place, new_object)) => {
                self.respelled(&mut found, (&key.old, &key.new), new_object, &label);
                let here = Here {
                    graph: self,
                    label,
                    depth: depth + 1,
                };
                here.compare(&mut found, (old_place, old_object), (new_place, new_object));
            }
            // `sites` has followed the name on one side.
            _ => {}
        }
        found
    }

    /// A schema that was named and is said in place, or the other way round, is the same on the wire; its Rust type has
    /// the name of another place all the same.
    fn respelled(
        &self,
        found: &mut Found,
        places: (&Pointer, &Pointer),
        object: &Object,
        label: &str,
    ) {
        let name = |side: &Side<'a>, place: &Pointer| match schema::site(side.document, place, true)
        {
            Some(Site {
                end: End::Named(name, _),
                ..
            }) => Some(name),
            Some(site) => site.via,
            None => None,
        };
        let (old, new) = (name(self.old, places.0), name(self.new, places.1));
        let of_its_own = object.contains_key("properties")
            || schema::union(object).is_some()
            || schema::values(object).is_some();
        let text = match (old, new) {
            (Some(name), None) if of_its_own => format!("{label} is said in place, was `{name}`"),
            (None, Some(name)) if of_its_own => format!("{label} is `{name}`, was said in place"),
            _ => return,
        };
        found.notes.push(Note {
            pointer: places.1.clone(),
            text: format!("{text}: the same values, but the Rust type may get another name"),
        });
    }

    fn nullable(&self, found: &mut Found, key: &Key, label: &str, now: bool) {
        let (kind, what, why) = if now {
            (
                "nullable",
                format!("{label} may be null"),
                "its Rust type becomes an `Option`",
            )
        } else {
            (
                "not-nullable",
                format!("{label} may no longer be null"),
                "its Rust type is no longer an `Option`",
            )
        };
        let places = (Some(key.old.clone()), Some(key.new.clone()));
        found.fact(
            kind,
            what,
            places.0,
            places.1,
            DirectionalImpact::from(Impact::breaking(why)),
        );
    }

    fn annotations(
        &self,
        found: &mut Found,
        (old, new): (&Site<'a>, &Site<'a>),
        key: &Key,
        label: &str,
    ) {
        let (old_site, new_site) = (old, new);
        let keys: BTreeSet<&String> = [old, new]
            .into_iter()
            .flat_map(|site| &site.layers)
            .flat_map(|(_, object)| object.keys())
            .filter(|key| schema::is_annotation(key))
            .collect();
        for name in keys {
            let a = schema::annotation(&old.layers, name);
            let b = schema::annotation(&new.layers, name);
            if a.as_ref().map(|(_, value)| value) == b.as_ref().map(|(_, value)| value) {
                continue;
            }
            let flag = |of: &Option<(Pointer, &Value)>| {
                of.as_ref().is_some_and(|(_, value)| **value == json!(true))
            };
            let was_and_is = (flag(&a), flag(&b));
            let (old, new) = (
                a.clone().map(|(place, _)| place),
                b.clone().map(|(place, _)| place),
            );
            match name.as_str() {
                // 3.0 has place for one example, 3.1 for several.
                "example" | "examples"
                    if (a.is_none() || b.is_none())
                        && example(&old_site.layers) == example(&new_site.layers) => {}
                // Whether a property has a default decides its type; the object around it judges that.
                "default" if key.property && (a.is_none() || b.is_none()) => {}
                "default" => self.default(found, label, (a, b), key),
                "deprecated" | "readOnly" | "writeOnly" if was_and_is.0 == was_and_is.1 => {}
                "deprecated" => deprecated(found, label, was_and_is.1, old, new),
                "readOnly" | "writeOnly" => {
                    let (far, near) = if name == "readOnly" {
                        ("the service no longer takes it", "it comes as before")
                    } else {
                        ("the service no longer sends it", "it is sent as before")
                    };
                    let impact = match (name.as_str(), was_and_is.1) {
                        ("readOnly", true) => DirectionalImpact::new(
                            Impact::breaking(far),
                            Impact::documentation(near),
                        ),
                        (_, true) => DirectionalImpact::new(
                            Impact::documentation(near),
                            Impact::breaking(far),
                        ),
                        (_, false) => {
                            DirectionalImpact::from(Impact::addition("it travels both ways"))
                        }
                    };
                    let now = if was_and_is.1 { "is" } else { "is no longer" };
                    found.fact(
                        "direction-changed",
                        format!("{label} {now} `{name}`"),
                        old,
                        new,
                        impact,
                    );
                }
                name => found.fact(
                    "annotation-changed",
                    format!("the {} of {label} {}", words(name), verb(&a, &b)),
                    old,
                    new,
                    DirectionalImpact::from(Impact::documentation("it is for readers")),
                ),
            }
        }
    }

    fn default(
        &self,
        found: &mut Found,
        label: &str,
        (a, b): (Option<At<'_>>, Option<At<'_>>),
        key: &Key,
    ) {
        let value = |of: &Option<(Pointer, &Value)>| of.as_ref().map(|(_, value)| show(value));
        let what = format!("the default of {label} {}", changed(value(&a), value(&b)));
        let only_said = DirectionalImpact::from(Impact::documentation(
            "it says what the service does anyway",
        ));
        let another = DirectionalImpact::new(
            Impact::breaking("a call that leaves it out means something else"),
            Impact::documentation("the service fills it in"),
        );
        let impact = match (&a, &b) {
            (Some(_), Some(_)) => another,
            _ => only_said,
        };
        let place = |of: Option<(Pointer, &Value)>| of.map(|(place, _)| place);
        let (old, new) = (place(a), place(b));
        found.fact(
            "default-changed",
            what,
            Some(old.unwrap_or_else(|| key.old.clone())),
            Some(new.unwrap_or_else(|| key.new.clone())),
            impact,
        );
    }
}

/// `deprecated` has come or gone.
pub(super) fn deprecated_ruling(now: bool) -> Impact {
    if now {
        Impact::addition("a use of it warns, and cargo's rules count a warning as no break")
    } else {
        Impact::documentation("a use of it no longer warns")
    }
}

fn deprecated(
    found: &mut Found,
    label: &str,
    now: bool,
    old: Option<Pointer>,
    new: Option<Pointer>,
) {
    let what = if now {
        format!("{label} is deprecated")
    } else {
        format!("{label} is no longer deprecated")
    };
    found.fact(
        "deprecation",
        what,
        old,
        new,
        DirectionalImpact::from(deprecated_ruling(now)),
    );
}

/// The first example, in whichever way it is given.
fn example<'a>(layers: &[(Pointer, &'a Object)]) -> Option<&'a Value> {
    let one = schema::annotation(layers, "example").map(|(_, value)| value);
    let several = schema::annotation(layers, "examples").map(|(_, value)| value);
    one.or_else(|| several.and_then(Value::as_array)?.first())
}

fn words(key: &str) -> String {
    match key {
        "externalDocs" => "external documentation".to_owned(),
        "title" | "description" | "example" | "examples" => key.to_owned(),
        other => format!("`{other}`"),
    }
}

fn verb<T>(old: &Option<T>, new: &Option<T>) -> &'static str {
    match (old, new) {
        (None, _) => "is new",
        (_, None) => "is gone",
        _ => "changed",
    }
}

/// How something with a value that can be said in a line changed.
fn changed(old: Option<String>, new: Option<String>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("is {new}, was {old}"),
        (None, Some(new)) => format!("is {new}, was not given"),
        (Some(old), None) => format!("is no longer given, was {old}"),
        (None, None) => "is not given".to_owned(),
    }
}

/// A value and its place.
type At<'a> = (Pointer, &'a Value);

/// A schema and its place.
type Place<'p, 'a> = (&'p Pointer, &'a Object);

/// The comparison of two schemas that are said in place.
struct Here<'g, 'a> {
    graph: &'g Graph<'a>,
    label: String,
    depth: usize,
}

impl<'a> Here<'_, 'a> {
    fn compare(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let (unions, composed) = (
            (schema::union(old.1), schema::union(new.1)),
            (schema::all_of(old.0, old.1), schema::all_of(new.0, new.1)),
        );
        match unions {
            (Some(a), Some(b)) => {
                self.union(found, (old.0, a), (new.0, b));
                self.discriminator(found, old, new);
            }
            (None, None) => {}
            _ => return self.type_changed(found, old, new),
        }
        if composed.0.is_empty() && composed.1.is_empty() {
            if unions_are_all(old.1) && unions_are_all(new.1) {
                // What a union leaves to its members is compared there.
            } else if schema::types(old.1) != schema::types(new.1)
                || schema::values(old.1).is_some() != schema::values(new.1).is_some()
            {
                return self.type_changed(found, old, new);
            }
            self.object(
                found,
                old,
                new,
                &schema::own(old.0, old.1),
                &schema::own(new.0, new.1),
            );
        } else if let Some(members) = self.members(&composed) {
            for (a, b) in members {
                found.child(a, b, false, self.depth);
            }
            self.object(
                found,
                old,
                new,
                &schema::own(old.0, old.1),
                &schema::own(new.0, new.1),
            );
        } else {
            // It is composed of other parts: what counts is what comes out.
            let flat = |side: &Side<'a>, (place, object): Place<'_, 'a>| {
                schema::flatten(side.document, place, object)
            };
            let (a, b) = (flat(self.graph.old, old), flat(self.graph.new, new));
            if a.properties.is_empty() != b.properties.is_empty() {
                return self.type_changed(found, old, new);
            }
            self.object(found, old, new, &a, &b);
        }
        self.values(found, old, new);
        self.format(found, old, new);
        self.bounds(found, old, new);
        self.items(found, old, new);
        self.rest(found, old, new);
    }

    fn type_changed(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let what = format!(
            "{} is {}, was {}",
            self.label,
            schema::phrase(new.1),
            schema::phrase(old.1)
        );
        let impact = DirectionalImpact::from(Impact::breaking("its Rust type is another one"));
        found.fact(
            "type-changed",
            what,
            Some(old.0.clone()),
            Some(new.0.clone()),
            impact,
        );
    }

    /// The members of two compositions that belong together, if both are composed of the same named schemas and of as
    /// many others.
    fn members(&self, composed: &(Vec<Pointer>, Vec<Pointer>)) -> Option<Vec<(Pointer, Pointer)>> {
        let split = |side: &Side<'a>, members: &[Pointer], now: &dyn Fn(&str) -> String| {
            let mut named = BTreeMap::new();
            let mut others = Vec::new();
            for member in members {
                let name = component(side, member).map(|name| now(&name));
                match name {
                    Some(name) => {
                        named.insert(name, member.clone());
                    }
                    None => others.push(member.clone()),
                }
            }
            (named, others)
        };
        let old = split(self.graph.old, &composed.0, &|name| self.graph.now(name));
        let new = split(self.graph.new, &composed.1, &str::to_owned);
        if !old.0.keys().eq(new.0.keys()) || old.1.len() != new.1.len() {
            return None;
        }
        let named = old.0.into_values().zip(new.0.into_values());
        Some(named.chain(old.1.into_iter().zip(new.1)).collect())
    }

    fn union(&self, found: &mut Found, old: (&Pointer, Union<'a>), new: (&Pointer, Union<'a>)) {
        let (old_place, (old_keyword, old_members)) = old;
        let (new_place, (new_keyword, new_members)) = new;
        if old_keyword != new_keyword {
            found.fact(
                "union-changed",
                format!("{} is `{new_keyword}`, was `{old_keyword}`", self.label),
                Some(old_place.join(old_keyword)),
                Some(new_place.join(new_keyword)),
                DirectionalImpact::from(Impact::breaking("its Rust type is built in another way")),
            );
        }
        let mut gone: Vec<Pointer> = old_members
            .iter()
            .map(|(index, _)| old_place.join(old_keyword).join(index))
            .collect();
        let mut come: Vec<Pointer> = new_members
            .iter()
            .map(|(index, _)| new_place.join(new_keyword).join(index))
            .collect();
        // First those that are surely the same, then those that may be.
        let identity = |side: &Side<'a>, place: &Pointer, old: bool| {
            schema::shape(side.document, place, |name| {
                if old {
                    self.graph.now(name)
                } else {
                    name.to_owned()
                }
            })
        };
        let kind = |side: &Side<'a>, place: &Pointer| match schema::site(
            side.document,
            place,
            true,
        )?
        .end
        {
            End::Named(..) => None,
            End::Here(_, object) => Some(schema::types(object)),
        };
        for exact in [true, false] {
            gone.retain(|a| {
                let position = come.iter().position(|b| {
                    if exact {
                        identity(self.graph.old, a, true) == identity(self.graph.new, b, false)
                    } else {
                        let kinds = (kind(self.graph.old, a), kind(self.graph.new, b));
                        kinds.0.is_some() && kinds.0 == kinds.1
                    }
                });
                let Some(position) = position else {
                    return true;
                };
                let b = come.remove(position);
                found.child(a.clone(), b, false, self.depth);
                false
            });
        }
        for place in gone {
            let what = format!(
                "{} is no longer {}",
                self.label,
                self.graph.old.kind_at(&place)
            );
            let impact = DirectionalImpact::from(Impact::breaking(
                "code that names that variant no longer compiles",
            ));
            found.fact("variant-removed", what, Some(place), None, impact);
        }
        // What is told apart by a tag keeps a member whose tag it doesn't know, and is non-exhaustive.
        let tagged = |side: &Side<'a>, place: &Pointer| {
            let union = side.document.pointer(place.as_str());
            union.is_some_and(|union| union.get("discriminator").is_some())
        };
        let open = tagged(self.graph.old, old_place) && tagged(self.graph.new, new_place);
        for place in come {
            let what = format!(
                "{} may also be {}",
                self.label,
                self.graph.new.kind_at(&place)
            );
            let ruling = if open {
                Impact::addition("the union is open: a variant that isn't known is kept")
            } else {
                Impact::breaking("a `match` over the union has one more variant to handle")
            };
            found.fact(
                "variant-added",
                what,
                None,
                Some(place),
                DirectionalImpact::from(ruling),
            );
        }
    }

    fn discriminator(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let tag = |object: &'a Object| {
            object
                .get("discriminator")
                .and_then(|tag| tag.get("propertyName"))
                .and_then(Value::as_str)
        };
        let (a, b) = (tag(old.1), tag(new.1));
        if a != b {
            let quote = |tag: Option<&str>| tag.map(|tag| format!("`{tag}`"));
            found.fact(
                "discriminator-changed",
                format!("the tag of {} {}", self.label, changed(quote(a), quote(b))),
                Some(old.0.join("discriminator")),
                Some(new.0.join("discriminator")),
                DirectionalImpact::from(Impact::breaking(
                    "the variants are told apart by other means",
                )),
            );
        }
        let empty = Object::new();
        let mapping = |object: &'a Object| {
            object
                .get("discriminator")
                .and_then(|tag| tag.get("mapping"))
                .and_then(Value::as_object)
        };
        let (a, b) = (
            mapping(old.1).unwrap_or(&empty),
            mapping(new.1).unwrap_or(&empty),
        );
        let place = |pointer: &Pointer, name: &str| {
            Some(pointer.join("discriminator").join("mapping").join(name))
        };
        for name in a.keys().filter(|name| !b.contains_key(*name)) {
            let what = format!("the tag `{name}` of {} is gone", self.label);
            let impact = DirectionalImpact::from(Impact::breaking(
                "values with that tag are no longer told apart",
            ));
            found.fact("tag-removed", what, place(old.0, name), None, impact);
        }
        for (name, target) in b {
            match a.get(name) {
                None => {
                    let what = format!("the tag `{name}` of {} is new", self.label);
                    let impact = DirectionalImpact::from(Impact::addition(
                        "values with other tags are read as before",
                    ));
                    found.fact("tag-added", what, None, place(new.0, name), impact);
                }
                Some(was) if self.target(was) != *target => {
                    let what = format!(
                        "the tag `{name}` of {} stands for another schema",
                        self.label
                    );
                    let impact = DirectionalImpact::from(Impact::breaking(
                        "values with that tag become another variant",
                    ));
                    found.fact(
                        "tag-changed",
                        what,
                        place(old.0, name),
                        place(new.0, name),
                        impact,
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// What a mapping's target is called now.
    fn target(&self, target: &Value) -> Value {
        let Some(text) = target.as_str() else {
            return target.clone();
        };
        match Pointer::from_ref(text).as_ref().and_then(schema::component) {
            Some(name) => {
                let place = Pointer::root().join("components").join("schemas");
                json!(place.join(self.graph.now(&name)).to_ref())
            }
            None => json!(self.graph.now(text)),
        }
    }

    fn values(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let (Some(a), Some(b)) = (schema::values(old.1), schema::values(new.1)) else {
            return;
        };
        let place = |at: Place<'_, 'a>| {
            let keyword = if at.1.contains_key("const") {
                "const"
            } else {
                "enum"
            };
            Some(at.0.join(keyword))
        };
        let key = |value: &&Value| value.to_string();
        let (known, listed): (BTreeSet<_>, BTreeSet<_>) =
            (a.iter().map(key).collect(), b.iter().map(key).collect());
        let gone: Vec<String> = a
            .iter()
            .filter(|value| !listed.contains(&key(value)))
            .map(|value| show(value))
            .collect();
        let come: Vec<String> = b
            .iter()
            .filter(|value| !known.contains(&key(value)))
            .map(|value| show(value))
            .collect();
        if gone.is_empty() && come.is_empty() && a != b {
            let what = format!("the values of {} are in another order", self.label);
            let ruling =
                Impact::documentation("only the order in which the variants compare changes");
            found.fact(
                "enum-reordered",
                what,
                place(old),
                place(new),
                DirectionalImpact::from(ruling),
            );
        }
        let strings = a.iter().chain(&b).all(|value| value.is_string());
        let pairs = rename::pair(&gone, &come, |a, b| {
            let likeness = rename::likeness(a, b);
            (strings && likeness >= rename::SIMILAR).then_some(likeness)
        });
        for (i, j) in &pairs {
            let what = format!(
                "the value {} of {} is likely {} now",
                gone[*i], self.label, come[*j]
            );
            let why = "code that names the variant no longer compiles, and the old value is no longer understood";
            found.fact(
                "enum-value-renamed",
                what,
                place(old),
                place(new),
                DirectionalImpact::from(Impact::breaking(why)),
            );
        }
        for (index, value) in gone.iter().enumerate() {
            if pairs.iter().any(|(i, _)| *i == index) {
                continue;
            }
            let what = format!("the value {value} of {} is gone", self.label);
            let impact = if strings {
                DirectionalImpact::from(Impact::breaking(
                    "code that names the variant no longer compiles",
                ))
            } else {
                DirectionalImpact::new(
                    Impact::breaking("the service refuses the value"),
                    Impact::addition("fewer values come than before"),
                )
            };
            found.fact("enum-value-removed", what, place(old), place(new), impact);
        }
        for (index, value) in come.iter().enumerate() {
            if pairs.iter().any(|(_, j)| *j == index) {
                continue;
            }
            let what = format!("{} may also be {value}", self.label);
            let impact = if strings {
                DirectionalImpact::new(
                    Impact::addition("one more value can be sent"),
                    Impact::addition("enums of strings are open: until now it came as `Unknown`"),
                )
            } else {
                DirectionalImpact::new(
                    Impact::addition("one more value can be sent"),
                    Impact::breaking("a value comes that never came before"),
                )
            };
            found.fact("enum-value-added", what, place(old), place(new), impact);
        }
    }

    fn format(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let (a, b) = (schema::format(old.1), schema::format(new.1));
        if a == b {
            return;
        }
        let types = (schema::scalar(old.1), schema::scalar(new.1));
        let quote = |format: Option<&str>| format.map(|format| format!("`{format}`"));
        let what = format!(
            "the format of {} {}",
            self.label,
            changed(quote(a), quote(b))
        );
        let impact = match types {
            (Some(old), Some(new)) if old != new => DirectionalImpact::from(Impact::breaking(
                format!("its Rust type is {new}, was {old}"),
            )),
            _ if b.is_none() => DirectionalImpact::new(
                Impact::addition("any text is taken"),
                Impact::documentation("the SDK hands it on as it comes, before and after"),
            ),
            _ => DirectionalImpact::new(
                Impact::breaking("the service may refuse what it took before"),
                Impact::documentation("the SDK hands it on as it comes, before and after"),
            ),
        };
        let place = |at: Place<'_, 'a>, has: bool| {
            Some(if has {
                at.0.join("format")
            } else {
                at.0.clone()
            })
        };
        found.fact(
            "format-changed",
            what,
            place(old, a.is_some()),
            place(new, b.is_some()),
            impact,
        );
    }

    fn bounds(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        for (lower, keyword, name) in [
            (true, "minimum", "the minimum"),
            (false, "maximum", "the maximum"),
        ] {
            let (a, b) = (schema::bound(old.1, lower), schema::bound(new.1, lower));
            if a != b {
                let tighter = match (a, b) {
                    (Some(a), Some(b)) => schema::tighter(b, a, lower),
                    (a, _) => a.is_none(),
                };
                let text = |(bound, excluded): (f64, bool)| match (excluded, lower) {
                    (false, _) => format!("{bound}"),
                    (true, true) => format!("more than {bound}"),
                    (true, false) => format!("less than {bound}"),
                };
                let values = (a.map(text), b.map(text));
                self.bound(found, (old, new), keyword, name, values, Some(tighter));
            }
        }
        for (lower, keyword, name) in [
            (true, "minLength", "the smallest length"),
            (false, "maxLength", "the greatest length"),
            (true, "minItems", "the smallest number of items"),
            (false, "maxItems", "the greatest number of items"),
            (true, "minProperties", "the smallest number of properties"),
            (false, "maxProperties", "the greatest number of properties"),
        ] {
            let count = |object: &Object| {
                let count = object.get(keyword).and_then(Value::as_f64);
                count.filter(|count| !lower || *count > 0.0)
            };
            let (a, b) = (count(old.1), count(new.1));
            if a != b {
                let tighter = match (a, b) {
                    (Some(a), Some(b)) if lower => b > a,
                    (Some(a), Some(b)) => b < a,
                    (a, _) => a.is_none(),
                };
                let text = |count: f64| format!("{count}");
                self.bound(
                    found,
                    (old, new),
                    keyword,
                    name,
                    (a.map(text), b.map(text)),
                    Some(tighter),
                );
            }
        }
        let unique = |object: &Object| object.get("uniqueItems") == Some(&json!(true));
        if unique(old.1) != unique(new.1) {
            let text = |unique: bool| unique.then(|| "demanded".to_owned());
            let values = (text(unique(old.1)), text(unique(new.1)));
            let name = "that the items differ";
            self.bound(
                found,
                (old, new),
                "uniqueItems",
                name,
                values,
                Some(unique(new.1)),
            );
        }
        let step = |object: &Object| object.get("multipleOf").and_then(Value::as_f64);
        let (a, b) = (step(old.1), step(new.1));
        if a != b {
            let divides = |a: f64, b: f64| a != 0.0 && (b / a).fract().abs() < 1e-9;
            let tighter = match (a, b) {
                (Some(a), Some(b)) if divides(a, b) => Some(true),
                (Some(a), Some(b)) if divides(b, a) => Some(false),
                (Some(_), Some(_)) => None,
                (a, _) => Some(a.is_none()),
            };
            let text = |step: f64| format!("{step}");
            self.bound(
                found,
                (old, new),
                "multipleOf",
                "the step",
                (a.map(text), b.map(text)),
                tighter,
            );
        }
        let pattern = |object: &'a Object| object.get("pattern").and_then(Value::as_str);
        let (a, b) = (pattern(old.1), pattern(new.1));
        if a != b {
            let tighter = match (a, b) {
                (Some(_), Some(_)) => None,
                (a, _) => Some(a.is_none()),
            };
            let text = |pattern: &str| format!("`{pattern}`");
            self.bound(
                found,
                (old, new),
                "pattern",
                "the pattern",
                (a.map(text), b.map(text)),
                tighter,
            );
        }
    }

    /// One bound has changed; `tighter` is `None` where nobody can tell in which way.
    fn bound(
        &self,
        found: &mut Found,
        (old, new): (Place<'_, 'a>, Place<'_, 'a>),
        keyword: &str,
        name: &str,
        (a, b): (Option<String>, Option<String>),
        tighter: Option<bool>,
    ) {
        let place = |at: Place<'_, 'a>, has: bool| {
            Some(if has {
                at.0.join(keyword)
            } else {
                at.0.clone()
            })
        };
        let places = (place(old, a.is_some()), place(new, b.is_some()));
        let what = format!("{name} of {} {}", self.label, changed(a, b));
        let (kind, impact) = match tighter {
            Some(true) => (
                "bound-tightened",
                DirectionalImpact::new(
                    Impact::breaking("the service refuses what it took before"),
                    Impact::addition("whatever comes could have come before"),
                ),
            ),
            Some(false) => (
                "bound-loosened",
                DirectionalImpact::new(
                    Impact::addition("the service takes more than before"),
                    Impact::breaking("values come that a program could rule out before"),
                ),
            ),
            None => (
                "bound-changed",
                DirectionalImpact::from(Impact::breaking(
                    "whether it takes less than before can't be told, so the worst is assumed",
                )),
            ),
        };
        let rust = match (schema::scalar(old.1), schema::scalar(new.1)) {
            (Some(old), Some(new)) => Some((old, new)),
            _ if keyword.ends_with("Items") => Some((schema::list(old.1), schema::list(new.1))),
            _ => None,
        };
        let impact = match rust {
            // A format that changed along has said it already.
            Some((was, is)) if was != is && schema::format(old.1) == schema::format(new.1) => {
                DirectionalImpact::from(Impact::breaking(format!(
                    "its Rust type is {is}, was {was}"
                )))
            }
            _ => impact,
        };
        found.fact(kind, what, places.0, places.1, impact);
    }

    fn items(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        let place = |at: Place<'_, 'a>| {
            at.1.get("items")
                .and_then(schema::object)
                .map(|_| at.0.join("items"))
        };
        match (place(old), place(new)) {
            (Some(a), Some(b)) => found.child(a, b, false, self.depth),
            (None, None) => {}
            (a, b) => {
                let now = if b.is_some() { "say" } else { "no longer say" };
                let what = format!("the items of {} {now} what they are", self.label);
                let impact =
                    DirectionalImpact::from(Impact::breaking("their Rust type is another one"));
                found.fact(
                    "type-changed",
                    what,
                    a.or_else(|| Some(old.0.clone())),
                    b.or_else(|| Some(new.0.clone())),
                    impact,
                );
            }
        }
    }

    fn object(
        &self,
        found: &mut Found,
        old: Place<'_, 'a>,
        new: Place<'_, 'a>,
        a: &Flat,
        b: &Flat,
    ) {
        let is_object = |(_, object): Place<'_, 'a>| schema::types(object).contains("object");
        let maps = (a.properties.is_empty(), b.properties.is_empty());
        if maps.0 != maps.1 && is_object(old) && is_object(new) {
            let (kind, was) = if maps.1 {
                ("a map", "an object with properties")
            } else {
                ("an object with properties", "a map")
            };
            let impact = DirectionalImpact::from(Impact::breaking("its Rust type is another one"));
            let what = format!("{} is {kind}, was {was}", self.label);
            found.fact(
                "type-changed",
                what,
                Some(old.0.clone()),
                Some(new.0.clone()),
                impact,
            );
            return;
        }
        self.properties(found, a, b);
        self.additional(found, old, new, maps.1);
    }

    fn properties(&self, found: &mut Found, a: &Flat, b: &Flat) {
        let (old, new): (HashMap<_, _>, HashMap<_, _>) = (
            a.properties
                .iter()
                .map(|(name, place)| (name, place))
                .collect(),
            b.properties
                .iter()
                .map(|(name, place)| (name, place))
                .collect(),
        );
        let gone: Vec<&String> = a
            .properties
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !new.contains_key(*name))
            .collect();
        let come: Vec<&String> = b
            .properties
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !old.contains_key(*name))
            .collect();
        let position = |flat: &Flat, name: &String| {
            flat.properties.iter().position(|(known, _)| known == name)
        };
        let single = gone.len() == 1 && come.len() == 1;
        let pairs = rename::pair(&gone, &come, |x, y| {
            let likeness = rename::likeness(x, y);
            let similar = likeness >= rename::SIMILAR;
            let in_place = single && position(a, x) == position(b, y);
            if !similar && !in_place {
                return None;
            }
            let shape = |side: &Side<'a>, place: &Pointer, old: bool| {
                schema::shape(side.document, place, |name| {
                    if old {
                        self.graph.now(name)
                    } else {
                        name.to_owned()
                    }
                })
            };
            let same = shape(self.graph.old, old[x], true) == shape(self.graph.new, new[y], false);
            // One name in another spelling needs no further proof.
            (same || likeness >= 1.0).then_some(likeness)
        });
        for (i, j) in &pairs {
            let (x, y) = (gone[*i], come[*j]);
            let what = format!("{} is likely `{y}` now", self.graph.old.label(old[x]));
            let ruling = if names::method_name(x) == names::method_name(y) {
                Impact::breaking(
                    "its field keeps its name, but versions released before read and write the old one",
                )
            } else {
                Impact::breaking("its field has another name")
            };
            found.fact(
                "property-renamed",
                what,
                Some(old[x].clone()),
                Some(new[y].clone()),
                DirectionalImpact::from(ruling),
            );
            self.property(
                found,
                (old[x], a.required.contains(x)),
                (new[y], b.required.contains(y)),
            );
        }
        for (index, name) in gone.iter().enumerate() {
            if pairs.iter().all(|(i, _)| *i != index) {
                let what = format!("{} is gone", self.graph.old.label(old[name]));
                let impact = DirectionalImpact::from(Impact::breaking(
                    "code that names its field no longer compiles",
                ));
                found.fact(
                    "property-removed",
                    what,
                    Some(old[name].clone()),
                    None,
                    impact,
                );
            }
        }
        for (index, name) in come.iter().enumerate() {
            if pairs.iter().any(|(_, j)| *j == index) {
                continue;
            }
            let label = self.graph.new.label(new[name]);
            let (what, impact) = if b.required.contains(*name) {
                let impact = DirectionalImpact::new(
                    Impact::breaking(
                        "a request without it is refused, and its builder asks for it",
                    ),
                    Impact::addition("structs are non-exhaustive: one more field breaks nothing"),
                );
                (format!("{label} is new, and required"), impact)
            } else {
                let why = "structs are non-exhaustive and made by builders: one more field breaks nothing";
                (
                    format!("{label} is new"),
                    DirectionalImpact::from(Impact::addition(why)),
                )
            };
            found.fact(
                "property-added",
                what,
                None,
                Some(new[name].clone()),
                impact,
            );
        }
        for (name, place) in &a.properties {
            if let Some(now) = new.get(name) {
                self.property(
                    found,
                    (place, a.required.contains(name)),
                    (now, b.required.contains(name)),
                );
            }
        }
    }

    /// A property that is there before and after: whether it may be absent or null, and then what it is.
    fn property(&self, found: &mut Found, old: (&Pointer, bool), new: (&Pointer, bool)) {
        found.child(old.0.clone(), new.0.clone(), true, self.depth);
        let Some((a, b)) = self.graph.sites(old.0, new.0) else {
            return;
        };
        let presence = |site: &Site<'a>, required: bool| Presence {
            required,
            nullable: site.nullable,
            default: rust::fills_in(
                schema::annotation(&site.layers, "default").map(|(_, value)| value),
            ),
            collection: match &site.end {
                End::Named(..) => false,
                End::Here(_, object) => schema::is_collection(object),
            },
        };
        let (was, is) = (presence(&a, old.1), presence(&b, new.1));
        let label = self.graph.new.label(new.0);
        let places = (Some(old.0.clone()), Some(new.0.clone()));
        let ruling = |sent: bool, kept: Impact| {
            let type_of = |form: Form| match form {
                Form::Plain => "T",
                Form::Option => "Option<T>",
                Form::ThreeState => "Nullable<T>",
            };
            let (from, to) = (was.form(sent), is.form(sent));
            if from == to {
                kept
            } else {
                Impact::breaking(format!(
                    "the type of its field is {}, was {}",
                    type_of(to),
                    type_of(from)
                ))
            }
        };
        if was.required != is.required {
            let (kind, what, impact) = if is.required {
                let refused = Impact::breaking("a request without it is refused");
                let impact = DirectionalImpact::new(
                    refused,
                    ruling(false, Impact::addition("the type of its field stays")),
                );
                (
                    "property-required",
                    format!("{label} is required, was optional"),
                    impact,
                )
            } else {
                let kept = |sent| ruling(sent, Impact::addition("the type of its field stays"));
                (
                    "property-optional",
                    format!("{label} is optional, was required"),
                    DirectionalImpact::new(kept(true), kept(false)),
                )
            };
            found.fact(kind, what, places.0.clone(), places.1.clone(), impact);
        }
        if was.nullable != is.nullable {
            let (kind, what, impact) = if is.nullable {
                let kept = |sent| {
                    ruling(
                        sent,
                        Impact::addition("the type of its field can say that already"),
                    )
                };
                (
                    "property-nullable",
                    format!("{label} may be null"),
                    DirectionalImpact::new(kept(true), kept(false)),
                )
            } else {
                let refused = Impact::breaking("the service refuses a null");
                let impact = DirectionalImpact::new(
                    refused,
                    ruling(false, Impact::addition("the type of its field stays")),
                );
                (
                    "property-not-nullable",
                    format!("{label} may no longer be null"),
                    impact,
                )
            };
            found.fact(kind, what, places.0.clone(), places.1.clone(), impact);
        }
        let default = |site: &Site<'a>| {
            schema::annotation(&site.layers, "default").map(|(_, value)| show(value))
        };
        let (a, b) = (default(&a), default(&b));
        if a.is_some() != b.is_some() {
            let settled = was.required != is.required || was.nullable != is.nullable;
            let ruling = if settled || was.form(false) == is.form(false) {
                Impact::documentation("it says what the service does anyway")
            } else if is.default {
                Impact::breaking(
                    "it fills in for what is absent, so the field is no longer an `Option`",
                )
            } else {
                Impact::breaking("nothing fills in for what is absent, so the field is an `Option`")
            };
            let what = format!("the default of {label} {}", changed(a, b));
            found.fact(
                "default-changed",
                what,
                places.0,
                places.1,
                DirectionalImpact::from(ruling),
            );
        }
    }

    fn additional(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>, map: bool) {
        let further = |object: &'a Object| object.get("additionalProperties");
        let closed = |object: &'a Object| further(object) == Some(&json!(false));
        let described = |object: &'a Object| further(object).is_some_and(Value::is_object);
        let place = |at: Place<'_, 'a>| at.0.join("additionalProperties");
        let (a, b) = (place(old), place(new));
        let label = &self.label;
        match (described(old.1), described(new.1)) {
            (true, true) => found.child(a, b, false, self.depth),
            (false, false) if closed(old.1) == closed(new.1) => {}
            (false, false) => {
                let (kind, what) = if closed(new.1) {
                    ("closed", format!("{label} takes no further properties"))
                } else {
                    ("opened", format!("{label} takes further properties"))
                };
                let impact = match (closed(new.1), map) {
                    (true, true) => DirectionalImpact::new(
                        Impact::breaking("the service refuses any property"),
                        Impact::addition("fewer properties come than before"),
                    ),
                    (true, false) => DirectionalImpact::new(
                        Impact::documentation(
                            "the SDK sends no property that the document doesn't name",
                        ),
                        Impact::documentation(
                            "the SDK passes over properties that it doesn't know, before and after",
                        ),
                    ),
                    (false, _) => DirectionalImpact::from(Impact::documentation(
                        "the SDK neither sends nor refuses properties that the document doesn't name",
                    )),
                };
                found.fact(kind, what, Some(a), Some(b), impact);
            }
            (_, now) => {
                let why = if map {
                    "the Rust type of its values is another one"
                } else {
                    "its struct gains or loses the field for further properties"
                };
                let word = if now { "say" } else { "no longer say" };
                let what = format!("the further properties of {label} {word} what they are");
                found.fact(
                    "type-changed",
                    what,
                    Some(a),
                    Some(b),
                    DirectionalImpact::from(Impact::breaking(why)),
                );
            }
        }
    }

    /// Whatever no other comparison has looked at.
    fn rest(&self, found: &mut Found, old: Place<'_, 'a>, new: Place<'_, 'a>) {
        const COMPARED: [&str; 32] = [
            "$ref",
            "type",
            "nullable",
            "enum",
            "const",
            "format",
            "contentEncoding",
            "minimum",
            "maximum",
            "exclusiveMinimum",
            "exclusiveMaximum",
            "multipleOf",
            "minLength",
            "maxLength",
            "pattern",
            "minItems",
            "maxItems",
            "uniqueItems",
            "minProperties",
            "maxProperties",
            "required",
            "properties",
            "additionalProperties",
            "items",
            "allOf",
            "anyOf",
            "oneOf",
            "discriminator",
            "$defs",
            "definitions",
            "$dynamicAnchor",
            "$recursiveAnchor",
        ];
        let keys: BTreeSet<&String> = old.1.keys().chain(new.1.keys()).collect();
        for key in keys {
            if COMPARED.contains(&key.as_str()) || schema::is_annotation(key) {
                continue;
            }
            let (a, b) = (old.1.get(key), new.1.get(key));
            if a == b {
                continue;
            }
            let same = match (a, b) {
                (Some(a), Some(b)) => schema::canonical(a) == schema::canonical(b),
                _ => false,
            };
            let impact = if same {
                DirectionalImpact::from(Impact::documentation("only its texts differ"))
            } else if [
                "prefixItems",
                "patternProperties",
                "not",
                "$dynamicRef",
                "$recursiveRef",
            ]
            .contains(&key.as_str())
            {
                DirectionalImpact::from(Impact::breaking("its Rust type may be another one"))
            } else {
                DirectionalImpact::new(
                    Impact::breaking(
                        "the SDK doesn't check it, and the service may refuse what it took before",
                    ),
                    Impact::documentation("the SDK doesn't look at it"),
                )
            };
            let what = format!("`{key}` of {} {}", self.label, verb(&a, &b));
            let place = |at: Place<'_, 'a>, has: bool| {
                Some(if has { at.0.join(key) } else { at.0.clone() })
            };
            found.fact(
                "constraint-changed",
                what,
                place(old, a.is_some()),
                place(new, b.is_some()),
                impact,
            );
        }
    }
}

fn unions_are_all(object: &Object) -> bool {
    schema::union(object).is_some()
}

fn component(side: &Side<'_>, place: &Pointer) -> Option<String> {
    schema::component(place).or_else(|| match schema::site(side.document, place, true)?.end {
        End::Named(name, _) => Some(name),
        End::Here(..) => None,
    })
}
