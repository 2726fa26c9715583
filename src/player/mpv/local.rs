//! A viewer's own copy of a film: told by its name, its size and its length.
//!
//! A log holds addresses and no paths. A film that lies on a disk goes by an
//! address that leads nowhere on purpose, on a host that no resolver ever
//! answers for (`.invalid`, RFC 6761):
//!
//! ```text
//! https://film.invalid/Big%20Buck%20Bunny.mkv?bytes=355856562&secs=596
//! ```
//!
//! Each viewer's mpv looks for a file of that name where its viewer keeps films.
//! Another size is played with a warning, because people have other rips; the
//! length is compared once the film is open. Of a film with an ordinary
//! address, a copy of the same name is taken only if there is one.

use std::fs;
use std::path::{Path, PathBuf};

use url::Url;

use crate::engine::media::{Media, Provider};
use crate::engine::unit::Micros;
use crate::player::ON_A_DISK;

/// Two copies of one film may differ by this (Syncplay's limit).
pub(super) const LENGTH_SLACK: Micros = Micros::from_millis(2_500);

/// What an address says of a film on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its file's name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// How long it is.
    pub length: Option<Micros>,
}

/// Where a film is for this viewer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file of theirs, and what to tell them about it.
    Copy {
        /// Which file.
        path: PathBuf,
        /// How it differs from what the others watch; one sentence.
        warning: Option<String>,
    },
    /// Nowhere here, and it can be had from nowhere else; a sentence.
    Missing(String),
    /// At its address.
    Remote,
}

/// Whether a text that somebody gave as a film names a file of this machine.
pub fn is_local(text: &str) -> bool {
    !text.contains("://") && Path::new(text).is_file()
}

/// The address by which others find their own copy of the film at `path`, which is so long, if
/// that is known.
///
/// # Errors
/// What the system says of the file; or that its name is no text.
pub fn address_of(path: &Path, length: Option<Micros>) -> std::io::Result<String> {
    let bytes = fs::metadata(path)?.len();
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or(std::io::ErrorKind::InvalidFilename)?;
    let mut url = Url::parse(&format!("https://{ON_A_DISK}/")).expect("a plain address parses");
    url.path_segments_mut()
        .expect("an https address has a path")
        .push(name);
    url.query_pairs_mut()
        .append_pair("bytes", &bytes.to_string());
    if let Some(length) = length {
        let secs = (length + Micros::from_millis(500)).get() / 1_000_000;
        url.query_pairs_mut().append_pair("secs", &secs.to_string());
    }
    Ok(url.into())
}

/// What `media` says of a film on a disk, if it is one.
pub fn claim_of(media: &Media) -> Option<Claim> {
    if media.provider != Provider::File || media.host() != Some(ON_A_DISK) {
        return None;
    }
    let url = Url::parse(&media.id).ok()?;
    let number = |wanted: &str| {
        let (_, value) = url.query_pairs().find(|(key, _)| key == wanted)?;
        value.parse::<u64>().ok()
    };
    Some(Claim {
        name: media.label(),
        bytes: number("bytes"),
        length: number("secs")
            .and_then(|secs| i64::try_from(secs).ok())
            .filter(|secs| *secs < 1_000_000)
            .map(Micros::from_secs),
    })
}

/// Looks for a film in a viewer's folders, and in the folders in those.
pub fn find(media: &Media, folders: &[PathBuf]) -> Found {
    let claim = claim_of(media);
    let (name, bytes) = match &claim {
        Some(claim) => (claim.name.clone(), claim.bytes),
        None => (media.label(), None),
    };
    let mut copies = copies(&name, folders);
    // One of the right size before one of another.
    copies.sort_by_key(|(_, size)| bytes.is_some_and(|bytes| bytes != *size));
    match (copies.into_iter().next(), claim) {
        (Some((path, size)), _) => {
            let warning = bytes
                .filter(|bytes| *bytes != size)
                .map(|bytes| other_size(&name, size, bytes));
            Found::Copy { path, warning }
        }
        (None, Some(_)) => Found::Missing(missing(&name, folders)),
        (None, None) => Found::Remote,
    }
}

/// Files of this name, with their sizes.
fn copies(name: &str, folders: &[PathBuf]) -> Vec<(PathBuf, u64)> {
    // A name is one step into a folder and never a way out of it.
    let plain = Path::new(name).components().count() == 1 && !name.contains(['/', '\\']);
    if !plain || name.starts_with('.') {
        return Vec::new();
    }
    let below = folders.iter().flat_map(|folder| {
        let inside = fs::read_dir(folder).into_iter().flatten().flatten();
        inside
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
    });
    folders
        .iter()
        .cloned()
        .chain(below)
        .filter_map(|folder| {
            let path = folder.join(name);
            let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
            Some((path, meta.len()))
        })
        .collect()
}

fn missing(name: &str, folders: &[PathBuf]) -> String {
    match folders {
        [] => format!(
            "“{name}” is a film on somebody's disk. If you have a copy, say where with --films FOLDER."
        ),
        [folder, ..] => format!(
            "“{name}” is not in {}. Put your copy there under that name, or name its folder with --films.",
            folder.display()
        ),
    }
}

