//! How a struct is decoded: as by serde's derive, in every format and with the same errors.
//!
//! The derive writes an enum and two visitors for each struct; with hundreds of structs that was a third of what the compiler
//! does for this crate. What doesn't depend on the struct stands here once.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without structs has no use for it"
)]

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

/// A struct that is decoded field by field.
pub(crate) trait Record<'de>: Sized {
    /// The struct's name.
    const NAME: &'static str;
    /// The names of the fields as they stand in JSON.
    const FIELDS: &'static [&'static str];

    fn read<F: Fields<'de>>(fields: F) -> Result<Self, F::Error>;
}

/// The fields of a struct as they come in: by their names, or one after the other.
pub(crate) trait Fields<'de> {
    type Error: Error;

    /// The index of the field that comes now; of one that the struct doesn't have it is beyond them.
    fn next(&mut self, names: &'static [&'static str]) -> Result<Option<usize>, Self::Error>;

    /// Decodes the value of the field that comes now.
    fn set<T: Deserialize<'de>>(
        &mut self,
        value: &mut Option<T>,
        name: &'static str,
    ) -> Result<(), Self::Error>;

    /// Passes over the value of the field that comes now.
    fn skip(&mut self) -> Result<(), Self::Error>;

    /// What a field has that didn't come, if it can do without.
    fn absent<T: Deserialize<'de>, R: Record<'de>>(index: usize) -> Result<T, Self::Error>;

    /// That a field didn't come.
    fn missing<R: Record<'de>>(index: usize) -> Self::Error;
}

/// Implements `Deserialize` for a struct, from the index, the ident, and the name in JSON of each field.
///
/// A field with `must` has to be there even if it can be null; one with `or` is made by that function if it isn't there, and
/// one with `or_default` by its type's default.
macro_rules! decode {
    ($record:ident { $($index:literal $field:ident: $name:literal $(, $rule:ident $($default:path)?)?;)+ }) => {
        impl<'de> crate::record::Record<'de> for $record {
            const NAME: &'static str = stringify!($record);
            const FIELDS: &'static [&'static str] = &[$($name),+];

            fn read<F: crate::record::Fields<'de>>(
                mut fields: F,
            ) -> ::std::result::Result<Self, F::Error> {
                $(let mut $field = ::std::option::Option::None;)+
                while let ::std::option::Option::Some(index) = fields.next(Self::FIELDS)? {
                    // One `?` for all of them: each costs the compiler.
                    (match index {
                        $($index => fields.set(&mut $field, $name),)+
                        _ => fields.skip(),
                    })?;
                }
                ::std::result::Result::Ok(Self {
                    $($field: match $field {
                        ::std::option::Option::Some(value) => value,
                        ::std::option::Option::None => {
                            crate::record::decode!(@absent F $index $($rule $($default)?)?)
                        }
                    },)+
                })
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $record {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                crate::record::deserialize(deserializer)
            }
        }
    };
    (@absent $fields:ident $index:literal) => { $fields::absent::<_, Self>($index)? };
    (@absent $fields:ident $index:literal must) => {
        return ::std::result::Result::Err($fields::missing::<Self>($index))
    };
    (@absent $fields:ident $index:literal or_default) => { ::std::default::Default::default() };
    (@absent $fields:ident $index:literal or $default:path) => { $default() };
}
pub(crate) use decode;

/// Decodes a struct.
pub(crate) fn deserialize<'de, R: Record<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<R, D::Error> {
    deserializer.deserialize_struct(R::NAME, R::FIELDS, Whole(PhantomData))
}

struct Whole<R>(PhantomData<R>);

impl<'de, R: Record<'de>> Visitor<'de> for Whole<R> {
    type Value = R;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", R::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<R, A::Error> {
        R::read(Named { access, next: 0 })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<R, A::Error> {
        R::read(Ordered { access, next: 0 })
    }
}

/// Fields with their names, as in JSON.
struct Named<A> {
    access: A,
    next: usize,
}

impl<'de, A: MapAccess<'de>> Fields<'de> for Named<A> {
    type Error = A::Error;

    fn next(&mut self, names: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        let from = self.next;
        let index = self.access.next_key_seed(Name { names, from })?;
        self.next = index.map_or(from, |index| index + 1);
        Ok(index)
    }

    fn set<T: Deserialize<'de>>(
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

    fn skip(&mut self) -> Result<(), A::Error> {
        self.access.next_value::<IgnoredAny>().map(drop)
    }

    fn absent<T: Deserialize<'de>, R: Record<'de>>(index: usize) -> Result<T, A::Error> {
        T::deserialize(Absent(Self::missing::<R>(index)))
    }

    fn missing<R: Record<'de>>(index: usize) -> A::Error {
        A::Error::missing_field(R::FIELDS.get(index).copied().unwrap_or_default())
    }
}

/// Fields in the struct's order, as formats have them that write no names.
struct Ordered<A> {
    access: A,
    next: usize,
}

impl<'de, A: SeqAccess<'de>> Fields<'de> for Ordered<A> {
    type Error = A::Error;

    fn next(&mut self, names: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        let index = self.next;
        self.next += 1;
        Ok((index < names.len()).then_some(index))
    }

    fn set<T: Deserialize<'de>>(
        &mut self,
        value: &mut Option<T>,
        _: &'static str,
    ) -> Result<(), A::Error> {
        *value = self.access.next_element()?;
        Ok(())
    }

    fn skip(&mut self) -> Result<(), A::Error> {
        Ok(())
    }

    fn absent<T: Deserialize<'de>, R: Record<'de>>(index: usize) -> Result<T, A::Error> {
        Err(Self::missing::<R>(index))
    }

    fn missing<R: Record<'de>>(index: usize) -> A::Error {
        let elements = match R::FIELDS.len() {
            1 => "1 element".to_owned(),
            length => format!("{length} elements"),
        };
        let expected = format!("struct {} with {elements}", R::NAME);
        A::Error::invalid_length(index, &expected.as_str())
    }
}

