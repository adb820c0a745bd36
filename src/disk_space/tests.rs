//! The two steps, on the file system that the tests have.

use super::*;

#[test]
fn what_is_reserved_has_its_blocks_and_is_taken_over_by_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let space = DiskSpace::of(directory.path()).unwrap();
    let mut reserved = ReservedSpace::in_directory(directory.path(), space.clone()).unwrap();
    assert!(!reserved.is_held());
    reserved.maintain();
    assert!(reserved.is_held());
    space.check("a store").unwrap();
    let next = ReservedSpace::in_directory(directory.path(), space).unwrap();
    assert!(next.is_held());
}

#[test]
fn nothing_is_added_while_the_reserved_space_is_out() {
    let directory = tempfile::tempdir().unwrap();
    let space = DiskSpace::of(directory.path()).unwrap();
    let mut reserved = ReservedSpace::in_directory(directory.path(), space.clone()).unwrap();
    reserved.maintain();
    assert!(reserved.give_up());
    assert!(!reserved.give_up(), "there is nothing left of it");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let refused = space.check("a store");
    assert!(matches!(refused, Err(StoreError::OutOfSpace { .. })));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !reserved.is_held() {
        assert!(Instant::now() < deadline, "it is made again");
        std::thread::sleep(Duration::from_millis(10));
        reserved.maintain();
    }
    space.check("a store").unwrap();
}

#[test]
fn half_a_file_of_an_earlier_process_does_not_count_and_is_made_whole() {
    let directory = tempfile::tempdir().unwrap();
    let space = DiskSpace::of(directory.path()).unwrap();
    let file = std::fs::File::create(directory.path().join("reserved-space")).unwrap();
    // All of its length, and no block to it.
    file.set_len(20 * 1024 * 1024).unwrap();
    let mut reserved = ReservedSpace::in_directory(directory.path(), space).unwrap();
    assert!(!reserved.is_held());
    reserved.maintain();
    assert!(reserved.is_held());
}

#[test]
fn who_knows_of_no_disk_refuses_nothing() {
    DiskSpace::default().check("a store").unwrap();
    assert!(!DiskSpace::default().is_used_up());
}
