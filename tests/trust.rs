//! Nobody enters, and nobody does, what they were not allowed to: each attack of `docs/trust.md`
//! that is not tried elsewhere, on the real room, log and network code.
//!
//! What is counted is compared with the table of that page ([`tried`]).

#![cfg(feature = "server")]
#![expect(
    clippy::disallowed_methods,
    reason = "deadlines of real sockets run on real time"
)]

#[path = "support/party.rs"]
mod party;
mod support;

#[path = "trust/door.rs"]
mod door;
#[path = "trust/wire.rs"]
mod wire;

/// Holds a count against the row of `docs/trust.md` that names the test.
pub fn tried(test: &str, count: usize) {
    const PAGE: &str = include_str!("../docs/trust.md");
    let rows = || {
        PAGE.lines()
            .filter(|line| line.contains(&format!("`{test}`")))
    };
    let written = rows().any(|row| {
        let mut cells = row.split('|').map(str::trim);
        cells.nth(2) == Some(&*count.to_string())
    });
    assert!(
        written,
        "docs/trust.md should say that {test} tries {count}: {:?}",
        rows().collect::<Vec<_>>()
    );
    println!("{test}: {count} tried");
}
