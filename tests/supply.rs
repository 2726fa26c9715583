//! What the program is made of: every dependency comes from crates.io with its checksum, and none has
//! an advisory against it that `deny.toml` does not except, with a reason and a date.
//!
//! The advisories are RustSec's, as a folder or an archive: `SEANCE_ADVISORIES`, else
//! `../shared/advisory-db.tgz`. Nothing is fetched; without either the check says that it was skipped.
//! `cargo deny check` and `cargo audit` ask more, where they are installed; this asks the one
//! question that must be asked everywhere, in a second and with no tool but `tar`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const LOCK: &str = include_str!("../Cargo.lock");
const DENY: &str = include_str!("../deny.toml");

/// A version: its three numbers, and whether it is a final one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version([u64; 3], bool);

impl Version {
    /// Reads `1`, `1.2`, `1.2.3`, `1.2.3-rc.1`, with or without build metadata.
    fn parse(text: &str) -> Option<Self> {
        let text = text.split('+').next()?;
        let (numbers, pre) = text
            .split_once('-')
            .map_or((text, None), |(a, b)| (a, Some(b)));
        let mut all = [0; 3];
        for (place, number) in numbers.split('.').enumerate() {
            *all.get_mut(place)? = number.trim().parse().ok()?;
        }
        Some(Self(all, pre.is_none()))
    }

    /// The first version a caret requirement on this one no longer takes.
    fn caret_end(self) -> Self {
        let [major, minor, patch] = self.0;
        Self(
            match (major, minor) {
                (0, 0) => [0, 0, patch + 1],
                (0, _) => [0, minor + 1, 0],
                _ => [major + 1, 0, 0],
            },
            false,
        )
    }
}

/// Whether a version is in a requirement such as `>= 1.2.3, < 2` or `^0.4.5`. What cannot be read takes nothing.
fn takes(requirement: &str, version: Version) -> bool {
    requirement.split(',').all(|part| {
        let part = part.trim();
        let split = part
            .find(|char: char| char.is_ascii_digit())
            .unwrap_or(part.len());
        let (sign, number) = part.split_at(split);
        let Some(wanted) = Version::parse(number) else {
            return false;
        };
        match sign.trim() {
            ">=" => version >= wanted,
            ">" => version > wanted,
            "<" => version < wanted,
            "<=" => version <= wanted,
            "=" => version == wanted,
            "^" | "" => version >= wanted && version < wanted.caret_end(),
            "~" => version >= wanted && version.0[..2] == wanted.0[..2],
            _ => false,
        }
    })
}

#[test]
fn requirements_are_read_as_cargo_reads_them() {
    let check = |requirement, version, taken| {
        let parsed = Version::parse(version).unwrap();
        assert_eq!(
            takes(requirement, parsed),
            taken,
            "{version} in {requirement}"
        );
    };
    check(">= 1.2.3", "1.2.3", true);
    check(">= 1.2.3", "1.2.3-rc.1", false);
    check(">=1.2, <2", "1.9.9", true);
    check(">=1.2, <2", "2.0.0", false);
    check("^0.4.5", "0.4.9", true);
    check("^0.4.5", "0.5.0", false);
    check("^0.0.3", "0.0.4", false);
    check("^1.2", "1.9.0", true);
    check("~1.2.3", "1.2.9", true);
    check("~1.2.3", "1.3.0", false);
    check("= 1.0.0", "1.0.0+build", true);
    check("nonsense", "1.0.0", false);
    assert_eq!(Version::parse("1.2.x"), None);
}

#[derive(Clone, Debug)]
struct Package {
    name: &'static str,
    version: &'static str,
    source: Option<&'static str>,
    checksum: bool,
}

/// The packages of `Cargo.lock`.
fn packages() -> Vec<Package> {
    let quoted = |line: &'static str| line.split('"').nth(1).unwrap_or_default();
    let mut found: Vec<Package> = Vec::new();
    for line in LOCK.lines() {
        if line == "[[package]]" {
            found.push(Package {
                name: "",
                version: "",
                source: None,
                checksum: false,
            });
        }
        let Some(package) = found.last_mut() else {
            continue;
        };
        match line.split(" = ").next() {
            Some("name") => package.name = quoted(line),
            Some("version") => package.version = quoted(line),
            Some("source") => package.source = Some(quoted(line)),
            Some("checksum") => package.checksum = true,
            _ => {}
        }
    }
    found
}

#[test]
fn every_dependency_comes_from_crates_io_with_its_checksum() {
    let packages = packages();
    assert!(packages.len() > 200, "{}", packages.len());
    for package in packages {
        match package.source {
            None => assert_eq!(package.name, "seance"),
            Some(source) => {
                let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
                assert_eq!(source, crates_io, "{}", package.name);
                assert!(package.checksum, "{}", package.name);
            }
        }
    }
}

