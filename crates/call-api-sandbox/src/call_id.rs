//! Parsing of an id in a path, with pydantic v2's rules and messages.
//!
//! pydantic accepts what the `uuid` crate it was built with accepted: hyphenated, simple, in braces, or after a
//! lower-case `urn:uuid:`. Newer versions of `uuid` accept and report other things, so the rules are implemented here.
//! `tests/fastapi.rs` compares the messages with recorded responses.

use std::fmt;

use uuid::Uuid;

/// The length of a hyphenated UUID.
const HYPHENATED: usize = 36;
/// The length of a UUID without hyphens.
const SIMPLE: usize = 32;
/// The length of each group of a hyphenated UUID.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
/// The length of the longest accepted form. Longer inputs are rejected by their length.
const LONGEST: usize = URN.len() + HYPHENATED;

const URN: &str = "urn:uuid:";

/// The reason an input is not a UUID, in pydantic's words.
#[derive(Debug, PartialEq)]
pub(crate) enum InvalidUuid {
    /// A character that no UUID has, and its byte offset.
    Character { found: char, at: usize },
    /// Hexadecimal digits only, but not 32; `found` is in bytes.
    Length { found: usize },
    /// A number of groups other than five.
    GroupCount { found: usize },
    /// Five groups, of which one, counted from zero, has the wrong length.
    GroupLength { group: usize, found: usize },
}

impl fmt::Display for InvalidUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character { found, at } => {
                write!(f, "invalid character: found `{found}` at {at}")
            }
            Self::Length { found } => write!(f, "invalid length: found {found}"),
            Self::GroupCount { found } => {
                write!(
                    f,
                    "invalid group count: expected {}, found {found}",
                    GROUPS.len()
                )
            }
            Self::GroupLength { group, found } => write!(
                f,
                "invalid group length in group {group}: expected {}, found {found}",
                GROUPS.get(*group).copied().unwrap_or_default(),
            ),
        }
    }
}

/// Parses a percent-decoded id.
pub(crate) fn parse(input: &str) -> Result<Uuid, InvalidUuid> {
    // An input with the length of an accepted form is parsed as that form; offsets then count from inside the wrapping.
    let (bare, form) = match input.len() {
        SIMPLE => (input, Form::Unknown),
        HYPHENATED => (input, Form::Hyphenated),
        len if len == HYPHENATED + 2 => match unbrace(input) {
            Some(inner) => (inner, Form::Hyphenated),
            None => return Err(diagnose(input, Form::Unknown)),
        },
        LONGEST => match input.strip_prefix(URN) {
            Some(inner) => (inner, Form::Hyphenated),
            None => return Err(diagnose(input, Form::Unknown)),
        },
        _ => return Err(diagnose(input, Form::Unknown)),
    };
    Uuid::try_parse(bare).map_err(|_| diagnose(bare, form))
}

fn unbrace(input: &str) -> Option<&str> {
    input.strip_prefix('{')?.strip_suffix('}')
}

/// The form that an input is parsed as.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Unknown.
    Unknown,
    /// A hyphenated UUID, in which missing hyphens are an error.
    Hyphenated,
}

fn diagnose(input: &str, form: Form) -> InvalidUuid {
    if input.is_empty() || input.len() > LONGEST {
        return InvalidUuid::Length { found: input.len() };
    }
    // An input recognized by its length is already unwrapped.
    let wrapped = match form {
        Form::Unknown => unbrace(input)
            .map(|inner| (1, inner))
            .or_else(|| Some((URN.len(), input.strip_prefix(URN)?))),
        Form::Hyphenated => None,
    };
    let hyphenated = form == Form::Hyphenated || wrapped.is_some();
    let (start, inner) = wrapped.unwrap_or((0, input));

    let mut hyphens = Vec::new();
    for (at, found) in inner.char_indices() {
        match low_byte(found) {
            b'-' => hyphens.push(at),
            byte if byte.is_ascii_hexdigit() => {}
            _ => {
                return InvalidUuid::Character {
                    found,
                    at: start + at,
                };
            }
        }
    }
    if hyphens.is_empty() && !hyphenated {
        return InvalidUuid::Length { found: input.len() };
    }
    if hyphens.len() + 1 != GROUPS.len() {
        return InvalidUuid::GroupCount {
            found: hyphens.len() + 1,
        };
    }
    let mut starts = 0;
    for (group, (hyphen, expected)) in hyphens.into_iter().zip(GROUPS).enumerate() {
        let found = hyphen - starts;
        if found != expected {
            return InvalidUuid::GroupLength { group, found };
        }
        starts = hyphen + 1;
    }
    // pydantic counts the closing brace into the last group's length.
    InvalidUuid::GroupLength {
        group: GROUPS.len() - 1,
        found: input.len() - starts,
    }
}

/// The byte that pydantic examines: only the low byte of a character beyond U+00FF. An Arabic three (U+0663) therefore
/// counts as the digit `c` (U+0063), until the length or the UUID itself is found to be wrong.
fn low_byte(character: char) -> u8 {
    u32::from(character).to_le_bytes()[0]
}
