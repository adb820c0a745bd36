//! Which files count, and what is attested of them.

use super::*;
use crate::domain::FileId;
use crate::operations::attest_file;

impl Fixture {
    /// Hands a file in that arrives so many seconds after the start; its ID.
    async fn arrived(&self, file_box: &FileBox, name: &str, seconds: i64) -> FileId {
        self.at(seconds);
        let handed_in = self.hand_in(file_box, name).await.unwrap();
        self.arrives(&handed_in, "hello").await;
        handed_in.created.record.id
    }

    async fn counted(&self, owner: &Caller, file_box: &FileBox) -> Vec<FileId> {
        let files = self.files(owner, file_box.id).await;
        let mut counting = Counting::of(&files.file_box);
        files.page.records.iter().for_each(|it| counting.see(it));
        let counted = counting.counted().into_iter();
        let mut counted: Vec<FileId> = counted
            .filter(|(_, counts)| *counts)
            .map(|(id, _)| id)
            .collect();
        counted.sort_unstable();
        counted
    }
}

#[tokio::test]
async fn of_each_submitter_the_latest_counts_that_is_not_late_and_the_latest_if_all_are() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        times: due_and_closed_in_an_hour_and_two(),
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    let _first = it.arrived(&file_box, "Ada", 10).await;
    let second = it.arrived(&file_box, "ADA", 20).await;
    let pending = it.hand_in(&file_box, "Ada").await.unwrap();
    let late = it.arrived(&file_box, "Ada", 3601).await;
    let _bobs_late = it.arrived(&file_box, "Bob", 3602).await;
    let bobs_latest = it.arrived(&file_box, "Bob", 3603).await;
    assert_eq!(it.counted(&alice, &file_box).await, [second, bobs_latest]);
    // Begun before all of those, and there after them.
    it.arrives(&pending, "hello").await;
    let extended = BoxChange {
        due_at: Some(Some(start() + 2 * HOUR)),
        ..BoxChange::default()
    };
    it.change(&alice, file_box.id, extended).await;
    let expected = [pending.created.record.id, bobs_latest];
    assert_eq!(it.counted(&alice, &file_box).await, expected);
    let all = BoxChange {
        keep: Some(Keep::All),
        ..BoxChange::default()
    };
    it.change(&alice, file_box.id, all).await;
    let counted = it.counted(&alice, &file_box).await;
    assert_eq!(counted.len(), 6);
    assert!(counted.contains(&late));
}

#[tokio::test]
async fn what_is_attested_of_a_hand_in_is_who_did_it_where_and_when_that_was_due_for_them() {
    let it = Fixture::new();
    let alice = person("alice");
    let due = start() + HOUR;
    let new = NewBox {
        times: due_and_closed_in_an_hour_and_two(),
        overrides: vec![Override {
            submitter: named("Bob").unwrap(),
            due_at: Some(due + HOUR),
            closes_at: None,
        }],
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    let (stores, boxes) = (&it.stores, &it.boxes);
    let mut ids = Vec::new();
    for (name, due) in [("Ada", due), ("Bob", due + HOUR)] {
        let id = it.arrived(&file_box, name, 3601).await;
        for context in [by(alice.clone()), by(Caller::Submitter(id))] {
            let (file, in_box) = attest_file(stores, &context, id).await.unwrap();
            let file = attest_hand_in(stores, boxes, file, in_box).await.unwrap();
            let attested = file.in_box.unwrap();
            assert_eq!((attested.id, attested.due_at), (file_box.id, Some(due)));
            assert_eq!(attested.title, "Sheet 3");
            assert_eq!(file.submitter.unwrap().shown(), name);
        }
        ids.push(id);
    }
    end_box(stores, boxes, &by(alice.clone()), file_box.id)
        .await
        .unwrap();
    let (file, in_box) = attest_file(stores, &by(alice), ids[0]).await.unwrap();
    let file = attest_hand_in(stores, boxes, file, in_box).await.unwrap();
    assert_eq!(
        (file.in_box, file.submitter.unwrap().shown()),
        (None, "Ada".into())
    );
}
