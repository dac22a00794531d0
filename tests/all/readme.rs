//! The shell lines of the README, run as they stand there.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use solme_sync_harness::programs::{LICENSE_SERVER, MOCK_SOLME};
use tokio::process::Command;

/// The first block of shell below a line that contains `heading`.
fn block_below(heading: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let below = readme.split_once(heading).unwrap_or_else(|| panic!("the README has no {heading:?}")).1;
    let (_, block) = below.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Both programs by their names, as after `cargo build --release`, and `jq`, which not every machine has.
fn programs_in(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    symlink(env!("CARGO_BIN_EXE_subject"), folder.join("subject")).unwrap();
    let script = |name: &str, text: String| {
        std::fs::write(folder.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    for program in [LICENSE_SERVER, MOCK_SOLME] {
        script(program, format!("exec {} {program} \"$@\"", folder.join("subject").display()));
    }
    script("jq", r#"key=${2#.}; sed "s/.*\"$key\":\"\([^\"]*\)\".*/\1/" "$3""#.to_owned());
}

#[tokio::test]
async fn the_shell_lines_of_the_readme_work_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    programs_in(&dir.path().join("bin"));
    let lines = [
        "In five lines of shell",
        "## Play the vendor",
        "**By file**",
        "**By e-mail**",
        "## Make the main server misbehave",
    ]
    .map(block_below)
    .concat();
    assert!(lines.contains("request-clear") && lines.contains("import-response"), "{lines}");
    // The simulator is a job of this shell: it ends with it.
    let script = format!("trap 'kill %1' EXIT\nset -eum\n{lines}\n");
    let path = format!("{}:{}", dir.path().join("bin").display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(dir.path())
        .env("PATH", path)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}
