//! The figures as a Markdown table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::contestant::{Contestant, Work};
use crate::load::Sample;
use crate::machine::Run;

/// Every figure of every round, by what was measured and who was.
#[derive(Default)]
pub(crate) struct Results {
    figures: BTreeMap<(usize, String), BTreeMap<Contestant, Vec<f64>>>,
    runs: u32,
    disturbed: u32,
}

// === impl Results ===

impl Results {
    /// Adds the figures that `figures` reads from a run.
    pub(crate) fn add(
        &mut self,
        work: Work,
        contestant: Contestant,
        run: &Run,
        figures: impl FnOnce(&Sample) -> Vec<(&'static str, f64)>,
    ) {
        self.runs += 1;
        self.disturbed += u32::from(run.is_disturbed());
        for (name, value) in figures(&run.sample) {
            self.push(format!("{}: {name}", work.name()), contestant, value);
        }
    }

    /// Adds resident memory, in MiB.
    pub(crate) fn memory(&mut self, contestant: Contestant, idle: f64, full: f64) {
        self.push("memory idle, MiB".to_owned(), contestant, idle);
        self.push("memory with 1,000 idle connections, MiB".to_owned(), contestant, full);
    }

    /// In the order in which figures were first taken.
    fn push(&mut self, name: String, contestant: Contestant, value: f64) {
        let known = self.figures.keys().find(|(_, known)| *known == name).map(|(at, _)| *at);
        let at = known.unwrap_or(self.figures.len());
        self.figures.entry((at, name)).or_default().entry(contestant).or_default().push(value);
    }

    /// Medians with the least and the most, and crosscall in relation to nginx.
    pub(crate) fn table(&self, rounds: u32, seconds: u32) -> String {
        let mut table =
            "\n| measure | direct | nginx | crosscall | crosscall/nginx |\n|---|---|---|---|---|\n".to_owned();
        for ((_, name), by) in &self.figures {
            self.row(&mut table, name, by);
            // Latency is what the proxy adds to the way without it.
            if name.contains("p50") || name.contains("p99") {
                let direct = self.of(&name.replace(self.work(name), Work::Plain.name()), Contestant::Direct);
                let added = |values: &Vec<f64>| values.iter().map(|value| value - direct).collect::<Vec<f64>>();
                let by =
                    by.iter().filter(|(it, _)| **it != Contestant::Direct).map(|(it, values)| (*it, added(values)));
                self.row(&mut table, &name.replace(": p", ": added p"), &by.collect());
            }
        }
        let (runs, disturbed) = (self.runs, self.disturbed);
        let _ = write!(
            table,
            "\nMedian [least–most] of {rounds} rounds of {seconds} s; {disturbed} of {runs} runs with more than 5 % of the \
             machine used by others.\nnginx verifies no tokens: there its plain forward stands for it.\n"
        );
        table
    }

    fn row(&self, table: &mut String, name: &str, by: &BTreeMap<Contestant, Vec<f64>>) {
        let cells =
            Contestant::ALL.map(|contestant| by.get(&contestant).map_or_else(|| "–".to_owned(), |values| cell(values)));
        let nginx = by.get(&Contestant::Nginx).map(|values| median(values));
        let nginx = nginx.unwrap_or_else(|| self.stand_in(name));
        let ratio = by.get(&Contestant::Crosscall).map_or(f64::NAN, |values| median(values) / nginx);
        let _ = writeln!(table, "| {name} | {} | {ratio:.2} |", cells.join(" | "));
    }

    /// What nginx does where it cannot do the work: the plain forward.
    fn stand_in(&self, name: &str) -> f64 {
        let plain = name.replace(self.work(name), Work::Plain.name());
        match plain.split_once("added ") {
            None => self.of(&plain, Contestant::Nginx),
            Some((before, after)) => {
                let name = format!("{before}{after}");
                self.of(&name, Contestant::Nginx) - self.of(&name, Contestant::Direct)
            }
        }
    }

    fn work<'a>(&self, name: &'a str) -> &'a str {
        name.split_once(':').map_or(name, |(work, _)| work)
    }

    fn of(&self, name: &str, contestant: Contestant) -> f64 {
        let by = self.figures.iter().find(|((_, known), _)| known == name).map(|(_, by)| by);
        by.and_then(|by| by.get(&contestant)).map_or(f64::NAN, |values| median(values))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

fn cell(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} [{}–{}]", number(median(values)), number(least), number(most))
}

/// Three digits that mean something.
fn number(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(requests: f64, foreign: f64) -> Run {
        Run { sample: Sample { requests, seconds: 1.0, ..Sample::default() }, foreign }
    }

    #[test]
    fn ratio_is_of_the_medians() {
        let mut results = Results::default();
        for (contestant, values) in
            [(Contestant::Nginx, [10.0, 30.0, 20.0]), (Contestant::Crosscall, [5.0, 50.0, 40.0])]
        {
            for value in values {
                results.add(Work::Plain, contestant, &run(value, 0.0), |sample| vec![("requests/s", sample.requests)]);
            }
        }
        let expected = "| plain forward: requests/s | – | 20.00 [10.00–30.00] | 40.00 [5.00–50.00] | 2.00 |";
        assert!(results.table(3, 1).contains(expected), "{}", results.table(3, 1));
    }

    #[test]
    fn disturbed_runs_are_counted() {
        let mut results = Results::default();
        results.add(Work::Plain, Contestant::Nginx, &run(1.0, 0.5), |_| Vec::new());
        results.add(Work::Plain, Contestant::Nginx, &run(1.0, 0.01), |_| Vec::new());
        assert!(results.table(1, 1).contains("1 of 2 runs"), "{}", results.table(1, 1));
    }
}
