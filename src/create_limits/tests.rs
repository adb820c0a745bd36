//! Shares of addresses: taken, given back, and never more than there is room for.

use std::net::Ipv4Addr;

use super::pending::{BROKEN_OFF_FOR, MAX_WITH_BROKEN_OFF};
use super::*;
use crate::domain::from_millis;

const ADA: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BEN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

fn at(millis: i64) -> Timestamp {
    from_millis(millis).unwrap()
}

/// Creates a file whose time is over at 1,000.
fn create(limit: &CreateLimit, address: IpAddr, now: i64) -> Result<FileId, TooManyCreates> {
    let admitted = limit.admit(Some(address), at(now))?;
    let id = FileId::new(at(now));
    admitted.keep(id, at(1_000));
    Ok(id)
}

#[test]
fn an_address_that_has_its_share_pending_is_refused_and_no_other_is() {
    let limit = CreateLimit::Pending(PendingByAddress::new(2));
    create(&limit, ADA, 0).unwrap();
    create(&limit, ADA, 0).unwrap();
    assert_eq!(create(&limit, ADA, 999), Err(TooManyCreates));
    create(&limit, BEN, 0).unwrap();
    limit
        .admit(None, at(0))
        .unwrap()
        .keep(FileId::new(at(0)), at(1));
}

#[test]
fn what_leaves_pending_is_over_or_came_to_nothing_is_given_back() {
    let pending = PendingByAddress::new(1);
    let limit = CreateLimit::Pending(pending.clone());
    let file = create(&limit, ADA, 0).unwrap();
    pending.forget(file);
    // A second time, and what nobody knows of, give nothing back.
    pending.forget(file);
    pending.forget(FileId::new(at(0)));
    create(&limit, ADA, 0).unwrap();
    assert_eq!(create(&limit, ADA, 999), Err(TooManyCreates));

    let failed = limit.admit(Some(ADA), at(1_000)).unwrap();
    assert_eq!(create(&limit, ADA, 1_000), Err(TooManyCreates));
    failed.give_back();
    let admitted = limit.admit(Some(ADA), at(1_000)).unwrap();
    admitted.keep(FileId::new(at(1_000)), at(2_000));
    assert_eq!(create(&limit, ADA, 1_999), Err(TooManyCreates));
}

#[test]
fn a_create_that_was_broken_off_counts_as_long_as_a_file_may_wait() {
    let pending = PendingByAddress::new(2);
    let limit = CreateLimit::Pending(pending.clone());
    let broken_off = || drop(limit.admit(Some(ADA), at(0)).unwrap());
    broken_off();
    broken_off();
    assert_eq!(create(&limit, ADA, 0), Err(TooManyCreates));
    let over_at = i64::try_from(BROKEN_OFF_FOR.as_millis()).unwrap();
    assert_eq!(create(&limit, ADA, over_at - 1), Err(TooManyCreates));
    create(&limit, ADA, over_at).unwrap();
}

#[test]
fn what_many_addresses_break_off_takes_bounded_memory() {
    let pending = PendingByAddress::new(1);
    let limit = CreateLimit::Pending(pending.clone());
    let stranger = |number: usize| IpAddr::from(Ipv4Addr::from(number as u32));
    let break_off = |number| drop(limit.admit(Some(stranger(number)), at(0)));
    (0..MAX_WITH_BROKEN_OFF + 10).for_each(break_off);
    assert_eq!(create(&limit, stranger(0), 0), Err(TooManyCreates));
    create(&limit, stranger(MAX_WITH_BROKEN_OFF), 0).unwrap();
}

#[test]
fn whoever_has_one_network_of_ipv6_has_one_share() {
    let limit = CreateLimit::Pending(PendingByAddress::new(1));
    let address = |text: &str| text.parse().unwrap();
    create(&limit, address("2001:db8:1:2::1"), 0).unwrap();
    let same = create(&limit, address("2001:db8:1:2:ffff::9"), 0);
    assert_eq!(same, Err(TooManyCreates));
    create(&limit, address("2001:db8:1:3::1"), 0).unwrap();
    create(&limit, address("::ffff:192.0.2.1"), 0).unwrap();
    assert_eq!(create(&limit, ADA, 0), Err(TooManyCreates));
}

#[test]
fn a_share_of_none_lets_nobody_in_and_keeps_nothing() {
    let limit = CreateLimit::Pending(PendingByAddress::new(0));
    assert_eq!(create(&limit, ADA, 0), Err(TooManyCreates));
}

/// Three files each, and each was begun once before and broken off, which nobody can tell from what is on its way.
#[test]
fn a_class_behind_one_address_hands_in_at_once_also_after_what_it_tried_was_broken_off() {
    const STUDENTS: usize = 150;
    const FILES_EACH: usize = 3;
    let limit = CreateLimit::Pending(PendingByAddress::new(10_000));
    let id = BoxId::from_bytes([1; 14]);
    let places = 10_000;
    for file in 0..2 * STUDENTS * FILES_EACH {
        let admitted = limit.admit_to_box(Some(ADA), id, places, at(0));
        let admitted = admitted.unwrap_or_else(|_| panic!("the {file}th is refused"));
        admitted.keep(FileId::new(at(0)), at(1_000));
    }
}

#[test]
fn an_address_takes_some_places_of_a_box_by_files_that_wait_and_leaves_the_others() {
    let pending = PendingByAddress::new(1_000);
    let limit = CreateLimit::Pending(pending.clone());
    let [one, other] = [1, 2].map(|byte| BoxId::from_bytes([byte; 14]));
    let fill = |address, id, places| {
        let mut files = Vec::new();
        while let Ok(admitted) = limit.admit_to_box(Some(address), id, places, at(0)) {
            let file = FileId::new(at(0));
            admitted.keep(file, at(1_000));
            files.push(file);
        }
        files
    };
    let files = fill(ADA, one, 10_000);
    assert_eq!(files.len(), MAX_PENDING_IN_BOX);
    assert_eq!(fill(BEN, one, 10_000).len(), MAX_PENDING_IN_BOX);
    assert_eq!(fill(ADA, other, 40).len(), 20);
    // What arrived is no longer counted, and what got another URL is, as long as that works.
    pending.forget(files[0]);
    limit.extend(files[1], at(2_000));
    let again = limit.admit_to_box(Some(ADA), one, 10_000, at(0)).unwrap();
    again.give_back();
    pending.forget(files[2]);
    let left = |now| {
        let admitted =
            (0..).map_while(|_| limit.admit_to_box(Some(ADA), one, 10_000, at(now)).ok());
        let admitted: Vec<_> = admitted.collect();
        let count = admitted.len();
        admitted.into_iter().for_each(Admitted::give_back);
        count
    };
    assert_eq!(left(0), 2);
    assert_eq!(left(1_000), MAX_PENDING_IN_BOX - 1);
    assert_eq!(left(2_000), MAX_PENDING_IN_BOX);
    // Nobody knows whose it is, or nobody counts.
    for limit in [&limit, &CreateLimit::Off] {
        let admitted = limit.admit_to_box(None, one, 1, at(0)).unwrap();
        admitted.give_back();
    }
}
