//! Who may make, see, change and end links, and what they show.

use super::*;

#[tokio::test]
async fn a_link_passes_on_its_files_to_whoever_has_its_url_and_to_nobody_else() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.file(&alice()).await, fixture.file(&alice()).await);
    let link = fixture.create(&alice(), to(&[one])).await.unwrap();
    let token = fixture.token(&link);
    for caller in [Caller::Nobody, person("bob", Role::Guest), Caller::Operator] {
        let shared = fixture.look(&caller, &token).await.unwrap();
        let ids: Vec<FileId> = shared.files.iter().map(|it| it.record.id).collect();
        assert_eq!(ids, [one]);
        let grant = fixture.take_as(&by(&caller), &token, of(one)).await;
        let url = grant.unwrap().url.expose().to_owned();
        assert!(url.contains(&one.to_string()) && url.contains("x-grant="));
        // One that isn't in the link isn't there.
        let refused = fixture.take_as(&by(&caller), &token, of(other)).await;
        assert!(matches!(refused, Err(OperationError::FileNotFound)));
    }
}

#[tokio::test]
async fn nobody_passes_on_what_is_not_theirs_and_that_there_is_such_a_file_does_not_show() {
    let fixture = Fixture::new();
    let own = fixture.file(&alice()).await;
    let others = fixture.file(&person("bob", Role::Member)).await;
    let never = FileId::new(fixture.clock.now());
    for files in [vec![others], vec![own, others], vec![never]] {
        let refused = fixture.create(&alice(), to(&files)).await;
        assert!(matches!(refused, Err(OperationError::FileNotFound)));
    }
    let link = fixture.create(&alice(), to(&[own])).await.unwrap();
    let more = LinkChange {
        files: Some(vec![own, others]),
        ..LinkChange::default()
    };
    let refused = fixture.change(&alice(), &link, more.clone()).await;
    assert!(matches!(refused, Err(OperationError::FileNotFound)));
    let admin = person("carol", Role::Admin);
    let changed = fixture.change(&admin, &link, more).await.unwrap();
    assert_eq!(changed.files, [own, others]);
    assert_eq!(changed.owner, alice().owner());
}

#[tokio::test]
async fn a_link_is_changed_and_ended_by_its_owner_and_is_not_there_for_others() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), to(&[file])).await.unwrap();
    let bob = person("bob", Role::Member);
    for caller in [bob.clone(), person("carol", Role::Guest)] {
        let refused = fixture.change(&caller, &link, LinkChange::default()).await;
        assert!(matches!(refused, Err(OperationError::LinkNotFound)));
        let refused = fixture.revoke(&caller, &link).await;
        assert!(matches!(refused, Err(OperationError::LinkNotFound)));
    }
    let mine = |caller| {
        let fixture = &fixture;
        async move { list_links(&fixture.stores, &fixture.links, &by(&caller), None, 10).await }
    };
    assert_eq!(
        mine(alice()).await.unwrap().links,
        std::slice::from_ref(&link)
    );
    assert_eq!(mine(bob).await.unwrap().links, []);
    fixture.revoke(&alice(), &link).await.unwrap();
    assert_eq!(mine(alice()).await.unwrap().links, []);
    let token = fixture.token(&link);
    let gone = fixture.look(&Caller::Nobody, &token).await;
    assert!(matches!(gone, Err(OperationError::LinkGone)));
    let gone = fixture.take(&token, of(file)).await;
    assert!(matches!(gone, Err(OperationError::LinkGone)));
    let again = fixture.revoke(&alice(), &link).await;
    assert!(matches!(again, Err(OperationError::LinkNotFound)));
    // Nothing is left of it.
    assert_eq!(fixture.items.everything(), []);
}

