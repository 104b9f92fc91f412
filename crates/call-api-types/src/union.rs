//! Selection of the members of a union, from the keys and values of the JSON and before anything is decoded.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without unions has no use for it"
)]

use std::cmp::Reverse;
use std::fmt;

use serde::de::{DeserializeOwned, Error};
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// A union: the table that [`members!`] takes.
pub(crate) struct Union {
    /// The property that distinguishes the members that are objects.
    pub(crate) tag: Option<Tag>,
    /// The members: the kinds of values of each, and its index. If several fit equally well, the first one is chosen.
    pub(crate) members: &'static [(u8, usize, &'static Shape)],
    /// True if an object can match several members at once (`anyOf`).
    pub(crate) any: bool,
    /// True if an object that fits no member is kept unchanged.
    pub(crate) unknown: bool,
    /// True if null is a value of the union.
    pub(crate) nullable: bool,
    /// The expected value, for the error.
    pub(crate) expecting: &'static str,
}

/// A property that has another set of values in each member.
pub(crate) struct Tag {
    pub(crate) property: &'static str,
    pub(crate) values: &'static [(Literal, usize)],
    /// True if every member requires it.
    pub(crate) required: bool,
}

/// A value that a schema lists.
pub(crate) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    Text(&'static str),
}

impl Literal {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Boolean(own), Value::Bool(value)) => own == value,
            (Self::Number(own), Value::Number(value)) => value.as_f64() == Some(*own),
            (Self::Text(own), Value::String(value)) => own == value,
            _ => false,
        }
    }
}

/// The properties of a schema that can be checked without decoding.
pub(crate) struct Shape {
    pub(crate) kinds: u8,
    pub(crate) values: &'static [Literal],
    pub(crate) format: Option<fn(&str) -> bool>,
    /// Returns true for the numbers that the integer type holds.
    pub(crate) integer: Option<fn(&Number) -> bool>,
    pub(crate) required: &'static [&'static str],
    /// Sorted by name.
    pub(crate) properties: &'static [(&'static str, &'static Shape)],
    pub(crate) rest: Option<&'static Shape>,
    pub(crate) items: Option<&'static Shape>,
    pub(crate) members: &'static [&'static Shape],
}

pub(crate) const NULL: u8 = 1;
pub(crate) const BOOLEAN: u8 = 2;
pub(crate) const INTEGER: u8 = 4;
pub(crate) const FRACTION: u8 = 8;
pub(crate) const TEXT: u8 = 16;
pub(crate) const LIST: u8 = 32;
pub(crate) const OBJECT: u8 = 64;

impl Shape {
    /// Any value of any kind.
    pub(crate) const ANY: Self = Self {
        kinds: 127,
        values: &[],
        format: None,
        integer: None,
        required: &[],
        properties: &[],
        rest: None,
        items: None,
        members: &[],
    };
}

/// Defines the shape of each integer type.
macro_rules! integers {
    ($($shape:ident $integer:ident)+) => {
        impl Shape {
            $(pub(crate) const $shape: Self = Self {
                kinds: INTEGER,
                integer: Some(format::holds::<$integer>),
                ..Self::ANY
            };)+
        }
    };
}

integers!(I8 i8 I16 i16 I32 i32 I64 i64 U8 u8 U16 u16 U32 u32 U64 u64);

/// Formats of texts and numbers.
pub(crate) mod format {
    use serde_json::Number;

    pub(crate) fn parses<T: std::str::FromStr>(text: &str) -> bool {
        text.parse::<T>().is_ok()
    }

    pub(crate) fn holds<T: TryFrom<i128>>(number: &Number) -> bool {
        let whole = match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), ..) => Some(whole.into()),
            (_, Some(whole), _) => Some(whole.into()),
            (.., value) => value.and_then(crate::lenient::whole),
        };
        whole.is_some_and(|whole: i128| T::try_from(whole).is_ok())
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().is_some_and(|number| number.fract() == 0.0);
            if whole { INTEGER } else { FRACTION }
        }
        Value::Number(_) => INTEGER,
        Value::String(_) => TEXT,
        Value::Array(_) => LIST,
        Value::Object(_) => OBJECT,
    }
}

/// The fit of a value to a shape. Smaller is better: fewer mismatches, fewer unlisted values, more kept keys.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// Required properties that are missing, and values of another kind.
    wrong: usize,
    /// Values that the schema does not list.
    unlisted: usize,
    /// The keys that are kept.
    kept: Reverse<usize>,
}

impl Fit {
    fn add(&mut self, other: Self) {
        self.wrong += other.wrong;
        self.unlisted += other.unlisted;
        self.kept.0 += other.kept.0;
    }

