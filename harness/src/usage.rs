//! What a person asked for in a way that cannot be carried out: exit code 2, as of every program.

use strsim::jaro_winkler;

/// The command line, or what it names, is wrong; nothing was judged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// Something that is not there, and the known names that look most like it.
    pub(crate) fn unknown<'a>(what: &str, wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let near = nearest(wanted, known);
        let next = if near.is_empty() { "`harness list` shows what there is".to_owned() } else { near.join(", ") };
        let question = if near.is_empty() { ";" } else { "; did you mean" };
        let end = if near.is_empty() { "" } else { "?" };
        Self(format!("{what} {wanted:?} does not match anything{question} {next}{end}"))
    }
}

/// Names that look less like it are none that a person meant.
const ALIKE: f64 = 0.75;

/// The names that look most like the one that was wanted, at most three. Of an id the clause and the name count as well.
fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let parts = |text: &'a str| [text].into_iter().chain(text.split('/')).filter(|part| !part.is_empty());
    let wanted = wanted.trim_matches('*');
    let likeness = |name: &'a str| parts(name).map(|part| jaro_winkler(wanted, part)).fold(0.0, f64::max);
    let mut near: Vec<(f64, &str)> = known.into_iter().map(|name| (likeness(name), name)).collect();
    near.retain(|(likeness, _)| *likeness >= ALIKE);
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_are_those_that_were_meant() {
        let known = ["9.7/a-resend-is-byte-for-byte", "9.8/a-request-id-is-spent", "17.1/nothing-is-issued"];
        assert_eq!(nearest("9.7/a-resend-is-byte-by-byte", known).first(), Some(&known[0]));
        assert_eq!(nearest("nothing-is-isued", known).first(), Some(&known[2]), "the name without its clause");
        assert_eq!(nearest("9.7/a-resend-is-*", known).first(), Some(&known[0]));
        assert_eq!(nearest("xyzzy", known), Vec::<&str>::new());
        let said = Usage::unknown("--only", "xyzzy", known).to_string();
        assert_eq!(said, "--only \"xyzzy\" does not match anything; `harness list` shows what there is");
    }
}
