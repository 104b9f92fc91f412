//! Builders of structs: a setter for each property, and the properties that have been set.
//!
//! A builder is declared by its properties alone. Written out, the builders were more than half of the generated lines of
//! a large document.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a document without structs has no use for it"
)]
#![allow(irrefutable_let_patterns, reason = "a struct may have no property")]

use std::fmt::{self, Debug, Display};
use std::marker::PhantomData;

use crate::mask::Masked;
use crate::nullable::Nullable;

/// A property of a builder, which takes a `T` and stores it as `S`.
pub(crate) struct Setting<T, S = T> {
    pub(crate) value: State<S>,
    takes: PhantomData<fn(T)>,
}

#[derive(Clone)]
pub(crate) enum State<S> {
    Missing,
    Invalid(String),
    Set(S),
}

impl<T, S> Setting<T, S> {
    const fn new(value: State<S>) -> Self {
        Self {
            value,
            takes: PhantomData,
        }
    }

    /// A property that has to be set.
    pub(crate) const fn required() -> Self {
        Self::new(State::Missing)
    }

    /// A property with the default of its type.
    pub(crate) fn optional() -> Self
    where
        S: Default,
    {
        Self::new(State::Set(S::default()))
    }

    /// A property with a default.
    pub(crate) fn default(value: fn() -> T) -> Self
    where
        T: Store<S>,
    {
        Self::new(State::Set(value().store()))
    }

    /// An optional property with a value, which it can lose.
    pub(crate) fn constant<C>(value: fn() -> C) -> Self
    where
        T: From<C> + Store<S>,
    {
        Self::new(State::Set(T::from(value()).store()))
    }

    /// A property of a finished value.
    pub(crate) const fn of(value: S) -> Self {
        Self::new(State::Set(value))
    }

    pub(crate) fn set<E: Display>(&mut self, value: Result<T, E>, name: &str)
    where
        T: Store<S>,
    {
        self.value = match value {
            Ok(value) => State::Set(value.store()),
            Err(error) => invalid(name, &error),
        };
    }
}

/// A value that the setter of an optional property or parameter takes: an `Option<T>`, or anything that converts into a `T`.
///
/// `By` tells the two apart, so that each value can be both. The compiler infers it.
pub trait IntoOptional<T, By> {
    /// Converts the value.
    ///
    /// # Errors
    /// The text of the conversion's error.
    fn into_optional(self) -> Result<Option<T>, String>;
}

/// A value that the setter of a property that may be absent or null takes: a `Nullable<T>`, or anything that converts into
/// a `T`.
///
/// `By` tells the two apart, so that each value can be both. The compiler infers it.
pub trait IntoNullable<T, By> {
    /// Converts the value.
    ///
    /// # Errors
    /// The text of the conversion's error.
    fn into_nullable(self) -> Result<Nullable<T>, String>;
}

/// The value is what the property or parameter has.
#[derive(Debug)]
pub struct Whole;

/// The value is inside of what the property or parameter has.
#[derive(Debug)]
pub struct Inner;

impl<T> IntoOptional<T, Whole> for Option<T> {
    fn into_optional(self) -> Result<Self, String> {
        Ok(self)
    }
}

impl<T, V> IntoOptional<T, Inner> for V
where
    V: TryInto<T>,
    V::Error: Display,
{
    fn into_optional(self) -> Result<Option<T>, String> {
        inner(self).map(Some)
    }
}

impl<T> IntoNullable<T, Whole> for Nullable<T> {
    fn into_nullable(self) -> Result<Self, String> {
        Ok(self)
    }
}

impl<T, V> IntoNullable<T, Inner> for V
where
    V: TryInto<T>,
    V::Error: Display,
{
    fn into_nullable(self) -> Result<Nullable<T>, String> {
        inner(self).map(Nullable::Value)
    }
}

fn inner<T, V>(value: V) -> Result<T, String>
where
    V: TryInto<T>,
    V::Error: Display,
{
    value.try_into().map_err(|error| error.to_string())
}

fn invalid<S>(name: &str, error: &dyn Display) -> State<S> {
    State::Invalid(format!(
        "error converting supplied value for {}: {error}",
        plain(name)
    ))
}

fn missing(name: &str) -> String {
    format!("no value supplied for {}", plain(name))
}

