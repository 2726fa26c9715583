//! The arrow, held against the sources: who may know whom, and what the engine may not say.
//!
//! The second of the three locks (`src/lib.rs`): features prove that a ring
//! builds without the rings outside it, `clippy.toml` bans calls, and this
//! reads the text. Comments, string literals and `#[cfg(test)]` items do not
//! count. It is a reader of words, not a compiler: what a macro builds it does
//! not see.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The rings from the inside out. A module may name its own ring and every ring before it;
/// modules of one ring do not know each other. `main` alone knows the last.
const ARROW: &[&[&str]] = &[
    &["engine"],
    &["os"],
    &["log", "player"],
    &["broadcast", "sim"],
    &["net"],
    &["projection", "tunnel"],
    &["cli"],
];

/// What the engine may not say (laws 3 and 7), and why.
const BANNED_IN_ENGINE: &[(&str, &str)] = &[
    ("HashMap", "its order differs from run to run: BTreeMap"),
    ("HashSet", "its order differs from run to run: BTreeSet"),
    ("Instant", "time is an argument"),
    ("SystemTime", "time is an argument"),
    ("rand", "randomness is an argument"),
    ("getrandom", "randomness is an argument"),
    ("tokio", "the engine needs no runtime"),
    ("async", "the engine needs no runtime"),
    ("std::fs", "the engine touches no disk"),
    ("std::io", "the engine touches no disk"),
    ("std::net", "the engine touches no network"),
    ("std::thread", "the engine starts nothing"),
    ("std::sync", "the engine shares nothing"),
    ("std::env", "what it depends on is an argument"),
    ("std::process", "the engine starts nothing"),
    ("tracing", "the engine answers; who asked may log it"),
];

/// Where the engine may use floats, and why nothing folded comes of them.
const FLOATS_IN_ENGINE: &[(&str, &str)] = &[
    (
        "src/engine/sync/",
        "a player's rate is one; it is never stored",
    ),
    (
        "src/engine/unit.rs",
        "prints and reads numbers as people write them",
    ),
];

/// The longest a file may be, tests aside: what passes it has two subjects.
const LINES_MAX: usize = 1_000;

/// Longer files, each with its reason.
const LONGER: &[(&str, &str)] = &[];

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A source file.
struct Source {
    /// From the crate's root, with slashes.
    path: String,
    text: String,
    /// The same without comments, literals and test items; every character in its line.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: without_tests(&without_literals(text)),
        }
    }

    /// The ring it belongs to: `src/net/pump.rs` and `src/net.rs` are `net`.
    fn ring(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let first = inside.split('/').next().unwrap_or(inside);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules deep its items stand: `src/os.rs` is 1, `src/net/mod.rs` too, `src/net/pump.rs` 2.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") {
            folders - 1
        } else {
            folders
        }
    }

    fn finding(&self, at: usize, what: impl Into<String>) -> Finding {
        Finding {
            path: self.path.clone(),
            line: self.code[..at].matches('\n').count() + 1,
            what: what.into(),
        }
    }
}

/// Everything under `src` that is built outside tests; read once for all rules.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(sources);

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                let text = fs::read_to_string(&path).unwrap();
                all.push(Source::new(&name.replace('\\', "/"), &text));
            }
        }
    }
    assert!(all.len() > 50, "only {} sources were found", all.len());
    let of_tests: BTreeSet<String> = all.iter().flat_map(test_files).collect();
    all.retain(|source| !of_tests.contains(&source.path));
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// The files that `#[cfg(test)] mod name;` in this one brings in.
fn test_files(source: &Source) -> Vec<String> {
    let code = without_literals(&source.text);
    let folder = source
        .path
        .strip_suffix("/mod.rs")
        .or_else(|| source.path.strip_suffix("/lib.rs"))
        .or_else(|| source.path.strip_suffix(".rs"))
        .expect("a source ends in .rs");
    test_items(&code)
        .filter_map(|(from, to)| {
            let item = code[from..to].strip_suffix(';')?;
            let (_, name) = item.rsplit_once("mod ")?;
            Some([
                format!("{folder}/{name}.rs"),
                format!("{folder}/{name}/mod.rs"),
            ])
        })
        .flatten()
        .collect()
}

/// Where each item of tests begins and ends: `#[cfg(test)]`, or `#[cfg(all(test, …))]`.
fn test_items(code: &str) -> impl Iterator<Item = (usize, usize)> {
    let plain = code.match_indices("#[cfg(test)]");
    let featured = code.match_indices("#[cfg(all(test,");
    plain.chain(featured).map(move |(from, _)| {
        let mut depth = 0_usize;
        for (at, letter) in code[from..].char_indices() {
            match letter {
                ';' if depth == 0 => return (from, from + at + 1),
                '{' => depth += 1,
                '}' if depth <= 1 => return (from, from + at + 1),
                '}' => depth -= 1,
                _ => {}
            }
        }
        (from, code.len())
    })
}

