//! Documentation: the document's descriptions as `///` lines that rustdoc accepts, with a generated line where there is
//! none.

use proc_macro2::Span;
use syn::visit_mut::{self, VisitMut};
use syn::{
    AttrStyle, Attribute, Expr, ExprLit, Fields, Ident, Lit, LitStr, Meta, MetaNameValue,
    Visibility,
};

use super::markdown;
use super::syntax::{implemented, plain, wire_name};
use crate::description::sentences::Facts;

/// Tidies the documentation of every item, and adds the facts.
pub(super) fn tidy(file: &mut syn::File, facts: &Facts<'_>) {
    let builder = String::new();
    Docs { facts, builder }.visit_file_mut(file);
}

struct Docs<'a> {
    facts: &'a Facts<'a>,
    /// The type of the current `impl`.
    builder: String,
}

impl Docs<'_> {
    fn schema(&self, attrs: &mut Vec<Attribute>, ident: &Ident) {
        let name = ident.to_string();
        set(attrs, &name, || self.facts.schema(&name));
    }
}

impl VisitMut for Docs<'_> {
    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        self.schema(&mut item.attrs, &item.ident);
        let Fields::Named(fields) = &mut item.fields else {
            return;
        };
        let facts = self.facts.properties(&item.ident.to_string());
        for field in &mut fields.named {
            let name = wire_name(field);
            let public = matches!(field.vis, Visibility::Public(_));
            if !public && !has_docs(&field.attrs) {
                continue;
            }
            let Some(name) = name else {
                set(&mut field.attrs, "", || "Further properties.".to_owned());
                continue;
            };
            let subject = format!("The property `{name}`");
            match facts.get(name.as_str()) {
                Some(facts) => {
                    let text = match text(&field.attrs) {
                        Some(text) => facts.add_to(&markdown::for_rustdoc(&text)),
                        None => facts.document(&subject),
                    };
                    replace(&mut field.attrs, &text);
                }
                None => set(&mut field.attrs, "", || format!("{subject}.")),
            }
        }
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        self.schema(&mut item.attrs, &item.ident);
        for variant in &mut item.variants {
            let name = variant.ident.to_string();
            set(&mut variant.attrs, "", || format!("The variant `{name}`."));
            for field in &mut variant.fields {
                if let Some(name) = wire_name(field) {
                    set(&mut field.attrs, "", || format!("The property `{name}`."));
                }
            }
        }
    }

    fn visit_item_type_mut(&mut self, item: &mut syn::ItemType) {
        self.schema(&mut item.attrs, &item.ident);
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        self.builder = implemented(item).unwrap_or_default();
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_item_mod_mut(&mut self, item: &mut syn::ItemMod) {
        let name = item.ident.to_string();
        set(&mut item.attrs, "", || {
            format!("Parts of the generated code: {name}.")
        });
        visit_mut::visit_item_mod_mut(self, item);
    }

    fn visit_item_fn_mut(&mut self, item: &mut syn::ItemFn) {
        if matches!(item.vis, Visibility::Public(_)) || has_docs(&item.attrs) {
            set(&mut item.attrs, "", || {
                "Used by the generated code.".to_owned()
            });
        }
    }

    fn visit_item_const_mut(&mut self, item: &mut syn::ItemConst) {
        if has_docs(&item.attrs) {
            set(&mut item.attrs, "", String::new);
        }
    }

    fn visit_item_use_mut(&mut self, item: &mut syn::ItemUse) {
        if has_docs(&item.attrs) {
            set(&mut item.attrs, "", String::new);
        }
    }

    fn visit_impl_item_const_mut(&mut self, item: &mut syn::ImplItemConst) {
        if has_docs(&item.attrs) {
            set(&mut item.attrs, "", String::new);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut syn::ImplItemFn) {
        if matches!(item.vis, Visibility::Public(_)) || has_docs(&item.attrs) {
            let name = plain(&item.sig.ident);
            let fallback = match name.as_str() {
                "new" => "A request without any parameter set yet.".to_owned(),
                "body" => "Sets the body.".to_owned(),
                name => {
                    let setter = self.facts.setter(&self.builder, name);
                    setter.unwrap_or_else(|| format!("Sets `{name}`."))
                }
            };
            set(&mut item.attrs, "", || fallback);
        }
    }
}

/// Characters that change the direction of text, which rustc refuses in source files.
pub(super) const TURNS_TEXT: [char; 9] = [
    '\u{202A}', '\u{202B}', '\u{202C}', '\u{202D}', '\u{202E}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

/// Creates `#[doc = "…"]` without parsing. There is one per line of documentation, and parsing them would take longer
/// than everything else here.
pub(super) fn attribute(text: &str) -> Attribute {
    Attribute {
        pound_token: Default::default(),
        style: AttrStyle::Outer,
        bracket_token: Default::default(),
        meta: Meta::NameValue(MetaNameValue {
            path: Ident::new("doc", Span::call_site()).into(),
            eq_token: Default::default(),
            value: Expr::Lit(ExprLit {
                attrs: Vec::new(),
                lit: Lit::Str(LitStr::new(text, Span::call_site())),
            }),
        }),
    }
}

pub(super) fn text_of(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn has_docs(attrs: &[Attribute]) -> bool {
    attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("doc"))
}

/// Returns the documentation, `None` if there is none.
fn text(attrs: &[Attribute]) -> Option<String> {
    // typify indents by no space, authors by one: a space is only removed if every line has it.
    let mut lines: Vec<String> = attrs.iter().filter_map(text_of).collect();
    if lines
        .iter()
        .all(|line| line.is_empty() || line.starts_with(' '))
    {
        lines = lines
            .into_iter()
            .map(|line| line.strip_prefix(' ').map(str::to_owned).unwrap_or(line))
            .collect();
    }
    let text = lines.join("\n");
    (!text.trim().is_empty()).then_some(text)
}

/// Splits documentation into one attribute per line. Without documentation, or with only typify's `` `Name` ``, uses
/// `fallback`.
fn set(attrs: &mut Vec<Attribute>, name: &str, fallback: impl FnOnce() -> String) {
    let is_name = |text: &String| !name.is_empty() && text.trim() == format!("`{name}`");
    let text = match text(attrs).filter(|text| !is_name(text)) {
        Some(text) => markdown::for_rustdoc(&text),
        None => fallback(),
    };
    replace(attrs, &text);
}

/// Replaces the documentation by a text, with one attribute per line.
fn replace(attrs: &mut Vec<Attribute>, text: &str) {
    attrs.retain(|attribute| text_of(attribute).is_none());
    // A single carriage return also ends a line. rustc refuses it, and characters that change the direction of text.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.replace(TURNS_TEXT, "");
    let lines = text.lines().map(|line| {
        let line = line.trim_end();
        let line = if line.is_empty() {
            String::new()
        } else {
            format!(" {line}")
        };
        attribute(&line)
    });
    let lines: Vec<Attribute> = lines.collect();
    attrs.splice(0..0, lines);
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    #[test]
    fn descriptions_become_lines_and_gaps_are_filled() {
        let mut file: syn::File = parse_quote! {
            #[doc = "`Call`"]
            #[derive(Clone)]
            pub struct Call {
                #[doc = "Who [it] was.\n\n    indented\n"]
                pub id: u8,
                #[serde(rename = "type")]
                pub type_: u8,
            }
            #[doc = "Kinds."]
            pub enum Kind { #[doc = "`a`"] A, B(u8) }
            impl Client {
                #[doc = "Sends a `GET` request\n```ignore\nlet response = client.get_call();\n```"]
                pub fn get_call(&self) {}
                pub fn new() {}
                fn private() {}
            }
        };
        tidy(&mut file, &Facts::default());
        insta::assert_snapshot!(prettyplease::unparse(&file));
    }
}
