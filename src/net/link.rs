//! The link people share: where a party is, which one it is, and what opens it.
//!
//! `http://192.168.1.7:7878/#<session>.<secret>`. Session and secret stand in
//! the fragment, which browsers keep to themselves: they reach neither a proxy's
//! log nor a `Referer`. The link names the session, not only the address, so it
//! can be told that a party moved.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::engine::id::{SessionId, decode_base32};
use crate::engine::text::Secret;

/// A parsed link.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    secure: bool,
    /// Host and port, as a browser would send them.
    authority: String,
    /// Which session.
    pub session: SessionId,
    /// What opens it.
    pub secret: Secret,
}

/// Where a party can be reached: what stands in a link before the `#`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    secure: bool,
    authority: String,
}

impl Place {
    /// `host:port`, over plain http.
    pub fn plain(authority: impl Into<String>) -> Self {
        Self {
            secure: false,
            authority: authority.into(),
        }
    }

    /// Whether the way there is encrypted.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host and port, as a browser names them; the port only where it is not the usual one.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

/// `https://host:port`, with nothing behind it but perhaps a slash.
impl FromStr for Place {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let url = Url::parse(text.trim()).map_err(|_| NotALink::NotAnAddress)?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if bare {
            place(&url)
        } else {
            Err(NotALink::NotAnAddress)
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

fn place(url: &Url) -> Result<Place, NotALink> {
    let secure = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(NotALink::NotAnAddress),
    };
    let host = url.host_str().ok_or(NotALink::NotAnAddress)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NotALink::NotAnAddress);
    }
    let authority = url
        .port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(Place { secure, authority })
}

/// The text is no link to a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotALink {
    /// No address at all.
    #[error("That is not a link. Paste the whole link the host sent, from http to the end.")]
    NotAnAddress,
    /// An address without a party behind it.
    #[error(
        "This link names no party. Paste the whole link the host sent, with everything behind the #."
    )]
    NoParty,
}

impl JoinLink {
    /// The link to a session at `authority` (`host:port`), over plain http.
    pub fn new(authority: &str, session: SessionId, secret: impl Into<Secret>) -> Self {
        Self {
            secure: false,
            authority: authority.to_owned(),
            session,
            secret: secret.into(),
        }
    }

    /// The same way to the same session, with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &Secret) -> Self {
        Self {
            secret: secret.clone(),
            ..self.clone()
        }
    }

    /// The same party's link at another place.
    pub fn at(&self, place: &Place) -> Self {
        Self {
            secure: place.secure,
            authority: place.authority.clone(),
            ..self.clone()
        }
    }

    /// Where the party is, without which one and what opens it.
    pub fn place(&self) -> Place {
        Place {
            secure: self.secure,
            authority: self.authority.clone(),
        }
    }

    /// The host's name alone, as certificates name it.
    pub fn host(&self) -> String {
        let host = self.host_port();
        let name = host.rsplit_once(':').map_or(&*host, |(name, _)| name);
        name.trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned()
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the way there is encrypted.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The address of the WebSocket.
    pub fn socket(&self) -> String {
        format!(
            "{}://{}/ws",
            if self.secure { "wss" } else { "ws" },
            self.authority
        )
    }

    /// Where to knock by TCP.
    pub fn host_port(&self) -> String {
        let url = Url::parse(&self.socket()).expect("a link's authority was parsed before");
        let host = url.host_str().expect("an authority has a host");
        format!(
            "{host}:{}",
            url.port_or_known_default().expect("ws and wss have ports")
        )
    }
}

impl FromStr for JoinLink {
    type Err = NotALink;

    fn from_str(text: &str) -> Result<Self, NotALink> {
        let url = Url::parse(text.trim()).map_err(|_| NotALink::NotAnAddress)?;
        let Place { secure, authority } = place(&url)?;
        let (session, secret) = url
            .fragment()
            .and_then(|behind| behind.split_once('.'))
            .ok_or(NotALink::NoParty)?;
        let session = session.parse().map_err(|_| NotALink::NoParty)?;
        decode_base32(secret).ok_or(NotALink::NoParty)?;
        Ok(Self {
            secure,
            authority,
            session,
            secret: secret.into(),
        })
    }
}

impl fmt::Display for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(
            f,
            "{scheme}://{}/#{}.{}",
            self.authority,
            self.session,
            self.secret.reveal()
        )
    }
}

/// Without the secret, because debug output ends up in logs.
impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinLink({} at {})", self.session, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::id::encode_base32;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_link_reads_back(session: u128, secret: u128, port in 1u16.., host in "[a-z]{1,10}(\\.[a-z]{2,5})?|127\\.0\\.0\\.1|\\[::1\\]") {
            let authority = if port == 80 { host } else { format!("{host}:{port}") };
            let link = JoinLink::new(&authority, SessionId::new(session), encode_base32(secret));
            prop_assert_eq!(link.to_string().parse(), Ok(link));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,100}") {
            let _ = text.parse::<JoinLink>();
        }
    }

    #[test]
    fn half_a_link_says_what_is_missing() {
        let check = |text: &str, no| assert_eq!(text.parse::<JoinLink>(), Err(no), "{text}");
        check("", NotALink::NotAnAddress);
        check("film night", NotALink::NotAnAddress);
        check("javascript:alert(1)", NotALink::NotAnAddress);
        check("http://u:p@127.0.0.1:1/#a.b", NotALink::NotAnAddress);
        check("http://127.0.0.1:7878/", NotALink::NoParty);
        check("http://127.0.0.1:7878/#abc.def", NotALink::NoParty);
    }

    #[test]
    fn a_place_is_an_address_and_nothing_more() {
        let place: Place = "https://abc.ngrok.app/".parse().unwrap();
        assert_eq!(place.to_string(), "https://abc.ngrok.app");
        let link = JoinLink::new("127.0.0.1:1", SessionId::new(1), encode_base32(7));
        let there = link.at(&place);
        assert_eq!((there.session, &there.secret), (link.session, &link.secret));
        assert_eq!(
            (there.socket(), there.host_port()),
            ("wss://abc.ngrok.app/ws".into(), "abc.ngrok.app:443".into())
        );
        assert_eq!(there.place(), place);
        for text in [
            "",
            "abc.ngrok.app",
            "https://a/b",
            "https://a/?b",
            "https://a/#b",
            "https://u@a",
            "ftp://a",
        ] {
            assert_eq!(text.parse::<Place>(), Err(NotALink::NotAnAddress), "{text}");
        }
    }

    #[test]
    fn a_host_is_named_without_port_and_brackets() {
        let host = |authority| JoinLink::new(authority, SessionId::new(1), encode_base32(7)).host();
        assert_eq!(host("127.0.0.1:1"), "127.0.0.1");
        assert_eq!(host("[::1]:7878"), "::1");
        assert_eq!(host("party.example"), "party.example");
    }

    #[test]
    fn a_link_does_not_print_its_secret_by_accident() {
        let link = JoinLink::new("127.0.0.1:1", SessionId::new(1), encode_base32(7));
        assert!(!format!("{link:?}").contains(link.secret.reveal()));
    }
}