fn without_tests(code: &str) -> String {
    let mut rest = code.to_owned();
    for (from, to) in test_items(code) {
        rest.replace_range(from..to, &blank(&code[from..to]));
    }
    rest
}

/// As many bytes of white space, with the same line ends.
fn blank(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

/// Blanks comments and the insides of string and character literals.
fn without_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_name = out.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' if !after_name && raw_string(rest).is_some() => raw_string(rest).unwrap(),
            'b' if !after_name && rest.starts_with("br") && raw_string(&rest[1..]).is_some() => {
                1 + raw_string(&rest[1..]).unwrap()
            }
            '\'' => character(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.push_str(&blank(&rest[..length]));
            rest = &rest[length..];
        }
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else if let Some(letter) = rest.chars().next() {
            at += letter.len_utf8();
        } else {
            return at;
        }
    }
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let behind = text.strip_prefix('r')?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    behind[hashes..].strip_prefix('"')?;
    let begin = 1 + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = text[begin..].find(&end)?;
    Some(begin + inside + end.len())
}

/// The length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut letters = text.char_indices().skip(1);
    let (_, first) = letters.next()?;
    if first == '\\' {
        letters.next()?;
        return letters
            .find(|(_, letter)| *letter == '\'')
            .map(|(at, _)| at + 1);
    }
    letters
        .next()
        .filter(|(_, letter)| *letter == '\'')
        .map(|(at, _)| at + 1)
}

/// Where a word or path stands as a whole, not as a part of a longer name.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    code.match_indices(word)
        .filter(move |(at, _)| {
            !code[..*at].ends_with(part) && !code[at + word.len()..].starts_with(part)
        })
        .map(|(at, _)| at)
}

fn ring_number(name: &str) -> Option<usize> {
    ARROW.iter().position(|ring| ring.contains(&name))
}

/// The first names behind each `crate::`, those in braces too.
fn named_modules(code: &str) -> Vec<(usize, &str)> {
    let mut named = Vec::new();
    for at in words(code, "crate") {
        let Some(rest) = code[at..].strip_prefix("crate::") else {
            continue;
        };
        if let Some(inside) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut fresh = true;
            for (offset, letter) in inside.char_indices() {
                match letter {
                    '}' if depth == 0 => break,
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => fresh = true,
                    _ if fresh && letter.is_alphabetic() => {
                        named.push((at, name_at(&inside[offset..])));
                        fresh = false;
                    }
                    _ => {}
                }
            }
        } else {
            named.push((at, name_at(rest)));
        }
    }
    named
}

fn name_at(text: &str) -> &str {
    let end = text
        .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .unwrap_or(text.len());
    &text[..end]
}

fn paths_that_point_outward(source: &Source) -> Vec<Finding> {
    let own = source.ring();
    if matches!(own, "lib" | "main") {
        return Vec::new();
    }
    let Some(ring) = ring_number(own) else {
        return vec![source.finding(0, format!("`{own}` has no place in the arrow"))];
    };
    let mut found = Vec::new();
    for (at, name) in named_modules(&source.code) {
        if name == own {
            continue;
        }
        match ring_number(name) {
            Some(theirs) if theirs < ring => {}
            Some(_) => found.push(source.finding(at, format!("`{own}` may not know `{name}`"))),
            // An item of lib.rs itself: there are none for modules to use.
            None => found.push(source.finding(at, format!("`crate::{name}` is no ring"))),
        }
    }
    // The other way out: enough `super`s to stand at the root.
    let climb = "super::".repeat(source.depth());
    let climbs = source.code.match_indices(&climb).map(|(at, _)| at);
    found.extend(climbs.map(|at| source.finding(at, "climbs out of its ring: write `crate::…`")));
    found
}

fn words_the_engine_may_not_say(source: &Source) -> Vec<Finding> {
    if source.ring() != "engine" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (word, why) in BANNED_IN_ENGINE {
        found.extend(
            words(&source.code, word).map(|at| source.finding(at, format!("`{word}`: {why}"))),
        );
    }
    if FLOATS_IN_ENGINE
        .iter()
        .all(|(place, _)| !source.path.starts_with(place))
    {
        for float in ["f32", "f64"] {
            found
                .extend(words(&source.code, float).map(|at| {
                    source.finding(at, format!("`{float}`: what is folded is integers"))
                }));
        }
    }
    found
}

