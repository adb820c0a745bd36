//! Whose a box is, and what its owner does with it.

use super::*;

#[tokio::test]
async fn a_box_is_its_owners_and_the_same_as_none_for_everybody_else() {
    let it = Fixture::new();
    let (alice, bob) = (person("alice"), person("bob"));
    let file_box = it.create(&alice, new_box()).await;
    let (stores, boxes, of_bob) = (&it.stores, &it.boxes, by(bob.clone()));
    let no_box = BoxId::from_bytes([1; 14]);
    for id in [file_box.id, no_box] {
        let not_found =
            |error: OperationError| assert!(matches!(error, OperationError::BoxNotFound));
        not_found(describe_box(stores, boxes, &of_bob, id).await.unwrap_err());
        let change = BoxChange::default();
        not_found(
            change_box(stores, boxes, &of_bob, id, change)
                .await
                .unwrap_err(),
        );
        not_found(end_box(stores, boxes, &of_bob, id).await.unwrap_err());
        let action = Action::DescribeManifest;
        let listed = list_box_files(stores, boxes, &of_bob, action, id, wanted(None, 10));
        not_found(listed.await.unwrap_err());
    }
    let listed = async |caller: &Caller| {
        let list = list_boxes(stores, boxes, &by(caller.clone()), None, 10).await;
        list.unwrap().boxes.len()
    };
    assert_eq!((listed(&alice).await, listed(&bob).await), (1, 0));
}

#[tokio::test]
async fn a_url_that_was_renewed_or_changed_or_is_for_something_else_brings_nothing() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let describe = async |token: &str| {
        let nobody = by(Caller::Nobody);
        let described = describe_drop(&it.stores, &it.boxes, &nobody, token).await;
        described.map(|(file_box, ..)| file_box.id)
    };
    let old = it.boxes.token(&file_box);
    assert_eq!(describe(old.expose()).await.unwrap(), file_box.id);
    let renew = BoxChange {
        renew: true,
        ..BoxChange::default()
    };
    let renewed = it.change(&alice, file_box.id, renew).await;
    let new = it.boxes.token(&renewed);
    assert_eq!(describe(new.expose()).await.unwrap(), file_box.id);
    let handed_in = it.hand_in(&renewed, "Ada").await.unwrap();
    let mut changed = new.expose().to_owned();
    let last = if changed.ends_with('A') { "E" } else { "A" };
    changed.replace_range(42.., last);
    let wrong = [
        old.expose(),
        &changed,
        handed_in.token.expose(),
        "",
        "x",
        &"A".repeat(43),
    ];
    for token in wrong {
        let refused = describe(token).await;
        assert!(
            matches!(refused, Err(OperationError::BoxNotFound)),
            "{token}"
        );
    }
}

#[tokio::test]
async fn what_lay_in_a_box_is_in_its_owners_list_once_it_was_ended() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let mut expected = Vec::new();
    for number in 0..150 {
        let handed_in = it
            .hand_in(&file_box, &format!("Ada {number}"))
            .await
            .unwrap();
        it.arrives(&handed_in, "hello").await;
        expected.push(handed_in.created.record.id);
    }
    let pending = it.hand_in(&file_box, "Bob").await.unwrap();
    expected.push(pending.created.record.id);
    let token = it.boxes.token(&file_box);
    end_box(&it.stores, &it.boxes, &by(alice.clone()), file_box.id)
        .await
        .unwrap();
    let mut listed = Vec::new();
    let mut before = None;
    loop {
        let request = PageRequest {
            owner: None,
            status: None,
            before,
            limit: 100,
        };
        let page = list_files(&it.stores, &by(alice.clone()), Whose::Mine, request).await;
        let page = page.unwrap();
        listed.extend(page.records.iter().map(|record| record.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    let described = describe_box(&it.stores, &it.boxes, &by(alice.clone()), file_box.id).await;
    assert!(matches!(described, Err(OperationError::BoxNotFound)));
    let nobody = by(Caller::Nobody);
    let drop = describe_drop(&it.stores, &it.boxes, &nobody, token.expose()).await;
    assert!(matches!(drop, Err(OperationError::BoxNotFound)));
    // Bytes that are on their way still count, and who sent them is known.
    assert_eq!(
        it.arrives(&pending, "hello").await,
        FinalizeOutcome::Available
    );
    let record = it
        .metadata
        .get(pending.created.record.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.hand_in.unwrap().submitter.shown(), "Bob");
}

#[tokio::test]
async fn of_two_who_change_a_box_the_second_hears_that_it_was_changed() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let state = |file_box: &FileBox| state_of(file_box).unwrap().as_str().to_owned();
    let change = |title: &str, only_if: &[&String]| {
        let change = BoxChange {
            title: Some(BoxTitle::given(title).unwrap()),
            only_if: Some(only_if.iter().map(ToString::to_string).collect()),
            ..BoxChange::default()
        };
        let context = by(alice.clone());
        let (stores, boxes) = (&it.stores, &it.boxes);
        async move { change_box(stores, boxes, &context, file_box.id, change).await }
    };
    let before = state(&file_box);
    let changed = change("Sheet 4", &[&before]).await.unwrap();
    let refused = change("Sheet 5", &[&before]).await;
    assert!(matches!(refused, Err(OperationError::BoxChanged)));
    let refused = change("Sheet 5", &[]).await;
    assert!(matches!(refused, Err(OperationError::BoxChanged)));
    let after = state(&changed);
    assert_ne!(before, after);
    change("Sheet 5", &[&before, &after]).await.unwrap();
}

#[tokio::test]
async fn whoever_had_the_url_before_it_was_renewed_gets_no_url_for_bytes_any_more() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let handed_in = it.hand_in(&file_box, "Ada").await.unwrap();
    let renewed = |handed_in: &HandedIn| {
        let id = handed_in.created.record.id;
        let (stores, boxes, presigner) = (&it.stores, &it.boxes, &it.presigner);
        let submitter = by(Caller::Submitter(id));
        async move { renew_hand_in(stores, boxes, presigner, &submitter, id).await }
    };
    renewed(&handed_in).await.unwrap();
    it.at(60);
    let renew = BoxChange {
        renew: true,
        ..BoxChange::default()
    };
    let file_box = it.change(&alice, file_box.id, renew).await;
    let refused = renewed(&handed_in).await;
    assert!(matches!(refused, Err(OperationError::BoxNotFound)));
    // Whoever has the new one isn't concerned.
    let handed_in = it.hand_in(&file_box, "Bob").await.unwrap();
    it.at(61);
    renewed(&handed_in).await.unwrap();
}
