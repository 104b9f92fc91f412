//! Places in a response, as drift names them.

/// Returns a path with `[]` for each index, as drift writes it.
pub(crate) fn without_indices(path: &str) -> String {
    let mut parts = path.split('[');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('[');
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

/// Returns true if the drift is at the place, above it, or below it. `*` in the place of drift is any key of a map.
pub(crate) fn is_same_branch(drift: &str, place: &str) -> bool {
    let [drift, place] = [drift, place].map(|place| place.replace("[]", ".[]"));
    let [drift, place] =
        [&drift, &place].map(|place| place.split('.').filter(|name| !name.is_empty()));
    drift
        .zip(place)
        .all(|(drift, name)| drift == name || drift == "*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_compared_by_whole_names() {
        for (drift, place, expected) in [
            ("data[].id", "data[].id", true),
            ("data[]", "data[].id", true),
            ("data[].id.x", "data[].id", true),
            (".", "data[].id", true),
            ("[].id", "[]", true),
            ("data[].id_type", "data[].id", false),
            ("data[].id", "data[].id_type", false),
            ("data[].labels.*", "data[].labels.color", true),
            ("data[].labels.*.id", "data[].labels.color.id", true),
            ("data[].labels.*.id", "data[].labels.color.name", false),
            ("data[].others.*", "data[].labels.color", false),
            ("data[][]", "data[]", true),
            ("data[].list[]", "data[].list.x", false),
        ] {
            assert_eq!(is_same_branch(drift, place), expected, "{drift} {place}");
        }
    }
}
