//! What is trusted with what is ours alone, on a real file system.

use std::os::unix::fs::symlink;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn why<T: std::fmt::Debug>(refused: io::Result<T>) -> UntrustedPath {
    let error = refused.unwrap_err();
    let untrusted = error.get_ref().and_then(|cause| cause.downcast_ref());
    let untrusted: Option<&UntrustedPath> = untrusted;
    untrusted.unwrap_or_else(|| panic!("{error}")).clone()
}

#[test]
fn a_directory_of_ours_is_closed_to_others() {
    let parent = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("made", None),
        ("empty", Some(None)),
        ("used", Some(Some("lock"))),
    ] {
        let dir = parent.path().join(name);
        if let Some(content) = content {
            fs::create_dir(&dir).unwrap();
            set_mode(&dir, 0o777);
            if let Some(file) = content {
                fs::write(dir.join(file), "").unwrap();
            }
        }
        assert_eq!(
            owner_only_root(&dir, "lock").unwrap(),
            dir.canonicalize().unwrap()
        );
        assert_eq!(mode(&dir), 0o700, "{name}");
        let inner = dir.join("inner");
        fs::create_dir(&inner).unwrap();
        set_mode(&inner, 0o777);
        owner_only_dir(&inner).unwrap();
        assert_eq!(mode(&inner), 0o700);
    }
}

#[test]
fn a_directory_that_others_use_too_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), "").unwrap();
    for shared in [0o755, 0o777, 0o1777] {
        set_mode(dir.path(), shared);
        assert_eq!(
            why(owner_only_root(dir.path(), "lock")),
            UntrustedPath::Shared(shared)
        );
        assert_eq!(mode(dir.path()), shared);
    }
    // Closed to others it may hold what it likes.
    set_mode(dir.path(), 0o700);
    owner_only_root(dir.path(), "lock").unwrap();
}

#[test]
fn what_a_new_file_system_has_in_its_root_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let found = dir.path().join(LOST_AND_FOUND);
    fs::create_dir(&found).unwrap();
    set_mode(dir.path(), 0o755);
    // Only root can make root's.
    if user() == ROOT {
        owner_only_root(dir.path(), "lock").unwrap();
        assert_eq!(mode(dir.path()), 0o700);
        set_mode(dir.path(), 0o755);
    }
    fs::write(dir.path().join("holiday.jpg"), "").unwrap();
    assert_eq!(
        why(owner_only_root(dir.path(), "lock")),
        UntrustedPath::Shared(0o755)
    );
    fs::remove_file(dir.path().join("holiday.jpg")).unwrap();
    fs::remove_dir(&found).unwrap();
    // A file of that name was put there by somebody.
    fs::write(&found, "").unwrap();
    assert_eq!(
        why(owner_only_root(dir.path(), "lock")),
        UntrustedPath::Shared(0o755)
    );
}

#[test]
fn a_volume_that_an_orchestrator_opened_to_its_group_is_closed_again_with_all_that_is_ours() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["lock", "signing-secret", "restored"] {
        fs::write(at(name), "").unwrap();
    }
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "").unwrap();
    set_mode(&target, 0o660);
    symlink(&target, at("link")).unwrap();
    // As `fsGroup` does at every mount: directories rwxrws---, files rw-rw----.
    for name in ["lock", "signing-secret"] {
        set_mode(&at(name), 0o660);
    }
    // And as somebody does who restores a copy.
    set_mode(&at("restored"), 0o644);
    set_mode(dir.path(), 0o2770);
    owner_only_root(dir.path(), "lock").unwrap();
    assert_eq!(mode(dir.path()), 0o700);
    open_secret(&at("signing-secret")).unwrap();
    assert_eq!(mode(&at("lock")), 0o600);
    assert_eq!(
        why(open_secret(&at("restored"))),
        UntrustedPath::Exposed(0o644)
    );
    assert_eq!(mode(&target), 0o660);

    // A directory that is open to everybody, or to a group by hand, leaves a secret as exposed as it is.
    for shared in [0o2777, 0o2775, 0o770, 0o750] {
        set_mode(&at("signing-secret"), 0o660);
        set_mode(dir.path(), shared);
        owner_only_root(dir.path(), "lock").unwrap();
        let refused = why(open_secret(&at("signing-secret")));
        assert_eq!(refused, UntrustedPath::Exposed(0o660), "{shared:o}");
    }
}

