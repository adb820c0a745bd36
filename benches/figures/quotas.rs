//! What it costs that a person's files are counted: creates with a quota that nobody reaches, and with limits on calls
//! besides, beside the same program without.

use tokio::runtime::Runtime;

use crate::limited::LIMITS;
use crate::report::Figure;
use crate::requests::cost;
use crate::signed_in::{ProofBy, Service, proof};
use crate::support::issuer::Issuer;

/// Whose limit it is.
const OFF: &str = "without quota or limits";
/// Of what a service without one does.
const LEAST: f64 = 0.93;
/// More than a machine makes.
const NEVER_REACHED: [(&str, &str); 2] =
    [("QUOTA_BYTES", "1000000GiB"), ("QUOTA_FILES", "1000000000")];
/// What is measured is the count, and not what writes it down for people to read.
const NO_AUDIT: (&str, &str) = ("AUDIT", "off");

pub(crate) fn figures() -> Vec<Figure> {
    let runtime = Runtime::new().expect("a runtime");
    let issuer = Issuer::start();
    let without = Service::asking(&issuer, &[NO_AUDIT]);
    let creates = |service: &Service| {
        let session = proof(service.address(), &issuer, ProofBy::Session);
        service.creates(&runtime.block_on(session))
    };
    let theirs = creates(&without);
    let figures = [
        ("creates with a quota", &[][..]),
        ("creates with a quota and limits on calls", LIMITS.settings),
    ]
    .map(|(name, limits)| {
        let counted = Service::asking(&issuer, &[&NEVER_REACHED[..], &[NO_AUDIT], limits].concat());
        let ours = creates(&counted);
        let limit = (without.answering(&theirs), OFF);
        let figure = cost(name, counted.answering(&ours), limit, LEAST);
        counted.program.discard();
        figure
    });
    without.program.discard();
    figures.into()
}
