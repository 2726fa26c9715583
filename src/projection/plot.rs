//! How far a member was off, over a session: a drawing in letters, and one as an SVG file.
//!
//! Errors span five decades, from a tenth of a millisecond at rest to minutes
//! after a tab slept, so the axis is linear within ±1 ms and logarithmic beyond
//! ("symlog"). A column of the drawing in letters shows the range of all errors
//! that fell into its time: what was bad for a moment stays visible. Below it
//! stand what the player did, how often it was corrected, and what was refused.
//!
//! It knows the trace and the names, no files and no terminal.

use std::fmt::Write as _;

use crate::engine::id::MemberId;
use crate::engine::presence::Activity;
use crate::engine::trace::{Observation, Trace, What};
use crate::engine::unit::{Micros, SessionTime};

/// Rows above and below the middle: the limits of 1, 3, 10 … ms, in microseconds.
const ROWS: [i64; 7] = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// Columns of the drawing in letters: with its scale it fits 80.
pub const WIDTH: usize = 68;
/// A gap between samples longer than this is no line: the member was away. Thinned samples lie 5 s apart.
const GAP: Micros = Micros::from_secs(30);

/// One moment of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    at: SessionTime,
    /// Measured − target; `None` where that meant nothing.
    error: Option<i64>,
    activity: Option<Activity>,
}

/// What the trace holds of one member.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    name: String,
    points: Vec<Point>,
    slews: Corrections,
    steps: Corrections,
    refusals: Vec<SessionTime>,
    round_trips: Vec<i64>,
    clock_errors: Vec<i64>,
}

/// How often a player corrected in one way, and when that was noticed.
///
/// Members count for themselves, and a number costs them nothing: it is added up, and never as
/// many things made of it.
#[derive(Clone, Debug, Default)]
struct Corrections {
    /// What the last sample counted.
    counted: u32,
    times: u64,
    moments: Vec<SessionTime>,
}

impl Corrections {
    fn count(&mut self, at: SessionTime, now: u32) {
        // A smaller number is another player's, which counts from nothing. The first sample tells
        // of corrections from before it.
        let more = now.checked_sub(self.counted).unwrap_or(now);
        self.counted = now;
        if more > 0 {
            self.times = self.times.saturating_add(u64::from(more));
            self.moments.push(at);
        }
    }
}

impl Curve {
    /// What `trace` holds of `member`, called `name`.
    pub fn of(trace: &Trace, member: MemberId, name: &str) -> Self {
        let mut curve = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        for seen in trace.iter().filter(|seen| seen.member == member) {
            curve.take(seen);
        }
        curve
    }

    fn take(&mut self, seen: &Observation) {
        let at = seen.at;
        if let What::Refused { .. } = seen.what {
            self.refusals.push(at);
        }
        if let What::Vitals(vitals) = &seen.what {
            self.slews.count(at, vitals.slews);
            self.steps.count(at, vitals.steps);
            self.clock_errors
                .extend(vitals.clock_error.map(Micros::get));
        }
        if let Some(report) = seen.what.report() {
            self.round_trips.extend(report.round_trip.map(Micros::get));
            let runs = report.activity == Some(Activity::Playing);
            self.points.push(Point {
                at,
                error: report.drift.filter(|_| runs).map(Micros::get),
                activity: report.activity,
            });
        }
    }

    /// Whether there is anything to draw.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// From its first moment to its last.
    fn span(&self) -> Option<(SessionTime, SessionTime)> {
        Some((self.points.first()?.at, self.points.last()?.at))
    }

    fn errors(&self) -> impl Iterator<Item = i64> {
        self.points.iter().filter_map(|point| point.error)
    }