#[test]
fn a_second_name_that_vanishes_in_a_moment_was_none() {
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("file"), dir.path().join("link"));
    fs::write(&file, "").unwrap();
    fs::hard_link(&file, &link).unwrap();
    let removed = std::thread::spawn(move || {
        std::thread::sleep(SECOND_NAME_LIMIT / 6);
        fs::remove_file(link).unwrap();
    });
    open_or_create(&file).unwrap();
    removed.join().unwrap();
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    // Root gives one away; everybody else takes one of root's.
    let own = tempfile::tempdir().unwrap();
    let dir = match user() {
        ROOT => {
            std::os::unix::fs::chown(own.path(), Some(12_345), None).unwrap();
            own.path()
        }
        _ => Path::new("/usr"),
    };
    for refused in [owner_only_root(dir, "lock").map(drop), owner_only_dir(dir)] {
        assert!(matches!(why(refused), UntrustedPath::ForeignOwner { .. }));
    }
}

#[test]
fn our_own_link_to_the_directory_is_followed_and_somebody_elses_is_not() {
    let parent = tempfile::tempdir().unwrap();
    let (target, link) = (parent.path().join("target"), parent.path().join("link"));
    fs::create_dir(&target).unwrap();
    symlink(&target, &link).unwrap();
    assert_eq!(
        owner_only_root(&link, "lock").unwrap(),
        target.canonicalize().unwrap()
    );
    if user() == ROOT {
        std::os::unix::fs::lchown(&link, Some(12_345), None).unwrap();
        assert_eq!(
            why(owner_only_root(&link, "lock")),
            UntrustedPath::ForeignLink(12_345)
        );
    }
    // Inside, not even our own is.
    assert_eq!(why(owner_only_dir(&link)), UntrustedPath::Link);
}

#[test]
fn a_file_that_is_not_ours_alone_is_neither_opened_nor_changed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::write(&outside, "precious").unwrap();
    set_mode(&outside, 0o644);
    let at = |name: &str| dir.path().join(name);
    symlink(&outside, at("link")).unwrap();
    symlink(at("nowhere"), at("dangling")).unwrap();
    fs::hard_link(&outside, at("second-name")).unwrap();
    fs::create_dir(at("dir")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(at("pipe"))
        .status();
    assert!(made.unwrap().success());
    for (name, expected) in [
        ("link", UntrustedPath::Link),
        ("dangling", UntrustedPath::Link),
        ("second-name", UntrustedPath::SecondName),
        ("dir", UntrustedPath::OtherKind("file")),
        ("pipe", UntrustedPath::OtherKind("file")),
    ] {
        assert_eq!(why(open_or_create(&at(name))), expected, "{name}");
        assert_eq!(why(make_owner_only(&at(name))), expected, "{name}");
        assert_eq!(why(open_secret(&at(name))), expected, "{name}");
    }
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert_eq!(mode(&outside), 0o644);
    assert!(!at("nowhere").exists());
    assert_eq!(
        why(owner_only_dir(&outside)),
        UntrustedPath::OtherKind("directory")
    );
}

#[test]
fn a_file_of_ours_is_closed_to_others_and_a_secret_that_they_could_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    make_owner_only(&file).unwrap();
    open_or_create(&file).unwrap();
    assert_eq!(mode(&file), 0o600);
    for open in [open_or_create as fn(&Path) -> io::Result<File>, |path| {
        make_owner_only(path)?;
        File::open(path)
    }] {
        set_mode(&file, 0o666);
        assert_eq!(why(open_secret(&file)), UntrustedPath::Exposed(0o666));
        open(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
    }
    open_secret(&file).unwrap();
}
