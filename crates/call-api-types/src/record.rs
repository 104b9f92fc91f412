//! Decoding of a struct from an object, and encoding as one, field by field.
//!
//! serde's derive also accepts a list, can keep additional properties only by buffering the whole object, and generates an
//! enum and two visitors for each struct. With hundreds of structs, that was a third of the compile time of this crate. The
//! code here is shared by all structs. The functions of each struct do little more than list its fields, because the
//! compiler checks what they do with a field again for each field.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without structs has no use for it"
)]
#![allow(
    irrefutable_let_patterns,
    reason = "a struct may have no field of its own"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::lenient;
use crate::nullable::Nullable;

/// Implements `Deserialize` and `Serialize` for a struct.
///
/// The row of a field has its ident, its name in JSON, and three words. The first is a [`Notation`]: [`Exact`], [`Lenient`],
/// [`ExactSome`] or [`LenientSome`]. The second says what an absent field is: an error if it is `required`, the default of its
/// type with `or_default`, and the result of a function with `or(function)`. The third says when the field is encoded:
/// [`Always`] or [`IfPresent`]. The last row can be the field that keeps additional properties, with the notation of their
/// values.
macro_rules! fields {
    ($record:ident {
        $($field:ident: $name:literal = $notation:ident $absence:ident $(($default:path))? $presence:ident;)*
        $(..$rest:ident: $rest_notation:ident;)?
    }) => {
        #[allow(unreachable_pub, reason = "the struct may be private")]
        impl $record {
            /// The properties, in the document's order: the name of each in Rust, and in JSON.
            pub const PROPERTIES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($field), $name)),*];

            /// Returns the name in JSON of the property with this field, which keeps its name when the document renames the
            /// property. Returns its argument if there is no such field.
            #[inline]
            pub fn name_in_json(field: &str) -> &str {
                crate::record::name_in_json(Self::PROPERTIES, field)
            }
        }

        impl<'de> crate::record::Record<'de> for $record {
            fn read<A: ::serde::de::MapAccess<'de>>(
                object: A,
            ) -> ::std::result::Result<Self, A::Error> {
                $(let mut $field =
                    crate::record::Slot::<_, crate::record::$notation, _>::$absence($($default)?);)*
                $(let mut $rest = crate::record::Rest::<_, _, crate::record::$rest_notation>::new();)?
                let missing = crate::record::read(
                    object,
                    Self::PROPERTIES,
                    &mut [$(&mut $field),*],
                    &mut [$(&mut $rest)?],
                )?;
                // One test of all fields takes less compile time than a test of each.
                let ($(::std::option::Option::Some($field),)*) = ($($field.value,)*) else {
                    return ::std::result::Result::Err(::serde::de::Error::missing_field(missing));
                };
                ::std::result::Result::Ok(Self { $($field,)* $($rest: $rest.kept,)? })
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $record {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                crate::record::deserialize(deserializer, stringify!($record))
            }
        }

        impl ::serde::Serialize for $record {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                crate::record::serialize(
                    serializer,
                    stringify!($record),
                    Self::PROPERTIES,
                    &[$(&crate::record::Field::<_, crate::record::$presence>::new(&self.$field)),*],
                    &[$(&self.$rest)?],
                )
            }
        }
    };
}
pub(crate) use fields;

/// The properties of a struct: the name of each in Rust, and in JSON.
type Properties = &'static [(&'static str, &'static str)];

pub(crate) fn name_in_json<'a>(properties: &[(&str, &'a str)], field: &'a str) -> &'a str {
    let mut named = properties.iter().filter(|(own, _)| *own == field);
    named.next().map_or(field, |(_, name)| name)
}

/// A struct that is decoded field by field.
pub(crate) trait Record<'de>: Sized {
    fn read<A: MapAccess<'de>>(object: A) -> Result<Self, A::Error>;
}

/// Decodes a struct.
pub(crate) fn deserialize<'de, R: Record<'de>, D: Deserializer<'de>>(
    deserializer: D,
    name: &'static str,
) -> Result<R, D::Error> {
    deserializer.deserialize_map(Whole {
        name,
        record: PhantomData,
    })
}

