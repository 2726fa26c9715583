//! Why there is no certificate, and what a person can do about it.

use std::path::PathBuf;

use instant_acme::{Error, Problem};

use super::{Keeper, LETS_ENCRYPT};
use crate::tunnel::Trouble;

/// The longest of an authority's reasons that is shown: three lines of a terminal.
const REASON_CHARS_MAX: usize = 240;
/// In front of the names of RFC 8555's errors.
const NAMES: &str = "urn:ietf:params:acme:error:";

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The authority says so.
    Refused(Problem),
    /// Nobody answered, or nobody we believe.
    Unreachable(String),
    /// It answered, and took too long to decide.
    Slow,
    /// It offers no proof that we can give.
    NoSuchProof,
    /// What it answered is of no use.
    Useless(String),
    /// A file of ours does not read or write.
    Disk(PathBuf, String),
}

/// When the same is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As soon as it may work: nothing was counted against us.
    Soon,
    /// Authorities count these.
    Later,
    /// Nothing changes until somebody does something.
    Never,
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused(problem),
            Error::Timeout(_) => Self::Slow,
            Error::Other(error) => Self::Unreachable(error.to_string()),
            error => Self::Useless(error.to_string()),
        }
    }
}

impl Obstacle {
    pub(super) fn pace(&self) -> Pace {
        match self {
            Self::Unreachable(_) => Pace::Soon,
            Self::NoSuchProof | Self::Disk(..) => Pace::Never,
            Self::Slow | Self::Useless(_) => Pace::Later,
            Self::Refused(problem) => match name(problem) {
                "caa"
                | "rejectedIdentifier"
                | "unsupportedIdentifier"
                | "invalidContact"
                | "unsupportedContact"
                | "externalAccountRequired"
                | "userActionRequired"
                | "accountDoesNotExist" => Pace::Never,
                _ => Pace::Later,
            },
        }
    }
}

/// The short name of an authority's error.
fn name(problem: &Problem) -> &str {
    let full = problem.r#type.as_deref().unwrap_or_default();
    full.strip_prefix(NAMES).unwrap_or(full)
}

/// An authority's own words, on one line and not too many.
fn said(problem: &Problem) -> String {
    let told = std::iter::once(problem.detail.as_deref().unwrap_or_default());
    let told = told.chain(
        problem
            .subproblems
            .iter()
            .filter_map(|one| one.detail.as_deref()),
    );
    let words: Vec<&str> = told
        .flat_map(|text| text.split(|c: char| c.is_whitespace() || c.is_control()))
        .filter(|word| !word.is_empty())
        .collect();
    let reason = words.join(" ");
    if reason.is_empty() {
        return "no reason is given".to_owned();
    }
    let short: String = reason.chars().take(REASON_CHARS_MAX).collect();
    if short.len() < reason.len() {
        short + "…"
    } else {
        short.trim_end_matches('.').to_owned()
    }
}

impl Keeper {
    /// What happened and what to do, in two sentences.
    pub(super) fn trouble(&self, obstacle: &Obstacle) -> Trouble {
        let (who, domain) = (self.authority(), &self.domain);
        match obstacle {
            Obstacle::Refused(problem) => self.refused(problem),
            Obstacle::Unreachable(why) => Trouble::new(
                format!("{who} cannot be reached for a certificate ({why})."),
                "Check this computer's connection to the internet; it is asked again by itself.",
            ),
            Obstacle::Slow => Trouble::new(
                format!("{who} takes too long over the certificate for {domain}."),
                "It is asked again by itself; until then use the other links, or --cert with a certificate of yours.",
            ),
            Obstacle::NoSuchProof => Trouble::new(
                format!("{who} does not take the only proof Séance can give (tls-alpn-01)."),
                "Get a certificate from it with another program and give it with --cert and --key.",
            ),
            Obstacle::Useless(why) => Trouble::new(
                format!("What {who} answered is of no use ({why})."),
                "It is asked again by itself; until then use the other links, or --cert with a certificate of yours.",
            ),
            Obstacle::Disk(file, why) => Trouble::new(
                format!("{} cannot be used ({why}).", file.display()),
                "Make room or remove it, then host again.",
            ),
        }
    }