fn plain(name: &str) -> &str {
    name.trim_start_matches("r#")
}

impl<T, S: Clone> Clone for Setting<T, S> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T, S: Debug> Debug for Setting<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            State::Missing => f.write_str("Missing"),
            State::Invalid(error) => f.debug_tuple("Err").field(error).finish(),
            State::Set(value) => f.debug_tuple("Ok").field(value).finish(),
        }
    }
}

/// A value that is stored as `S`: as it is, or in a box.
pub(crate) trait Store<S> {
    fn store(self) -> S;
}

impl<T> Store<T> for T {
    fn store(self) -> T {
        self
    }
}

impl<T> Store<Box<T>> for T {
    fn store(self) -> Box<T> {
        Box::new(self)
    }
}

impl<T> Store<Option<Box<T>>> for Option<T> {
    fn store(self) -> Option<Box<T>> {
        self.map(Box::new)
    }
}

impl<T> Store<Nullable<Box<T>>> for Nullable<T> {
    fn store(self) -> Nullable<Box<T>> {
        self.map(Box::new)
    }
}

/// A property of any type.
pub(crate) trait Property: Debug {
    /// Returns what is wrong with the property; `None` if it has a value.
    fn problem(&self, name: &str) -> Option<String>;
}

impl<T, S: Debug> Property for &Setting<T, S> {
    fn problem(&self, name: &str) -> Option<String> {
        match &self.value {
            State::Set(_) => None,
            State::Invalid(error) => Some(error.clone()),
            State::Missing => Some(missing(name)),
        }
    }
}

impl<T, S: Debug> Property for Masked<'_, Setting<T, S>> {
    fn problem(&self, name: &str) -> Option<String> {
        self.0.problem(name)
    }
}

/// The properties of a builder: the name of each, and its value.
pub(crate) type Properties<'a> = &'a [(&'a str, &'a dyn Property)];

