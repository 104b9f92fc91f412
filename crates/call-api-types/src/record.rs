//! Decoding of a struct from an object, and encoding as one, field by field.
//!
//! serde's derive also accepts a list, can keep additional properties only by buffering the whole object, and generates an
//! enum and two visitors for each struct. With hundreds of structs, that was a third of the compile time of this crate. The
//! code here is shared by all structs.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without structs has no use for it"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::lenient::{Lenient, Seed};
use crate::nullable::Nullable;

/// A struct that is decoded field by field.
pub(crate) trait Record<'de>: Sized {
    /// The struct's name.
    const NAME: &'static str;
    /// The names of the fields in JSON.
    const FIELDS: &'static [&'static str];
    /// True if the struct keeps additional properties.
    const KEEPS: bool;

    fn read<A: MapAccess<'de>>(fields: Fields<A>) -> Result<Self, A::Error>;
}

/// Implements `Deserialize` and `Serialize` for a struct, from the index, the ident, and the name in JSON of each field.
///
/// The value of a `lenient` field is decoded from every notation. If a field is absent, `or` calls a function, and
/// `or_default` takes the default of the type; without either, it is an error. An `Option` with `some` must have a value.
/// An `optional` field without a value is left out when the struct is encoded. The field with `rest` keeps additional
/// properties.
macro_rules! fields {
    ($record:ident {
        $($index:literal $field:ident: $name:literal $($how:ident)* $(, $rule:ident $($default:path)?)?;)*
        $(rest $rest:ident $($rest_how:ident)?;)?
    }) => {
        impl<'de> crate::record::Record<'de> for $record {
            const NAME: &'static str = stringify!($record);
            const FIELDS: &'static [&'static str] = &[$($name),*];
            const KEEPS: bool = !<[&str]>::is_empty(&[$(stringify!($rest))?]);

            #[allow(unused_mut, unused_variables, reason = "a struct may have no field of its own")]
            fn read<A: ::serde::de::MapAccess<'de>>(
                mut fields: crate::record::Fields<A>,
            ) -> ::std::result::Result<Self, A::Error> {
                $(let mut $field = ::std::option::Option::None;)*
                $(let mut $rest = ::std::default::Default::default();)?
                while let ::std::option::Option::Some(key) = fields.next::<Self>()? {
                    // One `?` for all fields, because each one adds to the compile time.
                    (match key {
                        $(crate::record::Key::Known($index) => {
                            crate::record::fields!(@set fields $field $name $($how)*)
                        })*
                        $(crate::record::Key::Other(key) => {
                            crate::record::fields!(@keep fields $rest key $($rest_how)?)
                        })?
                        _ => fields.skip(),
                    })?;
                }
                ::std::result::Result::Ok(Self {
                    $($field: match $field {
                        ::std::option::Option::Some(value) => {
                            crate::record::fields!(@present value $($rule)?)
                        }
                        ::std::option::Option::None => {
                            crate::record::fields!(@absent $name $($rule $($default)?)?)
                        }
                    },)*
                    $($rest,)?
                })
            }
        }

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

        impl<'de> ::serde::Deserialize<'de> for $record {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                crate::record::deserialize(deserializer)
            }
        }

        impl ::serde::Serialize for $record {
            #[allow(unused_mut, unused_variables, reason = "a struct may have no field of its own")]
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                let record = self;
                let mut fields = crate::record::fields!(
                    @encoder serializer $record
                    [$(crate::record::fields!(@is_present record $field $($how)*)),*]
                    $($rest)?
                );
                $(crate::record::fields!(@write fields record $field $name $($how)*);)*
                $(fields.rest(&record.$rest);)?
                fields.end()
            }
        }
    };
    (@set $fields:ident $field:ident $name:literal $(optional)?) => { $fields.set(&mut $field, $name) };
    (@set $fields:ident $field:ident $name:literal $(optional)? lenient) => {
        $fields.set_leniently(&mut $field, $name)
    };
    (@keep $fields:ident $rest:ident $key:ident) => { $fields.keep(&mut $rest, $key) };
    (@keep $fields:ident $rest:ident $key:ident lenient) => {
        $fields.keep_leniently(&mut $rest, $key)
    };
    (@present $value:ident some) => { ::std::option::Option::Some($value) };
    (@present $value:ident $($rule:ident)?) => { $value };
    (@absent $name:literal some) => { crate::record::fields!(@absent $name) };
    (@absent $name:literal) => {
        return ::std::result::Result::Err(::serde::de::Error::missing_field($name))
    };
    (@absent $name:literal or_default) => { ::std::default::Default::default() };
    (@absent $name:literal or $default:path) => { $default() };
    (@encoder $serializer:ident $record:ident $present:tt) => {
        crate::record::Closed::new($serializer, stringify!($record), &$present)
    };
    (@encoder $serializer:ident $record:ident $present:tt $rest:ident) => {
        crate::record::Open::new($serializer)
    };
    (@is_present $record:ident $field:ident optional $($how:ident)?) => {
        !crate::record::Optional::is_absent(&$record.$field)
    };
    (@is_present $record:ident $field:ident $($how:ident)?) => { true };
    (@write $fields:ident $record:ident $field:ident $name:literal optional $($how:ident)?) => {
        $fields.optional($name, &$record.$field)
    };
    (@write $fields:ident $record:ident $field:ident $name:literal $($how:ident)?) => {
        $fields.field($name, &$record.$field)
    };
}
pub(crate) use fields;

