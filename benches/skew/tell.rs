//! Figures, as a table or as JSON lines.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;
use seance::engine::unit::LocalTime;
use serde_json::{Value, json};

use super::track::{Line, Track};

/// Between two comparisons of players.
const GRID: f64 = 20_000.0;

/// The middle, the 95th in a hundred and the worst of absolute values, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub p95: f64,
    pub max: f64,
}

impl Spread {
    fn of(micros: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = micros.into_iter().map(|value| value.abs() / 1e3).collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        Some(Self {
            median: sorted[last / 2],
            p95: sorted[last * 95 / 100],
            max: sorted[last],
        })
    }

    fn json(self) -> Value {
        let round = |millis: f64| (millis * 1e3).round() / 1e3;
        json!({ "median": round(self.median), "p95": round(self.p95), "max": round(self.max) })
    }
}

/// How one phase went.
#[derive(Debug)]
pub struct Phase {
    world: String,
    name: &'static str,
    /// Between the media clocks of any two players, once settled.
    skew: Option<Spread>,
    /// Between the frames of any two players' screens.
    screen: Option<Spread>,
    /// Against the timeline, once settled.
    error: Option<Spread>,
    /// The error of each player at the first refresh after its line began, in milliseconds.
    first: Vec<f64>,
    /// How long each player took to be within 40 ms, and within 10, for good; in milliseconds.
    within_40: Vec<f64>,
    within_10: Vec<f64>,
    /// The most changes of rate, and seeks, any player made after the line began.
    rates: usize,
    seeks: usize,
    /// Every player's error over time, for `--raw`.
    raw: Vec<Vec<(f64, f64)>>,
    /// Every player's changes of rate over time, for `--raw`.
    raw_rates: Vec<Vec<(f64, f64)>>,
}

impl Phase {
    /// Measures `tracks` against `line`; only what lies in `[settled, until)` counts as settled.
    pub fn of(
        world: &str,
        name: &'static str,
        tracks: &[Track],
        line: Line,
        settled: LocalTime,
        until: LocalTime,
    ) -> Self {
        let rests = name == "rest";
        let (begin, from, to) = (
            line.from.get() as f64,
            settled.get() as f64,
            until.get() as f64,
        );
        let counted = |at: f64| at >= from && at < to;
        let begins = if rests { from } else { begin };
        let errors: Vec<Vec<(f64, f64)>> = tracks
            .iter()
            .map(|track| {
                let all = track
                    .clock
                    .iter()
                    .filter(|(at, _)| *at >= begins && *at < to);
                all.map(|&(at, place)| (at, place - line.at(at))).collect()
            })
            .collect();
        let mut skews = Vec::new();
        for (n, one) in tracks.iter().enumerate() {
            for other in &tracks[n + 1..] {
                let mut at = from;
                while at < to {
                    if let (Some(a), Some(b)) =
                        (one.place(at, line.rate), other.place(at, line.rate))
                    {
                        skews.push(a - b);
                    }
                    at += GRID;
                }
            }
        }
        let settles = |limit: f64| {
            errors
                .iter()
                .map(|errors| {
                    let last = errors.iter().rposition(|(_, error)| error.abs() > limit);
                    let after = last.map_or(0, |last| last + 1);
                    errors
                        .get(after)
                        .map_or(f64::INFINITY, |(at, _)| (at - begin) / 1e3)
                })
                .collect()
        };
        let first = tracks
            .iter()
            .filter(|_| !rests)
            .filter_map(|track| {
                let (at, place) = track.clock.iter().find(|(at, _)| *at >= begin)?;
                Some((place - line.at(*at)) / 1e3)
            })
            .collect();
        let most = |of: &dyn Fn(&Track) -> &Vec<(f64, f64)>| {
            tracks
                .iter()
                .map(|track| {
                    of(track)
                        .iter()
                        .filter(|(at, _)| *at > begins && *at < to)
                        .count()
                })
                .max()
                .unwrap_or(0)
        };
        Self {
            world: world.to_owned(),
            name,
            skew: Spread::of(skews),
            screen: Spread::of(screens(tracks, from, to)),
            error: Spread::of(
                errors
                    .iter()
                    .flatten()
                    .filter(|(at, _)| counted(*at))
                    .map(|(_, error)| *error),
            ),
            first,
            within_40: if rests { Vec::new() } else { settles(40_000.0) },
            within_10: if rests { Vec::new() } else { settles(10_000.0) },
            rates: most(&|track| &track.rates),
            seeks: most(&|track| &track.seeks),
            raw: errors
                .into_iter()
                .map(|errors| {
                    errors
                        .into_iter()
                        .map(|(at, error)| (at - begin, error))
                        .collect()
                })
                .collect(),
            raw_rates: tracks
                .iter()
                .map(|track| {
                    track
                        .rates
                        .iter()
                        .map(|&(at, rate)| (at - begin, rate))
                        .collect()
                })
                .collect(),
        }
    }

