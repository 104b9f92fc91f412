//! The version step that a change requires.

use super::change::Class;

/// The version of the crates of this workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The step from one version of the crates to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `none`, `patch`, `minor` or `major`.
    pub step: &'static str,
    /// The current version.
    pub from: String,
    /// The next version.
    pub to: String,
    /// The reason for the step.
    pub why: &'static str,
}

/// Returns the step from `version` for changes of `class`, by
/// [cargo's rules](https://doc.rust-lang.org/cargo/reference/semver.html): the leftmost nonzero number is the breaking one.
pub fn step(class: Option<Class>, version: &str) -> Step {
    let mut numbers = version
        .split(['-', '+'])
        .next()
        .unwrap_or(version)
        .split('.')
        .map(|number| number.parse::<u64>().unwrap_or_default());
    let mut next = || numbers.next().unwrap_or_default();
    let (major, minor, patch) = (next(), next(), next());
    let (step, to, why) = match (class, major, minor) {
        (None, ..) => ("none", (major, minor, patch), "nothing changed"),
        (Some(Class::Breaking), 0, 0) => (
            "patch",
            (0, 0, patch + 1),
            "below 0.1.0 every version is breaking",
        ),
        (Some(Class::Breaking), 0, _) => (
            "minor",
            (0, minor + 1, 0),
            "below 1.0.0 the minor version is the breaking one",
        ),
        (Some(Class::Breaking), ..) => (
            "major",
            (major + 1, 0, 0),
            "from 1.0.0 the major version is the breaking one",
        ),
        (Some(Class::Addition), 0, _) => (
            "patch",
            (0, minor, patch + 1),
            "below 1.0.0 the patch version covers every compatible change",
        ),
        (Some(Class::Addition), ..) => (
            "minor",
            (major, minor + 1, 0),
            "from 1.0.0 the minor version is for additions",
        ),
        (Some(Class::Documentation), ..) => (
            "patch",
            (major, minor, patch + 1),
            "only the documentation changed",
        ),
    };
    Step {
        step,
        from: version.to_owned(),
        to: format!("{}.{}.{}", to.0, to.1, to.2),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_follows_the_rules_of_cargo() {
        let to = |class, version| {
            let step = step(class, version);
            format!("{} {}", step.step, step.to)
        };
        assert_eq!(to(None, "0.1.0"), "none 0.1.0");
        assert_eq!(to(Some(Class::Breaking), "0.1.4"), "minor 0.2.0");
        assert_eq!(to(Some(Class::Addition), "0.1.4"), "patch 0.1.5");
        assert_eq!(to(Some(Class::Documentation), "0.1.4"), "patch 0.1.5");
        assert_eq!(to(Some(Class::Breaking), "1.2.3"), "major 2.0.0");
        assert_eq!(to(Some(Class::Addition), "1.2.3-rc.1"), "minor 1.3.0");
        assert_eq!(to(Some(Class::Breaking), "0.0.3"), "patch 0.0.4");
    }
}
