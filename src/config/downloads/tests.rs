//! Keys in each form that tools write them, and settings that are not right.

use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use super::*;

/// Where the halves are in what ring makes, which is as OpenSSL writes it.
const PRIVATE_AT: std::ops::Range<usize> = 36..68;
const PUBLIC_AT: std::ops::RangeFrom<usize> = 73..;

fn pkcs8_key() -> Vec<u8> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
    made.unwrap().as_ref().to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// As `openssl ecparam -genkey` writes it, which names the curve and the public half.
fn sec1(key: &[u8], curve: &[u8], public: bool) -> Vec<u8> {
    let tagged =
        |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
    let mut inner = [
        tagged(INTEGER, &[1]),
        tagged(OCTET_STRING, &key[PRIVATE_AT]),
    ]
    .concat();
    inner.extend(tagged(PARAMETERS, &tagged(OBJECT_ID, curve)));
    if public {
        let half = [&[0], &key[PUBLIC_AT]].concat();
        inner.extend(tagged(PUBLIC_HALF, &tagged(BIT_STRING, &half)));
    }
    tagged(SEQUENCE, &inner)
}

#[test]
fn a_key_is_read_in_both_forms_that_openssl_writes_and_however_a_variable_has_its_lines() {
    let key = pkcs8_key();
    let modern = pem("PRIVATE KEY", &key);
    let classic = pem("EC PRIVATE KEY", &sec1(&key, &P256, true));
    let with_parameters = format!("{}{classic}", pem("EC PARAMETERS", &P256));
    for text in [
        modern.clone(),
        classic,
        with_parameters,
        modern.replace('\n', " "),
        modern.replace('\n', "\\n"),
        modern.replace('\n', "\r\n"),
    ] {
        let read = DownloadKey::parse(&text).unwrap();
        assert_eq!(read.expose_private(), &key[PRIVATE_AT], "{text}");
        assert_eq!(read.public(), &key[PUBLIC_AT], "{text}");
        assert_eq!(format!("{read:?}"), "DownloadKey");
    }
}

#[test]
fn what_is_no_key_of_p256_is_refused_in_words_that_repeat_nothing_of_it() {
    let key = pkcs8_key();
    let rsa = pem(
        "PRIVATE KEY",
        include_bytes!("../../access/oidc/tests/rsa_2048.pk8"),
    );
    let secp256k1 = [0x2b, 0x81, 0x04, 0x00, 0x0a];
    for (text, part) in [
        ("hush-hush".to_owned(), "in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nhush".to_owned(), "in PEM"),
        (pem("EC PRIVATE KEY", &[]), "in PEM"),
        (pem("EC PRIVATE KEY", &key[..40]), "in PEM"),
        (rsa, "another kind"),
        (pem("RSA PRIVATE KEY", &key), "another kind"),
        (
            pem("EC PRIVATE KEY", &sec1(&key, &secp256k1, true)),
            "another kind",
        ),
        (pem("ENCRYPTED PRIVATE KEY", &key), "passphrase"),
        (pem("PUBLIC KEY", &key), "public key"),
        (
            pem("EC PRIVATE KEY", &sec1(&key, &P256, false)),
            "no public half",
        ),
    ] {
        let refused = DownloadKey::parse(&text).unwrap_err();
        assert!(refused.contains(part), "{text}: {refused}");
    }
    // Whatever is cut off, it is no key and no panic.
    for length in 0..key.len() {
        assert!(DownloadKey::parse(&pem("PRIVATE KEY", &key[..length])).is_err());
    }
}

fn judge(flags: [Option<&str>; 4], is_local: bool) -> Result<Option<DownloadSettings>, String> {
    let [origin, key_id, key, key_file] = flags.map(|flag| flag.map(str::to_owned));
    let args = DownloadArgs {
        download_origin: origin,
        download_key_id: key_id,
        download_key: key.map(|it| SecretText::new(&it)),
        download_key_file: key_file,
    };
    let judged = Problems::collected(|problems| args.judge(Some(is_local), problems));
    judged.map_err(|problems| problems.to_string())
}

#[test]
fn downloads_lead_elsewhere_with_an_origin_an_id_and_one_key_or_not_at_all() {
    const ORIGIN: &str = "https://d111111abcdef8.cloudfront.net";
    const ID: &str = "K2JCJMDEHXQW5F";
    let key = pem("PRIVATE KEY", &pkcs8_key());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    std::fs::write(&path, &key).unwrap();
    let path = path.to_str();
    let key = Some(key.as_str());
    assert_eq!(judge([None; 4], false), Ok(None));
    assert_eq!(judge([Some(""), Some(" "), Some(""), None], true), Ok(None));
    let by_text = judge([Some(ORIGIN), Some(ID), key, None], false).unwrap();
    assert!(by_text.is_some());
    assert_eq!(
        judge([Some(ORIGIN), Some(ID), None, path], false),
        Ok(by_text)
    );
    for (flags, name) in [
        (
            [Some(ORIGIN), None, key, None],
            "DOWNLOAD_KEY_ID: is needed",
        ),
        ([None, Some(ID), key, None], "DOWNLOAD_ORIGIN: is needed"),
        (
            [Some(ORIGIN), Some(ID), None, None],
            "DOWNLOAD_KEY: is needed",
        ),
        (
            [Some(ORIGIN), Some(ID), key, path],
            "DOWNLOAD_KEY: is set beside",
        ),
        (
            [Some(ORIGIN), Some(ID), Some("hush"), None],
            "DOWNLOAD_KEY: must be",
        ),
        (
            [Some(ORIGIN), Some(ID), None, Some("/nowhere")],
            "DOWNLOAD_KEY_FILE: can't be read",
        ),
        (
            [Some(ORIGIN), Some("K-1"), key, None],
            "DOWNLOAD_KEY_ID: must be",
        ),
    ] {
        let refused = judge(flags, false).unwrap_err();
        assert!(refused.contains(name), "{refused}");
        assert!(
            !refused.contains("hush") && !refused.contains("BEGIN"),
            "{refused}"
        );
    }
    for origin in [
        "http://d1.cloudfront.net",
        "https://",
        "d1.cloudfront.net",
        "https://u@d1.cloudfront.net",
        "https://d1.cloudfront.net/files",
        "https://d1.cloudfront.net?x=1",
    ] {
        let refused = judge([Some(origin), Some(ID), key, None], false).unwrap_err();
        assert!(
            refused.contains("DOWNLOAD_ORIGIN: must be"),
            "{origin}: {refused}"
        );
    }
    assert!(judge([Some("http://127.0.0.1:9"), Some(ID), key, None], false).is_ok());
    let local = judge([Some(ORIGIN), Some(ID), key, None], true).unwrap_err();
    assert!(
        local.contains("DOWNLOAD_ORIGIN: is for aws mode"),
        "{local}"
    );
}