    const WRONG: Self = Self {
        wrong: 1,
        unlisted: 0,
        kept: Reverse(0),
    };
}

impl Shape {
    fn fit(&self, value: &Value) -> Fit {
        if !self.members.is_empty() {
            let fits = self.members.iter().map(|member| member.fit(value));
            return fits.min().unwrap_or_default();
        }
        let mut fit = Fit::default();
        if self.kinds & kind(value) == 0 {
            return Fit::WRONG;
        }
        // Null is a kind of value, and not listed.
        let is_listed = || self.values.iter().any(|listed| listed.is(value));
        if !self.values.is_empty() && !value.is_null() && !is_listed() {
            fit.unlisted += 1;
        }
        match value {
            Value::String(text) if self.format.is_some_and(|fits| !fits(text)) => fit.wrong += 1,
            Value::Number(number) if self.integer.is_some_and(|holds| !holds(number)) => {
                fit.wrong += 1;
            }
            Value::Array(items) => {
                if let Some(shape) = self.items {
                    items.iter().for_each(|item| fit.add(shape.fit(item)));
                }
            }
            Value::Object(object) => self.object(object, &mut fit),
            _ => {}
        }
        fit
    }

    fn object(&self, object: &Map<String, Value>, fit: &mut Fit) {
        let missing = |name: &&&str| !object.contains_key(**name);
        fit.wrong += self.required.iter().filter(missing).count();
        for (key, value) in object {
            let Some((shape, required)) = self.property(key) else {
                continue;
            };
            fit.kept.0 += 1;
            // Null is accepted in place of an absent optional property.
            if required || !value.is_null() {
                fit.add(shape.fit(value));
            }
        }
    }

    /// Returns the shape of a property that is kept, and true if its value must not be null.
    fn property(&self, key: &str) -> Option<(&'static Shape, bool)> {
        match self
            .properties
            .binary_search_by(|(name, _)| (*name).cmp(key))
        {
            Ok(index) => Some((self.properties[index].1, self.required.contains(&key))),
            Err(_) => self.rest.map(|shape| (shape, true)),
        }
    }

    /// Returns true if the key is kept.
    fn keeps(&self, key: &str) -> bool {
        self.property(key).is_some() || self.members.iter().any(|member| member.keeps(key))
    }
}

/// The members of a union that a value matches.
pub(crate) enum Choice {
    /// None: the value is kept unchanged.
    Unknown,
    /// The member with this index.
    Member(usize),
    /// These members, each of which keeps a key that the previous ones do not.
    Several(Vec<usize>),
}

/// Chooses the members of a union that a value matches.
///
/// # Errors
/// No member has values of that kind.
pub(crate) fn choose<E: Error>(union: &Union, value: &Value) -> Result<Choice, E> {
    let kind = kind(value);
    let mut candidates = union.members.iter().filter(|(kinds, ..)| kinds & kind != 0);
    let first = candidates.next();
    if let (Some(tag), Value::Object(object)) = (&union.tag, value) {
        match object.get(tag.property) {
            Some(value) => {
                let selected = tag.values.iter().find(|(listed, _)| listed.is(value));
                if selected.is_some() || tag.required {
                    return Ok(
                        selected.map_or(Choice::Unknown, |(_, index)| Choice::Member(*index))
                    );
                }
            }
            None if tag.required => return Ok(Choice::Unknown),
            None => {}
        }
    }
    let Some(first) = first else {
        let kept = (kind == OBJECT && union.unknown) || (kind == NULL && union.nullable);
        return if kept {
            Ok(Choice::Unknown)
        } else {
            Err(unfit(value, union))
        };
    };
    let candidates: Vec<_> = std::iter::once(first).chain(candidates).collect();
    let [_, _, ..] = candidates.as_slice() else {
        return Ok(Choice::Member(first.1));
    };
    let fits: Vec<Fit> = candidates
        .iter()
        .map(|member| member.2.fit(value))
        .collect();
    let best = (0..fits.len())
        .min_by_key(|index| fits[*index])
        .unwrap_or_default();
    let Value::Object(object) = value else {
        return Ok(Choice::Member(candidates[best].1));
    };
    if fits[best].wrong > 0 {
        return Ok(Choice::Unknown);
    }
    let (_, best, shape) = candidates[best];
    if !union.any {
        return Ok(Choice::Member(*best));
    }
    // If several match, a single one would lose the keys of the others.
    let mut several = vec![*best];
    let mut shapes = vec![*shape];
    for ((_, index, shape), fit) in candidates.iter().zip(&fits) {
        let adds = |key: &String| shape.keeps(key) && !shapes.iter().any(|shape| shape.keeps(key));
        if fit.wrong == 0 && fit.unlisted == 0 && object.keys().any(adds) {
            several.push(*index);
            shapes.push(shape);
        }
    }
    Ok(match several.as_slice() {
        [one] => Choice::Member(*one),
        _ => Choice::Several(several),
    })
}

