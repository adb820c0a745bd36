//! The life of one file, as a graph: from each state, everything that can happen next.
//!
//! Invariant: whatever has begun may die before any of its steps, and the time may go on between any
//! two. So a worker that was stopped for an hour, or an answer that was lost, is in here too.

use stateright::{Model, Property};

use super::flaw::Flaw;
use super::promises;
use super::state::{Bytes, END, LAST_RENEWAL, Record, Seen, State, Tick, URL_LIFE};
use super::tasks::{Actor, Task, advance, begin};

/// What may happen to the file in one search.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// Whether the bucket keeps versions.
    pub versioned: bool,
    /// How many operations are under way at a time, of all kinds.
    pub at_a_time: usize,
    /// Whether a client renews its URL.
    pub renews: bool,
    /// How often the store takes bytes for the file.
    pub puts: u8,
    /// Whether a client has a form, which S3 takes again: the store checks length and digest, and keeps what
    /// was there as another version.
    pub forms: bool,
    /// Whether versions were suspended after a form was handed out: what comes has no version, and the
    /// form replaces it.
    pub suspended: bool,
    /// Whether the clocks of the processes are off, each reading of one by something else. The store's is
    /// right by definition.
    pub clocks: bool,
    /// Whether the power may be cut before a PUT is answered.
    pub power_cuts: bool,
    /// Whether records from a backup may come back, that don't have the file.
    pub restores: bool,
    /// When the file is to be deleted once it is available; it may be uploaded later.
    pub delete_after: Option<Tick>,
    /// Whether files are scanned for viruses, by a scanner that is away once for a while.
    pub scans: bool,
    /// Whether somebody holds the file for a while.
    pub holds: bool,
    /// Whether available files are scanned again, and something is found.
    pub rescans: bool,
    /// Until when the file has to be kept once it is available.
    pub keep_until: Option<Tick>,
    /// Whether the store is told that, version by version.
    pub locks: bool,
    /// How the service differs from what it is; `None`: not at all.
    pub flaw: Option<Flaw>,
}

/// One thing that can happen next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The time goes on by one tick.
    Tick,
    /// A client uses its URL, again or not, and the store takes the bytes. The notification may be
    /// lost.
    Put {
        /// Whether length and digest are the declared ones.
        good: bool,
        /// Whether a message about it gets into the queue.
        notified: bool,
    },
    /// The queue delivers the message. `again`: it also stays, and is delivered once more later.
    Deliver {
        /// Whether the message stays in the queue.
        again: bool,
    },
    /// The store has made the bytes durable and answers the PUT.
    Answer,
    /// Somebody begins an operation.
    Begin(Actor),
    /// `ahead`: by how much the process's clock is ahead of the store's at this step.
    Step {
        /// The operation that makes its next step.
        task: Task,
        /// In ticks.
        ahead: i8,
    },
    /// The process dies. A message that it had in hand comes again.
    Crash(Task),
    /// Everything dies at a time, in local mode the finalize queue too, and what isn't durable is gone.
    PowerCut,
    /// Somebody restores records from before the file was created.
    Restore,
    /// `hold_file`: `MetadataStore::hold`.
    Hold,
    /// `release_file`: `MetadataStore::release`.
    Release,
    /// The virus scanner goes away.
    ScannerLeaves,
    /// It is back.
    ScannerReturns,
}

impl Life {
    /// Whether the service is built wrong in this way.
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn start(&self, with_record: bool, with_url: bool, signer_ahead: i8) -> State {
        let url_expires = URL_LIFE.saturating_add_signed(signer_ahead);
        let record = Record {
            reconcile_at: (!self.has(Flaw::PendingIsNeverReconciled)).then_some(0),
            ..Record::pending(url_expires)
        };
        State {
            time: 0,
            signer_ahead,
            aside: None,
            record: with_record.then_some(record),
            bytes: Vec::new(),
            url_expires: with_url.then_some(url_expires),
            notified: false,
            scanner_is_away: false,
            tasks: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// By how much clocks may be ahead.
    fn clocks_ahead(&self) -> &'static [i8] {
        if self.clocks { &[-1, 0, 1] } else { &[0] }
    }

    fn may_put(&self, state: &State) -> bool {
        let overwrites = self.has(Flaw::OverwritingUpload);
        state.may_receive()
            && state.seen.puts < self.puts
            && (state.bytes.is_empty() || overwrites || self.forms)
    }

    /// Lets `actor` go through a whole operation with nobody else around.
    pub fn run_alone(&self, state: &mut State, actor: Actor) {
        let mut next = begin(self, state, actor);
        while let Some(step) = next {
            next = advance(self, state, step, 0);
        }
    }

    fn start_task(&self, state: &mut State, by: Actor) {
        if let Some(next) = begin(self, state, by) {
            insert(state, Task { by, next });
        }
    }
}

fn insert(state: &mut State, task: Task) {
    let at = state.tasks.partition_point(|other| *other < task);
    state.tasks.insert(at, task);
}

fn take(state: &mut State, task: &Task) {
    if let Some(at) = state.tasks.iter().position(|other| other == task) {
        state.tasks.remove(at);
    }
}

fn most_at_a_time(actor: Actor) -> usize {
    match actor {
        Actor::Worker | Actor::Reconciler => 2,
        Actor::Deleter | Actor::Renewer | Actor::Sweeper | Actor::Rescanner => 1,
    }
}

impl Model for Life {
    type State = State;
    type Action = Action;

