//! Prime Video.
//!
//! The id is `0…` (26 characters) or an Amazon item number `B0…` (on
//! primevideo.com too, where that form is common knowledge, not sourced); behind a
//! colon stands the Amazon shop (`:co.uk`) where the address was on one,
//! because a shop shows its own country's catalogue.

use super::address::Address;
use super::{Found, Media, Provider, Site};
use crate::engine::unit::MediaTime;

pub(super) const SITE: Site = Site {
    name: "Prime Video",
    domains: &[
        "primevideo.com",
        "amazon.com",
        "amazon.ae",
        "amazon.ca",
        "amazon.cn",
        "amazon.co.jp",
        "amazon.co.uk",
        "amazon.co.za",
        "amazon.com.au",
        "amazon.com.be",
        "amazon.com.br",
        "amazon.com.mx",
        "amazon.com.tr",
        "amazon.de",
        "amazon.eg",
        "amazon.es",
        "amazon.fr",
        "amazon.ie",
        "amazon.in",
        "amazon.it",
        "amazon.nl",
        "amazon.pl",
        "amazon.sa",
        "amazon.se",
        "amazon.sg",
    ],
    read,
};

/// | form | host |
/// |---|---|
/// | `/[region/xx/][-/ll/]detail/[slug/]ID[/ref=…]` | primevideo.com |
/// | `/[-/ll/]gp/video/detail/ID[/ref=…]` | amazon.{of the table} |
///
/// `/dp/…` and `/gp/product/…` may be a kettle and are refused.
fn read(address: &Address) -> Option<Found> {
    let host = address.host();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let shop = host.strip_prefix("amazon.");
    if shop.is_none() && host != "primevideo.com" || shop.is_some() && !SITE.domains.contains(&host)
    {
        return None;
    }
    let mut path = address.path();
    // What is clicked on rides behind the id.
    path.retain(|piece| !piece.starts_with("ref="));
    let mut path = path.as_slice();
    if let ["region", _, rest @ ..] = path {
        path = rest;
    }
    if let ["-", _, rest @ ..] = path {
        path = rest;
    }
    let id = match (shop, path) {
        (None, ["detail", id] | ["detail", _, id]) => *id,
        (Some(_), ["gp", "video", "detail", id]) => *id,
        _ => return None,
    };
    let qualified = match shop {
        Some(shop) => format!("{id}:{shop}"),
        None => id.to_owned(),
    };
    is_id(id).then(|| Found {
        media: Media::new(Provider::Prime, qualified),
        start: MediaTime::ZERO,
    })
}

fn is_id(id: &str) -> bool {
    let capitals = id
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    capitals && (id.len() == 26 && id.starts_with('0') || id.len() == 10 && id.starts_with("B0"))
}

pub(super) fn url(id: &str) -> String {
    match id.split_once(':') {
        // The shop becomes part of the host, so it must be one of the table.
        Some((id, shop)) if is_shop(shop) => {
            format!("https://www.amazon.{shop}/gp/video/detail/{id}")
        }
        _ => format!("https://www.primevideo.com/detail/{id}"),
    }
}

fn is_shop(shop: &str) -> bool {
    SITE.domains
        .iter()
        .any(|domain| domain.strip_prefix("amazon.") == Some(shop))
}
