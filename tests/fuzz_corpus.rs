//! The committed fuzz corpora, replayed: what once was a finding stays fixed, without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};

fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn seeds(corpus: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(corpus)
        .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    all.sort();
    all
}

/// Runs a target; when its promise breaks, names the seed, which the target does not know, and the bytes.
fn run(target: targets::Target, bytes: &[u8], seed: &Path) -> bool {
    std::panic::catch_unwind(|| target(bytes))
        .unwrap_or_else(|_| panic!("from {}: {bytes:x?}", seed.display()))
}

#[test]
fn every_seed_keeps_its_targets_promise() {
    for (name, target) in targets::ALL {
        let mut seeds = seeds(&corpora().join(name));
        // What a fuzzer run on this machine found is named by its hash; seeds have names.
        seeds.retain(|seed| seed.file_name().is_some_and(|name| name.len() != 40));
        let mut accepted = 0;
        for seed in &seeds {
            accepted += usize::from(run(*target, &fs::read(seed).unwrap(), seed));
        }
        assert!(
            accepted * 2 > seeds.len() && accepted < seeds.len(),
            "{name}: {accepted} of {} seeds are accepted; most should be, some should not",
            seeds.len()
        );
    }
}

#[test]
fn every_target_survives_its_seeds_cut_short_and_bent() {
    for (name, target) in targets::ALL {
        for seed in seeds(&corpora().join(name)) {
            let whole = fs::read(&seed).unwrap();
            for at in 0..whole.len() {
                run(*target, &whole[..at], &seed);
                let mut bent = whole.clone();
                bent[at] ^= 1 << (at % 8);
                run(*target, &bent, &seed);
            }
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    let mut found: Vec<String> = seeds(&corpora())
        .iter()
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    if cfg!(not(feature = "server")) {
        found.retain(|name| name != "link" && name != "words");
    }
    let known: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, known);
}