/// The exceptions of `deny.toml`: what is excepted, and its reason.
fn exceptions() -> BTreeMap<&'static str, &'static str> {
    let lines = DENY
        .lines()
        .filter(|line| line.trim_start().starts_with("{ id ="));
    lines
        .map(|line| {
            let mut quoted = line.split('"').skip(1).step_by(2);
            (quoted.next().unwrap(), quoted.next().unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_exception_has_a_reason_and_a_date() {
    for (id, reason) in exceptions() {
        assert!(reason.len() > 30, "{id} is excepted without a reason");
        let dated = reason.split(['(', ')']).any(|part| {
            let mut numbers = part.split('-');
            numbers
                .next()
                .is_some_and(|year| year.len() == 4 && year.parse::<u32>().is_ok())
                && numbers.count() == 2
        });
        assert!(
            dated,
            "{id}: say when this was looked at last, as (2026-11-22)"
        );
    }
}

struct Advisory {
    id: String,
    package: String,
    fine: Vec<String>,
    withdrawn: bool,
    kind: String,
}

/// Reads the TOML in front of an advisory: the few fields that matter.
fn read(text: &str) -> Option<Advisory> {
    let toml = text.split("```toml").nth(1)?.split("```").next()?;
    let field = |name: &str| {
        toml.lines()
            .find(|line| line.split('=').next().is_some_and(|key| key.trim() == name))
            .and_then(|line| line.split('"').nth(1))
            .map(str::to_owned)
    };
    let list = |name: &str| {
        let begin = toml.find(&format!("\n{name} ="))?;
        let rest = &toml[begin..];
        let inside = rest.split('[').nth(1)?.split(']').next()?;
        let all: Vec<_> = inside
            .split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        Some(all)
    };
    let mut fine = list("patched").unwrap_or_default();
    fine.extend(list("unaffected").unwrap_or_default());
    Some(Advisory {
        id: field("id")?,
        package: field("package")?,
        fine,
        withdrawn: field("withdrawn").is_some(),
        kind: field("informational").unwrap_or_else(|| "vulnerability".into()),
    })
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            found.push(path);
        }
    }
}

#[test]
fn no_dependency_has_an_advisory_that_is_not_excepted() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/advisory-db.tgz");
    // Also from a worktree one folder further in.
    let further = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/advisory-db.tgz");
    let place = std::env::var_os("SEANCE_ADVISORIES").map(PathBuf::from);
    let Some(place) = place.or_else(|| [beside, further].into_iter().find(|path| path.exists()))
    else {
        eprintln!(
            "skipped: no advisories here; SEANCE_ADVISORIES names a copy of RustSec's advisory-db"
        );
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let folder = if place.is_dir() {
        place
    } else {
        let tar = std::process::Command::new("tar")
            .arg("xzf")
            .arg(&place)
            .arg("-C")
            .arg(unpacked.path())
            .status();
        if !tar.is_ok_and(|status| status.success()) {
            eprintln!("skipped: no tar that unpacks {}", place.display());
            return;
        }
        unpacked.path().to_owned()
    };
    let mut files = Vec::new();
    walk(&folder, &mut files);
    let mut advisories: BTreeMap<String, Vec<Advisory>> = BTreeMap::new();
    let mut count = 0;
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if let Some(advisory) = read(&text) {
            count += 1;
            advisories
                .entry(advisory.package.clone())
                .or_default()
                .push(advisory);
        }
    }
    assert!(
        count > 500,
        "only {count} advisories were read of {} files",
        files.len()
    );
    let exceptions = exceptions();
    let (mut open, mut used) = (Vec::new(), Vec::new());
    for package in packages() {
        let version = Version::parse(package.version)
            .unwrap_or_else(|| panic!("{} {}", package.name, package.version));
        for advisory in advisories.get(package.name).into_iter().flatten() {
            let fine = advisory
                .fine
                .iter()
                .any(|requirement| takes(requirement, version));
            if advisory.withdrawn || fine {
                continue;
            }
            if exceptions.contains_key(&*advisory.id) {
                used.push(advisory.id.clone());
            } else {
                open.push(format!(
                    "{}: {} {} ({})",
                    advisory.id, package.name, package.version, advisory.kind
                ));
            }
        }
    }
    assert!(
        open.is_empty(),
        "not excepted in deny.toml:\n{}",
        open.join("\n")
    );
    let idle: Vec<_> = exceptions
        .keys()
        .filter(|id| !used.iter().any(|one| one == *id))
        .collect();
    assert!(idle.is_empty(), "excepted for nothing: {idle:?}");
    println!(
        "{count} advisories, {} packages, {} excepted",
        packages().len(),
        used.len()
    );
}
