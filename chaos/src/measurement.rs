//! What a scenario found, beside what must hold, and the table of all of it.
//!
//! Invariant: a measurement that isn't a number breaks its bound.

use std::time::Duration;

/// What a measurement must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    Exactly(f64),
    AtMost(f64),
    AtLeast(f64),
    Between(f64, f64),
    /// Says how much was done, and is held to nothing.
    None,
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub bound: Bound,
}

impl Measurement {
    /// A count that must be `expected`.
    pub(crate) fn exactly(what: impl Into<String>, value: usize, expected: usize) -> Self {
        Self::new(what, value as f64, "", Bound::Exactly(expected as f64))
    }

    /// A count of what must not happen.
    pub(crate) fn none(what: impl Into<String>, value: usize) -> Self {
        Self::exactly(what, value, 0)
    }

    /// How much was done.
    pub(crate) fn done(what: impl Into<String>, value: usize) -> Self {
        Self::new(what, value as f64, "", Bound::None)
    }

    /// How much was done, where less than `least` would show nothing.
    pub(crate) fn at_least(what: impl Into<String>, value: usize, least: usize) -> Self {
        Self::new(what, value as f64, "", Bound::AtLeast(least as f64))
    }

    pub(crate) fn within(what: impl Into<String>, took: Duration, limit: Duration) -> Self {
        let bound = Bound::AtMost(limit.as_secs_f64());
        Self::new(what, took.as_secs_f64(), " s", bound)
    }

    pub(crate) fn at_most(
        what: impl Into<String>,
        value: f64,
        most: f64,
        unit: &'static str,
    ) -> Self {
        Self::new(what, value, unit, Bound::AtMost(most))
    }

    /// A share that must be about right for the scenario to show anything.
    pub(crate) fn share_between(
        what: impl Into<String>,
        value: f64,
        least: f64,
        most: f64,
    ) -> Self {
        Self::new(what, value, "", Bound::Between(least, most))
    }

    fn new(what: impl Into<String>, value: f64, unit: &'static str, bound: Bound) -> Self {
        Self {
            what: what.into(),
            value,
            unit,
            bound,
        }
    }

    pub(crate) fn is_only_told(&self) -> bool {
        matches!(self.bound, Bound::None)
    }

    /// The same measurement of one of several things.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.what = format!("{name}: {}", self.what);
        self
    }

    pub(crate) fn holds(&self) -> bool {
        match self.bound {
            Bound::Exactly(expected) => self.value == expected,
            Bound::AtMost(most) => self.value <= most,
            Bound::AtLeast(least) => self.value >= least,
            Bound::Between(least, most) => least <= self.value && self.value <= most,
            Bound::None => self.value.is_finite(),
        }
    }

    fn shown(&self, number: f64) -> String {
        if number.fract() == 0.0 {
            format!("{number:.0}{}", self.unit)
        } else {
            format!("{number:.2}{}", self.unit)
        }
    }

    fn cells(&self, scenario: &str) -> [String; 5] {
        let bound = match self.bound {
            Bound::Exactly(bound) => format!("= {}", self.shown(bound)),
            Bound::AtMost(bound) => format!("≤ {}", self.shown(bound)),
            Bound::AtLeast(bound) => format!("≥ {}", self.shown(bound)),
            Bound::Between(least, most) => format!("{} to {}", self.shown(least), self.shown(most)),
            Bound::None => String::new(),
        };
        let verdict = match (self.holds(), self.bound) {
            (false, _) => "FAIL",
            (true, Bound::None) => "",
            (true, _) => "pass",
        };
        [
            scenario.to_owned(),
            self.what.clone(),
            self.shown(self.value),
            bound,
            verdict.to_owned(),
        ]
    }
}

/// What became of one scenario.
pub(crate) struct Outcome {
    pub scenario: &'static str,
    pub took: Duration,
    /// The reason if the scenario broke off.
    pub measurements: Result<Vec<Measurement>, String>,
}

impl Outcome {
    pub(crate) fn passed(&self) -> bool {
        let holds = |measurements: &Vec<Measurement>| {
            measurements.iter().all(Measurement::holds)
                // A scenario that measures nothing shows nothing.
                && measurements.iter().any(|measurement| !measurement.is_only_told())
        };
        self.measurements.as_ref().is_ok_and(holds)
    }
}

pub(crate) fn print(outcomes: &[Outcome], took: Duration) {
    let mut lines = vec![["scenario", "measurement", "value", "bound", ""].map(str::to_owned)];
    for outcome in outcomes {
        match &outcome.measurements {
            Ok(measurements) => lines.extend(
                measurements
                    .iter()
                    .map(|measurement| measurement.cells(outcome.scenario)),
            ),
            Err(reason) => lines.push([
                outcome.scenario.to_owned(),
                format!("broke off: {}", reason.lines().next().unwrap_or_default()),
                String::new(),
                String::new(),
                "FAIL".to_owned(),
            ]),
        }
    }
    let widths: Vec<usize> = (0..5)
        .map(|column| {
            let lengths = lines.iter().map(|line| line[column].chars().count());
            lengths.max().unwrap_or_default()
        })
        .collect();
    println!();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed()).count();
    println!("\nchaos took {:.0} s", took.as_secs_f64());
    println!("{passed} passed, {} failed", outcomes.len() - passed);
}
