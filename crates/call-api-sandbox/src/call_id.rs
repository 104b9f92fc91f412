//! An id in a path, read as pydantic v2 reads it.
//!
//! pydantic tells what is wrong in the words of the `uuid` crate that it was built with, and accepts what that crate
//! accepted then: with hyphens, without, in braces, or after a lower-case `urn:uuid:`. Newer versions of `uuid` count
//! and accept differently, so the words are written down here: `tests/fastapi.rs` compares them with recorded answers.

use std::fmt;

use uuid::Uuid;

/// The length of a uuid with its hyphens.
const HYPHENATED: usize = 36;
/// The length of a uuid without hyphens.
const SIMPLE: usize = 32;
/// The characters in each group of a uuid.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];
/// Inputs longer than the longest accepted form are not looked into.
const LONGEST: usize = URN.len() + HYPHENATED;

const URN: &str = "urn:uuid:";

/// Why an input is no uuid, in pydantic's words.
#[derive(Debug, PartialEq)]
pub(crate) enum NoUuid {
    /// A character that no uuid has, and the byte where it starts.
    Character { found: char, at: usize },
    /// Hexadecimal digits only, but not 32; in bytes.
    Length { found: usize },
    /// More or fewer hyphens than four.
    GroupCount { found: usize },
    /// Five groups, of which this one, counted from zero, is too long or too short.
    GroupLength { group: usize, found: usize },
}

impl fmt::Display for NoUuid {
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

/// Reads an id that was percent-decoded.
pub(crate) fn parse(input: &str) -> Result<Uuid, NoUuid> {
    // What has the length of an accepted form is taken for it, and what is wrong is counted from within its wrapping.
    let (bare, form) = match input.len() {
        SIMPLE => (input, Form::Open),
        HYPHENATED => (input, Form::Hyphenated),
        len if len == HYPHENATED + 2 => match unbrace(input) {
            Some(inner) => (inner, Form::Hyphenated),
            None => return Err(diagnose(input, Form::Open)),
        },
        LONGEST => match input.strip_prefix(URN) {
            Some(inner) => (inner, Form::Hyphenated),
            None => return Err(diagnose(input, Form::Open)),
        },
        _ => return Err(diagnose(input, Form::Open)),
    };
    Uuid::try_parse(bare).map_err(|_| diagnose(bare, form))
}

fn unbrace(input: &str) -> Option<&str> {
    input.strip_prefix('{')?.strip_suffix('}')
}

/// What an input is taken for.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Not known yet.
    Open,
    /// A uuid with hyphens, so that their number is wrong where there are none.
    Hyphenated,
}

fn diagnose(input: &str, form: Form) -> NoUuid {
    if input.is_empty() || input.len() > LONGEST {
        return NoUuid::Length { found: input.len() };
    }
    // What was taken for a form by its length has been unwrapped, or is not looked at as wrapped.
    let wrapped = match form {
        Form::Open => unbrace(input)
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
                return NoUuid::Character {
                    found,
                    at: start + at,
                };
            }
        }
    }
    if hyphens.is_empty() && !hyphenated {
        return NoUuid::Length { found: input.len() };
    }
    if hyphens.len() + 1 != GROUPS.len() {
        return NoUuid::GroupCount {
            found: hyphens.len() + 1,
        };
    }
    let mut starts = 0;
    for (group, (hyphen, expected)) in hyphens.into_iter().zip(GROUPS).enumerate() {
        let found = hyphen - starts;
        if found != expected {
            return NoUuid::GroupLength { group, found };
        }
        starts = hyphen + 1;
    }
    // The last group's length is counted with what wraps the uuid, as if that were all before it.
    NoUuid::GroupLength {
        group: GROUPS.len() - 1,
        found: input.len() - starts,
    }
}

/// The character as pydantic looks at it: of one beyond U+00FF the low byte only, so that an Arabic three (U+0663) counts
/// as the digit `c` (U+0063), until the length or the uuid itself is found to be wrong.
fn low_byte(character: char) -> u8 {
    u32::from(character).to_le_bytes()[0]
}
