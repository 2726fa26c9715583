//! Hosts dressed up as a site of the table: `youtube.com.evil.example`, `yоutube.com` with a Cyrillic о.

use super::address::Address;
use super::{SITES, Site};
use crate::engine::text::skeleton;

/// Names so much a site's own that a foreign host carrying one pretends, when
/// the name is a whole word of it (`netflix-login.example`, `my.twitch.example`).
/// `max`, `arte`, `france` and `hulu` (hulu.jp is another service) are not.
const WORDS: &[(&str, &str)] = &[
    ("youtube", "YouTube"),
    ("netflix", "Netflix"),
    ("primevideo", "Prime Video"),
    ("amazon", "Prime Video"),
    ("disneyplus", "Disney+"),
    ("hbomax", "HBO Max"),
    ("twitch", "Twitch"),
    ("crunchyroll", "Crunchyroll"),
    ("vimeo", "Vimeo"),
    ("dailymotion", "Dailymotion"),
];

/// The site that the host of `address`, itself not of the table, would be taken for.
///
/// Compares skeletons (see [`skeleton`]) of the host as people see it, so both
/// punycode and other scripts are seen through.
pub(super) fn pretends_to_be(address: &Address) -> Option<&'static str> {
    let shown = idna::domain_to_unicode(address.host()).0;
    // Word by word, because the skeleton drops dots and hyphens.
    let labels: Vec<Vec<String>> = shown
        .split('.')
        .map(|label| label.split('-').map(skeleton).collect())
        .collect();
    let word_of = |name: &str| labels.iter().flatten().any(|word| *word == skeleton(name));
    SITES
        .iter()
        .find(|site| carries_domain(&labels, site))
        .map(|site| site.name)
        .or_else(|| {
            let (_, name) = WORDS.iter().find(|(word, _)| word_of(word))?;
            Some(*name)
        })
}

/// Whether a domain of `site` stands anywhere in the host; a hyphen may follow
/// it (`youtube.com-watch.example`). One may not lead it: `pro-max.com` is a shop.
fn carries_domain(labels: &[Vec<String>], site: &Site) -> bool {
    site.domains.iter().any(|domain| {
        let wanted: Vec<Vec<String>> = domain
            .split('.')
            .map(|label| label.split('-').map(skeleton).collect())
            .collect();
        let last = wanted.len() - 1;
        labels
            .windows(wanted.len())
            .any(|run| run[..last] == wanted[..last] && run[last].starts_with(&wanted[last]))
    })
}
