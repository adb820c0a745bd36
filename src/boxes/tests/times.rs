//! When a box takes files, and when a file is late.

use super::*;

#[tokio::test]
async fn a_box_takes_files_from_the_moment_it_opens_until_the_moment_it_closes() {
    let it = Fixture::new();
    let times = BoxTimes {
        opens_at: Some(start() + HOUR),
        due_at: None,
        closes_at: Some(start() + 2 * HOUR),
    };
    let file_box = it
        .create(&person("alice"), NewBox { times, ..new_box() })
        .await;
    for (seconds, is_open) in [
        (3599, false),
        (3600, true),
        (7199, true),
        (7200, false),
        (7201, false),
    ] {
        it.at(seconds);
        let handed_in = it.hand_in(&file_box, "Ada").await;
        match handed_in {
            Ok(_) => assert!(is_open, "{seconds}"),
            Err(OperationError::BoxClosed {
                opens_at,
                closes_at,
            }) => {
                assert!(!is_open, "{seconds}");
                assert_eq!((opens_at, closes_at), (times.opens_at, times.closes_at));
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_url_ends_with_its_box_and_what_began_before_counts() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let file_box = it.create(&alice, NewBox { times, ..new_box() }).await;
    let expiry = |handed_in: &HandedIn| handed_in.created.upload.as_ref().unwrap().expires_at;
    let early = it.hand_in(&file_box, "Ada").await.unwrap();
    assert_eq!(expiry(&early), start() + UPLOAD_TTL);
    it.at(7200 - 60);
    let late = it.hand_in(&file_box, "Bob").await.unwrap();
    assert_eq!(expiry(&late), times.closes_at.unwrap());
    assert_eq!(
        late.created.record.upload_expires_at,
        times.closes_at.unwrap()
    );
    // A fresh one ends then too, and after that there is none.
    let by_bob = by(Caller::Submitter(late.created.record.id));
    let id = late.created.record.id;
    let renew = || renew_hand_in(&it.stores, &it.boxes, &it.presigner, &by_bob, id);
    assert_eq!(renew().await.unwrap().expires_at, times.closes_at.unwrap());
    it.at(7200);
    assert!(matches!(
        renew().await,
        Err(OperationError::BoxClosed { .. })
    ));
    // Bytes that the store took: they began before.
    it.at(7230);
    assert_eq!(it.arrives(&late, "hello").await, FinalizeOutcome::Available);
    assert_eq!(
        it.seen(&alice, file_box.id).await[0],
        ("Bob".to_owned(), true)
    );
}

#[tokio::test]
async fn a_file_is_late_from_the_first_moment_after_it_was_due_by_the_time_of_the_store() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let file_box = it.create(&alice, NewBox { times, ..new_box() }).await;
    it.at(3590);
    let mut handed_in = Vec::new();
    for name in ["before", "at", "after"] {
        handed_in.push(it.hand_in(&file_box, name).await.unwrap());
    }
    for (handed_in, seconds) in handed_in.iter().zip([3599, 3600, 3601]) {
        it.at(seconds);
        it.arrives(handed_in, "hello").await;
    }
    let mut seen = it.seen(&alice, file_box.id).await;
    seen.sort();
    let expected = [("after", true), ("at", false), ("before", false)];
    assert_eq!(seen, expected.map(|(name, late)| (name.to_owned(), late)));
    // Her lecturer extends: nobody is late any more.
    let change = BoxChange {
        due_at: Some(Some(start() + 2 * HOUR)),
        ..BoxChange::default()
    };
    it.change(&alice, file_box.id, change).await;
    assert!(
        it.seen(&alice, file_box.id)
            .await
            .iter()
            .all(|(_, late)| !late)
    );
}

#[tokio::test]
async fn an_override_holds_for_its_submitter_alone() {
    let it = Fixture::new();
    let alice = person("alice");
    let times = due_and_closed_in_an_hour_and_two();
    let overrides = vec![Override {
        submitter: named("Ada Lovelace").unwrap(),
        due_at: Some(start() + 3 * HOUR),
        closes_at: Some(start() + 4 * HOUR),
    }];
    let new = NewBox {
        times,
        overrides,
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    it.at(2 * 3600 + 10);
    let refused = it.hand_in(&file_box, "Bob").await;
    assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
    let taken = it.hand_in(&file_box, " ada  LOVELACE").await.unwrap();
    it.arrives(&taken, "hello").await;
    assert!(!it.seen(&alice, file_box.id).await[0].1);
    it.at(3 * 3600 + 1);
    let late = it.hand_in(&file_box, "Ada Lovelace").await.unwrap();
    it.arrives(&late, "hello").await;
    assert!(it.seen(&alice, file_box.id).await[0].1);
    it.at(4 * 3600);
    let closed = it.hand_in(&file_box, "Ada Lovelace").await;
    assert!(matches!(closed, Err(OperationError::BoxClosed { .. })));
}

#[tokio::test]
async fn times_that_make_no_sense_are_refused_by_their_field() {
    let it = Fixture::new();
    let at = |hours: u32| Some(start() + hours * HOUR);
    let times = |opens_at, due_at, closes_at| BoxTimes {
        opens_at,
        due_at,
        closes_at,
    };
    for (times, expected) in [
        (times(at(2), None, at(1)), "closesAt"),
        (times(at(1), None, at(1)), "closesAt"),
        (times(at(1), at(1), None), "dueAt"),
        (times(None, at(2), at(1)), "dueAt"),
    ] {
        let new = NewBox { times, ..new_box() };
        let alice = by(person("alice"));
        match create_box(&it.stores, &it.boxes, &alice, new).await {
            Err(OperationError::BoxField(field, _)) => assert_eq!(field, expected),
            other => panic!("{other:?}"),
        }
    }
    let ada = |closes_at| Override {
        submitter: named("Ada").unwrap(),
        due_at: at(3),
        closes_at,
    };
    for overrides in [vec![ada(None)], vec![ada(at(4)), ada(at(5))]] {
        let new = NewBox {
            times: times(None, at(1), at(2)),
            overrides,
            ..new_box()
        };
        let alice = by(person("alice"));
        let refused = create_box(&it.stores, &it.boxes, &alice, new).await;
        assert!(matches!(
            refused,
            Err(OperationError::BoxField("overrides", _))
        ));
    }
}

#[tokio::test]
async fn a_box_that_is_closed_is_closed_for_everybody_and_nothing_that_arrived_becomes_late() {
    let it = Fixture::new();
    let alice = person("alice");
    let own = |name, due: Option<u32>, closes: Option<u32>| Override {
        submitter: named(name).unwrap(),
        due_at: due.map(|hours| start() + hours * HOUR),
        closes_at: closes.map(|hours| start() + hours * HOUR),
    };
    let new = NewBox {
        times: BoxTimes {
            due_at: Some(start() + 3 * HOUR),
            ..due_and_closed_in_an_hour_and_two()
        },
        ..new_box()
    };
    let new = NewBox {
        times: BoxTimes {
            closes_at: Some(start() + 4 * HOUR),
            ..new.times
        },
        overrides: vec![
            own("Ada", Some(5), Some(6)),
            own("Bob", Some(4), None),
            own("Cleo", Some(1), Some(2)),
        ],
        ..new
    };
    let file_box = it.create(&alice, new).await;
    it.at(2 * 3600 + 1800);
    let now = start() + 2 * HOUR + HOUR / 2;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    it.arrives(&handed_in, "hello").await;
    let close = BoxChange {
        close: true,
        ..BoxChange::default()
    };
    let closed = it.change(&alice, file_box.id, close.clone()).await;
    let is_now = Some(now);
    assert_eq!(
        (closed.times.due_at, closed.times.closes_at),
        (is_now, is_now)
    );
    let times = closed.overrides.iter().map(|it| (it.due_at, it.closes_at));
    let (one, two) = (Some(start() + HOUR), Some(start() + 2 * HOUR));
    let expected = [(is_now, is_now), (is_now, None), (one, two)];
    assert_eq!(times.collect::<Vec<_>>(), expected);
    for name in ["Ada", "Bob", "Cleo", "Eve"] {
        let refused = it.hand_in(&closed, name).await;
        assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
    }
    assert_eq!(
        it.seen(&alice, closed.id).await,
        [("Ada".to_owned(), false)]
    );
    // The same again, as where its answer was lost: it was closed then.
    it.at(3 * 3600);
    let again = it.change(&alice, file_box.id, close.clone()).await;
    assert_eq!(again, closed);
    // One that would have opened tomorrow.
    let times = BoxTimes {
        opens_at: Some(start() + 24 * HOUR),
        due_at: Some(start() + 25 * HOUR),
        closes_at: None,
    };
    let later = it.create(&alice, NewBox { times, ..new_box() }).await;
    let closed = it.change(&alice, later.id, close).await;
    let (now, refused) = (Some(start() + 3 * HOUR), it.hand_in(&closed, "Ada").await);
    assert_eq!((closed.times.opens_at, closed.times.closes_at), (None, now));
    assert!(matches!(refused, Err(OperationError::BoxClosed { .. })));
}

#[tokio::test]
async fn a_box_says_until_when_the_last_may_hand_in_and_not_who_that_is() {
    let it = Fixture::new();
    let own = |name, hours: u32| Override {
        submitter: named(name).unwrap(),
        due_at: None,
        closes_at: Some(start() + hours * HOUR),
    };
    let new = NewBox {
        times: due_and_closed_in_an_hour_and_two(),
        ..new_box()
    };
    let with = |overrides, submitter| NewBox {
        overrides,
        submitter,
        ..new.clone()
    };
    let typed = SubmitterKind::Named;
    for (new, expected) in [
        (with(vec![], typed), None),
        (with(vec![own("Ada", 1), own("Bob", 2)], typed), None),
        (
            with(vec![own("Ada", 3), own("Bob", 5), own("Eve", 1)], typed),
            Some(start() + 5 * HOUR),
        ),
        // Whose times they are is known there.
        (with(vec![own("Ada", 3)], SubmitterKind::SignedIn), None),
    ] {
        let file_box = it.create(&person("alice"), new).await;
        assert_eq!(file_box.last_closes_at(), expected);
    }
}
