//! Points and intervals, each of its own type, so that sums without a meaning do not compile.
//!
//! Three kinds of time are never mixed: [`SessionTime`] stands inside events,
//! [`MediaTime`] is a place in a film, [`LocalTime`] is one machine's monotonic
//! clock. Two points of one kind subtract to [`Micros`]; a point plus `Micros`
//! is a point. All arithmetic saturates at the edges of what JavaScript counts
//! exactly (2^53 − 1 µs, about 285 years), so both folds meet the same walls.

use std::fmt;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Deserializer, Serialize};

/// The largest number of microseconds anything here holds: the last integer a
/// double counts exactly, because the page folds with doubles.
pub const MICROS_MAX: i64 = (1 << 53) - 1;

/// An interval in microseconds; positive or negative.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Micros(i64);

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let micros = i64::deserialize(source)?;
        if micros.unsigned_abs() > MICROS_MAX as u64 {
            // A page would count it otherwise than we do, and fold to something else.
            return Err(serde::de::Error::custom(
                "an interval outside ±(2^53 - 1) microseconds",
            ));
        }
        Ok(Self(micros))
    }
}

impl Micros {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// An interval of so many microseconds, held inside ±[`MICROS_MAX`].
    pub const fn new(micros: i64) -> Self {
        if micros > MICROS_MAX {
            Self(MICROS_MAX)
        } else if micros < -MICROS_MAX {
            Self(-MICROS_MAX)
        } else {
            Self(micros)
        }
    }

    /// An interval of so many milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self::new(millis.saturating_mul(1_000))
    }

    /// An interval of so many seconds.
    pub const fn from_secs(secs: i64) -> Self {
        Self::new(secs.saturating_mul(1_000_000))
    }

    /// The bare number of microseconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The interval without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.0.saturating_sub(other.0))
    }
}

impl Neg for Micros {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Debug for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.1}ms", self.0 as f64 / 1_000.0)
    }
}

/// Defines a point on one of the time lines: microseconds from that line's zero.
macro_rules! point {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The line's zero.
            pub const ZERO: Self = Self(0);
            /// The line's last point.
            pub const MAX: Self = Self(MICROS_MAX as u64);

            /// The point so many microseconds after zero, held inside the line.
            pub const fn new(micros: u64) -> Self {
                if micros > MICROS_MAX as u64 { Self::MAX } else { Self(micros) }
            }

            /// The point so many milliseconds after zero.
            pub const fn from_millis(millis: u64) -> Self {
                Self::new(millis.saturating_mul(1_000))
            }

            /// The point so many seconds after zero.
            pub const fn from_secs(secs: u64) -> Self {
                Self::new(secs.saturating_mul(1_000_000))
            }

            /// Microseconds since the line's zero.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl Add<Micros> for $name {
            type Output = Self;
            fn add(self, by: Micros) -> Self {
                Self::new((self.0 as i64).saturating_add(by.get()).max(0) as u64)
            }
        }

        impl Sub<Micros> for $name {
            type Output = Self;
            fn sub(self, by: Micros) -> Self {
                self + -by
            }
        }

        impl Sub for $name {
            type Output = Micros;
            fn sub(self, from: Self) -> Micros {
                Micros::new(self.0 as i64 - from.0 as i64)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                let micros = u64::deserialize(source)?;
                if micros > MICROS_MAX as u64 {
                    return Err(serde::de::Error::custom(concat!(
                        stringify!($name), " above 2^53 - 1 microseconds")));
                }
                Ok(Self(micros))
            }
        }
    };
}

point! {
    /// Time since the session was opened, as the room's sequencer counts it.
    SessionTime
}
point! {
    /// A place in a film, from its start.
    MediaTime
}
point! {
    /// One machine's monotonic clock; means nothing on another machine.
    LocalTime
}

impl fmt::Debug for SessionTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:.3}", self.0 as f64 / 1e6)
    }
}

impl fmt::Debug for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "l{:.3}", self.0 as f64 / 1e6)
    }
}

impl fmt::Debug for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}.{:03}", self.0 / 1_000 % 1_000)
    }
}

/// As people read it: `42:10`, `1:02:03`.
impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        clock_face(self.0, f)
    }
}

/// As people read it: time since the session opened, `0:07`, `1:02:03`.
impl fmt::Display for SessionTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        clock_face(self.0, f)
    }
}

fn clock_face(micros: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let secs = micros / 1_000_000;
    let (hours, minutes, secs) = (secs / 3_600, secs / 60 % 60, secs % 60);
    if hours > 0 {
        write!(f, "{hours}:{minutes:02}:{secs:02}")
    } else {
        write!(f, "{minutes}:{secs:02}")
    }
}

