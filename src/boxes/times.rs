//! When a box takes files, and when a file is late.
//!
//! Invariant: a box opens before it closes, and nothing is due after that. What an override doesn't say is as for
//! everybody.
//!
//! Absent on purpose: clocks.

use crate::domain::{Invalid, Submitter, SubmitterName, Timestamp};

/// How many submitters of a box may have times of their own.
pub const MAX_OVERRIDES: usize = 100;

/// When a box takes files. Each may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BoxTimes {
    /// From then on.
    pub opens_at: Option<Timestamp>,
    /// What comes later is late.
    pub due_at: Option<Timestamp>,
    /// No longer than until then.
    pub closes_at: Option<Timestamp>,
}

/// The box takes nothing at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed(pub BoxTimes);

impl BoxTimes {
    /// Whether they are in order.
    ///
    /// # Errors
    /// The field that isn't right.
    pub fn check(&self) -> Result<(), (&'static str, Invalid)> {
        let before = |one: Option<Timestamp>, other: Option<Timestamp>| match (one, other) {
            (Some(one), Some(other)) => one < other,
            _ => true,
        };
        if !before(self.opens_at, self.closes_at) {
            return Err(("closesAt", Invalid("must be after opensAt".into())));
        }
        if !before(self.opens_at, self.due_at) {
            return Err(("dueAt", Invalid("must be after opensAt".into())));
        }
        match (self.due_at, self.closes_at) {
            (Some(due), Some(closes)) if due > closes => {
                Err(("dueAt", Invalid("must not be after closesAt".into())))
            }
            _ => Ok(()),
        }
    }

    /// Whether files are taken at `now`.
    ///
    /// # Errors
    /// `Closed`, with when they are.
    pub fn check_open(&self, now: Timestamp) -> Result<(), Closed> {
        let is_open =
            self.opens_at.is_none_or(|at| at <= now) && self.closes_at.is_none_or(|at| now < at);
        match is_open {
            true => Ok(()),
            false => Err(Closed(*self)),
        }
    }

    /// Whether a file is late that was stored at this moment.
    pub fn is_late(&self, uploaded_at: Timestamp) -> bool {
        self.due_at.is_some_and(|due| uploaded_at > due)
    }
}

/// Somebody has other times than all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Who: a name as it is typed, in whatever capitals, or the ID of somebody who signs in.
    pub submitter: SubmitterName,
    /// When their files are due.
    pub due_at: Option<Timestamp>,
    /// Until when they are taken.
    pub closes_at: Option<Timestamp>,
}

impl Override {
    fn is_of(&self, submitter: &Submitter) -> bool {
        match submitter {
            Submitter::Named(name) => name.folded() == self.submitter.folded(),
            Submitter::SignedIn { id, .. } => id.to_string() == self.submitter.as_str(),
        }
    }

    /// The times of a box with this override.
    pub fn of(&self, times: BoxTimes) -> BoxTimes {
        BoxTimes {
            opens_at: times.opens_at,
            due_at: self.due_at.or(times.due_at),
            closes_at: self.closes_at.or(times.closes_at),
        }
    }
}

/// The times and overrides of a box that is closed at `now` for everybody. What was due before that stays so, and nothing is
/// due later: so what arrived on time stays on time. A box that hadn't opened yet opens no more.
pub(super) fn closed(
    times: BoxTimes,
    overrides: Vec<Override>,
    now: Timestamp,
) -> (BoxTimes, Vec<Override>) {
    let no_later = |at: Timestamp| at.min(now);
    let times = BoxTimes {
        opens_at: times.opens_at.filter(|at| *at < now),
        due_at: times.due_at.map(no_later),
        closes_at: Some(times.closes_at.map_or(now, no_later)),
    };
    let overrides = overrides.into_iter().map(|one| Override {
        due_at: one.due_at.map(no_later),
        closes_at: one.closes_at.map(no_later),
        ..one
    });
    (times, overrides.collect())
}

/// The latest end that an override has, if that is after the end for everybody.
pub(super) fn last_closes_at(times: BoxTimes, overrides: &[Override]) -> Option<Timestamp> {
    let general = times.closes_at?;
    let last = overrides.iter().filter_map(|it| it.closes_at).max();
    last.filter(|at| *at > general)
}

/// The times that hold for this submitter.
pub(super) fn times_for(
    times: BoxTimes,
    overrides: &[Override],
    submitter: &Submitter,
) -> BoxTimes {
    let own = overrides.iter().find(|it| it.is_of(submitter));
    own.map_or(times, |it| it.of(times))
}

/// Whether there aren't too many, each is somebody's own, and their times are in order.
///
/// # Errors
/// What isn't right.
pub fn check_overrides(overrides: &[Override], times: BoxTimes) -> Result<(), Invalid> {
    if overrides.len() > MAX_OVERRIDES {
        return Err(Invalid(format!("must be at most {MAX_OVERRIDES}")));
    }
    let mut names: Vec<String> = overrides.iter().map(|it| it.submitter.folded()).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return Err(Invalid("must name nobody twice".into()));
    }
    for one in overrides {
        one.of(times)
            .check()
            .map_err(|(field, Invalid(why))| Invalid(format!("{field}: {why}")))?;
    }
    Ok(())
}