struct Whole<R> {
    name: &'static str,
    record: PhantomData<R>,
}

impl<'de, R: Record<'de>> Visitor<'de> for Whole<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<R, A::Error> {
        R::read(object)
    }
}

/// The notations in which a value is decoded.
pub(crate) trait Notation<'de, T> {
    fn next_value<A: MapAccess<'de>>(object: &mut A) -> Result<T, A::Error>;
}

/// The notation of the type.
pub(crate) struct Exact;

impl<'de, T: Deserialize<'de>> Notation<'de, T> for Exact {
    fn next_value<A: MapAccess<'de>>(object: &mut A) -> Result<T, A::Error> {
        object.next_value()
    }
}

/// Every notation of a number or a time.
pub(crate) struct Lenient;

impl<'de, T: lenient::Lenient<'de>> Notation<'de, T> for Lenient {
    fn next_value<A: MapAccess<'de>>(object: &mut A) -> Result<T, A::Error> {
        object.next_value_seed(lenient::Seed(PhantomData))
    }
}

/// Like [`Exact`], for an option that must have a value.
pub(crate) struct ExactSome;

impl<'de, T: Deserialize<'de>> Notation<'de, Option<T>> for ExactSome {
    fn next_value<A: MapAccess<'de>>(object: &mut A) -> Result<Option<T>, A::Error> {
        Exact::next_value(object).map(Some)
    }
}

/// Like [`Lenient`], for an option that must have a value.
pub(crate) struct LenientSome;

impl<'de, T: lenient::Lenient<'de>> Notation<'de, Option<T>> for LenientSome {
    fn next_value<A: MapAccess<'de>>(object: &mut A) -> Result<Option<T>, A::Error> {
        Lenient::next_value(object).map(Some)
    }
}

/// A field of a struct that is being decoded. Its size matters: a decoder keeps all fields on the stack.
pub(crate) struct Slot<T, N, D> {
    pub(crate) value: Option<T>,
    absence: D,
    notation: PhantomData<N>,
}

impl<T, N, D> Slot<T, N, D> {
    const fn new(absence: D) -> Self {
        Self {
            value: None,
            absence,
            notation: PhantomData,
        }
    }
}

/// The treatment of an absent field.
pub(crate) trait Absence<T> {
    /// Returns the value of the field; `None` if its absence is an error.
    fn value(&self) -> Option<T>;
}

/// Absence is an error.
pub(crate) struct Required;

impl<T> Absence<T> for Required {
    fn value(&self) -> Option<T> {
        None
    }
}

/// An absent field has the default of its type.
pub(crate) struct OrDefault;

impl<T: Default> Absence<T> for OrDefault {
    fn value(&self) -> Option<T> {
        Some(T::default())
    }
}

/// An absent field has the value that a function returns.
impl<T, F: Fn() -> T> Absence<T> for F {
    fn value(&self) -> Option<T> {
        Some(self())
    }
}

impl<T, N> Slot<T, N, Required> {
    /// A field that must be present.
    pub(crate) const fn required() -> Self {
        Self::new(Required)
    }
}

impl<T: Default, N> Slot<T, N, OrDefault> {
    /// A field with the default of its type.
    pub(crate) const fn or_default() -> Self {
        Self::new(OrDefault)
    }
}

impl<T, N, F: Fn() -> T> Slot<T, N, F> {
    /// A field with a default.
    pub(crate) const fn or(function: F) -> Self {
        Self::new(function)
    }
}