impl MediaTime {
    /// Reads what a person types: `83`, `83.5`, `1:23`, `1:02:03.25`.
    ///
    /// Returns `None` for anything else, and for minutes or seconds past 59
    /// behind a colon.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().split(':').collect();
        let (last, bigger) = parts.split_last()?;
        if bigger.len() > 2 {
            return None;
        }
        let (whole, fraction) = match last.split_once('.') {
            Some((_, "")) => return None,
            Some((whole, fraction)) => (whole, fraction),
            None => (*last, ""),
        };
        let digits =
            |s: &str| !s.is_empty() && s.len() <= 9 && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !(fraction.is_empty() || digits(fraction)) {
            return None;
        }
        let mut secs: u64 = 0;
        for (index, part) in bigger.iter().chain([&whole]).enumerate() {
            if !digits(part) {
                return None;
            }
            let value: u64 = part.parse().ok()?;
            if index > 0 && value > 59 {
                return None;
            }
            secs = secs * 60 + value;
        }
        let micros: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        Some(Self::new(
            secs.saturating_mul(1_000_000).saturating_add(micros),
        ))
    }
}

/// How fast the room plays, in thousandths: `1000` is the film's own speed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Rate(u16);

impl Rate {
    /// The film's own speed.
    pub const NORMAL: Self = Self(1_000);
    /// The slowest a room plays: below it browsers mute or refuse.
    pub const MIN: Self = Self(250);
    /// The fastest a room plays: above it browsers mute, and nobody follows a film.
    pub const MAX: Self = Self(4_000);

    /// A rate in thousandths; `None` outside [`Rate::MIN`]..=[`Rate::MAX`].
    pub const fn from_millis(thousandths: u16) -> Option<Self> {
        if thousandths < Self::MIN.0 || thousandths > Self::MAX.0 {
            None
        } else {
            Some(Self(thousandths))
        }
    }

    /// Reads what a person types: `1.25`, `2`, `0.5x`.
    pub fn parse(text: &str) -> Option<Self> {
        let value: f64 = text.trim().trim_end_matches(['x', '×']).parse().ok()?;
        let thousandths = (value * 1_000.0).round();
        if !(0.0..=f64::from(u16::MAX)).contains(&thousandths) {
            return None;
        }
        Self::from_millis(thousandths as u16)
    }

    /// Thousandths of the film's own speed.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// How much film passes in `elapsed`, rounded down.
    pub fn film_in(self, elapsed: Micros) -> Micros {
        let film = i128::from(elapsed.get()) * i128::from(self.0);
        Micros::new(
            film.div_euclid(1_000)
                .clamp(-(MICROS_MAX as i128), MICROS_MAX as i128) as i64,
        )
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self::NORMAL
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// As people read it: `1×`, `1.25×`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×", f64::from(self.0) / 1_000.0)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let thousandths = u16::deserialize(source)?;
        Self::from_millis(thousandths)
            .ok_or_else(|| serde::de::Error::custom("rate outside 250..=4000 thousandths"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_interval_that_a_page_cannot_count_is_not_read() {
        for micros in [MICROS_MAX, -MICROS_MAX, -5, 0] {
            let read = serde_json::from_str::<Micros>(&micros.to_string());
            assert_eq!(read.unwrap().get(), micros);
        }
        for micros in [MICROS_MAX + 1, -MICROS_MAX - 1, i64::MAX, i64::MIN] {
            assert!(serde_json::from_str::<Micros>(&micros.to_string()).is_err());
            let bytes = postcard::to_stdvec(&micros).unwrap();
            assert!(postcard::from_bytes::<Micros>(&bytes).is_err(), "{micros}");
        }
    }

    #[test]
    fn times_are_read_as_people_type_them() {
        let check =
            |text, micros| assert_eq!(MediaTime::parse(text).map(MediaTime::get), micros, "{text}");
        check("83", Some(83_000_000));
        check("83.5", Some(83_500_000));
        check("1:23", Some(83_000_000));
        check("1:02:03.25", Some(3_723_250_000));
        check("0:00", Some(0));
        for bad in [
            "",
            ":",
            "1:",
            ":1",
            "1:60",
            "1:2:3:4",
            "-1",
            "+1",
            "1.",
            "NaN",
            "1e3",
            "99999999999",
            "1:0x",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn rates_outside_the_range_are_no_rates() {
        assert_eq!(Rate::parse("1.25"), Rate::from_millis(1_250));
        assert_eq!(Rate::parse("2x"), Rate::from_millis(2_000));
        for bad in ["0", "0.2", "4.1", "NaN", "inf", "-1", "", "1e9"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn arithmetic_stays_on_the_line(point: u64, by: i64) {
            let moved = MediaTime::new(point) + Micros::new(by);
            prop_assert!(moved <= MediaTime::MAX);
            prop_assert!((moved - MediaTime::new(point)).abs() <= Micros::new(by).abs());
        }

        #[test]
        fn a_printed_time_reads_back_to_its_second(secs in 0u64..10_000_000) {
            let time = MediaTime::from_secs(secs);
            prop_assert_eq!(MediaTime::parse(&time.to_string()), Some(time));
        }

        #[test]
        fn more_time_never_shows_less_film(a in -MICROS_MAX..MICROS_MAX, b in -MICROS_MAX..MICROS_MAX, rate in 250u16..=4000) {
            let rate = Rate::from_millis(rate).unwrap();
            let (early, late) = (a.min(b), a.max(b));
            prop_assert!(rate.film_in(Micros::new(early)) <= rate.film_in(Micros::new(late)));
        }
    }
}
