//! `fshare receipt` and `fshare verify`: the real programs, and receipts that somebody made up.

use serde_json::{Value, json};

use crate::stub::{Stub, StubFault};
use crate::support::{Service, fshare, in_terminal, random};

/// The file `notes.txt` with its receipt in `notes.jws`.
fn with_receipt(content: &[u8]) -> (Service, String) {
    let service = Service::start(&[]);
    let link = service.upload("notes.txt", content);
    let ran = service.run(&["receipt", &link, "-o", "notes.jws"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    (service, link)
}

fn receipt(service: &Service) -> String {
    std::fs::read_to_string(service.folder.path().join("notes.jws")).unwrap()
}

#[test]
fn a_receipt_is_verified_with_its_file_and_the_first_difference_is_said() {
    let content = random(100_000);
    let (service, _) = with_receipt(&content);
    let ran = service.run(&["verify", "notes.jws", "notes.txt"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    for line in [
        "✓ the receipt is genuine: signed with the key ",
        &format!(" of {}\n", service.base),
        "name      notes.txt\n",
        "(100000 bytes)\n",
        "✓ notes.txt is exactly the file of the receipt\n",
    ] {
        assert!(ran.out.contains(line), "no {line:?}: {}", ran.out);
    }
    let mut other = content.clone();
    other[50_000] ^= 1;
    for (name, content, why) in [
        (
            "longer",
            [&content[..], b"!"].concat(),
            "it has 100001 bytes",
        ),
        ("shorter", content[1..].to_vec(), "it has 99999 bytes"),
        ("empty", vec![], "it has 0 bytes"),
        ("other", other, "their SHA-256 is "),
    ] {
        service.file(name, &content);
        let ran = service.run(&["verify", "notes.jws", name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        assert!(ran.out.contains("✓ the receipt is genuine"), "{ran:?}");
        let said = format!("✗ {name} isn't the file of the receipt: ");
        assert!(ran.out.contains(&said) && ran.out.contains(why), "{ran:?}");
    }
    // What has no end is read no further than the receipt says.
    let ran = service.run(&["verify", "notes.jws", "/dev/zero"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("more than the 100000 bytes"), "{ran:?}");
    let ran = service.run(&["verify", "notes.jws", "missing"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("missing: "), "{ran:?}");
}

#[test]
fn a_receipt_goes_to_standard_output_or_into_a_file_that_it_replaces_only_if_it_shall() {
    let (service, link) = with_receipt(b"hello");
    let id = link.rsplit('/').next().unwrap();
    let ran = service.run(&["receipt", id]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(ran.out.trim_end().split('.').count(), 3, "{ran:?}");
    let ran = service.run(&["receipt", id, "-o", "notes.jws"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("notes.jws is there already"), "{ran:?}");
    let ran = service.run(&["receipt", id, "-o", "notes.jws", "--force"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // In a folder it has the name of the file.
    std::fs::create_dir(service.folder.path().join("into")).unwrap();
    let ran = service.run(&["receipt", id, "-o", "into", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.json()[0]["path"], "into/notes.txt.receipt.jws");
    let ran = service.run(&["verify", "into/notes.txt.receipt.jws"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn keys_that_were_kept_verify_without_the_service_and_other_ones_do_not() {
    let (service, _) = with_receipt(b"hello");
    let other = Service::start(&[]);
    let kept = |service: &Service| {
        let url = format!("{}/v1/receipts/keys", service.base);
        let output = std::process::Command::new("curl")
            .args(["--silent", "--fail", &url])
            .output();
        output.unwrap().stdout
    };
    let keys = service.file("keys.json", &kept(&service));
    let others = service.file("others.json", &kept(&other));
    let text = receipt(&service);
    service.file("wrapped.jws", text.replace('.', ".\r\n").as_bytes());
    let folder = service.folder.path().to_owned();
    let offline = |arguments: &[&str]| {
        let mut command = fshare("http://127.0.0.1:1");
        command.args(arguments).current_dir(&folder);
        crate::support::Ran::of(command.output().unwrap())
    };
    let keys = keys.to_str().unwrap();
    for name in ["notes.jws", "wrapped.jws"] {
        let ran = offline(&["verify", name, "notes.txt", "--keys", keys]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert!(ran.out.contains("keys.json"), "{ran:?}");
    }
    let ran = offline(&["verify", "notes.jws", "--keys", others.to_str().unwrap()]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("isn't shown to be genuine"), "{ran:?}");
    let ran = offline(&["verify", "notes.jws", "--keys", "notes.txt"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("it has no keys"), "{ran:?}");
    // Where the service is away that is something else than a receipt that isn't genuine.
    let ran = offline(&["verify", "notes.jws", "--timeout", "1"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    // Another service hasn't signed it, wherever the receipt says that it comes from.
    let ran = other.command(&["verify", folder.join("notes.jws").to_str().unwrap()]);
    let ran = { ran }.output().map(crate::support::Ran::of).unwrap();
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("isn't shown to be genuine"), "{ran:?}");
}

#[test]
fn keys_come_from_the_service_that_was_named_and_no_token_goes_there() {
    let (service, _) = with_receipt(b"hello");
    let stub = Stub::before(&service.base, vec![]);
    let mut command = service.command(&["verify", "notes.jws", "--server", &stub.base]);
    command.env("FILE_SHARE_TOKEN", "fst_secret");
    let ran = crate::support::Ran::of(command.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(stub.count("GET /v1/receipts/keys"), 1);
    assert_eq!(stub.seen.lock().unwrap().len(), 1);
    let said = format!(
        "{} (so the receipt says; its signature was checked with the keys of {})",
        service.base, stub.base
    );
    assert!(ran.out.contains(&said), "{ran:?}");
}

#[test]
fn programs_read_what_holds() {
    let (service, link) = with_receipt(b"hello");
    service.file("other.txt", b"other");
    let ran = service.run(&["verify", "notes.jws", "other.txt", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""), "{ran:?}");
    let said = &ran.json()[0];
    assert_eq!(said["genuine"], true);
    assert_eq!(said["file"]["same"], false, "{said}");
    assert_eq!(said["receipt"]["displayName"], "notes.txt");
    let id = link.rsplit('/').next().unwrap();
    assert_eq!(said["receipt"]["jti"], id);
    let ran = service.run(&["verify", "notes.jws", "notes.txt", "--json"]);
    assert_eq!(
        (ran.code, &ran.json()[0]["file"]["same"]),
        (0, &Value::Bool(true))
    );
    let ran = service.run(&["verify", "other.txt", "--json"]);
    assert_eq!(
        (ran.code, &ran.json()[0]["error"]["code"]),
        (1, &json!("no_receipt"))
    );
    // From standard input.
    let shell = format!(
        "{} receipt {id} --json | sed 's/.*\"receipt\":\"\\([^\"]*\\)\".*/\\1/' | {} verify - notes.txt",
        env!("CARGO_BIN_EXE_fshare"),
        env!("CARGO_BIN_EXE_fshare")
    );
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", &shell])
        .env("FILE_SHARE_URL", &service.base)
        .current_dir(service.folder.path());
    assert!(command.status().unwrap().success());
}

#[test]
fn what_somebody_made_up_is_refused_in_plain_words_and_steers_no_terminal() {
    let (service, _) = with_receipt(b"hello");
    let text = receipt(&service);
    let [header, payload, signature] = text.trim().split('.').collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    // Its first letter is another one in every run: a signature may be without any letter that a test had named.
    let other = if signature.starts_with('b') { "c" } else { "b" };
    let changed = format!("{header}.{payload}.{other}{}", &signature[1..]);
    let cut = format!("{header}.{payload}.");
    let huge = "A".repeat(20_000_000);
    for (name, content) in [
        ("changed", changed.as_bytes()),
        ("cut", cut.as_bytes()),
        ("huge", huge.as_bytes()),
        ("empty", b""),
        ("binary", b"\xff\xfe\x00"),
        ("json", br#"{"receipt": true}"#),
        ("steering", b"\x1b[2J\x1b]0;x\x07.\xe2\x80\xae.x"),
    ] {
        service.file(name, content);
        for arguments in [&["verify", name][..], &["verify", name, "--json"]] {
            let ran = service.run(arguments);
            assert_eq!(ran.code, 1, "{name}: {ran:?}");
            let said = format!("{}{}", ran.out, ran.err);
            assert!(said.contains("receipt"), "{name}: {said}");
            assert!(said.len() < 400, "{name}: {said}");
            assert!(
                !said.contains(['\u{1b}', '\u{7}', '\u{202e}']),
                "{name}: {said:?}"
            );
        }
    }
    // What has no end.
    let ran = service.run(&["verify", "/dev/zero"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn a_name_in_a_genuine_receipt_neither_steers_a_terminal_nor_forges_a_line() {
    let service = Service::start(&[]);
    let receipt = hostile_receipt();
    service.file("hostile.jws", receipt.0.as_bytes());
    service.file("keys.json", receipt.1.as_bytes());
    let (code, shown) = in_terminal(&service, "verify hostile.jws --keys keys.json", "");
    assert_eq!(code, 0, "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    let verdicts = lines.iter().filter(|line| line.starts_with('✓'));
    assert_eq!(verdicts.count(), 1, "{shown}");
    assert!(
        shown.contains("✓ forged is exactly"),
        "it is shown: {shown}"
    );
    assert!(
        !shown.contains(['\u{1b}', '\u{202e}', '\u{9b}']),
        "{shown:?}"
    );
}

/// A receipt that a service signed which takes such names, and its keys.
fn hostile_receipt() -> (String, String) {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let key = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "Ed25519", "typ": "file-share-receipt+jwt", "kid": "\u{1b}[2J"});
    let claims = json!({
        "iss": "http://x\r\n✓ forged",
        "jti": "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f",
        "displayName": "\u{202e}fdp.txt\u{1b}[2J\u{9b}\n✓ forged is exactly the file of the receipt",
        "size": 5,
        "sha256": "ab".repeat(32),
        "uploadedAt": "\u{1b}[31m",
        "submitter": "Eve\u{7}",
        "late": true,
        "iat": i64::MAX,
    });
    let signed = format!("{}.{}", part(&header), part(&claims));
    let signature = BASE64_URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()));
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.public_key());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "\u{1b}[2J", "x": x}]});
    (format!("{signed}.{signature}"), keys.to_string())
}

#[test]
fn a_service_without_receipts_and_one_that_answers_something_else_are_told_apart() {
    let (service, link) = with_receipt(b"hello");
    let answer = |body: &str| -> &'static str {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").leak()
    };
    for (body, said) in [
        (r#"{"keys":[]}"#, "signs no receipts"),
        ("[]", "something else than keys"),
        (r#"{"keys":[{"kty":"OKP"}]}"#, "signs no receipts"),
    ] {
        let stub = Stub::before(
            &service.base,
            vec![("GET /v1/receipts/keys", StubFault::Answer(answer(body)))],
        );
        let ran = service.run_through(&stub, &["verify", "notes.jws"]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
    }
    // What is no receipt isn't kept as one.
    let stub = Stub::before(
        &service.base,
        vec![("GET /v1/files/", StubFault::Answer(answer("{}")))],
    );
    let id = link.rsplit('/').next().unwrap();
    let ran = service.run_through(&stub, &["receipt", id, "-o", "odd.jws"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("no receipt"), "{ran:?}");
    assert!(!service.folder.path().join("odd.jws").exists());
}
