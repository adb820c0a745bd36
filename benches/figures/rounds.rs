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
    pub rounds: usize,
}

impl Turns {
    /// [`ROUNDS`] rounds of both, after one of each that doesn't count.
    pub(crate) fn measure(ours: impl FnMut() -> f64, limit: impl FnMut() -> f64) -> Self {
        Self::measure_in(ROUNDS, ours, limit)
    }

    /// So many rounds of both, an odd number, after one of each that doesn't count. They take turns in who is first.
    pub(crate) fn measure_in(
        rounds: usize,
        mut ours: impl FnMut() -> f64,
        mut limit: impl FnMut() -> f64,
    ) -> Self {
        limit();
        ours();
        let round = |at: usize| match at.is_multiple_of(2) {
            true => {
                let of_limit = limit();
                (of_limit, ours())
            }
            false => {
                let of_ours = ours();
                (limit(), of_ours)
            }
        };
        let rounds: Vec<(f64, f64)> = (0..rounds).map(round).collect();
        let mut ratios: Vec<f64> = rounds.iter().map(|(limit, ours)| ours / limit).collect();
        Self {
            ours: median(&mut rounds.iter().map(|(_, ours)| *ours).collect::<Vec<_>>()),
            limit: median(&mut rounds.iter().map(|(limit, _)| *limit).collect::<Vec<_>>()),
            ratio: median(&mut ratios),
            // `median` left them sorted.
            lowest_ratio: ratios[0],
            highest_ratio: ratios[ratios.len() - 1],
            rounds: ratios.len(),
        }
    }

    pub(crate) fn spread(&self) -> String {
        format!(
            "{} rounds, {:.2} to {:.2}",
            self.rounds, self.lowest_ratio, self.highest_ratio
        )
    }
}

/// The middle one; sorts `values`, of which there must be some.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
