//! `completions` and `man-pages`: what packages ship beside the program.

use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use crate::failure::{Failure, NoPlace};
use crate::voice::{Voice, print};

pub(crate) fn completions(mut command: Command, shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "harness", &mut script);
    print(&String::from_utf8_lossy(&script))
}

pub(crate) fn man_pages(command: Command, directory: &Path) -> Result<(), Failure> {
    if !directory.is_dir() {
        return Err(Failure::no_place(directory, NoPlace::NoDirectory));
    }
    clap_mangen::generate_to(command, directory).map_err(|error| Failure::not_written(Some(directory), &error))?;
    Voice::Output.say(&format!("Man pages written. Next: `man -l {}`.", directory.join("harness.1").display()));
    Ok(())
}