    /// `create_file`: the record is there before the URL, whose answer may be lost.
    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for &ahead in self.clocks_ahead() {
            states.push(self.start(true, true, ahead));
            states.push(self.start(true, false, ahead));
            if self.has(Flaw::UrlBeforeRecord) {
                states.push(self.start(false, true, ahead));
            }
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.time < END {
            actions.push(Action::Tick);
        }
        if self.may_put(state) {
            // What is declared of a form, its policy holds; and the endpoint that has to make bytes durable
            // by itself compares them before.
            let is_checked = self.forms || self.power_cuts;
            let kinds: &[bool] = if is_checked { &[true] } else { &[true, false] };
            for &good in kinds {
                for notified in [true, false] {
                    actions.push(Action::Put { good, notified });
                }
            }
        }
        let running = |actor| state.tasks.iter().filter(|task| task.by == actor).count();
        let has_room =
            |actor| state.tasks.len() < self.at_a_time && running(actor) < most_at_a_time(actor);
        if state.notified && has_room(Actor::Worker) {
            actions.push(Action::Deliver { again: true });
            actions.push(Action::Deliver { again: false });
        }
        // The first sweep after a start also takes what isn't due yet.
        let is_taken = state.is_due() || self.delete_after.is_some() && state.is_available();
        if is_taken && has_room(Actor::Reconciler) {
            actions.push(Action::Begin(Actor::Reconciler));
        }
        let is_swept = state.has_others() || state.has_orphan() || state.aside.is_some();
        if is_swept && has_room(Actor::Sweeper) {
            actions.push(Action::Begin(Actor::Sweeper));
        }
        if has_room(Actor::Deleter) {
            actions.push(Action::Begin(Actor::Deleter));
        }
        if self.rescans && state.is_available() && has_room(Actor::Rescanner) {
            actions.push(Action::Begin(Actor::Rescanner));
        }
        if self.renews
            && !state.seen.renewed
            && state.time <= LAST_RENEWAL
            && has_room(Actor::Renewer)
        {
            actions.push(Action::Begin(Actor::Renewer));
        }
        for (at, task) in state.tasks.iter().enumerate() {
            // Two tasks that are at the same point are as good as each other.
            if at == 0 || state.tasks[at - 1] != *task {
                let ahead: &[i8] = match task.next.looks_at_clock() {
                    true => self.clocks_ahead(),
                    false => &[0],
                };
                for &ahead in ahead {
                    let task = task.clone();
                    actions.push(Action::Step { task, ahead });
                }
                actions.push(Action::Crash(task.clone()));
            }
        }
        if state.bytes.iter().any(|bytes| !bytes.durable) {
            actions.push(Action::Answer);
        }
        if self.power_cuts && !state.seen.power_cut {
            actions.push(Action::PowerCut);
        }
        if self.restores && !state.seen.restored && state.seen.available.is_some() {
            actions.push(Action::Restore);
        }
        if self.scans && !state.seen.scanner_left {
            actions.push(Action::ScannerLeaves);
        }
        let record = state.record.as_ref();
        if self.holds && !state.seen.held && record.is_some_and(|it| !it.is_over()) {
            actions.push(Action::Hold);
        }
        if record.is_some_and(|it| it.held) {
            actions.push(Action::Release);
        }
        if state.scanner_is_away {
            actions.push(Action::ScannerReturns);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.time += 1,
            Action::Put { good, notified } => {
                if !self.versioned {
                    state.bytes.clear();
                }
                let number = state.seen.puts;
                let durable = !self.power_cuts;
                state.bytes.push(Bytes {
                    number,
                    good,
                    durable,
                    locked: false,
                });
                state.seen.puts += 1;
                if durable {
                    state.seen.first_put_is_good.get_or_insert(good);
                }
                state.seen.put_at = self.restores.then_some(state.time);
                state.notified |= notified;
            }
            Action::Answer => {
                let bytes = state.bytes.last_mut()?;
                bytes.durable = true;
                state.seen.first_put_is_good.get_or_insert(bytes.good);
            }
            Action::PowerCut => {
                state.seen.power_cut = true;
                state.bytes.retain(|bytes| bytes.durable);
                state.tasks.clear();
                state.notified = false;
            }
            Action::Restore => {
                state.seen.restored = true;
                state.record = None;
            }
            Action::ScannerLeaves => {
                state.scanner_is_away = true;
                state.seen.scanner_left = true;
            }
            Action::Hold => {
                state.record.as_mut()?.held = true;
                state.seen.held = true;
            }
            Action::Release => state.record.as_mut()?.held = false,
            Action::ScannerReturns => state.scanner_is_away = false,
            Action::Deliver { again } => {
                state.notified = again;
                self.start_task(&mut state, Actor::Worker);
            }
            Action::Begin(actor) => {
                state.seen.renewed |= actor == Actor::Renewer;
                self.start_task(&mut state, actor);
            }
            Action::Step {
                task: Task { by, next },
                ahead,
            } => {
                take(
                    &mut state,
                    &Task {
                        by,
                        next: next.clone(),
                    },
                );
                if let Some(next) = advance(self, &mut state, next, ahead) {
                    insert(&mut state, Task { by, next });
                }
            }
            Action::Crash(task) => {
                take(&mut state, &task);
                state.notified |= task.by == Actor::Worker;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        promises::all()
    }
}