fn unsafe_code(source: &Source) -> Vec<Finding> {
    words(&source.code, "unsafe")
        .map(|at| source.finding(at, "`unsafe`"))
        .collect()
}

fn unwraps(source: &Source) -> Vec<Finding> {
    source
        .code
        .match_indices(".unwrap()")
        .map(|(at, _)| source.finding(at, "`unwrap`: `expect` states the invariant"))
        .collect()
}

fn prints_outside_the_command_line(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    for word in ["println!", "print!", "eprintln!", "eprint!"] {
        if source.ring() != "cli" {
            found.extend(
                words(&source.code, word)
                    .map(|at| source.finding(at, format!("`{word}`: only cli/ prints"))),
            );
        }
    }
    for word in ["dbg!", "todo!", "unimplemented!"] {
        found.extend(
            words(&source.code, word).map(|at| source.finding(at, format!("`{word}` was left"))),
        );
    }
    found
}

fn anyhow_outside_the_command_line(source: &Source) -> Vec<Finding> {
    if matches!(source.ring(), "cli" | "main") {
        return Vec::new();
    }
    words(&source.code, "anyhow")
        .map(|at| source.finding(at, "`anyhow`: an enum says which errors there are"))
        .collect()
}

fn missing_module_doc(source: &Source) -> Vec<Finding> {
    if source.text.starts_with("//! ") {
        Vec::new()
    } else {
        vec![source.finding(
            0,
            "a file begins with `//!`: what it is, and what it promises",
        )]
    }
}

fn too_long(source: &Source) -> Vec<Finding> {
    let lines = source
        .code
        .lines()
        .zip(source.text.lines())
        // A comment is blank in the code and counts; a test is blank in the code and does not.
        .filter(|(code, text)| !code.trim().is_empty() || text.trim_start().starts_with("//"))
        .count();
    let listed = LONGER.iter().any(|(path, _)| *path == source.path);
    if lines > LINES_MAX && !listed {
        vec![source.finding(
            0,
            format!("{lines} lines: split it, or list it with a reason"),
        )]
    } else {
        Vec::new()
    }
}

