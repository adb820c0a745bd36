//! Files of other versions: which are brought up to date, and which are left alone.

use super::file::{raw, refusal};
use super::*;
use crate::item_store::{self, ItemStore};
use crate::metadata_store::conformance::{keyed_request, moment};

#[test]
fn a_file_of_a_version_that_is_not_known_is_refused_and_left_alone() {
    for (version, reason) in [
        (schema::SCHEMA_VERSION + 1, "newer version"),
        (0, "never was a schema 0"),
        (-1, "never was a schema -1"),
    ] {
        let (directory, store) = new_store();
        drop(store);
        raw(&directory)
            .pragma_update(None, "user_version", version)
            .unwrap();
        let before = std::fs::read(file_in(&directory)).unwrap();
        let refusal = refusal(&directory);
        assert!(refusal.contains(reason), "{refusal}");
        assert_eq!(std::fs::read(file_in(&directory)).unwrap(), before);
    }
}

/// A file of a version before, made by a program that made such files, with an available, a deleted and a
/// pending file; since version 2 with another that is available, and two keys.
struct Older {
    bytes: &'static [u8],
    available: usize,
    keys: usize,
}

const OLDER: [Older; 12] = [
    Older {
        bytes: include_bytes!("version-1.sqlite"),
        available: 1,
        keys: 0,
    },
    Older {
        bytes: include_bytes!("version-2.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-3.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-4.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-5.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-6.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-7.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-8.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-9.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-10.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-11.sqlite"),
        available: 2,
        keys: 2,
    },
    Older {
        bytes: include_bytes!("version-12.sqlite"),
        available: 2,
        keys: 2,
    },
];

const RECORDS: &str = "SELECT printf('%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s', hex(id), filename,
    declared_length, content_type, hex(declared_sha256), upload_expires_at, status, hex(sha256),
    uploaded_at, expires_at, review_at) FROM files ORDER BY id";
const KEYS: &str =
    "SELECT printf('%s|%s|%s|%s', hex(key), hex(fingerprint), hex(file_id), expires_at)
    FROM idempotency_keys ORDER BY key";

fn text_of(directory: &TempDir, sql: &str) -> Vec<String> {
    let connection = raw(directory);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn older_file(bytes: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(file_in(&directory), bytes).unwrap();
    directory
}

#[tokio::test]
async fn a_file_of_an_older_version_keeps_all_that_it_has_and_becomes_a_new_one() {
    const SCHEMA: &str = "SELECT name || ': ' || sql FROM sqlite_schema
        WHERE sql IS NOT NULL ORDER BY name";
    for (version, older) in (1..).zip(OLDER) {
        let directory = older_file(older.bytes);
        let records = text_of(&directory, RECORDS);
        assert_eq!(records.len(), 2 + older.available);
        let keys = match version {
            1 => Vec::new(),
            _ => text_of(&directory, KEYS),
        };
        assert_eq!(keys.len(), older.keys);

        drop(SqliteMetadataStore::open(&file_in(&directory)).unwrap());
        assert_eq!(text_of(&directory, RECORDS), records);
        assert_eq!(text_of(&directory, KEYS), keys);
        let (fresh, store) = new_store();
        drop(store);
        assert_eq!(text_of(&directory, SCHEMA), text_of(&fresh, SCHEMA));
        assert_eq!(text_of(&directory, "PRAGMA integrity_check"), ["ok"]);
        // Its pages can be given back.
        let vacuum: i64 = raw(&directory)
            .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
            .unwrap();
        assert_eq!(vacuum, 2, "of version {version}");

        // It is used as any other, and opened again, nothing more is done to it.
        let store = SqliteMetadataStore::open(&file_in(&directory)).unwrap();
        let request = PageRequest {
            owner: None,
            status: None,
            before: None,
            limit: 10,
        };
        let page = store.page(request).await.unwrap();
        let listed: Vec<_> = page.records.iter().map(|record| record.status()).collect();
        let mut expected = vec![Status::Available; older.available + 1];
        expected[0] = Status::Pending;
        assert_eq!(listed, expected);
        let newest = &page.records[older.available];
        // Nothing was held or had to be kept.
        assert!(
            page.records
                .iter()
                .all(|it| it.hold.is_none() && it.keep_until.is_none())
        );
        // Nobody looked at what was in files then.
        assert!(page.records.iter().all(|it| it.detected_type().is_none()));
        let declared = &newest.declared;
        assert!(!declared.type_has_to_fit);
        assert_eq!(declared.filename.as_str(), "résumé_final.pdf");
        let shown = match version {
            // Nobody kept how it was given.
            1..=5 => "résumé_final.pdf",
            _ => "résumé final.pdf",
        };
        assert_eq!(declared.shown_name(), shown, "of version {version}");
        let keyed = pending(0);
        store
            .insert_keyed(&keyed, &keyed_request("a", 1), moment(0))
            .await
            .unwrap();
        let stored = MetadataStore::get(&store, keyed.id).await;
        assert_eq!(stored.unwrap(), Some(keyed));
        let item = item_store::conformance::item();
        assert!(store.put_new(&item, moment(0)).await.unwrap());
        let stored = ItemStore::get(&store, &item.key, moment(0)).await;
        assert_eq!(stored.unwrap(), Some(item));
    }
}

#[test]
fn a_file_of_an_older_version_is_left_alone_if_it_can_not_be_brought_up_to_date() {
    let in_the_way = [
        "CREATE TABLE idempotency_keys (x)",
        "CREATE TABLE files_before (x)",
        "CREATE TABLE store_marker (x)",
        "CREATE TABLE items (x)",
        "ALTER TABLE files ADD COLUMN display_name TEXT",
        "ALTER TABLE files ADD COLUMN delete_after INTEGER",
        "CREATE TABLE open_boxes (x)",
        "ALTER TABLE files ADD COLUMN metadata TEXT",
        "CREATE TABLE outbox (x)",
        "ALTER TABLE files ADD COLUMN detected_type TEXT",
        "ALTER TABLE files ADD COLUMN stage TEXT",
        "ALTER TABLE files ADD COLUMN hold_reason TEXT",
        "ALTER TABLE files ADD COLUMN withdrawn_sha256 BLOB",
    ];
    for ((version, older), in_the_way) in (1_i64..).zip(OLDER).zip(in_the_way) {
        let directory = older_file(older.bytes);
        raw(&directory).execute_batch(in_the_way).unwrap();
        let records = text_of(&directory, RECORDS);
        refusal(&directory);
        assert_eq!(text_of(&directory, RECORDS), records);
        let now: i64 = raw(&directory)
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(now, version);
    }
}