    /// The drawing in letters, [`WIDTH`] columns beside its scale.
    pub fn text(&self) -> String {
        let mut out = format!("{}: {}\n", self.name, self.summary());
        let Some((from, to)) = self.span() else {
            return out;
        };
        let column = |at: SessionTime| {
            let (into, length) = ((at - from).get(), (to - from).get().max(1));
            (into as i128 * (WIDTH as i128 - 1) / i128::from(length)) as usize
        };
        let mut ranges: Vec<Option<(i64, i64)>> = vec![None; WIDTH];
        let mut doings = vec![' '; WIDTH];
        for point in &self.points {
            let at = column(point.at);
            if let Some(error) = point.error {
                let (low, high) = ranges[at].unwrap_or((error, error));
                ranges[at] = Some((low.min(error), high.max(error)));
            }
            // What is rarer says more.
            let mark = doing(point.activity);
            if rank(mark) > rank(doings[at]) {
                doings[at] = mark;
            }
        }
        let middle = ROWS.len() as i64;
        for row in (-middle..=middle).rev() {
            let line: String = ranges
                .iter()
                .map(|range| match range {
                    Some((low, high)) if (row_of(*low)..=row_of(*high)).contains(&row) => '█',
                    _ if row == 0 => '·',
                    _ => ' ',
                })
                .collect();
            let _ = writeln!(out, "{:>8} ┤{}", scale(row), line.trim_end());
        }
        let marks = |times: &[SessionTime], mark: char| {
            let mut line = vec![' '; WIDTH];
            for at in times.iter().filter(|at| (from..=to).contains(*at)) {
                line[column(*at)] = mark;
            }
            line.into_iter().collect::<String>()
        };
        for (name, line) in [
            ("player", doings.iter().collect::<String>()),
            ("rate", marks(&self.slews.moments, '~')),
            ("jump", marks(&self.steps.moments, '^')),
            ("refused", marks(&self.refusals, '!')),
        ] {
            if !line.trim().is_empty() {
                let _ = writeln!(out, "{name:>8} │{}", line.trim_end());
            }
        }
        let (from, to) = (from.to_string(), to.to_string());
        let room = WIDTH.saturating_sub(from.len() + to.len());
        let _ = writeln!(out, "{:>8} └{from}{:room$}{to}", "", "");
        out
    }

    /// What the numbers say, in one line.
    pub fn summary(&self) -> String {
        let mut errors: Vec<i64> = self.errors().map(i64::abs).collect();
        if errors.is_empty() {
            return format!("{} samples, none of a film that ran", self.points.len());
        }
        errors.sort_unstable();
        let nth = |share: usize| errors[(errors.len() - 1) * share / 100];
        let mut line = format!(
            "{} samples, off by {} in the median, {} p95, {} at most; {} pulses, {} jumps, {} refusals",
            errors.len(),
            millis(nth(50)),
            millis(nth(95)),
            millis(nth(100)),
            self.slews.times,
            self.steps.times,
            self.refusals.len(),
        );
        for (name, values) in [
            ("round trip", &self.round_trips),
            ("clock within", &self.clock_errors),
        ] {
            if let Some(median) = median(values) {
                let _ = write!(line, "; {name} {}", millis(median));
            }
        }
        line
    }
}

fn median(values: &[i64]) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The row an error lies in: 0 within ±1 ms, then one for each limit it passes.
fn row_of(error: i64) -> i64 {
    let passed = ROWS.iter().filter(|limit| error.abs() > **limit).count() as i64;
    passed * error.signum()
}

/// What stands beside a row: the limit that its errors passed.
fn scale(row: i64) -> String {
    match row {
        0 => "±1 ms".to_owned(),
        _ => {
            let limit = ROWS[row.unsigned_abs() as usize - 1];
            let sign = if row > 0 { '+' } else { '-' };
            format!("{sign}{}", millis(limit))
        }
    }
}

fn millis(micros: i64) -> String {
    match micros.abs() {
        0..=9_999 => {
            let tenths = format!("{:.1}", micros as f64 / 1e3);
            format!("{} ms", tenths.trim_end_matches(".0"))
        }
        10_000..=999_999 => format!("{} ms", micros / 1_000),
        _ => {
            let tenths = format!("{:.1}", micros as f64 / 1e6);
            format!("{} s", tenths.trim_end_matches(".0"))
        }
    }
}

/// A letter for what a player did; blank for what needs none.
const fn doing(activity: Option<Activity>) -> char {
    match activity {
        None => ' ',
        Some(Activity::Playing) => '─',
        Some(Activity::Paused) => 'p',
        Some(Activity::Loading) => 'l',
        Some(Activity::Ended) => 'e',
        Some(Activity::Seeking) => 'k',
        Some(Activity::Stalled) => 's',
        Some(Activity::Advert) => 'a',
        Some(Activity::NeedsClick) => 'c',
    }
}

/// What the letters mean, for those that the drawing needs.
pub const LEGEND: &str = "player: ─ plays, p paused, s waits for data, k seeks, l loads, a shows an ad, c needs a click, e at the end";