#[tokio::test]
async fn a_renewed_link_has_another_url_and_the_one_before_is_over() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), to(&[file])).await.unwrap();
    let before = fixture.token(&link);
    let renew = LinkChange {
        renew: true,
        ..LinkChange::default()
    };
    let renewed = fixture.change(&alice(), &link, renew).await.unwrap();
    let after = fixture.token(&renewed);
    assert_ne!(before, after);
    assert_eq!(renewed.id, link.id);
    let gone = fixture.take(&before, of(file)).await;
    assert!(matches!(gone, Err(OperationError::LinkGone)));
    fixture.take(&after, of(file)).await.unwrap();
}

/// A store that is away would show in the error.
#[tokio::test]
async fn a_forged_url_is_refused_before_any_store_is_asked() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), to(&[file])).await.unwrap();
    let token = fixture.token(&link);
    let other = fixture.another("fedcba9876543210fedcba9876543210");
    let of_other_secret = other.token(&link).expose().to_owned();
    let id = CapabilityId::of(link.id, link.generation);
    let of_other_label = fixture.links.keys.sign(CapabilityLabel::Drop, id);
    let changed = token.replace(&token[7..8], if &token[7..8] == "A" { "B" } else { "A" });
    fixture.items.set_fault(Some("away"));
    for forged in [&changed, &of_other_secret, of_other_label.expose(), "", "x"] {
        let refused = fixture.look(&Caller::Nobody, forged).await;
        assert!(
            matches!(refused, Err(OperationError::LinkNotFound)),
            "{forged}"
        );
        let refused = fixture.take(forged, of(file)).await;
        assert!(
            matches!(refused, Err(OperationError::LinkNotFound)),
            "{forged}"
        );
    }
    let asked = fixture.look(&Caller::Nobody, &token).await;
    assert!(matches!(asked, Err(OperationError::Store(_))));
}

#[tokio::test]
async fn a_link_outlives_its_process_and_works_at_every_process_of_a_service() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let link = fixture.create(&alice(), to(&[file])).await.unwrap();
    let token = fixture.token(&link);
    let another = fixture.another(SECRET);
    let nobody = by(&Caller::Nobody);
    let shared = describe_shared(&fixture.stores, &another, &nobody, &token).await;
    assert_eq!(shared.unwrap().link, link);
}

#[tokio::test]
async fn a_link_ends_when_it_says_and_no_url_of_it_lives_longer() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let now = fixture.clock.now();
    let new = NewLink {
        expires_at: Some(now + Duration::from_secs(90)),
        ..to(&[file])
    };
    let link = fixture.create(&alice(), new).await.unwrap();
    let token = fixture.token(&link);
    let grant = fixture.take(&token, of(file)).await.unwrap();
    assert_eq!(grant.expires_at, now + GRANT_LIFETIME);
    assert!(grant.url.expose().contains("X-Amz-Expires=60&"));
    fixture.clock.advance(Duration::from_millis(60_500));
    let grant = fixture.take(&token, of(file)).await.unwrap();
    assert!(grant.expires_at <= link.expires_at, "{grant:?}");
    assert!(grant.url.expose().contains("X-Amz-Expires=30&"));
    // What would work for less than a second is none.
    fixture.clock.advance(Duration::from_millis(29_000));
    let late = fixture.take(&token, of(file)).await.unwrap();
    assert!(late.url.expose().contains("X-Amz-Expires=1&"));
    fixture.clock.advance(Duration::from_millis(500));
    let over = fixture.take(&token, of(file)).await;
    assert!(matches!(over, Err(OperationError::LinkGone)));
}

