//! What the benches have in common: figures of many rounds, told as tables, and the machine they
//! were taken on.
//!
//! Every figure is a number a round. What is told is the least, the middle and the most, and for
//! what has a baseline the middle of the *ratios of the same round*: a machine that is busy with
//! something else slows both, so the ratio stands where the number does not.
#![allow(dead_code, reason = "each bench uses its part")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

/// All figures of one bench.
#[derive(Debug, Default)]
pub struct Figures {
    tables: Vec<Table>,
}

/// Figures of one unit, and who measured them.
#[derive(Debug)]
struct Table {
    title: String,
    unit: &'static str,
    rows: Vec<Row>,
}

/// One who was measured, and the figure of each round.
#[derive(Debug)]
struct Row {
    name: String,
    /// The row it is divided by.
    base: Option<String>,
    values: Vec<f64>,
}

impl Figures {
    /// Notes one round's figure. `base` names the row that it is compared with.
    pub fn note(
        &mut self,
        title: &str,
        unit: &'static str,
        base: Option<&str>,
        row: &str,
        value: f64,
    ) {
        let place = self.tables.iter().position(|table| table.title == title);
        let place = place.unwrap_or_else(|| {
            self.tables.push(Table {
                title: title.to_owned(),
                unit,
                rows: Vec::new(),
            });
            self.tables.len() - 1
        });
        let rows = &mut self.tables[place].rows;
        match rows.iter_mut().find(|known| known.name == row) {
            Some(known) => known.values.push(value),
            None => rows.push(Row {
                name: row.to_owned(),
                base: base.map(str::to_owned),
                values: vec![value],
            }),
        }
    }

    /// Prints everything: tables in Markdown, or a JSON line a row.
    pub fn tell(&self, bench: &str, as_json: bool) {
        for table in &self.tables {
            if as_json {
                table.tell_json(bench);
            } else {
                table.tell();
            }
        }
    }
}

impl Table {
    /// The middle of the ratios to the base, round by round.
    fn ratio(&self, row: &Row) -> Option<f64> {
        let base = row.base.as_ref()?;
        let base = self.rows.iter().find(|other| other.name == *base)?;
        let rounds = row.values.iter().zip(&base.values);
        let mut ratios: Vec<f64> = rounds
            .filter(|(_, base)| **base > 0.0)
            .map(|(value, base)| value / base)
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied()
    }

    fn tell(&self) {
        println!("\n**{}**, {}\n", self.title, self.unit);
        let has_ratios = self.rows.iter().any(|row| row.base.is_some());
        let (head, rule) = if has_ratios {
            (" ratio |", "---|")
        } else {
            ("", "")
        };
        println!("| | min | median | max |{head}");
        println!("|---|---|---|---|{rule}");
        for row in &self.rows {
            let (min, median, max) = spread(&row.values);
            let (name, figures) = (&row.name, [min, median, max].map(short).join(" | "));
            match self.ratio(row) {
                Some(ratio) => println!("| {name} | {figures} | {ratio:.2} |"),
                None if has_ratios => println!("| {name} | {figures} | |"),
                None => println!("| {name} | {figures} |"),
            }
        }
    }

    fn tell_json(&self, bench: &str) {
        for row in &self.rows {
            let (min, median, max) = spread(&row.values);
            println!(
                "{}",
                json!({
                    "bench": bench, "figure": self.title, "unit": self.unit, "row": row.name,
                    "min": min, "median": median, "max": max, "rounds": row.values,
                    "base": row.base, "ratio": self.ratio(row),
                })
            );
        }
    }
}

/// The least, the middle and the most.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    (at(0), at(last / 2), at(last))
}

/// Three figures, whatever the size.
fn short(value: f64) -> String {
    match value.abs() {
        big if big >= 1e6 => format!("{:.2} M", value / 1e6),
        big if big >= 1e5 => format!("{:.0} k", value / 1e3),
        big if big >= 1e4 => format!("{:.1} k", value / 1e3),
        big if big >= 100.0 => format!("{value:.0}"),
        big if big >= 10.0 => format!("{value:.1}"),
        big if big >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// What the figures were taken on, and how busy it was with other things.
pub fn machine() -> BTreeMap<&'static str, Value> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let memory = read("/proc/meminfo");
    let kib = memory
        .split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok());
    BTreeMap::from([
        (
            "cores",
            json!(std::thread::available_parallelism().map_or(0, usize::from)),
        ),
        ("cpu", json!(model.trim())),
        ("memory_gib", json!(kib.unwrap_or(0) >> 20)),
        ("kernel", json!(read("/proc/sys/kernel/osrelease").trim())),
        (
            "load",
            json!(read("/proc/loadavg").split(' ').next().unwrap_or("")),
        ),
    ])
}

/// Says what the figures were taken on.
pub fn tell_machine(bench: &str, as_json: bool) {
    let machine = machine();
    if as_json {
        println!("{}", json!({ "bench": bench, "machine": machine }));
        return;
    }
    let word = |name| {
        machine[name]
            .as_str()
            .map_or_else(|| machine[name].to_string(), str::to_owned)
    };
    println!(
        "### {bench}\n\n{} cores, {}, {} GiB, Linux {}; load average {} as it began",
        word("cores"),
        word("cpu"),
        word("memory_gib"),
        word("kernel"),
        word("load")
    );
}

/// A field of `/proc/<pid>/status` in KiB, such as `VmRSS` or `VmHWM`.
pub fn memory_kib(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}

/// Processor time of a process, by the system's own accounting: the sum over its threads.
#[derive(Debug)]
pub struct Cpu {
    pid: u32,
    /// What each thread had used when last seen: one that has ended still counts.
    threads: BTreeMap<u32, u64>,
}

impl Cpu {
    /// The account of a process.
    pub fn of(pid: u32) -> Self {
        Self {
            pid,
            threads: BTreeMap::new(),
        }
    }

    /// Seconds used so far.
    pub fn seconds(&mut self) -> f64 {
        let dir = format!("/proc/{}/task", self.pid);
        for task in fs::read_dir(dir).into_iter().flatten().flatten() {
            let nanos = fs::read_to_string(task.path().join("schedstat"))
                .ok()
                .and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
            let name = task.file_name();
            if let (Some(nanos), Some(thread)) =
                (nanos, name.to_str().and_then(|name| name.parse().ok()))
            {
                self.threads.insert(thread, nanos);
            }
        }
        self.threads.values().sum::<u64>() as f64 / 1e9
    }
}