/// Encodes an object that matches several members. If two of them have the same key, the first one's value is written.
pub(crate) fn encode_all<T: Serialize, S: Serializer>(
    members: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut whole = Map::new();
    for member in members {
        let member = serde_json::to_value(member).map_err(serde::ser::Error::custom)?;
        if let Value::Object(member) = member {
            for (key, value) in member {
                whole.entry(key).or_insert(value);
            }
        }
    }
    whole.serialize(serializer)
}

/// Returns the error for a value that matches no member.
pub(crate) fn unfit<E: Error>(value: &Value, union: &Union) -> E {
    E::invalid_type(unexpected(value), &Expecting(union.expecting))
}

/// Decodes the value of a member.
pub(crate) fn decode<T: DeserializeOwned, E: Error>(value: Value) -> Result<T, E> {
    T::deserialize(value).map_err(E::custom)
}

/// Decodes the value of a member that has numbers or times.
pub(crate) fn lenient<'de, T: crate::lenient::Lenient<'de>, E: Error>(
    value: Value,
) -> Result<T, E> {
    crate::lenient::deserialize(value).map_err(E::custom)
}

struct Expecting(&'static str);

impl serde::de::Expected for Expecting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn unexpected(value: &Value) -> serde::de::Unexpected<'_> {
    use serde::de::Unexpected;
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Unexpected::Unsigned(number),
            (_, Some(number), _) => Unexpected::Signed(number),
            (.., number) => Unexpected::Float(number.unwrap_or_default()),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// Implements what a union has besides its variants: `Serialize`, `Deserialize`, and a conversion from each member.
///
/// The table describes the members to [`choose`]. Each member follows: its index there, its variant and type, a further
/// type that converts into it, the function that reads it, and the tag that is sent with it. At the end are the variants
/// for values that are several members, or none.
macro_rules! members {
    (
        $name:ident = $table:expr;
        $($index:literal $variant:ident($ty:ty $(, $from:ty)?) $read:ident $(tag $property:literal = $tag:literal)?;)*
        $(several $several:ident;)?
        $(unknown $unknown:ident;)?
    ) => {
        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant(value) => {
                        crate::union::members!(@encode value serializer $($property = $tag)?)
                    })*
                    $(Self::$several(members) => crate::union::encode_all(members, serializer),)?
                    $(Self::$unknown(value) => ::serde::Serialize::serialize(value, serializer),)?
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                #[allow(unused_imports, reason = "the table decides which are used")]
                use crate::union::{Choice, Literal, Shape, Tag, Union, format};
                static UNION: Union = $table;
                let value = <::serde_json::Value as ::serde::Deserialize>::deserialize(deserializer)?;
                let decode = |choice: Choice, value: ::serde_json::Value| {
                    #[allow(unreachable_patterns, reason = "a union without unknown values has no variant for them")]
                    match choice {
                        $(Choice::Member($index) => crate::union::$read(value).map(Self::$variant),)*
                        $(_ => ::std::result::Result::Ok(Self::$unknown(value)),)?
                        _ => ::std::result::Result::Err(crate::union::unfit(&value, &UNION)),
                    }
                };
                match crate::union::choose::<D::Error>(&UNION, &value)? {
                    $(Choice::Several(members) => members
                        .into_iter()
                        .map(|index| decode(Choice::Member(index), value.clone()))
                        .collect::<::std::result::Result<_, _>>()
                        .map(Self::$several),)?
                    choice => decode(choice, value),
                }
            }
        }

        $(
            impl ::std::convert::From<$ty> for $name {
                #[inline]
                fn from(value: $ty) -> Self {
                    Self::$variant(value.into())
                }
            }
            $(
                impl ::std::convert::From<$from> for $name {
                    #[inline]
                    fn from(value: $from) -> Self {
                        Self::$variant(value.into())
                    }
                }
            )?
        )*
    };
    (@encode $value:ident $serializer:ident) => {
        ::serde::Serialize::serialize($value, $serializer)
    };
    (@encode $value:ident $serializer:ident $property:literal = $tag:literal) => {{
        let mut value = ::serde_json::to_value($value).map_err(::serde::ser::Error::custom)?;
        if let ::std::option::Option::Some(object) = value.as_object_mut() {
            object.insert($property.to_owned(), $tag.into());
        }
        ::serde::Serialize::serialize(&value, $serializer)
    }};
}
pub(crate) use members;