const fn rank(mark: char) -> u8 {
    match mark {
        ' ' => 0,
        '─' => 1,
        'p' | 'e' => 2,
        'k' | 'l' => 3,
        _ => 4,
    }
}

/// The SVG's size, and where its axes stand, in its own units.
const SVG: (f64, f64) = (1_000.0, 420.0);
const LEFT: f64 = 70.0;
const RIGHT: f64 = 980.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 350.0;
/// Told apart by the colour-blind too (Okabe and Ito's palette), on white and on black.
const COLOURS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];

/// All curves on one pair of axes, as a file of its own.
pub fn svg(title: &str, curves: &[Curve]) -> String {
    let spans = curves.iter().filter_map(Curve::span);
    let (from, to) = spans
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
        .unwrap_or_default();
    let length = (to - from).get().max(1) as f64;
    let x = |at: SessionTime| LEFT + (at - from).get() as f64 / length * (RIGHT - LEFT);
    let (width, height) = SVG;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
         <title>{0}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\" fill=\"#222\">{0}</text>\n",
        escaped(title)
    );
    let limits = ROWS.iter().flat_map(|limit| [-limit, *limit]);
    for limit in limits.chain([0]) {
        let (y, label) = (
            y_of(limit),
            if limit == 0 {
                "in step".to_owned()
            } else {
                millis(limit)
            },
        );
        let shade = if limit == 0 { "#888" } else { "#ddd" };
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" stroke=\"{shade}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#555\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for part in 0..=4 {
        let at = from + Micros::new((length * f64::from(part) / 4.0) as i64);
        let anchor = ["start", "middle", "middle", "middle", "end"][part as usize];
        let _ = writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"{anchor}\" fill=\"#555\">{at}</text>",
            x(at),
            BOTTOM + 18.0
        );
    }
    for (place, curve) in curves.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let mut path = String::new();
        let mut last: Option<SessionTime> = None;
        for point in &curve.points {
            let Some(error) = point.error else {
                last = None;
                continue;
            };
            let joined = last.is_some_and(|last| point.at - last < GAP);
            let letter = if joined { 'L' } else { 'M' };
            let _ = write!(path, "{letter}{:.1} {:.1}", x(point.at), y_of(error));
            last = Some(point.at);
        }
        let _ = writeln!(
            out,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        );
        for (times, mark, lift) in [
            (&curve.slews.moments, "~", 6.0),
            (&curve.steps.moments, "^", 8.0),
            (&curve.refusals, "!", 0.0),
        ] {
            for at in times {
                let (x, y) = (x(*at), BOTTOM - lift);
                let _ = writeln!(
                    out,
                    "<text x=\"{x:.1}\" y=\"{y:.0}\" fill=\"{colour}\" text-anchor=\"middle\">{mark}</text>"
                );
            }
        }
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.0}\" fill=\"{colour}\">{}: {}</text>",
            BOTTOM + 36.0 + 15.0 * place as f64,
            escaped(&curve.name),
            escaped(&curve.summary())
        );
    }
    out.push_str("</svg>\n");
    out
}

/// Where an error lies: linear within ±1 ms, a decade as wide as that beyond.
fn y_of(error: i64) -> f64 {
    let size = error.abs() as f64 / 1e3;
    let lifted = if size <= 1.0 {
        size
    } else {
        1.0 + size.log10()
    };
    let most = 1.0 + 3.0; // one second
    let share = (lifted.min(most) / most) * error.signum() as f64;
    let (middle, half) = ((TOP + BOTTOM) / 2.0, (BOTTOM - TOP) / 2.0);
    middle - share * half
}

