//! Measuring two things in turns.
//!
//! What else runs on the machine comes and goes; taken in turns, it hits both sides alike. The
//! median of the rounds' ratios is then far steadier than the ratio of two long measurements.

/// Odd, so that the median is one of them.
pub(crate) const ROUNDS: usize = 9;

/// The medians of what was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turns {
    pub ours: f64,
    pub limit: f64,
    /// Ours divided by the limit, within a round.
    pub ratio: f64,
    pub lowest_ratio: f64,
    pub highest_ratio: f64,
}

impl Turns {
    /// [`ROUNDS`] rounds of both, after one of each that doesn't count.
    pub(crate) fn measure(mut ours: impl FnMut() -> f64, mut limit: impl FnMut() -> f64) -> Self {
        limit();
        ours();
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (limit(), ours())).collect();
        let mut ratios: Vec<f64> = rounds.iter().map(|(limit, ours)| ours / limit).collect();
        Self {
            ours: median(&mut rounds.iter().map(|(_, ours)| *ours).collect::<Vec<_>>()),
            limit: median(&mut rounds.iter().map(|(limit, _)| *limit).collect::<Vec<_>>()),
            ratio: median(&mut ratios),
            // `median` left them sorted.
            lowest_ratio: ratios[0],
            highest_ratio: ratios[ROUNDS - 1],
        }
    }

    pub(crate) fn spread(&self) -> String {
        format!(
            "{ROUNDS} rounds, {:.2} to {:.2}",
            self.lowest_ratio, self.highest_ratio
        )
    }
}

/// The middle one; sorts `values`, of which there must be some.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
