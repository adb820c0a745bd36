//! Data directories that released versions left are opened by this one, with all that is in them. The way back, an older
//! program at what this one has written, is in `run_document`.
//!
//! Absent on purpose: versions of the database between releases, which the store's own tests open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::curl::{curl, curl_json};
use crate::support::ministack::project_root;
use crate::support::program::{Program, data_dir, scrub_local};

/// What every one of them has: a file that is available, and its bytes.
struct Left {
    version: &'static str,
    /// The database that its program made.
    records: &'static str,
    available: &'static str,
    bytes: &'static str,
}

const LEFT: [Left; 1] = [Left {
    version: "0.1.0",
    records: "src/metadata_store/sqlite/tests/version-1.sqlite",
    available: "01a20c14-9fb0-73ef-bba8-bc8da8ceabab",
    bytes: "hello",
}];

/// Writes it as the service's own, for nobody else.
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn the_data_directory_of_each_released_version_is_opened_with_all_that_is_in_it() {
    for left in LEFT {
        let dir = data_dir();
        let records = fs::read(project_root().join(left.records)).unwrap();
        write(&dir.path().join("metadata.sqlite"), &records);
        write(&dir.path().join("lock"), b"");
        // One file for each object, and no markers: so it was then.
        let shard = &left.available[left.available.len() - 2..];
        let object = dir.path().join("objects").join(shard).join(left.available);
        write(&object, left.bytes.as_bytes());

        for start in 1..=2 {
            let program = Program::local(dir.path(), &[]);
            let file = format!("{}/v1/files/{}", program.base, left.available);
            let record = curl_json(&[&format!("{file}/metadata")]);
            assert_eq!(record["status"], "available", "{} {start}", left.version);
            assert_eq!(curl(&["--location", &file]), left.bytes.as_bytes());
            let scrubbed = scrub_local(dir.path(), &[]);
            assert!(scrubbed.status.success(), "{scrubbed:?}");
            assert!(program.terminate().success());
        }
    }
}