    fn json(&self) -> Value {
        let spread = |spread: Option<Spread>| spread.map(Spread::json);
        json!({
            "world": self.world, "phase": self.name,
            "skew_ms": spread(self.skew), "screen_ms": spread(self.screen), "error_ms": spread(self.error),
            "first_ms": self.first, "within_40_ms": self.within_40, "within_10_ms": self.within_10,
            "rate_changes": self.rates, "seeks": self.seeks,
        })
    }
}

/// The distance between two screens' newest frames, at each moment of a grid.
fn screens(tracks: &[Track], from: f64, to: f64) -> Vec<f64> {
    let shown = |track: &Track, at: f64| {
        let after = track.screen.partition_point(|&(shown, _)| shown <= at);
        after.checked_sub(1).map(|last| track.screen[last].1)
    };
    let mut found = Vec::new();
    for (n, one) in tracks.iter().enumerate() {
        for other in &tracks[n + 1..] {
            let mut at = from;
            while at < to {
                if let (Some(a), Some(b)) = (shown(one, at), shown(other, at)) {
                    found.push(a - b);
                }
                at += GRID;
            }
        }
    }
    found
}

/// Says how phases went.
#[derive(Debug)]
pub struct Teller {
    json: bool,
    raw: Option<BufWriter<File>>,
    baseline: Option<(Spread, Spread)>,
    seeks: Vec<(String, f64, f64)>,
    /// Rows of the table for people, where it was asked for.
    rows: Option<Vec<Phase>>,
}

impl Teller {
    pub fn new(json: bool, markdown: bool, raw: Option<&Path>) -> Result<Self> {
        Ok(Self {
            json,
            raw: raw.map(File::create).transpose()?.map(BufWriter::new),
            baseline: None,
            seeks: Vec::new(),
            rows: markdown.then(Vec::new),
        })
    }

    /// States the machine, because figures without one say nothing.
    pub fn machine(&self, players: usize) -> Result<()> {
        let cores = std::thread::available_parallelism()?.get();
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map_or("unknown", |(_, model)| model.trim())
            .to_owned();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or("?").to_owned();
        let os = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        if self.json {
            println!(
                "{}",
                json!({ "machine": { "cores": cores, "cpu": model, "os": os, "load": load }, "players": players })
            );
        } else {
            println!(
                "{players} players on {cores} cores of {model} ({os}), load {load} at the start; milliseconds"
            );
            println!(
                "{:8}{:12} {:^26} {:^26} {:>7} {:^17} {:>5} {:>5}",
                "world",
                "phase",
                "skew med / p95 / max",
                "error med / p95 / max",
                "first",
                "to 40 / to 10",
                "rates",
                "seeks"
            );
        }
        Ok(())
    }