#[tokio::test]
async fn an_end_is_in_the_future_and_within_a_year() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let now = fixture.clock.now();
    let link = fixture.create(&alice(), to(&[file])).await.unwrap();
    assert_eq!(link.expires_at, now + DEFAULT_LIFETIME);
    for wrong in [now, now + LONGEST_LIFETIME + Duration::from_millis(1)] {
        let new = NewLink {
            expires_at: Some(wrong),
            ..to(&[file])
        };
        let refused = fixture.create(&alice(), new).await;
        assert!(matches!(
            refused,
            Err(OperationError::LinkField("expiresAt", _))
        ));
        let change = LinkChange {
            expires_at: Some(wrong),
            ..LinkChange::default()
        };
        let refused = fixture.change(&alice(), &link, change).await;
        assert!(matches!(
            refused,
            Err(OperationError::LinkField("expiresAt", _))
        ));
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone_from_its_links_and_a_pending_one_waits() {
    let fixture = Fixture::new();
    let alice = alice();
    let (there, later) = (fixture.file(&alice).await, fixture.pending(&alice).await);
    let link = fixture.create(&alice, to(&[there, later])).await.unwrap();
    let token = fixture.token(&link);
    let pending = fixture.take(&token, of(later)).await;
    assert!(matches!(pending, Err(OperationError::UploadPending)));
    fixture.settle(later).await;
    fixture.take(&token, of(later)).await.unwrap();
    delete_file(&fixture.stores, &by(&alice), there)
        .await
        .unwrap();
    let shared = fixture.look(&Caller::Nobody, &token).await.unwrap();
    assert_eq!(shared.files.len(), 1);
    let gone = fixture.take(&token, of(there)).await;
    assert!(matches!(gone, Err(OperationError::FileNotFound)));
}

#[tokio::test]
async fn a_link_for_people_who_signed_in_asks_nobody_else_for_more_than_that() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let new = NewLink {
        audience: Audience::SignedIn,
        ..to(&[file])
    };
    let link = fixture.create(&alice(), new).await.unwrap();
    let token = fixture.token(&link);
    let refused = fixture.look(&Caller::Nobody, &token).await;
    assert!(matches!(refused, Err(OperationError::SignInRequired)));
    let refused = fixture.take(&token, of(file)).await;
    assert!(matches!(refused, Err(OperationError::SignInRequired)));
    let program = |scope| {
        Caller::Token(Arc::new(TokenCaller {
            id: TokenId::of_digest(&[7; 32]),
            owner: person("bob", Role::Member).owner(),
            scopes: [scope].into_iter().collect(),
            expires_at: Timestamp::MAX_UTC,
        }))
    };
    for caller in [person("carol", Role::Guest), program(Scope::Read)] {
        fixture.look(&caller, &token).await.unwrap();
        let context = by(&caller);
        fixture.take_as(&context, &token, of(file)).await.unwrap();
    }
    let refused = fixture.look(&program(Scope::Delete), &token).await;
    assert!(matches!(refused, Err(OperationError::NotAllowed)));
}

#[tokio::test]
async fn the_links_of_a_file_are_those_that_its_owner_may_change_the_youngest_first() {
    let fixture = Fixture::new();
    let alice = alice();
    let (one, other) = (fixture.file(&alice).await, fixture.file(&alice).await);
    let first = fixture.create(&alice, to(&[one])).await.unwrap();
    fixture.clock.advance(Duration::from_millis(5));
    let second = fixture.create(&alice, to(&[other, one])).await.unwrap();
    fixture.clock.advance(Duration::from_millis(5));
    // It may pass on what isn't alice's besides.
    let admin = person("carol", Role::Admin);
    let admins = fixture.create(&admin, to(&[one])).await.unwrap();
    let listed = |caller: Caller, file| {
        let fixture = &fixture;
        async move {
            let (stores, links) = (&fixture.stores, &fixture.links);
            let page = list_file_links(stores, links, &by(&caller), file, (None, 10)).await?;
            assert_eq!(page.next, None);
            Ok::<_, OperationError>(page.links)
        }
    };
    assert_eq!(
        listed(alice.clone(), one).await.unwrap(),
        [second.clone(), first.clone()]
    );
    assert_eq!(
        listed(alice.clone(), other).await.unwrap(),
        std::slice::from_ref(&second)
    );
    let all = listed(admin.clone(), one).await.unwrap();
    assert_eq!(all, [admins, second.clone(), first.clone()]);
    let foreign = listed(person("bob", Role::Member), one).await;
    assert!(matches!(foreign, Err(OperationError::FileNotFound)));
    // Taken out of a link, it is in it no more.
    let change = LinkChange {
        files: Some(vec![other]),
        ..LinkChange::default()
    };
    fixture.change(&alice, &second, change).await.unwrap();
    assert_eq!(listed(alice.clone(), one).await.unwrap(), [first]);
}

