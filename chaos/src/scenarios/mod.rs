//! The scenarios: one property, one thing that is done against it, one module.

mod abandoned_create;
mod alerts;
mod api_killed;
mod aws_troubles;
mod backups;
mod batch_of_ten;
mod clock_jumps;
mod clock_off;
mod clock_skew;
mod create_flood;
mod deadline;
mod delete_races;
mod faulty_calls;
mod graceful_stop;
mod local_kills;
mod local_troubles;
mod memory;
mod mixed_load;
mod notifications_dropped;
mod notifications_tripled;
mod overload;
mod poison;
mod power_cut;
mod quota_racers;
mod rolling_restart;
mod scanner_away;
mod scanner_faults;
mod scrub;
mod slow_clients;
mod worker_killed;
mod worker_stopped;

use std::future::Future;
use std::pin::Pin;

use crate::measurement::Measurement;

/// How much is done, and what random choices begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub full: bool,
    pub seed: u64,
}

impl Scale {
    pub(crate) fn of<T>(self, short: T, full: T) -> T {
        if self.full { full } else { short }
    }
}

pub(crate) type Running = Pin<Box<dyn Future<Output = Vec<Measurement>>>>;

pub(crate) struct Scenario {
    pub name: &'static str,
    /// What is done to the service, and what must hold.
    pub what: &'static str,
    /// Measures times or memory, so that nothing else may run beside it.
    pub alone: bool,
    /// Whether it belongs to all in short. Where a bound needs the whole machine, or another one shows as much in less
    /// time, it doesn't.
    pub is_short: bool,
    pub run: fn(Scale) -> Running,
}

macro_rules! scenarios {
    ($($module:ident $(:: $run:ident)? $name:literal $together:ident: $what:literal,)+) => {
        pub(crate) const ALL: &[Scenario] = &[$(Scenario {
            name: $name,
            what: $what,
            alone: scenarios!(@alone $together),
            is_short: scenarios!(@short $together),
            run: |scale| Box::pin(scenarios!(@run $module $($run)?)(scale)),
        },)+];
    };
    (@run $module:ident) => { $module::run };
    (@run $module:ident $run:ident) => { $module::$run };
    (@alone together) => { false };
    (@alone $other:ident) => { true };
    (@short full_only) => { false };
    (@short $other:ident) => { true };
}

// The longest first, since the short form runs several at a time.
scenarios! {
    notifications_dropped "notifications-dropped" together: "5 % of the notifications lost: all recovered within 120 s",
    abandoned_create "abandoned-create" together: "creates that nobody sends bytes for: at most 12 calls to AWS each, until they are gone",
    deadline::aws "deadline-aws" together: "kills while a class hands in around a deadline: nothing lost, lateness right, all collected",
    deadline::local "deadline-local" together: "the same in local mode",
    quota_racers::aws "quota-racers-aws" together: "programs that race for a person's quota, with kills: never more, and all of it usable",
    quota_racers::local "quota-racers-local" together: "the same in local mode",
    faulty_calls "faulty-calls" together: "20 % of the calls of the stores and the queue fail: all finalized within 120 s",
    aws_troubles "aws-troubles" together: "table throttled, bucket gone, credentials expired: 503, and well again",
    scanner_away::aws "scanner-away-aws" together: "the virus scanner killed and started again: all files available or rejected for what is in them",
    scanner_away::local "scanner-away-local" together: "the same in local mode",
    scanner_faults::aws "scanner-faults-aws" full_only: "the virus scanner stalls, reloads and lies, with kills: no file available unscanned, none forgotten",
    scanner_faults::local "scanner-faults-local" together: "the same in local mode",
    backups "backups" together: "backups of local mode while files come and go, with kills: each has what it must, and nothing more",
    poison "poison" together: "messages that can't be understood among good ones: exactly those become dead letters",
    delete_races "delete-races" together: "deletions racing everything, with kills: no resurrection, no orphaned bytes",
    worker_killed "worker-killed" together: "uploads while both workers are killed every 2 s: nothing lost, finalized once",
    clock_off "clock-off" together: "the clock jumps by 20 minutes and by a day: nothing lost, and well again",
    clock_skew "clock-skew" together: "workers 31 minutes and 3 days off beside a right one: nothing lost, and they say so",
    clock_jumps "clock-jumps" together: "the clock jumps 31 minutes in the middle of a PUT: 200 means available",
    notifications_tripled "notifications-tripled" together: "every notification three times, shuffled, 8 consumers: no second transition",
    worker_stopped "worker-stopped" together: "a worker stopped for twice the visibility timeout: its late write changes nothing",
    batch_of_ten "batch-of-ten" together: "a batch of ten of which three fail: exactly seven are acknowledged",
    scrub "scrub" together: "one flipped byte in some of the objects: scrub names exactly those files",
    local_troubles "local-troubles" together: "data directory read-only, SQLite busy: 503 with advice, and well again",
    rolling_restart "rolling-restart" together: "workers restarted one after another under load: at most 5 s more until a file is there",
    graceful_stop "graceful-stop" together: "SIGTERM under load: nothing in hand fails, exit within 10 s",
    api_killed "api-killed" alone: "uploads while the API is killed every 2 s: every id told exists; serving in 1 s",
    local_kills "local-kills" alone: "kills during PUT in local mode: acknowledged = there; else absent or whole",
    power_cut "power-cut" alone: "power cuts between any two system calls: what was promised is there",
    create_flood "create-flood" full_only: "creates without end from one address: bounded, and others served",
    slow_clients "slow-clients" alone: "half headers, a byte a second, no descriptors left: dropped in 30 s, others served",
    memory "memory" alone: "64 PUTs, 64 GETs, 16 finalizations of 20 MiB: each program below 128 MiB",
    alerts::aws "alerts-aws" full_only: "each alert of aws mode is fired by its fault and stops after it, and none fires under load",
    alerts::local "alerts-local" full_only: "the same in local mode",
    overload "overload" full_only: "three times the load: goodput stays, the rest get 503 at once, normal 5 s later",
    mixed_load "mixed-load" alone: "ten minutes of everything: descriptors and memory stay flat",
}
