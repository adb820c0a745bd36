//! Declarations and records for tests: one sample of each, and how to get others from it.
//!
//! Invariant: tests get every field that they don't care for from here, so a new field of a record is given its
//! value once for all of them.
//!
//! Absent on purpose: anything that a program could reach. It is compiled for tests only.

use super::{
    ContentLength, ContentType, Declaration, DisplayName, FileId, FileName, FileRecord, Lifecycle,
    MAX_CONTENT_LENGTH, Metadata, RejectionReason, Sha256Digest, Timestamp,
};

/// How long the upload URL of a sample works.
const UPLOAD_TTL: std::time::Duration = std::time::Duration::from_secs(900);

impl Declaration {
    /// `hello.txt`: five bytes of plain text, without a digest.
    pub fn sample() -> Self {
        Self {
            filename: FileName::sanitize("hello.txt").expect("a valid name"),
            display_name: None,
            length: ContentLength::new(5, MAX_CONTENT_LENGTH).expect("a valid length"),
            content_type: ContentType::parse("text/plain").expect("a valid type"),
            sha256: None,
            metadata: Metadata::default(),
            type_has_to_fit: false,
        }
    }

    /// The same under this name, as it was given.
    pub fn named(self, name: &str) -> Self {
        let filename = FileName::sanitize(name).expect("a valid name");
        Self {
            display_name: DisplayName::given(name, &filename),
            filename,
            ..self
        }
    }

    /// The same with this many bytes.
    pub fn of_length(self, bytes: u64) -> Self {
        Self {
            length: ContentLength::new(bytes, MAX_CONTENT_LENGTH).expect("a valid length"),
            ..self
        }
    }

    /// The same as another media type.
    pub fn of_type(self, content_type: &str) -> Self {
        Self {
            content_type: ContentType::parse(content_type).expect("a valid type"),
            ..self
        }
    }

    /// The same with this digest, or with none.
    pub fn of_digest(self, sha256: Option<Sha256Digest>) -> Self {
        Self { sha256, ..self }
    }

    /// The same whose bytes have to be of the type that its name says.
    pub fn of_its_type(self) -> Self {
        Self {
            type_has_to_fit: true,
            ..self
        }
    }

    /// The same with this kept along.
    pub fn with_metadata(self, entries: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            metadata: Metadata::new(entries.iter().map(owned)).expect("valid metadata"),
            ..self
        }
    }
}

impl RejectionReason {
    /// A reason in these words, as it was kept before there were codes.
    pub fn sample(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            code: None,
            detected_type: None,
        }
    }
}

impl FileRecord {
    /// A pending record of a file that was created at this moment.
    pub fn sample(created_at: Timestamp) -> Self {
        Self::sample_of(created_at, Declaration::sample())
    }

    /// A pending record of a file that was declared so at this moment.
    pub fn sample_of(created_at: Timestamp, declared: Declaration) -> Self {
        Self::pending(
            FileId::new(created_at),
            declared,
            created_at + UPLOAD_TTL,
            &Lifecycle::default(),
        )
    }
}

/// Any record there can be, for properties.
#[cfg(test)]
pub(crate) mod strategies {
    use proptest::{collection, option, prelude::*};

    use super::*;
    use crate::domain::{
        BoxId, FileState, HandIn, Hold, HoldReason, RejectionCode, Stage, Status, StoredObject,
        Submitter, SubmitterName, UserId, VersionId, WithdrawnObject, from_millis,
    };

    pub(crate) fn any_digest() -> impl Strategy<Value = Sha256Digest> {
        any::<[u8; 32]>().prop_map(Sha256Digest::from_bytes)
    }

    fn any_id() -> impl Strategy<Value = FileId> {
        // As far as the milliseconds of an ID go, and a moment can be written.
        let millis = 0..LATEST_MILLIS.min(1 << 47);
        millis.prop_map(|millis| FileId::new(from_millis(millis).expect("a moment")))
    }

    /// 9999-12-31T23:59:59.999Z.
    pub(crate) const LATEST_MILLIS: i64 = 253_402_300_799_999;

