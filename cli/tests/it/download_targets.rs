//! `fshare download -o`: what isn't a regular file, what is a link, and what has a mode of its own.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::process::Command;

use crate::support::{Ran, Service, random};

fn make_pipe(service: &Service, name: &str) {
    let path = service.folder.path().join(name);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn standard_output_by_its_name_is_written_to_and_stays_what_it_is() {
    let service = Service::start(&[]);
    let content = random(300_000);
    let link = service.upload("data.bin", &content);
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let piped = service
            .command(&["download", &link, "-o", name])
            .output()
            .unwrap();
        assert!(
            piped.status.success() && piped.stderr.is_empty(),
            "{name}: {piped:?}"
        );
        assert!(piped.stdout == content, "{name}");
        // Redirected to a file, and appended to one.
        for (redirect, before) in [(">", &b""[..]), (">>", b"before")] {
            fs::write(service.folder.path().join("kept"), before).unwrap();
            let program = env!("CARGO_BIN_EXE_fshare");
            let script = format!("{program} download {link} -o {name} {redirect} kept");
            let mut shell = Command::new("sh");
            let shell = shell
                .args(["-c", &script])
                .current_dir(service.folder.path());
            let ran = Ran::of(shell.env("FILE_SHARE_URL", &service.base).output().unwrap());
            assert_eq!(
                (ran.code, ran.err.as_str()),
                (0, ""),
                "{name} {redirect}: {ran:?}"
            );
            let kept = fs::read(service.folder.path().join("kept")).unwrap();
            assert!(kept == [before, &content].concat(), "{name} {redirect}");
        }
    }
    // Another descriptor.
    let program = env!("CARGO_BIN_EXE_fshare");
    let script = format!("{program} download {link} -o /dev/fd/3 3> third");
    let mut shell = Command::new("sh");
    let shell = shell
        .args(["-c", &script])
        .current_dir(service.folder.path());
    let ran = Ran::of(shell.env("FILE_SHARE_URL", &service.base).output().unwrap());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(fs::read(service.folder.path().join("third")).unwrap() == content);
}

#[test]
fn a_pipe_is_written_to_and_never_renamed_over() {
    let service = Service::start(&[]);
    let content = random(300_000);
    let link = service.upload("data.bin", &content);
    make_pipe(&service, "pipe");
    symlink("pipe", service.folder.path().join("to pipe")).unwrap();
    for arguments in [
        &["-o", "pipe"][..],
        &["-o", "pipe", "-f"],
        &["-o", "to pipe", "-f"],
    ] {
        let path = service.folder.path().join("pipe");
        let reader = std::thread::spawn(move || fs::read(path).unwrap());
        let ran = service.run(&[&["download", &link], arguments].concat());
        let metadata = fs::symlink_metadata(service.folder.path().join("pipe")).unwrap();
        assert!(metadata.file_type().is_fifo(), "{arguments:?}");
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(reader.join().unwrap() == content, "{arguments:?}");
    }
    let ran = service.run(&["download", &link, "-o", "/dev/null"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );
}

#[test]
fn a_name_that_the_server_chose_is_never_written_through_a_pipe_or_a_link() {
    let service = Service::start(&[]);
    let link = service.upload("data.bin", b"new");
    let into = service.folder.path().join("into");
    fs::create_dir(&into).unwrap();
    make_pipe(&service, "into/data.bin");
    let ran = service.run(&["download", &link, "-o", "into", "-f"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("isn't a regular file"), "{ran:?}");
    fs::remove_file(into.join("data.bin")).unwrap();
    service.file("precious", b"precious");
    symlink("../precious", into.join("data.bin")).unwrap();
    let ran = service.run(&["download", &link, "-o", "into", "-f"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        fs::read(service.folder.path().join("precious")).unwrap(),
        b"precious"
    );
    assert_eq!(fs::read(into.join("data.bin")).unwrap(), b"new");
}

#[test]
fn replacing_keeps_the_mode_and_follows_the_link() {
    let service = Service::start(&[]);
    let link = service.upload("data.bin", b"new");
    let kept = service.file("elsewhere/kept", b"old");
    let to_kept = service.folder.path().join("link");
    symlink("elsewhere/kept", &to_kept).unwrap();
    for mode in [0o600, 0o640, 0o755] {
        fs::write(&kept, b"old").unwrap();
        fs::set_permissions(&kept, PermissionsExt::from_mode(mode)).unwrap();
        let ran = service.run(&["download", &link, "-o", "link", "-f"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(fs::symlink_metadata(&to_kept).unwrap().is_symlink());
        assert_eq!(fs::read(&kept).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&kept).unwrap().permissions().mode() & 0o7777,
            mode
        );
    }
    let left: Vec<_> = fs::read_dir(kept.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing temporary is left: {left:?}");
    // Without -f a link is something that is there, also one to nothing.
    let ran = service.run(&["download", &link, "-o", "link"]);
    assert!(
        ran.code == 1 && ran.err.contains("there already"),
        "{ran:?}"
    );
    symlink("nothing", service.folder.path().join("dangling")).unwrap();
    let ran = service.run(&["download", &link, "-o", "dangling", "-f"]);
    assert!(
        ran.code == 1 && ran.err.contains("a link to nothing"),
        "{ran:?}"
    );
}