    /// Says how one went.
    pub fn phase(&mut self, phase: Phase) -> Result<()> {
        if let (Some(skew), Some(error), "free") = (phase.skew, phase.error, phase.world.as_str()) {
            self.baseline = Some((skew, error));
        }
        if let Some(raw) = &mut self.raw {
            let players: Vec<Value> = phase
                .raw
                .iter()
                .zip(&phase.raw_rates)
                .map(|(errors, rates)| json!({ "error": errors, "rates": rates }))
                .collect();
            writeln!(
                raw,
                "{}",
                json!({ "world": phase.world, "phase": phase.name, "players": players })
            )?;
            raw.flush()?;
        }
        for (within_40, within_10) in phase.within_40.iter().zip(&phase.within_10) {
            self.seeks.push((
                format!("{} {}", phase.world, phase.name),
                *within_40,
                *within_10,
            ));
        }
        if self.json {
            println!("{}", phase.json());
            return Ok(());
        }
        let spread = |spread: Option<Spread>| {
            spread.map_or_else(
                || format!("{:^26}", "-"),
                |Spread { median, p95, max }| format!("{median:7.2} /{p95:7.2} /{max:8.2}"),
            )
        };
        let worst = |values: &[f64]| {
            values.iter().copied().fold(f64::NAN, |worst, value| {
                if value.abs() <= worst.abs() {
                    worst
                } else {
                    value
                }
            })
        };
        println!(
            "{:8}{:12} {} {} {:7.1} {:8.0} /{:7.0} {:5} {:5}",
            phase.world,
            phase.name,
            spread(phase.skew),
            spread(phase.error),
            worst(&phase.first),
            worst(&phase.within_40),
            worst(&phase.within_10),
            phase.rates,
            phase.seeks
        );
        if let (Some((skew, error)), Some(own_skew), Some(own_error), "rest") =
            (self.baseline, phase.skew, phase.error, phase.name)
        {
            println!(
                "{:20} against players left alone: skew {:.2} of theirs, error {:.3} of theirs",
                "",
                own_skew.median / skew.median,
                own_error.median / error.median
            );
        }
        if let Some(rows) = &mut self.rows {
            rows.push(phase);
        }
        Ok(())
    }

    /// What all phases of a kind say together: how long it takes to be in step.
    pub fn summary(&self) {
        if let Some(rows) = &self.rows {
            print!("\n{}", table(rows));
            return;
        }
        let mut kinds: Vec<&String> = self.seeks.iter().map(|(kind, ..)| kind).collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            let of = |pick: &dyn Fn(&(String, f64, f64)) -> f64| {
                let mut values: Vec<f64> = self
                    .seeks
                    .iter()
                    .filter(|one| one.0 == *kind)
                    .map(pick)
                    .collect();
                values.sort_by(f64::total_cmp);
                let last = values.len() - 1;
                (values[last / 2], values[last * 95 / 100], values.len())
            };
            let (forty, ten) = (of(&|one| one.1), of(&|one| one.2));
            if self.json {
                println!(
                    "{}",
                    json!({ "after": kind, "times": forty.2, "within_40_ms": { "median": forty.0, "p95": forty.1 }, "within_10_ms": { "median": ten.0, "p95": ten.1 } })
                );
            } else {
                println!(
                    "after {kind:20} ({:3} times): within 40 ms in {:.0} / {:.0}, within 10 ms in {:.0} / {:.0} (median / p95)",
                    forty.2, forty.0, forty.1, ten.0, ten.1
                );
            }
        }
    }
}

/// The table of docs/in-step.md: a row for each world and kind of phase, the worst of each figure.
fn table(rows: &[Phase]) -> String {
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        let kind = (row.world.as_str(), row.name);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let mut text = String::from(
        "| world | phase | skew: median / p95 / worst | against the line | first | to 40 / to 10 | rates | seeks |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for (world, name) in kinds {
        let of: Vec<&Phase> = rows
            .iter()
            .filter(|row| (row.world.as_str(), row.name) == (world, name))
            .collect();
        let spread = |pick: &dyn Fn(&Phase) -> Option<Spread>| {
            let found = of.iter().filter_map(|row| pick(row));
            let worst = found.reduce(|a, b| Spread {
                median: a.median.max(b.median),
                p95: a.p95.max(b.p95),
                max: a.max.max(b.max),
            });
            worst.map_or_else(
                || "–".to_owned(),
                |it| format!("{:.1} / {:.1} / {:.0}", it.median, it.p95, it.max),
            )
        };
        let worst = |pick: &dyn Fn(&Phase) -> &Vec<f64>| {
            let all = of.iter().flat_map(|row| pick(row).iter().copied());
            let far = |a: f64, b: f64| if a.abs() < b.abs() { b } else { a };
            all.reduce(far)
                .map_or_else(|| "–".to_owned(), |it| format!("{it:.0}"))
        };
        let most = |pick: &dyn Fn(&Phase) -> usize| of.iter().map(|row| pick(row)).max();
        text += &format!(
            "| {world} | {name} | {} | {} | {} | {} / {} | {} | {} |\n",
            spread(&|row| row.skew),
            spread(&|row| row.error),
            worst(&|row| &row.first),
            worst(&|row| &row.within_40),
            worst(&|row| &row.within_10),
            most(&|row| row.rates).unwrap_or(0),
            most(&|row| row.seeks).unwrap_or(0),
        );
    }
    text
}
