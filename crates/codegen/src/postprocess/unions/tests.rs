use super::*;
use crate::model::{Details, Kinds, Member, Shape, Tag};
use crate::postprocess::types::print as print_items;
use serde_json::json;

fn member(ty: Type, kinds: Kinds) -> Member {
    let shape = match &ty {
        Type::Schema(name) => Shape::Of(name.clone()),
        _ => Shape::Is(Box::new(Details {
            kinds,
            ..Details::default()
        })),
    };
    Member { ty, kinds, shape }
}

fn schema(name: &str) -> Type {
    Type::Schema(name.to_owned())
}

fn written(name: &str, union: Union, shapes: &[(&str, Details)]) -> String {
    let document = json!({});
    let shapes = shapes
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), shape.clone()));
    let model = Model {
        unions: [(name.to_owned(), union)].into(),
        shapes: shapes.collect(),
        ..Model::default()
    };
    let mut file: syn::File = parse_quote! {
        #[doc = "What happened."]
        #[derive(Clone)]
        pub struct Event(pub Vec<String>);
        impl ::std::ops::Deref for Event {}
        impl From<Event> for Vec<String> {}
        impl From<&Event> for Event {}
        pub struct Begun;
        impl From<Begun> for Vec<String> {}
    };
    let unions = Unions::of(&document, &model);
    unions.write(&mut file, &Boxed::of(BTreeMap::new(), &model));
    file.items.extend(unions.shapes());
    print_items(file.items)
}

#[test]
fn placeholder_becomes_a_tagged_enum() {
    let union = Union {
        members: vec![
            member(schema("begun"), Kinds::OBJECT),
            member(schema("group"), Kinds::OBJECT),
        ],
        tag: Some(Tag {
            property: "kind".to_owned(),
            values: vec![vec![json!("begun")], vec![json!(1), json!(true)]],
            required: true,
            own: vec![false, true],
        }),
        any: false,
        nullable: false,
    };
    insta::assert_snapshot!(written("event", union, &[]));
}

#[test]
fn members_of_one_kind_are_distinguished_by_shape() {
    let list = Type::List(Box::new(schema("begun")));
    let union = Union {
        members: vec![
            member(schema("begun"), Kinds::OBJECT),
            member(list, Kinds::LIST),
            member(schema("ended"), Kinds::OBJECT),
            member(Type::Parsed("::uuid::Uuid"), Kinds::TEXT),
            member(Type::Integer("i64"), Kinds::INTEGER),
        ],
        tag: None,
        any: true,
        nullable: true,
    };
    let begun = Details {
        kinds: Kinds::OBJECT,
        required: vec!["at".to_owned()],
        properties: vec![("at".to_owned(), Shape::Of("ended".to_owned()))],
        ..Details::default()
    };
    let ended = Details {
        kinds: Kinds::TEXT,
        values: vec![json!("a"), json!(1.5), json!(false)],
        format: Some("::uuid::Uuid"),
        ..Details::default()
    };
    insta::assert_snapshot!(written(
        "event",
        union,
        &[("begun", begun), ("ended", ended)]
    ));
}

#[test]
fn union_of_scalars_implements_display() {
    let union = |members| Union {
        members,
        tag: None,
        any: false,
        nullable: false,
    };
    let scalars = union(vec![
        member(Type::Text, Kinds::TEXT),
        member(Type::Number, Kinds::NUMBER),
    ]);
    insta::assert_snapshot!("scalars", written("event", scalars, &[]));
    let many = Type::List(Box::new(schema("begun")));
    let union = union(vec![
        member(many, Kinds::LIST),
        member(schema("begun"), Kinds::OBJECT),
    ]);
    let names: Vec<String> = variants(&union).iter().map(ToString::to_string).collect();
    assert_eq!(names, ["Many", "One"]);
}