    /// A state of any status, with these texts and moments.
    fn any_state(
        text: BoxedStrategy<String>,
        moment: BoxedStrategy<Timestamp>,
    ) -> impl Strategy<Value = FileState> {
        let object = (
            any_digest(),
            option::of(text.clone()),
            moment.clone(),
            any_type(),
        );
        let object =
            object.prop_map(
                |(sha256, version_id, uploaded_at, detected_type)| StoredObject {
                    sha256,
                    version_id: version_id.map(VersionId),
                    uploaded_at,
                    detected_type,
                },
            );
        let code = option::of(prop::sample::select(RejectionCode::ALL.to_vec()));
        let reason = (text, code, any_type());
        let reason = reason.prop_map(|(text, code, detected_type)| RejectionReason {
            text,
            code,
            detected_type,
        });
        let status = prop::sample::select(Status::ALL.to_vec());
        let stage = 0..3_u8;
        let parts = (status, stage, object, reason, moment);
        parts.prop_map(|(status, stage, object, reason, purge_at)| match status {
            Status::Pending => FileState::Pending(match stage {
                0 => Stage::Uploading,
                1 => Stage::Scanning,
                _ => Stage::Locking(object.version_id),
            }),
            Status::Available => FileState::Available(object),
            Status::Rejected => FileState::Rejected { reason, purge_at },
            Status::Withdrawn => FileState::Withdrawn {
                was: WithdrawnObject::from(&object),
                reason,
                purge_at,
            },
            Status::Expired => FileState::Expired { purge_at },
            Status::Deleted => FileState::Deleted { purge_at },
        })
    }

    fn any_type() -> impl Strategy<Value = Option<ContentType>> {
        let media_type = "[a-z]{1,9}/[a-z0-9.+-]{1,20}";
        option::of(media_type.prop_filter_map("no media type", |it| ContentType::parse(&it).ok()))
    }

    fn any_declaration() -> impl Strategy<Value = Declaration> {
        let name = "\\PC{1,60}".prop_filter("no name", |name| FileName::sanitize(name).is_ok());
        let content_type = "[a-z]{1,9}/[a-z0-9.+-]{1,20}(; charset=[a-z0-9-]{1,9})?"
            .prop_filter_map("no media type", |text| ContentType::parse(&text).ok());
        let length = 0..=MAX_CONTENT_LENGTH;
        let digest = option::of(any_digest());
        let fit = any::<bool>();
        (name, length, content_type, digest, any_metadata(), fit).prop_map(
            |(name, length, content_type, sha256, metadata, type_has_to_fit)| {
                let declared = Declaration::sample().named(&name).of_length(length);
                Declaration {
                    content_type,
                    metadata,
                    type_has_to_fit,
                    ..declared.of_digest(sha256)
                }
            },
        )
    }

    fn any_metadata() -> impl Strategy<Value = Metadata> {
        let entries = collection::btree_map("\\PC{1,9}", ".{0,20}", 0..4);
        entries.prop_filter_map("no metadata", |entries| Metadata::new(entries).ok())
    }

    fn any_hand_in() -> impl Strategy<Value = HandIn> {
        let name = "\\PC{1,60}".prop_filter_map("no name", |text| SubmitterName::given(&text).ok());
        let user = option::of("[a-z]{1,9}");
        let in_box = option::of(any::<[u8; 14]>().prop_map(BoxId::from_bytes));
        (option::of(name), user, in_box).prop_filter_map("nobody", |(name, user, in_box)| {
            let user = user.map(|user| UserId::of("https://id.example.org", &user));
            let submitter = Submitter::from_parts(name, user)?;
            Some(HandIn { in_box, submitter })
        })
    }

    fn any_hold(moment: BoxedStrategy<Timestamp>) -> impl Strategy<Value = Hold> {
        let reason = "\\PC{1,60}".prop_filter_map("no reason", |it| HoldReason::given(&it).ok());
        let by = option::of("[a-z]{1,9}");
        (reason, moment, by).prop_map(|(reason, since, by)| Hold {
            reason,
            since,
            by: by.map(|name| UserId::of("https://id.example.org", &name)),
        })
    }

    /// A record whose texts and moments, apart from what was declared, are of these.
    pub(crate) fn any_record(
        text: BoxedStrategy<String>,
        moment: BoxedStrategy<Timestamp>,
    ) -> impl Strategy<Value = FileRecord> {
        let owner = (option::of("[a-z]{1,9}"), option::of(any_hand_in()));
        let state = any_state(text, moment.clone());
        let due = option::of(moment.clone());
        let end = due.clone();
        let kept = (option::of(any_hold(moment.clone())), due.clone());
        let ends = (due, end, kept);
        (any_id(), owner, any_declaration(), moment, state, ends).prop_map(
            |(
                id,
                (owner, hand_in),
                declared,
                upload_expires_at,
                state,
                (reconcile_at, delete_after, (hold, keep_until)),
            )| {
                FileRecord {
                    id,
                    delete_after,
                    hold,
                    keep_until,
                    upload_expires_at,
                    state,
                    reconcile_at,
                    ..FileRecord::sample_of(id.created_at(), declared)
                        .owned_by(owner.map(|name| UserId::of("https://id.example.org", &name)))
                        .handed_in(hand_in)
                }
            },
        )
    }
}
