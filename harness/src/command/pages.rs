//! `completions` and `man-pages`: what packages ship beside the program.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Command;
use clap_complete::Shell;

use crate::usage::Usage;

pub(crate) fn completions(mut command: Command, shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "harness", &mut script);
    // A reader that has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(&script);
}

pub(crate) fn man_pages(command: Command, directory: &Path) -> Result<()> {
    if !directory.is_dir() {
        return Err(Usage(format!("{} is not a directory; name a directory that exists", directory.display())).into());
    }
    clap_mangen::generate_to(command, directory)
        .with_context(|| format!("cannot write man pages into {}", directory.display()))?;
    anstream::println!("Man pages written. Next: `man -l {}`.", directory.join("harness.1").display());
    Ok(())
}