pub(crate) fn name_in_json<'a>(properties: &[(&str, &'a str)], field: &'a str) -> &'a str {
    let mut named = properties.iter().filter(|(own, _)| *own == field);
    named.next().map_or(field, |(_, name)| name)
}

/// Decodes a struct.
pub(crate) fn deserialize<'de, R: Record<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<R, D::Error> {
    deserializer.deserialize_map(Whole(PhantomData))
}

struct Whole<R>(PhantomData<R>);

impl<'de, R: Record<'de>> Visitor<'de> for Whole<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", R::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<R, A::Error> {
        R::read(Fields { access, next: 0 })
    }
}

/// The fields of an object that is being decoded.
pub(crate) struct Fields<A> {
    access: A,
    next: usize,
}

/// The name of a field.
pub(crate) enum Key {
    /// The index of a field of the struct.
    Known(usize),
    /// The name of an additional property; empty if the struct does not keep it.
    Other(String),
}

impl<'de, A: MapAccess<'de>> Fields<A> {
    /// Decodes the name of the next field.
    pub(crate) fn next<R: Record<'de>>(&mut self) -> Result<Option<Key>, A::Error> {
        let name = Name {
            names: R::FIELDS,
            keeps: R::KEEPS,
            from: self.next,
        };
        let key = self.access.next_key_seed(name)?;
        if let Some(Key::Known(index)) = &key {
            self.next = index + 1;
        }
        Ok(key)
    }

    /// Decodes the value of the field.
    pub(crate) fn set<T: Deserialize<'de>>(
        &mut self,
        value: &mut Option<T>,
        name: &'static str,
    ) -> Result<(), A::Error> {
        if value.is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        *value = Some(self.access.next_value()?);
        Ok(())
    }

    /// Decodes the value of the field from every notation.
    pub(crate) fn set_leniently<T: Lenient<'de>>(
        &mut self,
        value: &mut Option<T>,
        name: &'static str,
    ) -> Result<(), A::Error> {
        if value.is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        *value = Some(self.access.next_value_seed(Seed(PhantomData))?);
        Ok(())
    }

    /// Decodes the value of an additional property, and keeps it by its name.
    pub(crate) fn keep<T: Deserialize<'de>>(
        &mut self,
        kept: &mut impl Extend<(String, T)>,
        key: String,
    ) -> Result<(), A::Error> {
        kept.extend([(key, self.access.next_value()?)]);
        Ok(())
    }

    /// Like [`Fields::keep`], from every notation.
    pub(crate) fn keep_leniently<T: Lenient<'de>>(
        &mut self,
        kept: &mut impl Extend<(String, T)>,
        key: String,
    ) -> Result<(), A::Error> {
        kept.extend([(key, self.access.next_value_seed(Seed(PhantomData))?)]);
        Ok(())
    }

    /// Skips the value of the field.
    pub(crate) fn skip(&mut self) -> Result<(), A::Error> {
        self.access.next_value::<IgnoredAny>().map(drop)
    }
}

/// Finds the index of a field by its name. Fields usually arrive in the order of the struct, so the search starts after
/// the previous one.
struct Name {
    names: &'static [&'static str],
    keeps: bool,
    from: usize,
}

