//! The mutations of `scripts/mutations` still fit the sources they take guards out of.
//!
//! Running them means building each, which is no ordinary test's business; that
//! every one of them would apply, names its tests and that those exist, is.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<PathBuf> {
    let folder = root().join("tests/mutations");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

/// What each hunk of a patch expects to find, by file.
fn expected(patch: &str) -> Vec<(PathBuf, String)> {
    let (mut file, mut found) = (PathBuf::new(), Vec::new());
    for line in patch.lines() {
        if let Some(path) = line.strip_prefix("--- a/") {
            file = root().join(path);
        } else if line.starts_with("@@ ") {
            found.push((file.clone(), String::new()));
        } else if let Some((_, text)) = found.last_mut() {
            if let Some(old) = line.strip_prefix([' ', '-']) {
                text.push_str(old);
                text.push('\n');
            } else if line.is_empty() {
                text.push('\n');
            }
        }
    }
    found
}

#[test]
fn every_mutation_fits_the_sources_once() {
    let patches = patches();
    assert!(patches.len() >= 12, "{} mutations", patches.len());
    for path in patches {
        let patch = fs::read_to_string(&path).unwrap();
        let hunks = expected(&patch);
        assert!(!hunks.is_empty(), "{} changes nothing", path.display());
        for (file, old) in hunks {
            let source = fs::read_to_string(&file).unwrap();
            let times = source.matches(old.trim_end()).count();
            assert_eq!(
                times,
                1,
                "{} fits {} {times} times; write it anew:\n{old}",
                path.display(),
                file.display()
            );
        }
    }
}

#[test]
fn every_mutation_says_what_it_breaks_and_which_tests_notice() {
    for path in patches() {
        let patch = fs::read_to_string(&path).unwrap();
        let head: Vec<&str> = patch.lines().take(4).collect();
        let [sentence, builds, killers, ""] = head[..] else {
            panic!(
                "{} begins with three lines and an empty one",
                path.display()
            );
        };
        assert!(sentence.ends_with('.'), "{sentence}");
        assert!(
            matches!(builds, "builds: engine" | "builds: server"),
            "{builds}"
        );
        let killers = killers
            .strip_prefix("killed by: ")
            .expect("the tests that notice");
        let words: Vec<&str> = killers.split(' ').collect();
        match words[..] {
            ["--lib", filter] => {
                let file = filter.split("::tests").next().unwrap().replace("::", "/");
                let name = file.rsplit('/').next().unwrap();
                let known = find(&root().join("src"), name);
                assert!(known, "no module is called {name}");
            }
            ["--test", target] | ["--test", target, _] => {
                let source = fs::read_to_string(root().join("tests").join(format!("{target}.rs")));
                let source = source.unwrap_or_else(|no| panic!("{target}: {no}"));
                let filter = words.get(2).copied().unwrap_or("fn ");
                assert!(
                    source.contains(filter),
                    "no test of {target} is called {filter}"
                );
            }
            _ => panic!("{killers}"),
        }
    }
}

fn find(folder: &Path, module: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.file_stem().is_some_and(|stem| stem == module) || path.is_dir() && find(&path, module)
    })
}