/// As it may stand between two tags; control characters, which XML forbids, are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::intent::Refusal;
    use crate::engine::presence::{Report, Vitals};

    const BOB: MemberId = MemberId::new(2);

    fn vitals(activity: Activity, drift: i64, slews: u32, steps: u32) -> Vitals {
        Vitals {
            report: Report {
                activity: Some(activity),
                drift: Some(Micros::new(drift)),
                round_trip: Some(Micros::from_millis(30)),
            },
            clock_error: Some(Micros::from_millis(2)),
            rate_ppm: Some(1_000_000),
            slews,
            steps,
        }
    }

    /// Ten minutes: in step, half a second behind for a while, then a jump, then paused.
    fn evening() -> Trace {
        let mut trace = Trace::default();
        for second in 0..600 {
            let at = SessionTime::from_secs(second);
            let told = match second {
                0..200 => vitals(Activity::Playing, 400, 1, 0),
                200..220 => vitals(Activity::Stalled, -90_000, 1, 0),
                220..300 => vitals(Activity::Playing, -500_000, 2, 0),
                300..450 => vitals(Activity::Playing, 2_000, 2, 1),
                _ => vitals(Activity::Paused, 0, 2, 1),
            };
            trace.vitals(at, BOB, &told);
            trace.vitals(at, MemberId::new(3), &vitals(Activity::Playing, 0, 0, 0));
        }
        trace.refused(SessionTime::from_secs(500), BOB, 1, &Refusal::NothingLoaded);
        trace
    }

    #[test]
    fn a_drawing_shows_when_somebody_was_off_and_by_how_much() {
        let drawn = Curve::of(&evening(), BOB, "Bob").text();
        let row = |label: &str| {
            let line = drawn
                .lines()
                .find(|line| line.trim_start().starts_with(label));
            line.unwrap_or_else(|| panic!("no row {label:?}:\n{drawn}"))
                .to_owned()
        };
        let begins = |line: &str, mark: char| line.chars().position(|letter| letter == mark);
        let (far, near) = (row("-300 ms"), row("±1 ms"));
        // 220 s of 600 s are 24 of 68 columns, behind a scale of 10.
        assert_eq!(begins(&far, '█'), Some(10 + 24), "{drawn}");
        assert_eq!(begins(&near, '█'), Some(10), "{drawn}");
        assert!(!row("+300 ms").contains('█'));
        let player = row("player");
        for mark in ['─', 's', 'p'] {
            assert!(player.contains(mark), "{player}");
        }
        assert_eq!(row("jump").matches('^').count(), 1);
        assert_eq!(row("rate").matches('~').count(), 2);
        assert_eq!(row("refused").matches('!').count(), 1);
        assert!(row("└").ends_with("9:59"), "{drawn}");
        assert!(drawn.lines().all(|line| line.chars().count() <= 240));
    }

    #[test]
    fn what_the_numbers_say_is_told_in_a_line() {
        let told = Curve::of(&evening(), BOB, "Bob").summary();
        for words in [
            "2 pulses",
            "1 jumps",
            "1 refusals",
            "500 ms at most",
            "round trip 30 ms",
            "clock within 2 ms",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    #[test]
    fn a_member_who_claims_any_number_of_corrections_costs_a_line_and_no_memory() {
        let mut trace = Trace::default();
        for (second, claimed) in (0..).zip([u32::MAX, 0, u32::MAX]) {
            let at = SessionTime::from_secs(second);
            let told = vitals(Activity::Playing, 0, claimed, claimed);
            trace.vitals(at, BOB, &told);
        }
        let curve = Curve::of(&trace, BOB, "Bob");
        let told = curve.summary();
        assert!(told.contains("8589934590 pulses"), "{told}");
        assert_eq!(svg("x", &[curve]).matches(">^<").count(), 2);
    }

    #[test]
    fn a_member_of_whom_nothing_is_known_draws_nothing_and_breaks_nothing() {
        let curve = Curve::of(&evening(), MemberId::new(9), "Nobody");
        assert!(curve.is_empty());
        assert_eq!(curve.text().lines().count(), 1);
        assert!(svg("x", &[curve]).ends_with("</svg>\n"));
    }

    #[test]
    fn a_file_holds_every_curve_and_no_name_breaks_it() {
        let trace = evening();
        let bad = "</svg><script>\u{7}&";
        let curves = [
            Curve::of(&trace, BOB, bad),
            Curve::of(&trace, MemberId::new(3), "Cy"),
        ];
        let drawn = svg(bad, &curves);
        assert_eq!(drawn.matches("</svg>").count(), 1);
        assert!(!drawn.contains("<script") && !drawn.contains('\u{7}'));
        assert_eq!(drawn.matches("stroke-width").count(), 2);
        assert_eq!(drawn.matches('<').count(), drawn.matches('>').count());
    }

    #[test]
    fn a_farther_error_is_drawn_farther_out() {
        let heights: Vec<f64> = [-2_000_000, -70_000, -900, 0, 900, 70_000, 900_000]
            .map(y_of)
            .to_vec();
        assert!(heights.is_sorted_by(|a, b| a > b), "{heights:?}");
        assert!(heights.iter().all(|y| (TOP..=BOTTOM).contains(y)));
    }
}
