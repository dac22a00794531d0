//! The page for authors of scenarios, written from the tables that the parser uses.

use std::fmt::Write as _;
use std::path::Path;

use super::action::{Action, COMMON, MEMBERS, Who};
use crate::failure::Failure;
use crate::voice::{self, can_be_written};

const HEAD: &str = r#"# Scenarios

Stories about License Servers and their main server, in TOML, played with real processes and virtual time. This page is
generated from the parser by `cargo run --bin harness -- scenario --reference fixtures/scenarios/README.md`; a test finds every difference.

```toml
title = "A leaked license server id"
about = "Somebody else knows the id. While a key pair is in use, the id is useless to them."

[[step]]                         # a stage direction: it must succeed
do = "add-license"
license = "first"

[[step]]
do = "synchronize"
server = "customer"

[[step]]                         # a step that is told and judged
tell = "The thief sets up a server with the leaked id and is refused"
do = "synchronize"
server = "thief"
expect = { outcome = "refused", code = "key-pair-in-use" }
```

```sh
harness scenario story.toml                     # on a terminal; add --step or --pace 2s to present it
harness scenario story.toml --html story.html   # a page with every message and mail
harness scenario *.toml --junit report.xml      # in a CI; exit code 0 if every step came as expected
```

`-` as the file is standard input. `--json` prints one object for each step that is told: `number`, `step`, `actor`, `action`,
`expected`, `got`, `ok`, `clause`, `says`, `wire` (each exchange, its messages decoded), `mails`, `answer`, `took`.

## The scenario

| member | type | meaning |
|---|---|---|
| `title` | text | One line |
| `about` | text | What the reader learns |
| `[[customer]]` | table | A license server id (`id`), the `contacts` that may ask for a clear by mail, and the `servers` set up with it. The default is `SITE-1` with the contact it@customer.example. License Servers not listed belong to the first customer |
| `[[step]]` | table | What happens, in order |

## Members of a step

| member | type | meaning |
|---|---|---|
"#;

/// Writes the page.
pub(super) fn write(path: &Path) -> Result<(), Failure> {
    can_be_written(&[path])?;
    voice::write(path, &page())
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for member in MEMBERS {
        let _ = writeln!(page, "| `{}` | {} | {} |", member.name, member.kind, member.about);
    }
    let _ = write!(
        page,
        "\nA step may have {}, and what its action needs and takes; anything else is an error.\n\n# Actions\n",
        code(COMMON)
    );
    for who in Who::ALL {
        let _ = write!(
            page,
            "\n## {}\n\n| action | what it does | needs | takes | `expect` may name, besides `exit` |\n|---|---|---|---|---|\n",
            who.heading()
        );
        for action in Action::ALL.iter().filter(|action| action.form().who == who) {
            let form = action.form();
            let (needs, takes, answers) = (code(form.needs), code(form.takes), code(form.answers));
            let _ = writeln!(page, "| `{}` | {} | {needs} | {takes} | {answers} |", action.name(), form.about);
        }
    }
    page
}

fn code(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_as_it_would_be_written() {
        assert_eq!(
            include_str!("../../../fixtures/scenarios/README.md"),
            super::page(),
            "run: cargo run --bin harness -- scenario --reference fixtures/scenarios/README.md"
        );
    }
}
