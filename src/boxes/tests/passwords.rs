//! Boxes that ask for a password.

use super::*;
use crate::passwords::Password;

fn password(text: &str) -> Option<Password> {
    Some(Password::parse(text).unwrap())
}

impl Fixture {
    async fn hand_in_with(
        &self,
        file_box: &FileBox,
        password: Option<Password>,
    ) -> Result<HandedIn, OperationError> {
        let token = self.boxes.token(file_box);
        let new = NewHandIn {
            declared: Declaration::sample(),
            submitter: named("Ada"),
            password,
        };
        let (stores, boxes, presigner) = (&self.stores, &self.boxes, &self.presigner);
        let nobody = by(Caller::Nobody);
        let token = token.expose();
        hand_in(
            stores,
            boxes,
            presigner,
            &nobody,
            token,
            (new, None),
            |_| Ok(()),
        )
        .await
    }
}

#[tokio::test]
async fn a_box_with_a_password_takes_files_from_those_alone_who_know_it() {
    let it = Fixture::new();
    let alice = person("alice");
    let new = NewBox {
        password: password("sesame"),
        ..new_box()
    };
    let file_box = it.create(&alice, new).await;
    for wrong in [None, password("Sesame")] {
        let refused = it.hand_in_with(&file_box, wrong).await;
        assert!(matches!(refused, Err(OperationError::WrongPassword)));
    }
    assert!(it.files(&alice, file_box.id).await.page.records.is_empty());
    let handed_in = it.hand_in_with(&file_box, password("sesame")).await;
    let handed_in = handed_in.unwrap();
    // To go on with it needs no password: the token is for that.
    let (stores, boxes, presigner) = (&it.stores, &it.boxes, &it.presigner);
    let id = handed_in.created.record.id;
    let ada = by(Caller::Submitter(id));
    renew_hand_in(stores, boxes, presigner, &ada, id)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_is_changed_and_taken_away_and_other_changes_leave_it() {
    let it = Fixture::new();
    let alice = person("alice");
    let file_box = it.create(&alice, new_box()).await;
    let change = |password| BoxChange {
        password: Some(password),
        ..BoxChange::default()
    };
    let changed = it.change(&alice, file_box.id, change(password("a"))).await;
    let other = BoxChange {
        max_files: Some(Some(7)),
        ..BoxChange::default()
    };
    assert_eq!(
        it.change(&alice, file_box.id, other).await.password,
        changed.password
    );
    let refused = it.hand_in_with(&file_box, None).await;
    assert!(matches!(refused, Err(OperationError::WrongPassword)));
    it.hand_in_with(&file_box, password("a")).await.unwrap();
    it.change(&alice, file_box.id, change(None)).await;
    it.hand_in_with(&file_box, None).await.unwrap();
}

/// With a clock that stands, however long hashing takes.
#[tokio::test(start_paused = true)]
async fn a_password_is_guessed_ten_times_a_minute_whatever_is_declared() {
    let it = Fixture::new();
    let new = NewBox {
        password: password("sesame"),
        ..new_box()
    };
    let file_box = it.create(&person("alice"), new).await;
    for _ in 0..10 {
        let refused = it.hand_in_with(&file_box, password("open")).await;
        assert!(matches!(refused, Err(OperationError::WrongPassword)));
    }
    let refused = it.hand_in_with(&file_box, password("sesame")).await;
    assert!(matches!(refused, Err(OperationError::TooManyTries(_))));
}