/// Holds a rule against every source.
#[track_caller]
fn hold(rule: fn(&Source) -> Vec<Finding>) {
    let found: Vec<String> = SOURCES
        .iter()
        .flat_map(rule)
        .map(|finding| finding.to_string())
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Which lines of a made-up source a rule objects to.
fn lines_found(rule: fn(&Source) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
    let mut lines: Vec<usize> = rule(&Source::new(path, text))
        .iter()
        .map(|finding| finding.line)
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn paths_point_inward_only() {
    hold(paths_that_point_outward);
    let rule = paths_that_point_outward;
    let text = "use crate::engine::id;\nuse crate::net::pump;\nuse crate::cli::{a, b};\n";
    assert_eq!(lines_found(rule, "src/broadcast/room.rs", text), [2, 3]);
    let beside = "use crate::player::mock;\nuse crate::{engine::id, log::key, os};";
    assert_eq!(lines_found(rule, "src/log/key.rs", beside), [1]);
    let climbing = "use super::pump;\nuse super::super::cli;";
    assert_eq!(lines_found(rule, "src/net/link.rs", climbing), [2]);
    assert_eq!(lines_found(rule, "src/new/thing.rs", ""), [1]);
    let quoted =
        "// crate::cli\nlet a = \"crate::cli\";\n#[cfg(test)]\nmod tests { use crate::cli; }\n";
    assert!(lines_found(rule, "src/log/key.rs", quoted).is_empty());
}

#[test]
fn the_engine_says_no_word_of_the_world() {
    hold(words_the_engine_may_not_say);
    let rule = words_the_engine_may_not_say;
    let text =
        "use std::collections::HashMap;\nlet operand = 1;\nlet x: f64 = 1.0;\ntokio::spawn(y);";
    assert_eq!(lines_found(rule, "src/engine/fold/mod.rs", text), [1, 3, 4]);
    assert_eq!(
        lines_found(rule, "src/engine/sync/drift.rs", "let x: f64 = 1.0;"),
        []
    );
    assert_eq!(lines_found(rule, "src/net/pump.rs", text), []);
}

#[test]
fn nothing_is_unsafe() {
    hold(unsafe_code);
    let text = "// unsafe\nlet csp = \"'unsafe-inline'\";\nunsafe { boom() }";
    assert_eq!(lines_found(unsafe_code, "src/os.rs", text), [3]);
    let root =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    assert!(root.contains("#![forbid(unsafe_code)]"));
}

#[test]
fn only_tests_unwrap() {
    hold(unwraps);
    let text =
        "a.unwrap();\n#[cfg(test)]\nmod tests {\n  fn t() { if x { y.unwrap() } }\n}\nb.unwrap();";
    assert_eq!(lines_found(unwraps, "src/os.rs", text), [1, 6]);
    let featured = "#[cfg(all(test, feature = \"server\"))]\nmod tests { fn t() { a.unwrap() } }\n";
    assert_eq!(lines_found(unwraps, "src/os.rs", featured), []);
}

#[test]
fn only_the_command_line_prints() {
    hold(prints_outside_the_command_line);
    let rule = prints_outside_the_command_line;
    let text = "println!(\"x\");\neprintln!(\"y\");\ntodo!()";
    assert_eq!(lines_found(rule, "src/net/pump.rs", text), [1, 2, 3]);
    assert_eq!(lines_found(rule, "src/cli/doctor.rs", text), [3]);
}

#[test]
fn only_the_command_line_forgets_which_errors_there_are() {
    hold(anyhow_outside_the_command_line);
    let text = "use anyhow::Result;";
    assert_eq!(
        lines_found(anyhow_outside_the_command_line, "src/log/mod.rs", text),
        [1]
    );
    assert_eq!(
        lines_found(anyhow_outside_the_command_line, "src/cli/mod.rs", text),
        []
    );
}

#[test]
fn every_file_says_first_what_it_is() {
    hold(missing_module_doc);
    assert_eq!(
        lines_found(missing_module_doc, "src/os.rs", "use std::fs;"),
        [1]
    );
}

#[test]
fn no_file_has_two_subjects() {
    hold(too_long);
    let code = "let a = 1;\n".repeat(LINES_MAX);
    assert_eq!(lines_found(too_long, "src/os.rs", &code), []);
    let longer = format!("{code}// one more\n");
    assert_eq!(lines_found(too_long, "src/os.rs", &longer), [1]);
    let tested = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
    assert_eq!(lines_found(too_long, "src/os.rs", &tested), []);
}

#[test]
fn every_dependency_says_what_it_is_for() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut seen = 0;
    let mut inside = false;
    for (number, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if inside && line.contains(" = ") {
            seen += 1;
            assert!(
                line.contains(" # "),
                "Cargo.toml:{}: what is it for?\n{line}",
                number + 1
            );
        }
    }
    assert!(seen > 20, "only {seen} dependencies were read");
}

/// How a heading is called in a link, as GitHub makes it.
fn anchor_of(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let guides = fs::read_dir(root.join("docs")).unwrap();
    let guides = guides.map(|entry| Path::new("docs").join(entry.unwrap().file_name()));
    let first = ["README.md", "SECURITY.md"].map(PathBuf::from);
    let documents = first.into_iter().chain(guides);
    for name in documents.filter(|name| name.extension() == Some("md".as_ref())) {
        let text = fs::read_to_string(root.join(&name)).unwrap();
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        let name = name.display();
        for target in targets.filter(|target| !target.starts_with("http")) {
            seen += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let beside = root.join(name.to_string()).parent().unwrap().join(file);
            assert!(file.is_empty() || beside.exists(), "{name} leads to {file}");
            if anchor.is_empty() {
                continue;
            }
            let there = if file.is_empty() {
                text.clone()
            } else {
                fs::read_to_string(&beside).unwrap()
            };
            let is_there = there
                .lines()
                .filter(|line| line.starts_with('#'))
                .any(|line| anchor_of(line.trim_start_matches('#').trim()) == anchor);
            assert!(is_there, "{name} leads to {file}#{anchor}");
        }
    }
    assert!(seen > 10, "only {seen} links were read");
}

#[test]
fn the_reader_of_sources_is_not_fooled_by_quotes() {
    let tricky = "let a = '\"'; unsafe1(); let b = \"\\\"unsafe2\"; let c = r#\"\"unsafe3\"\"#;\n\
                  fn f<'a>(x: &'a str) -> char { '\\'' } /* unsafe4 /* unsafe5 */ unsafe6 */ done();";
    let code = without_literals(tricky);
    assert_eq!(code.len(), tricky.len());
    assert!(
        code.contains("unsafe1()")
            && code.contains("fn f<'a>(x: &'a str)")
            && code.contains("done()")
    );
    for gone in ["unsafe2", "unsafe3", "unsafe4", "unsafe5", "unsafe6"] {
        assert!(!code.contains(gone), "{gone} was left in {code}");
    }
}
