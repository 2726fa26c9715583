//! `seance replay --trace`, `--plot` and `--svg`: what was observed beside the log.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::cli::library;
use crate::engine::fold::RoomState;
use crate::engine::id::MemberId;
use crate::engine::text::for_terminal;
use crate::engine::trace::{Observation, Trace, What};
use crate::log::store::Home;
use crate::projection::plot::{self, Curve};
use crate::projection::terminal::{self, Style};

/// What is wanted of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Every observation, of one member or (empty) of all.
    pub list: Option<String>,
    /// A drawing, of one member or (empty) of all.
    pub plot: Option<String>,
    /// The drawing as a file.
    pub svg: Option<PathBuf>,
}

impl Wanted {
    /// Whether the trace is asked for at all.
    pub fn is_some(&self) -> bool {
        self.list.is_some() || self.plot.is_some() || self.svg.is_some()
    }

    /// Of whom; the same for all that is asked for.
    fn member(&self) -> &str {
        let named = [&self.plot, &self.list].into_iter().flatten();
        named
            .map(String::as_str)
            .find(|name| !name.is_empty())
            .unwrap_or("")
    }
}

pub(super) fn show(session: &str, wanted: &Wanted, style: Style) -> Result<()> {
    let home = Home::open()?;
    let session = home.open_session(home.find(session)?)?;
    let trace = session.trace();
    if trace.is_empty() {
        bail!("Nothing was observed of this session; its log is whole all the same.");
    }
    let state = library::state(&session)?;
    let members = members(&trace, &state, wanted.member())?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if wanted.list.is_some() {
        for seen in trace.iter().filter(|seen| members.contains(&seen.member)) {
            match style {
                Style::Json => writeln!(out, "{}", json!({ "observed": seen }))?,
                Style::Words => writeln!(out, "{}", line(seen, &state))?,
            }
        }
    }
    let drawn: Vec<Curve> = members
        .iter()
        .map(|member| Curve::of(&trace, *member, &name(*member, &state)))
        .filter(|curve| !curve.is_empty())
        .collect();
    if wanted.plot.is_some() {
        for curve in &drawn {
            writeln!(out, "{}", curve.text())?;
        }
        writeln!(out, "{}", plot::LEGEND)?;
    }
    if let Some(file) = &wanted.svg {
        write_svg(file, &plot::svg(&session.info.title, &drawn))?;
        writeln!(out, "{} curves drawn into {}.", drawn.len(), file.display())?;
    }
    Ok(out.flush()?)
}

/// Those meant by a name or a number, or all who were observed.
fn members(trace: &Trace, state: &RoomState, wanted: &str) -> Result<Vec<MemberId>> {
    let mut seen: Vec<MemberId> = trace.iter().map(|seen| seen.member).collect();
    seen.sort_unstable();
    seen.dedup();
    if wanted.is_empty() {
        return Ok(seen);
    }
    let lower = wanted.to_lowercase();
    let is_meant = |member: &MemberId| {
        member.to_string() == wanted || state.roster.name(*member).to_lowercase() == lower
    };
    let meant: Vec<MemberId> = seen.iter().copied().filter(is_meant).collect();
    if meant.is_empty() {
        let known: Vec<String> = seen.iter().map(|member| name(*member, state)).collect();
        bail!(
            "Nothing was observed of “{wanted}”. Known are: {}.",
            known.join(", ")
        );
    }
    Ok(meant)
}

fn name(member: MemberId, state: &RoomState) -> String {
    for_terminal(state.roster.name(member))
}

fn line(seen: &Observation, state: &RoomState) -> String {
    let what = match &seen.what {
        What::Report(report) => terminal::report_words(report),
        What::Refused { counter, refusal } => format!("refused ask {counter}: {refusal}"),
        What::Vitals(vitals) => {
            let millis = |micros: crate::engine::unit::Micros| micros.get() as f64 / 1e3;
            let mut words = terminal::report_words(&vitals.report);
            if let Some(drift) = vitals.report.drift {
                words.push_str(&format!(", {:+.1} ms", millis(drift)));
            }
            if let Some(rate) = vitals.rate_ppm {
                words.push_str(&format!(", rate {:.4}", f64::from(rate) / 1e6));
            }
            if let Some(trip) = vitals.report.round_trip {
                words.push_str(&format!(", round trip {:.1} ms", millis(trip)));
            }
            if let Some(error) = vitals.clock_error {
                words.push_str(&format!(", clock ±{:.1} ms", millis(error)));
            }
            format!("{words}, {} pulses, {} jumps", vitals.slews, vitals.steps)
        }
    };
    let when = seen.at.to_string();
    format!(
        "{when:>8}  {}  {}",
        name(seen.member, state),
        for_terminal(&what)
    )
}

fn write_svg(file: &Path, drawing: &str) -> Result<()> {
    use std::fs::OpenOptions;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut out = match options.open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} exists already. Name another file.", file.display())
        }
        opened => opened.with_context(|| format!("{} cannot be written", file.display()))?,
    };
    Ok(out.write_all(drawing.as_bytes())?)
}
