//! Marks items with the Cargo features that need them.
//!
//! An operation needs its own feature, and a type those of all operations and types that name it. What is named without a
//! feature is always compiled. A name in a text counts, even if it means something else: an item may then be compiled with a
//! feature too many, which is no error.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proc_macro2::TokenTree;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, ImplItem, Item, ItemImpl, parse_quote};

use super::syntax::implemented;
use crate::features::{Condition, Features};

/// The condition of each name that the client uses.
pub(super) type Uses = BTreeMap<String, Condition>;

/// A type as it is printed, with all that belongs to it.
#[derive(Default)]
pub(super) struct PrintedType {
    /// The names of the type, and of those that are made for it.
    pub(super) names: Vec<String>,
    /// The items.
    pub(super) items: Vec<String>,
    /// The declarations of builders, which are in a module of their own.
    pub(super) builders: Vec<String>,
}

impl PrintedType {
    fn words(&self) -> impl Iterator<Item = &str> {
        self.items
            .iter()
            .chain(&self.builders)
            .flat_map(|text| words(text))
    }
}

/// Marks the items of the client, and returns what they use.
pub(super) fn mark(client: &mut syn::File, features: &Features) -> Uses {
    let mut uses = Uses::new();
    if features.is_empty() {
        return uses;
    }
    let builders = features.builders();
    for item in &mut client.items {
        match item {
            Item::Impl(item) if is_client(item) => {
                for item in &mut item.items {
                    let ImplItem::Fn(function) = item else {
                        continue;
                    };
                    let condition = features.condition(&function.sig.ident.to_string());
                    use_names(&mut uses, &condition, |names| {
                        names.visit_signature(&function.sig);
                    });
                    add(&mut function.attrs, attribute(features, &condition));
                }
            }
            Item::Mod(module) if module.ident == "builder" => {
                let items = module.content.as_mut().map(|(_, items)| items);
                let items = items.into_iter().flatten();
                mark_items(items, &builders, features, &mut uses);
            }
            Item::Mod(module) if module.ident == "response" => {}
            item => use_names(&mut uses, &Condition::Always, |names| {
                names.visit_item(item)
            }),
        }
    }
    // Responses are enums that operations use.
    for item in &mut client.items {
        if let Item::Mod(module) = item
            && module.ident == "response"
        {
            let items = module.content.as_mut().map(|(_, items)| items);
            let used = uses.clone();
            let items = items.into_iter().flatten();
            mark_items(items, &used, features, &mut uses);
        }
    }
    uses
}

/// Marks each item with the condition of its owner, and adds what it uses.
fn mark_items<'a>(
    items: impl Iterator<Item = &'a mut Item>,
    conditions: &BTreeMap<String, Condition>,
    features: &Features,
    uses: &mut Uses,
) {
    for item in items {
        let condition = owner(item).and_then(|owner| conditions.get(&owner));
        let condition = condition.unwrap_or(&Condition::Always);
        use_names(uses, condition, |names| names.visit_item(item));
        if let Some(attributes) = attributes(item) {
            add(attributes, attribute(features, condition));
        }
    }
}

fn is_client(item: &ItemImpl) -> bool {
    item.trait_.is_none() && implemented(item).as_deref() == Some("Client")
}