/// The index of a field by its name. They come in the struct's order mostly, so the search begins behind the last.
struct Name {
    names: &'static [&'static str],
    from: usize,
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("field identifier")
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<usize, E> {
        let index = usize::try_from(index).unwrap_or(self.names.len());
        Ok(index.min(self.names.len()))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        self.visit_bytes(name.as_bytes())
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<usize, E> {
        let from = self.from.min(self.names.len());
        let is = |index: &usize| {
            let own = self.names.get(*index);
            own.is_some_and(|own| own.as_bytes() == name)
        };
        let found = (from..self.names.len()).chain(0..from).find(is);
        Ok(found.unwrap_or(self.names.len()))
    }
}

/// Stands for a value that isn't there: an option is `None`, and everything else this error.
struct Absent<E>(E);

impl<'de, E: Error> Deserializer<'de> for Absent<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error as Told, MapDeserializer};

    use super::*;

    fn seven() -> u8 {
        7
    }

    mod derived {
        use serde::Deserialize;

        use super::seven;

        #[derive(Debug, Deserialize)]
        pub(super) struct Point {
            pub(super) x: u8,
            #[serde(rename = "type")]
            pub(super) kind: Option<String>,
            #[serde(deserialize_with = "Option::deserialize")]
            pub(super) at: Option<u8>,
            #[serde(default)]
            pub(super) list: Vec<u8>,
            #[serde(default = "seven")]
            pub(super) seven: u8,
        }
        #[derive(Debug, Deserialize)]
        pub(super) struct One {
            pub(super) a: u8,
        }
    }

    mod decoded {
        #[derive(Debug)]
        #[allow(dead_code, reason = "shown only")]
        pub(super) struct Point {
            x: u8,
            kind: Option<String>,
            at: Option<u8>,
            list: Vec<u8>,
            seven: u8,
        }
        crate::record::decode! {
            Point {
                0 x: "x";
                1 kind: "type";
                2 at: "at", must;
                3 list: "list", or_default;
                4 seven: "seven", or super::seven;
            }
        }
        #[derive(Debug)]
        #[allow(dead_code, reason = "shown only")]
        pub(super) struct One {
            a: u8,
        }
        crate::record::decode! { One { 0 a: "a"; } }
    }

    fn shown<'de, T: fmt::Debug + Deserialize<'de>, E: fmt::Display>(
        read: impl FnOnce() -> Result<T, E>,
    ) -> String {
        read().map_or_else(|error| error.to_string(), |value| format!("{value:?}"))
    }

    #[test]
    fn a_struct_is_decoded_as_by_serde_s_derive() {
        let mut seen = std::collections::BTreeSet::new();
        for json in [
            r#"{"x":1,"type":"t","at":2,"list":[3],"seven":4}"#,
            r#"{"seven":4,"at":null,"list":[],"type":null,"x":1}"#,
            r#"{"x":1,"at":null}"#,
            r#"{"x":1,"new":[{}],"at":1,"y":null}"#,
            r#"{"x":1}"#,
            r#"{"at":1}"#,
            r#"{"x":1,"at":1,"x":1}"#,
            r#"{"x":1,"at":1,"type":null,"type":null}"#,
            r#"{"x":"1","at":1}"#,
            r#"{"x":1,"at":1,"list":null}"#,
            r#"[1,"t",2,[3],4]"#,
            "[1,null,null,[3]]",
            "[1,null,null]",
            "[1,null]",
            "[1]",
            "[]",
            "[1,null,2,[3],4,5]",
            "1",
            "null",
            r#"{"x":1"#,
        ] {
            let decoded = shown(|| serde_json::from_str::<decoded::Point>(json));
            let derived = shown(|| serde_json::from_str::<derived::Point>(json));
            assert_eq!(decoded, derived, "{json}");
            seen.insert(derived);
        }
        assert_eq!(seen.len(), 18, "{seen:?}");
        for json in ["[]", "[1]", r#"{"a":1}"#, "{}"] {
            let decoded = shown(|| serde_json::from_str::<decoded::One>(json));
            assert_eq!(
                decoded,
                shown(|| serde_json::from_str::<derived::One>(json)),
                "{json}"
            );
        }
    }

    #[test]
    fn formats_may_name_a_field_by_its_index_or_in_bytes() {
        fn by_index<'de, T: Deserialize<'de>>() -> Result<T, Told> {
            T::deserialize(MapDeserializer::new(
                [(2_u64, 2_u8), (0, 1), (9, 3)].into_iter(),
            ))
        }
        assert_eq!(
            shown(by_index::<decoded::Point>),
            shown(by_index::<derived::Point>)
        );
        assert_eq!(
            shown(by_index::<decoded::One>),
            shown(by_index::<derived::One>)
        );
        let name = Name {
            names: &["a", "b"],
            from: 2,
        };
        assert_eq!(name.visit_bytes::<Told>(b"b"), Ok(1));
        let point = derived::Point {
            x: 0,
            kind: None,
            at: None,
            list: Vec::new(),
            seven: 0,
        };
        let _ = (
            point.x,
            point.kind,
            point.at,
            point.list,
            point.seven,
            derived::One { a: 1 }.a,
        );
    }
}