/// A builder.
pub(crate) trait Builder {
    /// Calls a function with all properties.
    fn with_properties<R>(&self, call: impl FnOnce(Properties<'_>) -> R) -> R;
}

/// Shows a builder.
pub(crate) fn debug(builder: &impl Builder, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fn show(f: &mut fmt::Formatter<'_>, name: &str, properties: Properties<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(name);
        for (name, value) in properties {
            shown.field(plain(name), value);
        }
        shown.finish()
    }
    builder.with_properties(|properties| show(f, name, properties))
}

/// Returns what is wrong with the first property that has no value.
#[cold]
pub(crate) fn first_problem(builder: &impl Builder) -> String {
    fn problem(properties: Properties<'_>) -> String {
        let mut problems = properties.iter().map(|(name, value)| value.problem(name));
        problems.find_map(|problem| problem).unwrap_or_default()
    }
    builder.with_properties(problem)
}

/// Declares the builder of a struct of the parent module, and its function `builder`.
///
/// A property has a field, a type, and a constructor of [`Setting`]. With `?:` in place of `:`, the property is an option of
/// the type, and with `| null:` a [`Nullable`]. The type after `as` is that of the field if its value is boxed there.
/// `Masked` hides the value from `{:?}`. `X in Fields` builds an `X` that has its properties in `Fields`. `build` is the name
/// of the method that returns the struct; without it, `TryFrom` is the only way, because a property has that name.
macro_rules! builder {
    ($name:ident {$($properties:tt)*} $($build:ident)?) => {
        crate::setting::builder! { $name in $name {$($properties)*} $($build)? }
    };
    ($name:ident in $fields:ident {$(
        $(#[$attribute:meta])*
        $property:ident $(?: $optional:ty)? $(| null: $nullable:ty)? $(: $type:ty)? $(as $stored:ty)? = $state:ident $(($default:expr))? $(, $masked:ident)?;
    )*} $($build:ident)?) => {
        #[doc = concat!("Builder for [`", stringify!($name), "`](super::", stringify!($name), ").")]
        #[derive(Clone)]
        pub struct $name {
            $($property: crate::setting::Setting<
                $($type)?
                $(::std::option::Option<$optional>)?
                $(crate::nullable::Nullable<$nullable>)?
                $(, $stored)?
            >,)*
        }

        impl super::$name {
            /// Returns a builder without any property set.
            #[inline]
            pub fn builder() -> $name {
                ::std::default::Default::default()
            }
        }

        impl ::std::default::Default for $name {
            #[inline]
            fn default() -> Self {
                Self {
                    $($property: crate::setting::Setting::$state($($default)?),)*
                }
            }
        }

        impl $name {
            $(
                $(#[$attribute])*
                #[doc = concat!("Sets [`", stringify!($property), "`](super::", stringify!($fields), "::", stringify!($property), ").")]
                pub fn $property<
                    T
                    $(: crate::setting::IntoOptional<$optional, By>, By)?
                    $(: crate::setting::IntoNullable<$nullable, By>, By)?
                >(mut self, value: T) -> Self
                $(
                    where
                        T: ::std::convert::TryInto<$type>,
                        T::Error: ::std::fmt::Display,
                )?
                {
                    $(let value = ::std::convert::TryInto::<$type>::try_into(value);)?
                    $(let value = crate::setting::IntoOptional::<$optional, By>::into_optional(value);)?
                    $(let value = crate::setting::IntoNullable::<$nullable, By>::into_nullable(value);)?
                    self.$property.set(value, stringify!($property));
                    self
                }
            )*

            $(
                /// The finished value.
                ///
                /// # Errors
                /// The first property that is required and not set, or whose value couldn't be converted.
                #[inline]
                pub fn $build(self) -> ::std::result::Result<super::$name, super::error::ConversionError> {
                    ::std::convert::TryFrom::try_from(self)
                }
            )?
        }

        impl crate::setting::Builder for $name {
            fn with_properties<R>(&self, call: impl FnOnce(crate::setting::Properties<'_>) -> R) -> R {
                call(&[$((stringify!($property), &$(crate::mask::$masked)?(&self.$property))),*])
            }
        }

        impl ::std::fmt::Debug for $name {
            #[inline]
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                crate::setting::debug(self, stringify!($name), f)
            }
        }

        impl ::std::convert::TryFrom<$name> for super::$name {
            type Error = super::error::ConversionError;

            #[inline]
            fn try_from(builder: $name) -> ::std::result::Result<Self, super::error::ConversionError> {
                // One test of all properties takes less compile time than a test of each.
                let $name {
                    $($property: crate::setting::Setting { value: crate::setting::State::Set($property), .. },)*
                } = builder else {
                    return ::std::result::Result::Err(crate::setting::first_problem(&builder).into());
                };
                ::std::result::Result::Ok(super::$fields { $($property,)* }.into())
            }
        }

        #[allow(unused_variables, reason = "a struct may have no property")]
        impl ::std::convert::From<super::$name> for $name {
            #[inline]
            fn from(value: super::$name) -> Self {
                let value = super::$fields::from(value);
                Self {
                    $($property: crate::setting::Setting::of(value.$property),)*
                }
            }
        }
    };
}
pub(crate) use builder;

#[cfg(test)]
mod tests {
    #![allow(unreachable_pub, deprecated, reason = "builders are public")]

    use super::super::error;
    use super::*;

    /// A struct that holds its properties behind a box.
    #[derive(Debug, PartialEq)]
    pub struct Large(Box<LargeFields>);

    #[derive(Debug, PartialEq)]
    pub struct LargeFields {
        id: u8,
        boxed: Box<u16>,
        perhaps: Option<Box<u16>>,
        limit: u32,
        kind: Option<&'static str>,
        secret: Nullable<String>,
    }

    impl From<LargeFields> for Large {
        fn from(fields: LargeFields) -> Self {
            Self(Box::new(fields))
        }
    }

    impl From<Large> for LargeFields {
        fn from(value: Large) -> Self {
            *value.0
        }
    }

    #[derive(Debug, PartialEq)]
    pub struct Empty {}

    /// Its fields have the names of the macro's own variables.
    #[derive(Debug, PartialEq)]
    pub struct Hidden {
        builder: u8,
        f: u8,
    }

    #[derive(Debug, PartialEq)]
    pub struct Frame {
        build: u8,
        r#loop: Option<bool>,
    }

    fn ten() -> u32 {
        10
    }

    fn kind() -> &'static str {
        "large"
    }

    pub mod builder {
        crate::setting::builder! {
            Large in LargeFields {
                id: u8 = required;
                boxed: u16 as Box<u16> = required;
                perhaps?: u16 as Option<Box<u16>> = optional;
                limit: u32 = default(super::ten);
                kind?: &'static str = constant(super::kind);
                #[deprecated] secret | null: String = optional, Masked;
            } build
        }
        crate::setting::builder! { Empty {} build }
        crate::setting::builder! {
            Hidden {
                builder: u8 = required, Masked;
                f: u8 = required, Masked;
            } build
        }
        crate::setting::builder! {
            Frame {
                build: u8 = required;
                r#loop?: bool = required;
            }
        }
    }

    fn least() -> builder::Large {
        Large::builder().id(1).boxed(2_u16)
    }

    #[test]
    fn properties_have_their_defaults_until_they_are_set() {
        let fields = LargeFields {
            id: 1,
            boxed: Box::new(2),
            perhaps: None,
            limit: 10,
            kind: Some("large"),
            secret: Nullable::Absent,
        };
        assert_eq!(least().build().unwrap(), fields.into());
        let all = least()
            .perhaps(3)
            .limit(4_u8)
            .kind(None)
            .secret(Nullable::Null);
        let fields = LargeFields::from(all.build().unwrap());
        assert_eq!(fields.perhaps.as_deref(), Some(&3));
        assert_eq!((fields.limit, fields.kind), (4, None));
        assert_eq!(fields.secret, Nullable::Null);
        assert_eq!(Empty::builder().build().unwrap(), Empty {});
    }

    #[test]
    fn optional_property_takes_an_option_and_what_converts_into_its_value() {
        let perhaps = |builder: builder::Large| {
            LargeFields::from(builder.build().unwrap())
                .perhaps
                .map(|value| *value)
        };
        assert_eq!(perhaps(least().perhaps(3_u8)), Some(3));
        assert_eq!(perhaps(least().perhaps(Some(3))), Some(3));
        assert_eq!(perhaps(least().perhaps(3).perhaps(None)), None);
        assert_eq!(
            least().perhaps(70_000).build().unwrap_err().to_string(),
            "error converting supplied value for perhaps: out of range integral type conversion attempted"
        );
        let secret = |builder: builder::Large| LargeFields::from(builder.build().unwrap()).secret;
        let value = Nullable::Value("s".to_owned());
        assert_eq!(secret(least().secret("s")), value);
        assert_eq!(secret(least().secret(value.clone())), value);
        assert_eq!(secret(least().secret(Nullable::Absent)), Nullable::Absent);
    }

    #[test]
    fn first_unset_or_invalid_property_is_the_error() {
        let error = |builder: builder::Large| builder.build().unwrap_err().to_string();
        assert_eq!(error(Large::builder()), "no value supplied for id");
        assert_eq!(error(Large::builder().id(1)), "no value supplied for boxed");
        let invalid = "error converting supplied value for id: out of range integral type conversion attempted";
        assert_eq!(error(Large::builder().id(300)), invalid);
        assert_eq!(error(least().id(300)), invalid);
        assert!(least().id(300).id(3).build().is_ok());
        let hidden = |builder: builder::Hidden| builder.build().unwrap_err().to_string();
        assert_eq!(
            hidden(Hidden::builder().f(1)),
            "no value supplied for builder"
        );
        let text = hidden(Hidden::builder().builder(1).f(300));
        assert_eq!(text, invalid.replace("for id", "for f"));
        let frame = Frame::try_from(Frame::builder().build(1));
        assert_eq!(frame.unwrap_err().to_string(), "no value supplied for loop");
    }

    #[test]
    fn value_becomes_a_builder_and_the_same_value() {
        let value = least().build().unwrap();
        let again = builder::Large::from(value).limit(11_u32).build().unwrap();
        assert_eq!(LargeFields::from(again).limit, 11);
    }

    #[test]
    fn debug_shows_properties_except_masked_ones() {
        let builder = Large::builder().id(300).perhaps(3).secret("s");
        assert_eq!(
            format!("{builder:?}"),
            "Large { id: Err(\"error converting supplied value for id: out of range integral type conversion attempted\"), \
             boxed: Missing, perhaps: Ok(Some(3)), limit: Ok(10), kind: Ok(Some(\"large\")), secret: … }"
        );
    }
}