/// A field of any type that is being decoded.
pub(crate) trait Decode<'de, A: MapAccess<'de>> {
    /// Decodes the value.
    fn decode(&mut self, object: &mut A, name: &'static str) -> Result<(), A::Error>;

    /// Sets the default of an absent field. Returns true if the field has a value.
    fn complete(&mut self) -> bool;
}

impl<'de, A: MapAccess<'de>, T, N, D> Decode<'de, A> for Slot<T, N, D>
where
    N: Notation<'de, T>,
    D: Absence<T>,
{
    fn decode(&mut self, object: &mut A, name: &'static str) -> Result<(), A::Error> {
        if self.value.is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        self.value = Some(N::next_value(object)?);
        Ok(())
    }

    fn complete(&mut self) -> bool {
        if self.value.is_none() {
            self.value = self.absence.value();
        }
        self.value.is_some()
    }
}

/// The additional properties of a struct that is being decoded: a map of `V`.
pub(crate) struct Rest<M, V, N> {
    pub(crate) kept: M,
    notation: PhantomData<(V, N)>,
}

impl<M: Default, V, N> Rest<M, V, N> {
    pub(crate) fn new() -> Self {
        Self {
            kept: M::default(),
            notation: PhantomData,
        }
    }
}

/// Additional properties of any type that are being decoded.
pub(crate) trait DecodeRest<'de, A: MapAccess<'de>> {
    /// Decodes the value of an additional property, and keeps it by its name.
    fn decode(&mut self, object: &mut A, name: String) -> Result<(), A::Error>;
}

impl<'de, A: MapAccess<'de>, M, V, N> DecodeRest<'de, A> for Rest<M, V, N>
where
    M: Extend<(String, V)>,
    N: Notation<'de, V>,
{
    fn decode(&mut self, object: &mut A, name: String) -> Result<(), A::Error> {
        self.kept.extend([(name, N::next_value(object)?)]);
        Ok(())
    }
}

/// Decodes the fields of a struct, and up to one map of additional properties. Returns the name of the first field
/// without a value; an empty text if all have one.
pub(crate) fn read<'de, A: MapAccess<'de>>(
    mut object: A,
    properties: Properties,
    fields: &mut [&mut dyn Decode<'de, A>],
    rest: &mut [&mut dyn DecodeRest<'de, A>],
) -> Result<&'static str, A::Error> {
    let mut next = 0;
    loop {
        let name = Name {
            properties,
            keeps: !rest.is_empty(),
            next,
        };
        let Some(key) = object.next_key_seed(name)? else {
            break;
        };
        let field = match key {
            Key::Known(index) => {
                next = index + 1;
                fields.get_mut(index).zip(properties.get(index))
            }
            Key::Other(_) => None,
        };
        match (field, key, &mut *rest) {
            (Some((field, (_, name))), ..) => field.decode(&mut object, name)?,
            (None, Key::Other(name), [rest, ..]) => rest.decode(&mut object, name)?,
            _ => object.next_value::<IgnoredAny>().map(drop)?,
        }
    }
    let mut missing = None;
    for (field, (_, name)) in fields.iter_mut().zip(properties) {
        if !field.complete() {
            missing.get_or_insert(*name);
        }
    }
    Ok(missing.unwrap_or_default())
}

/// The name of a field.
enum Key {
    /// The index of a field of the struct.
    Known(usize),
    /// The name of an additional property; empty if the struct does not keep it.
    Other(String),
}

/// Finds the index of a field by its name. Fields usually arrive in the order of the struct, so the search starts after
/// the previous one.
struct Name {
    properties: Properties,
    keeps: bool,
    next: usize,
}

impl Name {
    /// Finds a field that is not the expected one. Inlined, it would slow the usual case down.
    #[cold]
    fn search(&self, name: &str) -> Key {
        let length = self.properties.len();
        let next = self.next.min(length);
        let is = |index: &usize| {
            let property = self.properties.get(*index);
            property.is_some_and(|(_, own)| *own == name)
        };
        let found = (next..length).chain(0..next).find(is);
        let other = || if self.keeps { name } else { "" };
        found.map_or_else(|| Key::Other(other().to_owned()), Key::Known)
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field identifier")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
        Ok(match self.properties.get(self.next) {
            Some((_, own)) if *own == name => Key::Known(self.next),
            _ => self.search(name),
        })
    }
}

/// A value that may be absent.
pub(crate) trait Optional: Serialize {
    /// Returns true if there is no value.
    fn is_absent(&self) -> bool;
}

impl<T: Serialize> Optional for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Serialize> Optional for Nullable<T> {
    fn is_absent(&self) -> bool {
        Nullable::is_absent(self)
    }
}

impl<T: Serialize> Optional for Vec<T> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl<K: Serialize, V: Serialize> Optional for BTreeMap<K, V> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

impl Optional for serde_json::Map<String, serde_json::Value> {
    fn is_absent(&self) -> bool {
        self.is_empty()
    }
}

/// A field of a struct that is being encoded.
pub(crate) struct Field<'a, T, P> {
    value: &'a T,
    presence: PhantomData<P>,
}

impl<'a, T, P> Field<'a, T, P> {
    pub(crate) const fn new(value: &'a T) -> Self {
        Self {
            value,
            presence: PhantomData,
        }
    }
}

/// When a field is encoded.
pub(crate) trait Presence<T> {
    fn is_present(value: &T) -> bool;
}

/// A field that is always encoded.
pub(crate) struct Always;

impl<T> Presence<T> for Always {
    fn is_present(_value: &T) -> bool {
        true
    }
}

/// A field that is left out if it has no value.
pub(crate) struct IfPresent;

impl<T: Optional> Presence<T> for IfPresent {
    fn is_present(value: &T) -> bool {
        !value.is_absent()
    }
}

/// A struct that is being encoded.
pub(crate) enum Object<S: Serializer> {
    Closed(S::SerializeStruct),
    /// With additional properties.
    Open(S::SerializeMap),
}

impl<S: Serializer> Object<S> {
    fn write(&mut self, name: &'static str, value: &impl Serialize) -> Result<(), S::Error> {
        match self {
            Self::Closed(fields) => fields.serialize_field(name, value),
            Self::Open(entries) => entries.serialize_entry(name, value),
        }
    }
}

/// A field of any type that is being encoded.
pub(crate) trait Encode<S: Serializer> {
    fn is_present(&self) -> bool;

