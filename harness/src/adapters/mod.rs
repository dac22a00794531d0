//! `harness new-adapter`: a subject to begin with, which implements nothing and is judged; and what to implement next.

mod guide;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::conformance::shell_word;
use crate::failure::{Failure, NoPlace};
use crate::voice::Voice;

pub(crate) use guide::guide;

/// The language of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// Python 3, without libraries
    Python,
    /// Node, without packages
    Node,
    /// POSIX shell, around a program of yours
    Shell,
    /// Go, without modules
    Go,
}

/// Arguments of `harness new-adapter`.
#[derive(clap::Args)]
#[command(
    after_help = "Every verb of the skeleton ends with exit code 89, not implemented. The harness judges it as it is and \
                        says what to implement next.\n\nExample: harness new-adapter python my-adapter"
)]
pub(crate) struct Arguments {
    /// The language
    language: Language,
    /// The directory to write to; created if missing
    directory: PathBuf,
}

/// What every skeleton is written by: the contract for subjects, and the protocol.
const PAGES: [Skeleton; 2] = [
    Skeleton { name: "SUBJECT.md", text: include_str!("../../SUBJECT.md"), runs: false },
    Skeleton { name: "PROTOCOL.md", text: include_str!("../../../protocol/PROTOCOL.md"), runs: false },
];

/// One file of a skeleton.
struct Skeleton {
    name: &'static str,
    text: &'static str,
    runs: bool,
}

impl Language {
    const fn skeleton(self) -> &'static [Skeleton] {
        match self {
            Self::Python => &[Skeleton { name: "adapter.py", text: include_str!("skeleton/adapter.py"), runs: true }],
            Self::Node => &[Skeleton { name: "adapter.mjs", text: include_str!("skeleton/adapter.mjs"), runs: true }],
            Self::Shell => &[Skeleton { name: "adapter.sh", text: include_str!("skeleton/adapter.sh"), runs: true }],
            Self::Go => &[
                Skeleton { name: "main.go", text: include_str!("skeleton/main.go"), runs: false },
                Skeleton { name: "go.mod", text: include_str!("skeleton/go.mod.txt"), runs: false },
            ],
        }
    }

    /// What the harness starts, of the files in the directory.
    const fn program(self) -> &'static str {
        match self {
            Self::Python => "adapter.py",
            Self::Node => "adapter.mjs",
            Self::Shell => "adapter.sh",
            Self::Go => "adapter",
        }
    }
}

/// Writes the skeleton, and the pages to read beside it. No file is overwritten.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { language, directory } = arguments;
    let failed = |error: std::io::Error| Failure::not_written(Some(directory), &error);
    fs::create_dir_all(directory).map_err(failed)?;
    let files = || language.skeleton().iter().chain(&PAGES);
    for Skeleton { name, .. } in files() {
        if directory.join(name).symlink_metadata().is_ok() {
            return Err(Failure::no_place(&directory.join(name), NoPlace::Exists));
        }
    }
    for skeleton in files() {
        write(&directory.join(skeleton.name), skeleton).map_err(failed)?;
    }
    let directory = directory.canonicalize().map_err(failed)?;
    let subject = shell_word(&directory.join(language.program()).to_string_lossy());
    let build = match language {
        Language::Go => format!("(cd {} && go build -o adapter .)\n  ", shell_word(&directory.to_string_lossy())),
        Language::Python | Language::Node | Language::Shell => String::new(),
    };
    Voice::Output.say(&format!(
        "Written. Next:\n  {build}harness conformance client --subject {} --guide",
        shell_word(&subject)
    ));
    Ok(())
}

fn write(path: &Path, skeleton: &Skeleton) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, if skeleton.runs { 0o755 } else { 0o644 });
    options.open(path)?.write_all(skeleton.text.as_bytes())
}
