//! The shell lines of the README, run as they stand there.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use solme_sync_harness::programs::{LICENSE_SERVER, MOCK_SOLME};
use tokio::process::Command;

/// The blocks of shell between two headings of a page.
fn blocks_between(page: &str, from: &str, to: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let below = text.split_once(from).unwrap_or_else(|| panic!("{page} has no {from:?}")).1;
    let part = below.split_once(to).map_or(below, |(part, _)| part);
    part.split("```sh\n").skip(1).filter_map(|block| block.split("```").next()).collect()
}

/// Both programs by their names, as after `cargo build --release`.
fn programs_in(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    symlink(env!("CARGO_BIN_EXE_subject"), folder.join("subject")).unwrap();
    for program in [LICENSE_SERVER, MOCK_SOLME] {
        let script = format!("#!/bin/sh\nexec {} {program} \"$@\"\n", folder.join("subject").display());
        std::fs::write(folder.join(program), script).unwrap();
        std::fs::set_permissions(folder.join(program), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[tokio::test]
async fn the_shell_lines_of_the_readme_work_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    programs_in(&dir.path().join("bin"));
    let story = blocks_between("README.md", "## The story by hand", "## In your tests");
    let vendor = blocks_between("mock-solme/README.md", "## Customers and licenses", "no other heading");
    assert!(story.contains("request-clear") && vendor.contains("import-response"), "{story}{vendor}");
    let lines = story + &vendor;
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
    assert_eq!(out.matches("exit code 10\n").count(), 2, "both servers without the key pair are refused: {out}");
}
