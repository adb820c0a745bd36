//! The figures as a table for people.

use std::time::Duration;

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Figure {
    pub name: &'static str,
    /// What the service does, with its unit.
    pub measured: String,
    /// What bounds it on this machine, with its unit.
    pub limit: String,
    /// What the bound is put on: a ratio of the two, unless `unit` says otherwise.
    pub value: f64,
    pub unit: &'static str,
    pub bound: Bound,
    /// How far the rounds lie apart, or what else a reader should know.
    pub note: String,
}

impl Figure {
    pub(crate) fn holds(&self) -> bool {
        // Written so that a value that is no number breaks the bound.
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        }
    }

    fn cells(&self) -> [String; 7] {
        let unit = self.unit;
        let digits = if unit.is_empty() { 2 } else { 0 };
        let (sign, bound) = match self.bound {
            Bound::AtLeast(bound) => ("≥", bound),
            Bound::AtMost(bound) => ("≤", bound),
        };
        [
            self.name.to_owned(),
            self.measured.clone(),
            self.limit.clone(),
            format!("{:.digits$}{unit}", self.value),
            format!("{sign} {bound:.digits$}{unit}"),
            if self.holds() { "pass" } else { "FAIL" }.to_owned(),
            self.note.clone(),
        ]
    }
}

pub(crate) fn print(figures: &[Figure], took: Duration) {
    let titles = [
        "figure", "measured", "limit", "value", "bound", "", "remarks",
    ]
    .map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(titles)
        .chain(figures.iter().map(Figure::cells))
        .collect();
    let widths: Vec<usize> = (0..7)
        .map(|column| {
            let lengths = rows.iter().map(|row| row[column].chars().count());
            lengths.max().unwrap_or_default()
        })
        .collect();
    println!();
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    let broken = figures.iter().filter(|figure| !figure.holds()).count();
    let count = figures.len();
    println!(
        "\n{count} figures in {:.0} s, {broken} of them out of bounds",
        took.as_secs_f64()
    );
}
