//! Every shipped scenario, played by the harness.

use std::path::Path;

use tokio::process::Command;

#[tokio::test]
async fn every_shipped_scenario_comes_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        let output = play(&file).await;
        let told = String::from_utf8(output.stdout).unwrap();
        let steps: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(output.status.success(), "{}:\n{told}{}", file.display(), String::from_utf8_lossy(&output.stderr));
        assert!(steps.len() >= 3 && steps.iter().all(|step| step["ok"] == true), "{}: {told}", file.display());
    }
}

#[tokio::test]
async fn a_scenario_that_does_not_come_as_expected_fails() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("wrong.toml");
    let wrong = "title = \"t\"\nabout = \"a\"\n[[step]]\ntell = \"x\"\ndo = \"synchronize\"\nserver = \"s\"\n\
                 expect = { outcome = \"refused\" }\n";
    std::fs::write(&file, wrong).unwrap();
    let output = play(&file).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"ok\":false"));
    std::fs::write(&file, "title = 1").unwrap();
    let output = play(&file).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no scenario"), "{output:?}");
}

async fn play(file: &Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_subject")).arg("scenario").arg(file).arg("--json").output().await.unwrap()
}
