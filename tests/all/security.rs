//! SECURITY.md names tests, models and files; each of them is there.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() && !path.ends_with("target") => sources(&path, into),
            Some(extension) if extension == "rs" => into.push_str(&fs::read_to_string(&path).unwrap()),
            _ => {}
        }
    }
}

#[test]
fn every_test_and_model_that_a_promise_rests_on_is_there() {
    let mut code = String::new();
    for folder in ["client/src", "mock-solme", "tests", "harness/src", "protocol", "pages/src"] {
        sources(&root().join(folder), &mut code);
    }
    let page = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let (mut tests, mut models) = (0, 0);
    for name in page.split('`').skip(1).step_by(2) {
        if name.matches('_').count() >= 4 {
            assert!(code.contains(&format!("fn {name}(")), "no test {name}");
            tests += 1;
        } else if name.starts_with(|first: char| first.is_ascii_digit()) {
            let model = root().join("protocol/proof").join(name).with_extension("pv");
            assert!(model.exists(), "no model {name}");
            models += 1;
        } else if name.contains('/') && !name.contains(' ') {
            assert!(root().join(name).exists(), "no file {name}");
        }
    }
    assert!(tests >= 15 && models >= 8, "{tests} tests, {models} models");
}
