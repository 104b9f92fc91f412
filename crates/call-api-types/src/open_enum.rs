//! String enums that keep unknown values.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without string enums has no use for it"
)]

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Decodes a string with `known`, or with `unknown` if that returns `None`.
///
/// A known value does not allocate, and an unknown one allocates once.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    examples: &'static [&'static str],
    known: fn(&str) -> Option<T>,
    unknown: fn(String) -> T,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(OpenEnum {
        examples,
        known,
        unknown,
    })
}

struct OpenEnum<T> {
    examples: &'static [&'static str],
    known: fn(&str) -> Option<T>,
    unknown: fn(String) -> T,
}

impl<T> Visitor<'_> for OpenEnum<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = self.examples.first().unwrap_or(&"");
        write!(f, "a string, such as \"{example}\"")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        Ok((self.known)(value).unwrap_or_else(|| (self.unknown)(value.to_owned())))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<T, E> {
        Ok((self.known)(&value).unwrap_or_else(|| (self.unknown)(value)))
    }
}

/// Implements what an enum has besides its variants, from the variant of unknown values and the value of each other one.
///
/// As in the other macros, all functions without type parameters are `#[inline]`: machine code is generated in a program for
/// those that it calls, and in this crate for none.
macro_rules! values {
    ($name:ident or $unknown:ident {$($variant:ident = $value:literal;)*}) => {
        impl $name {
            /// The values that the document lists, in its order.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The value as it stands in JSON.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $value,)*
                    Self::$unknown(value) => value,
                }
            }

            #[inline]
            fn known(value: &str) -> ::std::option::Option<Self> {
                match value {
                    $($value => ::std::option::Option::Some(Self::$variant),)*
                    _ => ::std::option::Option::None,
                }
            }
        }

        impl ::std::fmt::Display for $name {
            #[inline]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::convert::Infallible;

            #[inline]
            fn from_str(value: &str) -> ::std::result::Result<Self, ::std::convert::Infallible> {
                ::std::result::Result::Ok(Self::from(value))
            }
        }

        impl ::std::convert::From<&str> for $name {
            #[inline]
            fn from(value: &str) -> Self {
                Self::known(value).unwrap_or_else(|| Self::$unknown(value.to_owned()))
            }
        }

        impl ::std::convert::From<::std::string::String> for $name {
            #[inline]
            fn from(value: ::std::string::String) -> Self {
                Self::known(&value).unwrap_or(Self::$unknown(value))
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                const EXAMPLES: &[&str] = &[$($value),*];
                crate::open_enum::deserialize(deserializer, EXAMPLES, Self::known, Self::$unknown)
            }
        }
    };
}
pub(crate) use values;