fn other_size(name: &str, own: u64, theirs: u64) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    format!(
        "Your copy of “{name}” is not the one the others watch: it has {:.1} MiB, theirs {:.1} MiB. It may be cut otherwise.",
        mib(own),
        mib(theirs)
    )
}

pub(super) fn other_length(name: &str, off: Micros) -> String {
    let secs = off.abs().get() as f64 / 1e6;
    let than = if off > Micros::ZERO {
        "longer"
    } else {
        "shorter"
    };
    format!(
        "Your copy of “{name}” is {secs:.0} s {than} than the one the others watch: scenes will not meet."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::media;

    fn place(files: &[(&str, usize)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, size) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; *size]).unwrap();
        }
        dir
    }

    fn media_of(path: &Path) -> Media {
        media::parse(&address_of(path, None).unwrap())
            .unwrap()
            .media
    }

    #[test]
    fn a_film_on_a_disk_is_found_by_its_name_on_another() {
        let name = "Größe & Wahn – 50% [2160p].mkv";
        let (ours, theirs) = (
            place(&[(name, 10)]),
            place(&[(&format!("more/{name}"), 10)]),
        );
        let media = media_of(&ours.path().join(name));
        let claim = claim_of(&media).unwrap();
        assert_eq!((&*claim.name, claim.bytes), (name, Some(10)));
        let found = find(&media, &[theirs.path().to_owned()]);
        let path = theirs.path().join("more").join(name);
        assert_eq!(
            found,
            Found::Copy {
                path,
                warning: None
            }
        );
    }

    #[test]
    fn a_copy_of_another_size_plays_with_a_warning_unless_a_better_one_is_there() {
        let ours = place(&[("film.mp4", 3 << 20)]);
        let theirs = place(&[("film.mp4", 1 << 20)]);
        let media = media_of(&ours.path().join("film.mp4"));
        let folders = [theirs.path().to_owned(), ours.path().to_owned()];
        let Found::Copy { warning, .. } = find(&media, &folders[..1]) else {
            panic!("it is there")
        };
        let warning = warning.unwrap();
        assert!(warning.contains("1.0 MiB, theirs 3.0 MiB"), "{warning}");
        let better = find(&media, &folders);
        assert!(
            matches!(better, Found::Copy { warning: None, .. }),
            "{better:?}"
        );
    }

    #[test]
    fn a_film_that_is_nowhere_says_where_it_was_looked_for() {
        let (ours, theirs) = (place(&[("film.mp4", 1)]), place(&[]));
        let media = media_of(&ours.path().join("film.mp4"));
        for folders in [&[][..], &[theirs.path().to_owned()]] {
            let Found::Missing(why) = find(&media, folders) else {
                panic!("it is not there")
            };
            assert!(why.contains("film.mp4") && why.contains("--films"), "{why}");
        }
    }

    #[test]
    fn an_ordinary_address_is_played_from_there_unless_a_copy_lies_here() {
        let theirs = place(&[("film.mp4", 1)]);
        let at = |url: &str| media::parse(url).unwrap().media;
        let folders = [theirs.path().to_owned()];
        let here = find(&at("https://example.org/a/film.mp4"), &folders);
        assert!(matches!(here, Found::Copy { warning: None, .. }));
        let there = find(&at("https://example.org/a/other.mp4"), &folders);
        assert_eq!(there, Found::Remote);
    }

    #[test]
    fn no_address_leads_out_of_the_folder() {
        let dir = place(&[("films/x.mp4", 1), ("secret.mp4", 1)]);
        for name in ["..%2Fsecret.mp4", "%2e%2e%2fsecret.mp4", ".hidden.mp4"] {
            let url = format!("https://{ON_A_DISK}/{name}");
            let Ok(found) = media::parse(&url) else {
                continue;
            };
            let found = find(&found.media, &[dir.path().join("films")]);
            assert!(matches!(found, Found::Missing(_)), "{name}: {found:?}");
        }
    }

    #[test]
    fn an_address_says_how_long_the_film_is_where_that_is_known() {
        let ours = place(&[("film.mp4", 10)]);
        let path = ours.path().join("film.mp4");
        let address = address_of(&path, Some(Micros::from_millis(596_474))).unwrap();
        assert!(
            address.ends_with("/film.mp4?bytes=10&secs=596"),
            "{address}"
        );
        let media = media::parse(&address).unwrap().media;
        assert!(media.is_valid(), "the log takes it");
        let claim = claim_of(&media).unwrap();
        assert_eq!(
            (claim.bytes, claim.length),
            (Some(10), Some(Micros::from_secs(596)))
        );
        // As sessions before wrote it.
        let before = claim_of(&media_of(&path)).unwrap();
        assert_eq!((before.bytes, before.length), (Some(10), None));
    }

    #[test]
    fn a_length_that_differs_is_said_in_words() {
        let said = other_length("film.mp4", Micros::from_secs(-62));
        assert!(said.contains("62 s shorter"), "{said}");
    }
}
