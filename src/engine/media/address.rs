//! One pasted address, checked for everything that does not depend on the site.
//!
//! The text is held against the rules *before* the URL parser sees it, because
//! that parser repairs: it drops tabs and line breaks, turns `\` into `/`, `0x7f.1`
//! into 127.0.0.1 and a full-width `ｙ` into `y` (WHATWG URL §4.4). A repaired
//! link is one the person did not read.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use url::{Host, Url};

use super::start::read_start;
use super::{NotMedia, URL_BYTES_MAX};
use crate::engine::text::is_hidden;
use crate::engine::unit::MediaTime;

/// A well-formed http or https address whose host is written plainly.
#[derive(Debug)]
pub(super) struct Address {
    url: Url,
}

impl Address {
    /// Reads `text`; `https` where it has no scheme.
    pub fn read(text: &str) -> Result<Self, NotMedia> {
        let text = text.trim();
        if text.len() > URL_BYTES_MAX {
            return Err(NotMedia::TooLong);
        }
        if text.chars().any(is_hidden) {
            return Err(NotMedia::Hidden);
        }
        if text.contains(|letter: char| letter.is_whitespace() || letter == '\\') {
            return Err(NotMedia::NotAnAddress);
        }
        let (secure, rest) = split_scheme(text)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        if authority.contains('@') {
            return Err(NotMedia::UserInfo);
        }
        let scheme = if secure { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| NotMedia::NotAnAddress)?;
        if !is_plainly_written(authority, &url) {
            return Err(NotMedia::Host);
        }
        Ok(Self { url })
    }

    /// The host in lower case, punycode where it is international, IPv6 in brackets.
    pub fn host(&self) -> &str {
        // http and https have no address without a host.
        self.url.host_str().unwrap_or_default()
    }

    /// The host and, where it is not the scheme's own, the port.
    pub fn authority(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// Whether a port is given that is not the scheme's own.
    pub fn has_port(&self) -> bool {
        self.url.port().is_some()
    }

    /// Whether the scheme is https.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host is one of `hosts`, with or without `www.` in front.
    pub fn is_on(&self, hosts: &[&str]) -> bool {
        let host = self.host();
        hosts.contains(&host.strip_prefix("www.").unwrap_or(host))
    }

    /// The path in pieces, still percent-encoded (an encoded slash separates nothing); no empty ends.
    pub fn path(&self) -> Vec<&str> {
        let mut pieces: Vec<&str> = self.url.path().split('/').skip(1).collect();
        while pieces.last().is_some_and(|last| last.is_empty()) {
            pieces.pop();
        }
        pieces
    }

    /// The value of `key` in the query; `None` also where two values disagree,
    /// because sites differ on which one counts.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        let mut values = self.url.query_pairs().filter_map(|(name, value)| {
            // Addresses copied out of HTML source say `&amp;`.
            (name.strip_prefix("amp;").unwrap_or(&name) == key).then_some(value)
        });
        let first = values.next()?;
        values.all(|other| other == first).then_some(first)
    }

    /// Where to begin: the first of `keys` that the query has, else that the fragment has.
    pub fn start(&self, keys: &[&str]) -> MediaTime {
        let in_query = keys.iter().find_map(|key| read_start(&self.query(key)?));
        in_query
            .or_else(|| self.fragment_start(keys))
            .unwrap_or_default()
    }

    /// Where the fragment says to begin, by the first of `keys` that reads as a time.
    pub fn fragment_start(&self, keys: &[&str]) -> Option<MediaTime> {
        let fragment = self.url.fragment()?;
        fragment.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            keys.contains(&key).then(|| read_start(value))?
        })
    }

    /// The whole address as the parser writes it, without its fragment.
    pub fn without_fragment(&self) -> String {
        let mut url = self.url.clone();
        url.set_fragment(None);
        url.into()
    }

    /// The path as one string, percent-encoded.
    pub fn raw_path(&self) -> &str {
        self.url.path()
    }
}

/// Splits off `http://` or `https://`; the first value says whether it is secure.
fn split_scheme(text: &str) -> Result<(bool, &str), NotMedia> {
    let end = text
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '+' | '.' | '-'))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if rest.starts_with(':') && !is_host_and_port(word, &rest[1..]) {
        let secure = match word.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(NotMedia::Scheme),
        };
        // The parser would forgive `https:host` and `https:///host`; people who
        // read the link would take another part for the host.
        return match rest.strip_prefix("://") {
            Some(rest) if !rest.starts_with('/') => Ok((secure, rest)),
            _ => Err(NotMedia::NotAnAddress),
        };
    }
    if looks_like_host(text) {
        Ok((true, text))
    } else {
        Err(NotMedia::NotAnAddress)
    }
}

/// Tells `nas.example:8080/film.mp4` from `mailto:…`: a host has a dot, and digits follow its colon.
fn is_host_and_port(word: &str, after: &str) -> bool {
    let port = after.split(['/', '?', '#']).next().unwrap_or_default();
    (word.contains('.') || word == "localhost")
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text without a scheme is an address and not a word or a path on a
/// disk: a dotted host and a slash behind it.
fn looks_like_host(text: &str) -> bool {
    let Some((authority, _)) = text.split_once('/') else {
        return false;
    };
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host);
    let dotted = host.contains('.') && host.split('.').all(|label| !label.is_empty());
    dotted || host == "localhost" || authority.starts_with('[')
}

/// Whether the host stands in the text as the parser understood it.
fn is_plainly_written(authority: &str, url: &Url) -> bool {
    let parsed = match url.host() {
        // Brackets keep IPv6 from being taken for anything else.
        Some(Host::Ipv6(_)) => return true,
        Some(Host::Ipv4(_) | Host::Domain(_)) => url.host_str().unwrap_or_default(),
        None => return false,
    };
    let written = authority
        .split_once(':')
        .map_or(authority, |(host, _)| host);
    let written: String = written.to_lowercase().nfc().collect();
    if parsed.split('.').any(str::is_empty) {
        return false;
    }
    written == parsed || written == idna::domain_to_unicode(parsed).0
}