/// Returns the type that an item declares, implements, or passes to a macro as the first argument.
fn owner(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Impl(item) => implemented(item),
        Item::Macro(item) => match item.mac.tokens.clone().into_iter().next() {
            Some(TokenTree::Ident(name)) => Some(name.to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn attributes(item: &mut Item) -> Option<&mut Vec<Attribute>> {
    match item {
        Item::Struct(item) => Some(&mut item.attrs),
        Item::Enum(item) => Some(&mut item.attrs),
        Item::Impl(item) => Some(&mut item.attrs),
        Item::Macro(item) => Some(&mut item.attrs),
        _ => None,
    }
}

/// Adds an attribute after the documentation.
fn add(attributes: &mut Vec<Attribute>, attribute: Option<Attribute>) {
    let documentation = attributes
        .iter()
        .take_while(|attribute| attribute.path().is_ident("doc"));
    let index = documentation.count();
    attributes.splice(index..index, attribute);
}

fn attribute(features: &Features, condition: &Condition) -> Option<Attribute> {
    let text = features.attribute(condition)?;
    let tokens: proc_macro2::TokenStream = text.parse().ok()?;
    Some(parse_quote!(#tokens))
}

/// Adds the names that `visit` finds to what is used.
fn use_names(uses: &mut Uses, condition: &Condition, visit: impl FnOnce(&mut Names)) {
    let mut names = Names::default();
    visit(&mut names);
    for name in names.0 {
        uses.entry(name).or_default().add(condition);
    }
}

/// The names that may be those of types.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl<'a> Visit<'a> for Names {
    fn visit_ident(&mut self, ident: &'a Ident) {
        let name = ident.to_string();
        if name.starts_with(char::is_uppercase) {
            self.0.insert(name);
        }
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        let words = item.tokens.to_string();
        self.0.extend(self::words(&words).map(str::to_owned));
        visit::visit_macro(self, item);
    }
}

/// Returns the condition of each type, if the client uses types on these conditions. `always` is the source that is always
/// compiled.
pub(super) fn conditions(types: &[PrintedType], uses: &Uses, always: &str) -> Vec<Condition> {
    let mut indices: HashMap<&str, usize> = HashMap::new();
    for (index, printed) in types.iter().enumerate() {
        indices.extend(printed.names.iter().map(|name| (name.as_str(), index)));
    }
    let index = |name: &str| indices.get(name).copied();
    let named: Vec<BTreeSet<usize>> = types
        .iter()
        .map(|printed| printed.words().filter_map(index).collect())
        .collect();
    let mut conditions = vec![Condition::default(); types.len()];
    let mut waiting = Vec::new();
    let mut need = |index: usize, condition: &Condition, conditions: &mut Vec<Condition>| {
        if conditions[index].add(condition) {
            waiting.push(index);
        }
        while let Some(index) = waiting.pop() {
            let condition = conditions[index].clone();
            for other in &named[index] {
                if conditions[*other].add(&condition) {
                    waiting.push(*other);
                }
            }
        }
    };
    for (name, condition) in uses {
        if let Some(index) = index(name) {
            need(index, condition, &mut conditions);
        }
    }
    for index in words(always).filter_map(index) {
        need(index, &Condition::Always, &mut conditions);
    }
    // No operation uses these: a program may have another use for them.
    for index in 0..types.len() {
        if conditions[index] == Condition::default() {
            need(index, &Condition::Always, &mut conditions);
        }
    }
    conditions
}

/// Adds an attribute to an item in a text, after its documentation.
pub(super) fn with_attribute(item: &str, indent: &str, attribute: &str) -> String {
    let is_documentation = |line: &&str| line.trim_start().starts_with("///");
    let lines = item.split_inclusive('\n');
    let documentation: usize = lines.take_while(is_documentation).map(str::len).sum();
    let (documentation, item) = item.split_at(documentation);
    format!("{documentation}{indent}{attribute}\n{item}")
}

/// Puts conditions on the line of the attribute, the implementation or the macro's call that follows.
pub(super) fn in_line(text: String, features: &Features) -> String {
    if features.is_empty() {
        return text;
    }
    let mut joined = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        joined.push_str(line);
        let begins = |text: &str, beginnings: &[&str]| {
            let text = text.trim_start();
            beginnings
                .iter()
                .any(|beginning| text.starts_with(beginning))
        };
        let is_condition = begins(line, &["#[cfg(feature", "#[cfg(any(feature"]);
        let item = lines.next_if(|next| is_condition && begins(next, &["#[", "impl", "crate::"]));
        if let Some(item) = item {
            joined.push(' ');
            joined.push_str(item.trim_start());
        }
        joined.push('\n');
    }
    joined
}

/// Returns the words of a source that may be names of types, except those in its documentation.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("///"));
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.filter(|word| word.starts_with(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document with two features: `a` for the method `get_a`, and `b` for `get_b`.
    fn features() -> Features {
        let operation =
            |id: &str, tag: &str| serde_json::json!({"get": {"operationId": id, "tags": [tag]}});
        let mut paths = serde_json::Map::new();
        paths.insert("/a".to_owned(), operation("getA", "A"));
        for index in 0..100 {
            let id = if index == 0 {
                "getB".to_owned()
            } else {
                format!("b{index}")
            };
            paths.insert(format!("/b{index}"), operation(&id, "B"));
        }
        Features::of(&serde_json::json!({"paths": paths}))
    }

    #[test]
    fn items_of_the_client_need_the_features_of_their_operations() {
        let mut client: syn::File = parse_quote! {
            /// The receiver.
            pub type Receiver = crate::Receiver<types::Webhook>;
            impl Client {
                pub fn get_a(&self, kind: types::Kind) -> builder::GetA {}
                pub fn get_b(&self) -> builder::GetB {}
            }
            pub mod builder {
                pub struct GetA { client: Client }
                crate::request::operation!(GetA, client, options);
                impl crate::Operation for GetA { type Output = super::response::GetAResult; }
                impl crate::Operation for GetB { type Output = types::Call; type Error = types::Problem; }
            }
            pub mod response {
                pub enum GetAResult { Ok(types::Call) }
                pub enum Unused {}
            }
        };
        let uses = mark(&mut client, &features());
        let features = features();
        insta::assert_snapshot!(in_line(prettyplease::unparse(&client), &features));
        let condition = |name: &str| features.attribute(&uses[name]);
        assert_eq!(condition("Webhook"), None);
        assert_eq!(
            condition("Kind").as_deref(),
            Some("#[cfg(feature = \"a\")]")
        );
        assert_eq!(
            condition("Problem").as_deref(),
            Some("#[cfg(feature = \"b\")]")
        );
        assert_eq!(
            condition("Call").as_deref(),
            Some("#[cfg(any(feature = \"a\", feature = \"b\"))]")
        );
    }

    #[test]
    fn client_without_features_is_unchanged() {
        let mut client: syn::File = parse_quote!(impl Client { pub fn get_a(&self) {} });
        let before = client.clone();
        assert!(mark(&mut client, &Features::default()).is_empty());
        assert_eq!(client, before);
    }

    #[test]
    fn condition_of_a_printed_item_is_after_its_documentation() {
        let text = [
            "/// The call.\n#[derive(Clone)]\npub struct Call {}\n",
            "crate::record::fields! { Call {\n} }\n",
            "/// An id.\npub struct Id(pub u8);\n",
        ]
        .map(|item| with_attribute(item, "", "#[cfg(feature = \"a\")]"));
        assert_eq!(
            in_line(text.concat(), &features()),
            "/// The call.\n\
             #[cfg(feature = \"a\")] #[derive(Clone)]\n\
             pub struct Call {}\n\
             #[cfg(feature = \"a\")] crate::record::fields! { Call {\n\
             } }\n\
             /// An id.\n\
             #[cfg(feature = \"a\")]\n\
             pub struct Id(pub u8);\n"
        );
    }

    #[test]
    fn types_need_the_features_of_all_that_names_them() {
        let printed = |name: &str, text: &str| PrintedType {
            names: vec![name.to_owned()],
            items: vec![text.to_owned()],
            builders: Vec::new(),
        };
        let types = [
            printed("Call", "pub struct Call { agent: Box<Agent> }"),
            printed(
                "Agent",
                "/// Not a `Phone`.\npub struct Agent { call: Option<Call> }",
            ),
            printed("Phone", "pub struct Phone(u8);"),
            printed("Unused", "pub struct Unused { part: Part }"),
            printed("Part", "pub struct Part;"),
            printed("Default", "pub struct Default;"),
        ];
        let (a, b) = (Condition::Any([0].into()), Condition::Any([1].into()));
        let uses = Uses::from([
            ("Call".to_owned(), a.clone()),
            ("Default".to_owned(), a.clone()),
            ("Part".to_owned(), a.clone()),
            ("Phone".to_owned(), b.clone()),
            ("Elsewhere".to_owned(), b.clone()),
        ]);
        let conditions = conditions(&types, &uses, "fn default() -> super::Default {}");
        let always = Condition::Always;
        assert_eq!(
            conditions,
            [a.clone(), a, b, always.clone(), always.clone(), always]
        );
    }

    #[test]
    fn type_of_many_operations_is_always_compiled() {
        let printed = |name: &str, text: &str| PrintedType {
            names: vec![name.to_owned()],
            items: vec![text.to_owned()],
            ..PrintedType::default()
        };
        let types = [
            printed("Call", "pub struct Call(Part);"),
            printed("Part", "pub struct Part;"),
        ];
        let of = |count: usize| {
            let mut condition = Condition::default();
            for feature in 0..count {
                condition.add(&Condition::Any([feature].into()));
            }
            conditions(&types, &Uses::from([("Call".to_owned(), condition)]), "")
        };
        let eight = Condition::Any((0..8).collect());
        assert_eq!(of(8), [eight.clone(), eight]);
        assert_eq!(of(9), [Condition::Always, Condition::Always]);
    }
}
