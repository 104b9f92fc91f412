//! The `Link` header (RFC 8288).

use http::HeaderMap;

/// Returns the target of the first link whose relation is `next`.
pub(super) fn next(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(http::header::LINK).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .find_map(next_of)
}

fn next_of(mut rest: &str) -> Option<&str> {
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (is_next, after) = parameters(after);
        if is_next {
            return Some(target.trim());
        }
        rest = after;
    }
}

/// Reads the parameters of a link. Returns true if it is the next one, and the text after the comma that ends it.
fn parameters(mut rest: &str) -> (bool, &str) {
    let mut relation = None;
    loop {
        rest = rest.trim_start();
        let Some(after) = rest.strip_prefix(';') else {
            let is_next = relation.is_some_and(|relation: &str| {
                relation
                    .split_ascii_whitespace()
                    .any(|word| word.eq_ignore_ascii_case("next"))
            });
            return (is_next, rest.strip_prefix(',').unwrap_or(""));
        };
        let end = after.find(['=', ';', ',']).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => value(after),
            None => ("", after),
        };
        // The first of several counts (section 3.3).
        if name.trim().eq_ignore_ascii_case("rel") && relation.is_none() {
            relation = Some(value);
        }
        rest = after;
    }
}

/// Splits the value of a parameter off; quotation marks are not part of it.
fn value(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.trim_end(), rest);
    };
    let mut escaped = false;
    for (index, c) in quoted.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return (&quoted[..index], &quoted[index + 1..]),
            _ => {}
        }
    }
    (quoted, "")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn next_link_is_found_among_others() {
        for (header, expected) in [
            (
                "<https://a.example/?page=2>; rel=\"next\"",
                Some("https://a.example/?page=2"),
            ),
            ("</?a=1,2>; rel=prev, </?a=3,4>; rel=next", Some("/?a=3,4")),
            ("</1>; title=\"a, <b>; rel=next\"; rel=\"prev\"", None),
            ("</1>; title=\"a \\\" b\"; REL=\"last Next\"", Some("/1")),
            ("</1>; rel=prev; rel=next", None),
            ("</1>;rel=nextish,</2> ; rel = next ", Some("/2")),
            ("</1>; nofollow; rel=next", Some("/1")),
            ("</1>", None),
            ("</1", None),
            ("</1>; rel=\"next", Some("/1")),
            ("next", None),
            ("", None),
        ] {
            assert_eq!(next_of(header), expected, "{header}");
        }
    }

    #[test]
    fn next_link_may_be_in_a_header_of_its_own() {
        let mut headers = HeaderMap::new();
        headers.append("link", "</1>; rel=prev".parse().unwrap());
        headers.append("link", "</3>; rel=next".parse().unwrap());
        assert_eq!(next(&headers), Some("/3"));
    }
}