#[tokio::test]
async fn an_owner_has_pages_of_links_without_gaps() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(fixture.create(&alice(), to(&[file])).await.unwrap());
        fixture.clock.advance(Duration::from_millis(1));
    }
    made.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let context = by(&alice());
        let page = list_links(&fixture.stores, &fixture.links, &context, after, 3).await;
        let page = page.unwrap();
        seen.extend(page.links);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_file_has_pages_of_links_without_gaps_also_where_some_are_others_or_left_it() {
    let fixture = Fixture::new();
    let (file, other) = (fixture.file(&alice()).await, fixture.file(&alice()).await);
    let admin = person("carol", Role::Admin);
    let mut made = Vec::new();
    for n in 0..9 {
        let owner = if n % 3 == 1 { &admin } else { &alice() };
        let link = fixture.create(owner, to(&[file])).await.unwrap();
        fixture.clock.advance(Duration::from_millis(1));
        made.push(link);
    }
    let change = LinkChange {
        files: Some(vec![other]),
        ..LinkChange::default()
    };
    fixture.change(&alice(), &made[6], change).await.unwrap();
    made.remove(6);
    made.reverse();
    for (caller, sees_all) in [(admin, true), (alice(), false)] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (stores, links, context) = (&fixture.stores, &fixture.links, by(&caller));
            let page = list_file_links(stores, links, &context, file, (after, 2)).await;
            let page = page.unwrap();
            assert!(page.links.len() <= 2);
            seen.extend(page.links);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let is_seen = |link: &&Link| sees_all || link.owner == caller.owner();
        let expected: Vec<Link> = made.iter().filter(is_seen).cloned().collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_file_is_in_a_hundred_links_and_in_another_one_once_one_ended() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let mut last = None;
    for _ in 0..link::MAX_LINKS_OF_A_FILE {
        last = Some(fixture.create(&alice(), to(&[file])).await.unwrap());
    }
    let refused = fixture.create(&alice(), to(&[file])).await;
    assert!(matches!(refused, Err(OperationError::TooManyLinks)));
    fixture.revoke(&alice(), &last.unwrap()).await.unwrap();
    fixture.create(&alice(), to(&[file])).await.unwrap();
}

#[tokio::test]
async fn a_password_can_be_given_to_a_link_and_taken_away() {
    let fixture = Fixture::new();
    let file = fixture.file(&alice()).await;
    let new = NewLink {
        password: Some(Password::parse("right").unwrap()),
        ..to(&[file])
    };
    let link = fixture.create(&alice(), new).await.unwrap();
    let token = fixture.token(&link);
    let with = |password: &str| Taking {
        password: Some(Password::parse(password).unwrap()),
        ..of(file)
    };
    for wrong in [of(file), with("wrong")] {
        let refused = fixture.take(&token, wrong).await;
        assert!(matches!(refused, Err(OperationError::WrongPassword)));
    }
    fixture.take(&token, with("right")).await.unwrap();
    // The names are shown without it.
    let shared = fixture.look(&Caller::Nobody, &token).await.unwrap();
    assert_eq!(shared.files.len(), 1);
    let change = |password: Option<&str>| LinkChange {
        password: Some(password.map(|text| Password::parse(text).unwrap())),
        ..LinkChange::default()
    };
    fixture
        .change(&alice(), &link, change(Some("other")))
        .await
        .unwrap();
    let refused = fixture.take(&token, with("right")).await;
    assert!(matches!(refused, Err(OperationError::WrongPassword)));
    fixture.change(&alice(), &link, change(None)).await.unwrap();
    fixture.take(&token, of(file)).await.unwrap();
    let everything = format!("{:?}", fixture.items.everything());
    assert!(!everything.contains("right") && !everything.contains("other"));
}