    fn refused(&self, problem: &Problem) -> Trouble {
        let (who, domain, said) = (self.authority(), &self.domain, said(problem));
        let own = "give a certificate of yours with --cert and --key";
        let (what, todo) = match name(problem) {
            "connection" => (
                format!("{who} did not get through to {domain} at port 443: {said}"),
                "Lead TCP port 443 of your router and firewall to the port this party listens on for it; it is tried again by itself.".to_owned(),
            ),
            "dns" => (
                format!("{who} finds no address for {domain}: {said}"),
                "Give the domain an A record with your public address (AAAA for IPv6); it is tried again by itself.".to_owned(),
            ),
            "unauthorized" | "incorrectResponse" | "tls" => (
                format!("Somebody else answers at {domain}, port 443: {said}"),
                "Let the domain's A and AAAA records lead to this network, and stop other web servers at port 443; it is tried again by itself.".to_owned(),
            ),
            "rateLimited" => (
                format!("{who} gives no more certificates for now: {said}"),
                format!("Wait as long as it says, or {own}; it is asked again by itself."),
            ),
            "caa" => (
                format!("The domain's CAA record forbids {who} to give a certificate for {domain}: {said}"),
                "Allow it there, at your domain's provider, then host again.".to_owned(),
            ),
            "rejectedIdentifier" | "unsupportedIdentifier" => (
                format!("{who} gives no certificate for {domain}: {said}"),
                format!("Use a domain that is yours, such as party.example.org, or {own}."),
            ),
            "invalidContact" | "unsupportedContact" => (
                format!("{who} does not take that address to write to: {said}"),
                "Give another with --cert-contact, or none, then host again.".to_owned(),
            ),
            "externalAccountRequired" => (
                format!("{who} wants an account made with it by other means: {said}"),
                format!("Use {LETS_ENCRYPT}, or {own}."),
            ),
            "userActionRequired" | "accountDoesNotExist" => (
                format!("{who} does not take the account that is kept here: {said}"),
                format!(
                    "Remove {}, then host again with --agree-to-terms.",
                    self.account_file().display()
                ),
            ),
            _ => (
                format!("{who} refuses: {said}"),
                format!("It is asked again by itself; until then use the other links, or {own}."),
            ),
        };
        let mut trouble = Trouble::new(what, todo);
        trouble.code = Some(name(problem).to_owned()).filter(|name| !name.is_empty());
        trouble
    }
}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::*;

    #[test]
    fn every_refusal_names_the_domain_or_the_authority_and_says_what_to_do() {
        let options = Options {
            agreed: true,
            ..Options::default()
        };
        let place = "https://party.example.org".parse().unwrap();
        let keeper = Keeper::new(std::path::Path::new("/nowhere"), &place, options).unwrap();
        for (name, pace, todo) in [
            ("connection", Pace::Later, "port 443"),
            ("dns", Pace::Later, "A record"),
            ("unauthorized", Pace::Later, "A and AAAA records"),
            ("rateLimited", Pace::Later, "--cert"),
            ("caa", Pace::Never, "provider"),
            ("rejectedIdentifier", Pace::Never, "a domain that is yours"),
            ("invalidContact", Pace::Never, "--cert-contact"),
            ("userActionRequired", Pace::Never, "account.json"),
            ("serverInternal", Pace::Later, "again by itself"),
        ] {
            let problem: Problem = serde_json::from_value(serde_json::json!({
                "type": format!("{NAMES}{name}"),
                "detail": "two\n\u{1b}[31mlines.",
            }))
            .unwrap();
            let obstacle = Obstacle::Refused(problem);
            assert_eq!(obstacle.pace(), pace, "{name}");
            let says = keeper.trouble(&obstacle).to_string();
            assert!(says.contains(todo), "{says}");
            assert!(
                says.contains("Let's Encrypt") || says.contains("party.example.org"),
                "{says}"
            );
            assert!(says.contains(&format!("({name})")), "{says}");
            assert!(!says.contains(char::is_control), "{says:?}");
        }
        let endless: Problem =
            serde_json::from_value(serde_json::json!({ "detail": "x".repeat(10_000) })).unwrap();
        let says = keeper.trouble(&Obstacle::Refused(endless)).to_string();
        assert!(says.chars().count() < REASON_CHARS_MAX + 200, "{says}");
    }
}