impl Name {
    /// Finds a field that is not the expected one. Inlined, it would slow the usual case down.
    #[cold]
    fn search(&self, name: &str) -> Key {
        let from = self.from.min(self.names.len());
        let is = |index: &usize| self.names.get(*index).is_some_and(|own| *own == name);
        let found = (from..self.names.len()).chain(0..from).find(is);
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
        Ok(match self.names.get(self.from) {
            Some(own) if *own == name => Key::Known(self.from),
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

/// Writes to an encoder, unless an earlier write failed.
fn write<T, E>(encoder: &mut Result<T, E>, write: impl FnOnce(&mut T) -> Result<(), E>) {
    if let Ok(target) = encoder
        && let Err(error) = write(target)
    {
        *encoder = Err(error);
    }
}

/// The encoder of a struct. After an error, it writes nothing, so that the code of each field has no `?`, which would add to
/// the compile time.
pub(crate) struct Closed<F: SerializeStruct>(Result<F, F::Error>);

impl<F: SerializeStruct> Closed<F> {
    /// Begins a struct, whose fields are present or not.
    pub(crate) fn new<S>(serializer: S, name: &'static str, present: &[bool]) -> Self
    where
        S: Serializer<SerializeStruct = F, Error = F::Error>,
    {
        let length = present.iter().filter(|is_present| **is_present).count();
        Self(serializer.serialize_struct(name, length))
    }

    /// Writes a field.
    pub(crate) fn field(&mut self, name: &'static str, value: &impl Serialize) {
        write(&mut self.0, |fields| fields.serialize_field(name, value));
    }

    /// Writes a field if it has a value.
    pub(crate) fn optional(&mut self, name: &'static str, value: &impl Optional) {
        if value.is_absent() {
            write(&mut self.0, |fields| fields.skip_field(name));
        } else {
            self.field(name, value);
        }
    }

    /// Ends the struct.
    ///
    /// # Errors
    /// The serializer failed.
    pub(crate) fn end(self) -> Result<F::Ok, F::Error> {
        self.0.and_then(F::end)
    }
}

/// The encoder of a struct with additional properties. After an error, it writes nothing.
pub(crate) struct Open<M: SerializeMap>(Result<M, M::Error>);

impl<M: SerializeMap> Open<M> {
    /// Begins a map.
    pub(crate) fn new<S>(serializer: S) -> Self
    where
        S: Serializer<SerializeMap = M, Error = M::Error>,
    {
        Self(serializer.serialize_map(None))
    }

    /// Writes a field.
    pub(crate) fn field(&mut self, name: &str, value: &impl Serialize) {
        write(&mut self.0, |entries| entries.serialize_entry(name, value));
    }

    /// Writes a field if it has a value.
    pub(crate) fn optional(&mut self, name: &str, value: &impl Optional) {
        if !value.is_absent() {
            self.field(name, value);
        }
    }

    /// Writes the additional properties.
    pub(crate) fn rest<'a, V: Serialize + 'a>(
        &mut self,
        rest: impl IntoIterator<Item = (&'a String, &'a V)>,
    ) {
        for (name, value) in rest {
            self.field(name, value);
        }
    }

    /// Ends the map.
    ///
    /// # Errors
    /// The serializer failed.
    pub(crate) fn end(self) -> Result<M::Ok, M::Error> {
        self.0.and_then(M::end)
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
            0 x: "x" lenient;
            1 kind: "type" optional, or_default;
            2 at: "at";
            3 list: "list" optional lenient, or_default;
            4 seven: "seven", or self::seven;
            5 id: "id" optional lenient, some;
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
            0 a: "a";
            1 b: "b" optional, or_default;
            rest rest lenient;
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

    #[test]
    fn error_of_a_field_is_the_error_of_the_struct() {
        struct Unnamed {
            map: BTreeMap<Vec<u8>, u8>,
            last: u8,
        }
        fields! { Unnamed { 0 map: "map"; 1 last: "last"; } }
        let map = BTreeMap::from([(vec![1], 2)]);
        let mut written = Vec::new();
        let unnamed = Unnamed { map, last: 1 };
        let error = serde_json::to_writer(&mut written, &unnamed).unwrap_err();
        assert_eq!(error.to_string(), "key must be a string");
        // Nothing is written after the error.
        assert_eq!(String::from_utf8_lossy(&written), r#"{"map":{"#);
    }
}
