//! What a person meant who named something that is not there.

use strsim::jaro_winkler;

use crate::failure::Failure;

/// Names that look less like it are none that a person meant.
const ALIKE: f64 = 0.75;

/// Something that is not there, and the known names that look most like it.
pub(crate) fn nothing_matches<'a>(
    what: &'static str,
    wanted: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Failure {
    let near = nearest(wanted, known).into_iter().map(str::to_owned).collect();
    Failure::NothingMatches { what, wanted: wanted.to_owned(), near }
}

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
    }
}