    fn encode(&self, object: &mut Object<S>, name: &'static str) -> Result<(), S::Error>;
}

impl<S: Serializer, T: Serialize, P: Presence<T>> Encode<S> for Field<'_, T, P> {
    fn is_present(&self) -> bool {
        P::is_present(self.value)
    }

    fn encode(&self, object: &mut Object<S>, name: &'static str) -> Result<(), S::Error> {
        object.write(name, self.value)
    }
}

/// Additional properties of any type that are being encoded.
pub(crate) trait EncodeRest<S: Serializer> {
    fn encode(&self, entries: &mut S::SerializeMap) -> Result<(), S::Error>;
}

impl<S: Serializer, V: Serialize> EncodeRest<S> for BTreeMap<String, V> {
    fn encode(&self, entries: &mut S::SerializeMap) -> Result<(), S::Error> {
        encode_rest(self, entries)
    }
}

impl<S: Serializer> EncodeRest<S> for serde_json::Map<String, serde_json::Value> {
    fn encode(&self, entries: &mut S::SerializeMap) -> Result<(), S::Error> {
        encode_rest(self, entries)
    }
}

fn encode_rest<'a, M: SerializeMap, V: Serialize + 'a>(
    rest: impl IntoIterator<Item = (&'a String, &'a V)>,
    entries: &mut M,
) -> Result<(), M::Error> {
    let mut rest = rest.into_iter();
    rest.try_for_each(|(name, value)| entries.serialize_entry(name, value))
}

/// Encodes the fields of a struct, and up to one map of additional properties.
pub(crate) fn serialize<S: Serializer>(
    serializer: S,
    name: &'static str,
    properties: Properties,
    fields: &[&dyn Encode<S>],
    rest: &[&dyn EncodeRest<S>],
) -> Result<S::Ok, S::Error> {
    let mut object = if rest.is_empty() {
        let length = fields.iter().filter(|field| field.is_present()).count();
        Object::Closed(serializer.serialize_struct(name, length)?)
    } else {
        Object::Open(serializer.serialize_map(None)?)
    };
    for (field, (_, name)) in fields.iter().zip(properties) {
        if field.is_present() {
            field.encode(&mut object, name)?;
        } else if let Object::Closed(fields) = &mut object {
            fields.skip_field(name)?;
        }
    }
    match object {
        Object::Closed(fields) => fields.end(),
        Object::Open(mut entries) => {
            rest.iter().try_for_each(|rest| rest.encode(&mut entries))?;
            entries.end()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_test::{Token, assert_ser_tokens};

    use super::*;

    fn seven() -> u8 {
        7
    }

    #[derive(Debug, PartialEq)]
    struct Point {
        x: u8,
        kind: Option<String>,
        at: Option<u8>,
        list: Vec<u8>,
        seven: u8,
        id: Option<u8>,
    }
    fields! {
        Point {
            x: "x" = Lenient required Always;
            kind: "type" = Exact or_default IfPresent;
            at: "at" = Exact required Always;
            list: "list" = Lenient or_default IfPresent;
            seven: "seven" = Exact or(self::seven) Always;
            id: "id" = LenientSome required IfPresent;
        }
    }

    #[derive(Debug, PartialEq)]
    struct Extended {
        a: u8,
        b: Nullable<u8>,
        rest: BTreeMap<String, Option<u8>>,
    }
    fields! {
        Extended {
            a: "a" = Exact required Always;
            b: "b" = Exact or_default IfPresent;
            ..rest: Lenient;
        }
    }

    fn decoded<'de, T: fmt::Debug + Deserialize<'de>>(json: &'de str) -> String {
        match serde_json::from_str::<T>(json) {
            Ok(value) => format!("{value:?}"),
            Err(error) => error
                .to_string()
                .split(" at line")
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    #[test]
    fn fields_are_read_by_name_and_absent_ones_by_their_rule() {
        let all = r#"{"seven":4,"at":2,"list":[3.0],"type":"t","x":1.0,"id":5.0,"new":[{}]}"#;
        let expected = Point {
            x: 1,
            kind: Some("t".to_owned()),
            at: Some(2),
            list: vec![3],
            seven: 4,
            id: Some(5),
        };
        assert_eq!(serde_json::from_str::<Point>(all).ok(), Some(expected));
        let least = Point {
            x: 1,
            kind: None,
            at: None,
            list: Vec::new(),
            seven: 7,
            id: Some(5),
        };
        assert_eq!(
            serde_json::from_str::<Point>(r#"{"x":1,"at":null,"id":5}"#).ok(),
            Some(least)
        );
    }

    #[test]
    fn missing_field_duplicate_field_or_other_type_is_an_error() {
        for (json, error) in [
            (r#"{"at":1}"#, "missing field `x`"),
            (r#"{"x":1}"#, "missing field `at`"),
            (r#"{"x":1,"x":1}"#, "duplicate field `x`"),
            (r#"{"x":1,"at":null,"at":null}"#, "duplicate field `at`"),
            (r#"{"x":1,"at":null}"#, "missing field `id`"),
            (
                r#"{"x":1,"at":null,"id":null}"#,
                "invalid type: null, expected u8",
            ),
            (
                r#"{"x":1,"type":1}"#,
                "invalid type: integer `1`, expected a string",
            ),
            (
                r#"[1,"t",2,[3],4]"#,
                "invalid type: sequence, expected struct Point",
            ),
            ("1", "invalid type: integer `1`, expected struct Point"),
        ] {
            assert_eq!(decoded::<Point>(json), error, "{json}");
        }
    }

    #[test]
    fn additional_properties_are_kept_in_the_rest_field() {
        let rest = BTreeMap::from([("c".to_owned(), Some(2)), ("d".to_owned(), None)]);
        let json = r#"{"c":2.0,"a":1,"d":null}"#;
        let b = Nullable::Absent;
        assert_eq!(
            serde_json::from_str(json).ok(),
            Some(Extended { a: 1, b, rest })
        );
        assert_eq!(
            decoded::<Extended>(r#"{"a":1,"c":"c"}"#),
            "invalid type: string \"c\", expected u8"
        );
    }

    #[test]
    fn optional_field_without_a_value_is_left_out() {
        let mut point = Point {
            x: 1,
            kind: None,
            at: None,
            list: Vec::new(),
            seven: 7,
            id: None,
        };
        // A format that writes the length first needs the exact one.
        let start = |len| Token::Struct { name: "Point", len };
        let least = [
            start(3),
            Token::Str("x"),
            Token::U8(1),
            Token::Str("at"),
            Token::None,
            Token::Str("seven"),
            Token::U8(7),
            Token::StructEnd,
        ];
        assert_ser_tokens(&point, &least);
        point.kind = Some("t".to_owned());
        point.list = vec![2];
        point.id = Some(3);
        assert_eq!(
            serde_json::to_string(&point).ok().as_deref(),
            Some(r#"{"x":1,"type":"t","at":null,"list":[2],"seven":7,"id":3}"#)
        );
    }

    #[test]
    fn additional_properties_follow_the_fields() {
        let mut extended = Extended {
            a: 1,
            b: Nullable::Absent,
            rest: BTreeMap::from([("c".to_owned(), Some(2)), ("d".to_owned(), None)]),
        };
        let encoded = |extended: &Extended| serde_json::to_string(extended).ok();
        let expected = r#"{"a":1,"c":2,"d":null}"#;
        assert_eq!(encoded(&extended).as_deref(), Some(expected));
        extended.b = Nullable::Null;
        extended.rest.clear();
        assert_eq!(encoded(&extended).as_deref(), Some(r#"{"a":1,"b":null}"#));
    }

    #[derive(Debug, PartialEq)]
    struct Empty {}
    fields! { Empty {} }

    #[test]
    fn struct_without_fields_is_an_empty_object() {
        assert_eq!(serde_json::to_string(&Empty {}).ok().as_deref(), Some("{}"));
        assert_eq!(serde_json::from_str(r#"{"a":1}"#).ok(), Some(Empty {}));
    }

    /// Its fields have the names of the macro's own variables.
    #[derive(Debug, PartialEq)]
    struct Clashing {
        object: u8,
        missing: Option<u8>,
        serializer: u8,
        r#type: u8,
    }
    fields! {
        Clashing {
            object: "" = Exact required Always;
            missing: "missing" = ExactSome required IfPresent;
            serializer: "serializer" = Exact required Always;
            r#type: "type" = Exact or_default Always;
        }
    }

    #[test]
    fn fields_can_have_any_name() {
        let json = r#"{"":1,"missing":2,"serializer":3,"type":4}"#;
        let clashing = Clashing {
            object: 1,
            missing: Some(2),
            serializer: 3,
            r#type: 4,
        };
        assert_eq!(serde_json::to_string(&clashing).ok().as_deref(), Some(json));
        assert_eq!(serde_json::from_str(json).ok(), Some(clashing));
        // The first of several missing fields is the error.
        assert_eq!(decoded::<Clashing>("{}"), "missing field ``");
        assert_eq!(decoded::<Clashing>(r#"{"":1}"#), "missing field `missing`");
        let null = r#"{"":1,"missing":null,"serializer":3}"#;
        assert_eq!(decoded::<Clashing>(null), "invalid type: null, expected u8");
    }

    #[derive(Debug, PartialEq)]
    struct Kept {
        rest: serde_json::Map<String, serde_json::Value>,
    }
    fields! { Kept { ..rest: Exact; } }

    #[test]
    fn struct_may_have_additional_properties_only() {
        let json = r#"{"a":1.0,"b":[]}"#;
        let kept: Kept = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
    }

    #[test]
    fn error_of_a_field_is_the_error_of_the_struct() {
        struct Unnamed {
            map: BTreeMap<Vec<u8>, u8>,
            last: u8,
        }
        fields! {
            Unnamed {
                map: "map" = Exact required Always;
                last: "last" = Exact required Always;
            }
        }
        let map = BTreeMap::from([(vec![1], 2)]);
        let mut written = Vec::new();
        let unnamed = Unnamed { map, last: 1 };
        let error = serde_json::to_writer(&mut written, &unnamed).unwrap_err();
        assert_eq!(error.to_string(), "key must be a string");
        // Nothing is written after the error.
        assert_eq!(String::from_utf8_lossy(&written), r#"{"map":{"#);
    }
}
