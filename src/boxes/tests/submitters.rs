//! Who hands in, what they see of it, and whose the key of a request is.

use super::*;

#[tokio::test]
async fn a_request_that_comes_again_gets_its_file_and_anybody_elses_key_is_another() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let other_box = it.create(&alice, new_box()).await;
    let keyed = async |file_box: &FileBox, name: &str, size| {
        let file = Declaration::sample().of_length(size);
        it.hand_in_as(Caller::Nobody, file_box, file, named(name), Some("1"))
            .await
    };
    let first = keyed(&file_box, "Ada", 5).await.unwrap();
    let again = keyed(&file_box, "Ada", 5).await.unwrap();
    assert_eq!(again.created.record.id, first.created.record.id);
    assert_eq!(again.token.expose(), first.token.expose());
    assert!(again.created.upload.is_some());
    let reused = keyed(&file_box, "Ada", 6).await;
    assert!(matches!(reused, Err(OperationError::IdempotencyKeyReused)));
    for (file_box, name) in [(&file_box, "Bob"), (&other_box, "Ada")] {
        let other = keyed(file_box, name, 5).await.unwrap();
        assert_ne!(other.created.record.id, first.created.record.id);
    }
    it.arrives(&first, "hello").await;
    assert!(
        keyed(&file_box, "Ada", 5)
            .await
            .unwrap()
            .created
            .upload
            .is_none()
    );
    delete_file(&it.stores, &by(alice), first.created.record.id)
        .await
        .unwrap();
    let gone = keyed(&file_box, "Ada", 5).await;
    assert!(matches!(gone, Err(OperationError::FileOfKeyDeleted)));
}

#[tokio::test]
async fn the_key_of_somebody_who_signed_in_brings_nobody_else_their_file_whatever_name_is_typed() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let keyed = async |caller: Caller| {
        let file = Declaration::sample();
        let made = it.hand_in_as(caller, &file_box, file, named("Ada"), Some("1"));
        made.await.unwrap()
    };
    let ada = keyed(person("ada")).await;
    for other in [person("bob"), alice.clone(), Caller::Nobody] {
        let others = keyed(other).await;
        assert_ne!(others.created.record.id, ada.created.record.id);
        assert_ne!(others.token.expose(), ada.token.expose());
    }
    let again = keyed(person("ada")).await;
    assert_eq!(again.created.record.id, ada.created.record.id);
}

#[tokio::test]
async fn of_a_box_for_people_who_signed_in_a_key_is_each_persons_own() {
    let it = Fixture::new();
    let new = NewBox {
        submitter: SubmitterKind::SignedIn,
        ..new_box()
    };
    let file_box = it.create(&person("alice"), new).await;
    let keyed = async |name: &str| {
        let file = Declaration::sample();
        let made = it.hand_in_as(person(name), &file_box, file, None, Some("1"));
        made.await.unwrap().created.record.id
    };
    let (ada, bob) = (keyed("ada").await, keyed("bob").await);
    assert_ne!(ada, bob);
    assert_eq!(keyed("ada").await, ada);
}

#[tokio::test]
async fn whoever_handed_in_follows_that_file_and_nothing_else() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let own = it
        .hand_in(&file_box, "Ada")
        .await
        .unwrap()
        .created
        .record
        .id;
    let other = it
        .hand_in(&file_box, "Bob")
        .await
        .unwrap()
        .created
        .record
        .id;
    let ada = by(Caller::Submitter(own));
    assert!(describe_file(&it.stores, &ada, own).await.is_ok());
    assert!(complete_upload(&it.stores, &ada, own).await.is_ok());
    let renewed = renew_hand_in(&it.stores, &it.boxes, &it.presigner, &ada, own).await;
    assert!(renewed.is_ok());
    let hidden = describe_file(&it.stores, &ada, other).await;
    assert!(matches!(hidden, Err(OperationError::FileNotFound)));
    let download = download_file(&it.stores, &it.presigner, &ada, own, DownloadMethod::Get).await;
    assert!(matches!(download, Err(OperationError::FileNotFound)));
    let delete = delete_file(&it.stores, &ada, own).await;
    assert!(matches!(delete, Err(OperationError::FileNotFound)));
    let listed = list_box_files(
        &it.stores,
        &it.boxes,
        &ada,
        Action::ListBoxFiles,
        file_box.id,
        wanted(None, 10),
    );
    assert!(listed.await.is_err());
}

#[tokio::test]
async fn a_box_for_people_who_signed_in_takes_their_name_from_the_sign_in() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        submitter: SubmitterKind::SignedIn,
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    let hand_in = async |caller: Caller, name: Option<SubmitterName>| {
        it.hand_in_as(caller, &file_box, Declaration::sample(), name, None)
            .await
    };
    let nobody = hand_in(Caller::Nobody, named("bob")).await;
    assert!(matches!(nobody, Err(OperationError::SignInRequired)));
    let typed = hand_in(person("bob"), named("alice")).await;
    assert!(matches!(
        typed,
        Err(OperationError::BoxField("submitter", _))
    ));
    let bob = hand_in(person("bob"), None).await.unwrap();
    let hand_in_of_bob = bob.created.record.hand_in.unwrap();
    assert_eq!(hand_in_of_bob.submitter.user(), person("bob").owner());
    assert_eq!(hand_in_of_bob.submitter.shown(), "bob");
    // In a box for names that are typed, who signed in doesn't count.
    let named_box = it.create(&alice, new_box()).await;
    let file = Declaration::sample();
    let missing = it.hand_in_as(person("bob"), &named_box, file.clone(), None, None);
    let missing = missing.await;
    assert!(matches!(
        missing,
        Err(OperationError::BoxField("submitter", _))
    ));
    let as_ada = it.hand_in_as(person("bob"), &named_box, file, named("Ada"), None);
    let as_ada = as_ada.await.unwrap().created.record.hand_in.unwrap();
    assert!(matches!(as_ada.submitter, Submitter::Named(_)));
}

#[tokio::test]
async fn where_nobody_signs_in_no_box_is_for_people_who_do() {
    let mut it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        submitter: SubmitterKind::SignedIn,
        ..new_box()
    };
    let before = it.create(&alice, new.clone()).await;
    it.boxes = it.boxes.without_sign_in();
    let refused = create_box(&it.stores, &it.boxes, &by(alice.clone()), new).await;
    let is_refused = |refused| matches!(refused, Err(OperationError::BoxField("submitter", _)));
    assert!(is_refused(refused));
    let change = BoxChange {
        submitter: Some(SubmitterKind::SignedIn),
        ..BoxChange::default()
    };
    let context = by(alice.clone());
    let refused = change_box(&it.stores, &it.boxes, &context, before.id, change).await;
    assert!(is_refused(refused));
    // One that was made when somebody did can still be closed.
    let close = BoxChange {
        close: true,
        ..BoxChange::default()
    };
    it.change(&alice, before.id, close).await;
}
