//! Where a link says to begin: `90`, `90s`, `1m30s`, `1h2m3s`, `1:02:03.5`, `npt:10,20`.

use crate::engine::unit::MediaTime;

/// Reads a start; `None` where it is none of the module's forms or past [`MediaTime::MAX`].
pub(super) fn read_start(text: &str) -> Option<MediaTime> {
    // Media fragments (W3C Media Fragments 1.0 §4.2.1) name a format and may name an end.
    let text = text.strip_prefix("npt:").unwrap_or(text);
    let text = text.split_once(',').map_or(text, |(begin, _)| begin);
    if text.contains(':') {
        return MediaTime::parse(text);
    }
    let mut micros: u64 = 0;
    let mut rest = text;
    // The units may each appear once, biggest first; a bare number is seconds.
    for (unit, secs) in [('h', 3_600), ('m', 60), ('s', 1)] {
        if let Some((count, after)) = rest.split_once(unit) {
            micros = micros.checked_add(read_secs(count, secs)?)?;
            rest = after;
            if rest.is_empty() {
                return inside(micros);
            }
        }
    }
    // `1m30` is understood, `90s30` is not.
    if text.contains('s') {
        return None;
    }
    inside(micros.checked_add(read_secs(rest, 1)?)?)
}

/// `count` times `secs`, in microseconds; decimals past the sixth are dropped.
fn read_secs(count: &str, secs: u64) -> Option<u64> {
    let (whole, fraction) = count.split_once('.').unwrap_or((count, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let part: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole
        .parse::<u64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(part)?
        .checked_mul(secs)
}

fn inside(micros: u64) -> Option<MediaTime> {
    (micros <= MediaTime::MAX.get()).then_some(MediaTime::new(micros))
}

/// Whole seconds, as sites write them; `None` at the very start, which needs no words.
pub(super) fn whole_secs(start: MediaTime) -> Option<u64> {
    let secs = start.get() / 1_000_000;
    (secs > 0).then_some(secs)
}

/// Appends `prefix`, the whole seconds of `start` and `suffix` to `url`, unless it begins at the start.
pub(super) fn with_secs(url: String, prefix: &str, start: MediaTime, suffix: &str) -> String {
    match whole_secs(start) {
        Some(secs) => format!("{url}{prefix}{secs}{suffix}"),
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_are_read_as_sites_write_them() {
        let check =
            |text, micros| assert_eq!(read_start(text).map(MediaTime::get), micros, "{text}");
        check("90", Some(90_000_000));
        check("90s", Some(90_000_000));
        check("1m30s", Some(90_000_000));
        check("1m30", Some(90_000_000));
        check("90m", Some(5_400_000_000));
        check("1h2m3s", Some(3_723_000_000));
        check("1h3s", Some(3_603_000_000));
        check("1:02:03.5", Some(3_723_500_000));
        check("npt:10,20", Some(10_000_000));
        check("10.25,20", Some(10_250_000));
        check("0", Some(0));
        check("9007199254.740991", Some(MediaTime::MAX.get()));
        for bad in [
            "",
            "s",
            "h",
            "-1",
            "+1",
            "1e3",
            "NaN",
            "1s30",
            "3s2m",
            "1h1h",
            "9007199254.740992",
            "1.",
            ".5",
            "99999999999999999999",
            "99999999999999999h",
            "٣",
            "1 0",
            ",5",
            "0x10",
        ] {
            check(bad, None);
        }
    }
}
