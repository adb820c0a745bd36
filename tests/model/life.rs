//! The life of one file, as a graph: from each state, everything that can happen next.
//!
//! Invariant: whatever has begun may die before any of its steps, and the time may go on between any
//! two. So a worker that was stopped for an hour, or an answer that was lost, is in here too.

use stateright::{Model, Property};

use super::flaw::Flaw;
use super::promises;
use super::state::{Bytes, END, LAST_RENEWAL, Record, Seen, State, URL_LIFE};
use super::tasks::{Actor, Task, advance, begin};

#[derive(Debug, Clone, Copy)]
pub struct Life {
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
    pub flaw: Option<Flaw>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Tick,
    /// A client uses its URL, again or not, and the store takes the bytes. The notification may be
    /// lost.
    Put {
        good: bool,
        notified: bool,
    },
    /// The queue delivers the message. `again`: it also stays, and is delivered once more later.
    Deliver {
        again: bool,
    },
    Begin(Actor),
    Step(Task),
    /// The process dies. A message that it had in hand comes again.
    Crash(Task),
}

impl Life {
    pub fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn start(&self, with_record: bool, with_url: bool) -> State {
        let record = Record {
            review_at: (!self.has(Flaw::PendingIsNeverReviewed)).then_some(0),
            ..Record::pending()
        };
        State {
            time: 0,
            record: with_record.then_some(record),
            bytes: Vec::new(),
            url_expires: with_url.then_some(URL_LIFE),
            notified: false,
            tasks: Vec::new(),
            seen: Seen::default(),
        }
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
            next = advance(self, state, step);
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
        Actor::Deleter | Actor::Renewer | Actor::Sweeper => 1,
    }
}

impl Model for Life {
    type State = State;
    type Action = Action;

    /// `create_file`: the record is there before the URL, whose answer may be lost.
    fn init_states(&self) -> Vec<State> {
        let mut states = vec![self.start(true, true), self.start(true, false)];
        if self.has(Flaw::UrlBeforeRecord) {
            states.push(self.start(false, true));
        }
        states
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.time < END {
            actions.push(Action::Tick);
        }
        if self.may_put(state) {
            // What is declared of a form, its policy holds.
            let kinds: &[bool] = if self.forms { &[true] } else { &[true, false] };
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
        if state.is_due() && has_room(Actor::Reconciler) {
            actions.push(Action::Begin(Actor::Reconciler));
        }
        if state.has_others() && has_room(Actor::Sweeper) {
            actions.push(Action::Begin(Actor::Sweeper));
        }
        if has_room(Actor::Deleter) {
            actions.push(Action::Begin(Actor::Deleter));
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
                actions.push(Action::Step(task.clone()));
                actions.push(Action::Crash(task.clone()));
            }
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
                state.bytes.push(Bytes { number, good });
                state.seen.puts += 1;
                state.seen.first_put_is_good.get_or_insert(good);
                state.notified |= notified;
            }
            Action::Deliver { again } => {
                state.notified = again;
                self.start_task(&mut state, Actor::Worker);
            }
            Action::Begin(actor) => {
                state.seen.renewed |= actor == Actor::Renewer;
                self.start_task(&mut state, actor);
            }
            Action::Step(Task { by, next }) => {
                take(
                    &mut state,
                    &Task {
                        by,
                        next: next.clone(),
                    },
                );
                if let Some(next) = advance(self, &mut state, next) {
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
