//! The crate's only reads of the operating system's clocks and entropy.
//!
//! Everything else takes time and randomness as arguments, so that it can be
//! replayed. The monotonic clock runs on through suspend (`CLOCK_BOOTTIME`
//! where there is one): `std`'s stops there (rust-lang/rust#87906), and a
//! laptop that slept through half a film would not know.

use crate::engine::unit::LocalTime;

/// Now, on this machine's monotonic clock, which runs through suspend.
pub fn local_now() -> LocalTime {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(CLOCK);
    LocalTime::new(now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000)
}

/// Milliseconds since 1970 by the wall clock: for people to read, never to compute with.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn wall_millis() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// Fresh random bytes from the system.
///
/// # Panics
/// When the system has no entropy source, because no key made without one would be a secret.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system hands out random bytes");
    bytes
}
