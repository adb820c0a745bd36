//! Which settings a program starts with, and what it says of others.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: ApiArgs,
}

fn judge(flags: &[&str]) -> Result<ApiSettings, Problems> {
    Cli::parse_from(std::iter::once(&"file-share").chain(flags))
        .args
        .judge()
}

#[test]
fn without_any_setting_the_service_is_local_and_on_this_machine_only() {
    let settings = judge(&[]).unwrap();
    assert_eq!(
        settings.mode,
        Mode::Local {
            data_dir: "data".into()
        }
    );
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(settings.max_upload_bytes, 20_971_520);
    assert_eq!(settings.upload_url_ttl, Duration::from_secs(900));
    assert_eq!(settings.download_url_ttl, Duration::from_secs(300));
    assert!(settings.allowed_origins.is_empty());
    let day = Duration::from_secs(86_400);
    assert_eq!(settings.common.orphan_sweep_interval, Some(day));
    assert_eq!(settings.common.orphan_limit, 100);
    let off = judge(&["--orphan-sweep-interval=off"]).unwrap();
    assert_eq!(off.common.orphan_sweep_interval, None);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let message = judge(&[
        "--mode=cloud",
        "--listen=8000",
        "--public-url=files.example.org",
        "--max-upload-bytes=20971521",
        "--upload-url-ttl=8d",
        "--download-url-ttl=soon",
        "--allowed-origins=https://a.example/path",
        "--allowed-hosts=*",
        "--bucket-name=My_Bucket",
        "--table-name=t",
        "--log-format=xml",
        "--rust-log=file_share=loud",
        "--reconcile-interval=0s",
        "--orphan-sweep-interval=never",
        "--orphan-limit=-1",
        "--upload-grace=-1s",
        "--metrics-listen=9090",
        "--rate-read=fast",
        "--rate-create=1",
        "--rate-secret=0/s",
        "--trusted-proxies=0.0.0.0/0",
    ])
    .unwrap_err()
    .to_string();
    for name in [
        "MODE",
        "LISTEN",
        "PUBLIC_URL",
        "MAX_UPLOAD_BYTES",
        "UPLOAD_URL_TTL",
        "DOWNLOAD_URL_TTL",
        "ALLOWED_ORIGINS",
        "ALLOWED_HOSTS",
        "BUCKET_NAME",
        "TABLE_NAME",
        "LOG_FORMAT",
        "RUST_LOG",
        "RECONCILE_INTERVAL",
        "ORPHAN_SWEEP_INTERVAL",
        "ORPHAN_LIMIT",
        "UPLOAD_GRACE",
        "METRICS_LISTEN",
        "RATE_READ",
        "RATE_CREATE",
        "RATE_SECRET",
        "TRUSTED_PROXIES",
    ] {
        assert!(
            message.contains(&format!("  {name}:")),
            "{name} isn't named in:\n{message}"
        );
    }
}

#[test]
fn metrics_are_off_or_at_an_address_that_is_not_the_service_s() {
    let at = |flags: &[&str]| judge(flags).map(|it| it.common.metrics_listen);
    assert_eq!(at(&[]).unwrap(), None);
    assert_eq!(at(&["--metrics-listen=off"]).unwrap(), None);
    let address = at(&["--metrics-listen=127.0.0.1:9090"]).unwrap();
    assert_eq!(address, Some("127.0.0.1:9090".parse().unwrap()));
    for (listen, metrics, is_right) in [
        ("127.0.0.1:8000", "127.0.0.1:8000", false),
        ("127.0.0.1:8000", ":8000", false),
        (":8000", "127.0.0.1:8000", false),
        ("[::]:8000", "10.0.0.1:8000", false),
        ("127.0.0.1:8000", "[::ffff:127.0.0.1]:8000", false),
        ("127.0.0.1:8000", "127.0.0.2:8000", true),
        ("127.0.0.1:8000", "127.0.0.1:8001", true),
        ("127.0.0.1:0", "127.0.0.1:0", true),
    ] {
        let flags = [
            format!("--listen={listen}"),
            format!("--metrics-listen={metrics}"),
        ];
        let judged = at(&[&flags[0], &flags[1]]);
        assert_eq!(judged.is_ok(), is_right, "{listen} and {metrics}");
    }
}

#[test]
fn a_local_bucket_can_not_hide_a_path_of_the_service() {
    assert!(judge(&["--bucket-name=docs"]).is_err());
    assert!(judge(&["--bucket-name=web"]).is_err());
    let aws = ["--bucket-name=docs", "--mode=aws", "--access=open", SECRET];
    assert!(judge(&aws).is_ok());
}

const SECRET: &str = "--link-secret=0123456789abcdef0123456789abcdef";

#[test]
fn in_aws_mode_links_have_a_secret_that_all_processes_know_and_local_mode_needs_none() {
    let aws = ["--mode=aws", "--access=open"];
    let missing = judge(&aws).unwrap_err().to_string();
    assert!(missing.contains("LINK_SECRET"), "{missing}");
    let wrong = judge(&[&aws[..], &["--link-secret=hush"]].concat());
    let wrong = wrong.unwrap_err().to_string();
    assert!(
        wrong.contains("LINK_SECRET") && !wrong.contains("hush"),
        "{wrong}"
    );
    let settings = judge(&[&aws[..], &[SECRET]].concat()).unwrap();
    assert!(settings.link_secrets.is_some());
    assert!(!format!("{settings:?}").contains("abcdef"));
    assert!(judge(&[]).unwrap().link_secrets.is_none());
}

#[test]
fn origins_are_exact_or_a_star_alone() {
    let origins =
        |text: &str| judge(&[&format!("--allowed-origins={text}")]).map(|s| s.allowed_origins);
    assert_eq!(
        origins("https://a.example, http://localhost:3000")
            .unwrap()
            .len(),
        2
    );
    assert_eq!(origins("*").unwrap(), ["*"]);
    assert!(origins("*,https://a.example").is_err());
    assert!(origins("a.example").is_err());
}

#[test]
fn people_come_back_from_an_issuer_to_an_address_that_no_request_in_aws_mode_can_choose() {
    const AWS: [&str; 5] = [
        "--mode=aws",
        "--link-secret=0123456789abcdef0123456789abcdef",
        "--oidc-issuer=https://id.example.org",
        "--oidc-client-id=files",
        "--session-secret=0123456789abcdef0123456789abcdef",
    ];
    let refused = |more: &[&str]| judge(&[&AWS, more].concat()).unwrap_err().to_string();
    for without in [&[][..], &["--public-url= "]] {
        let message = refused(without);
        assert!(message.contains("  PUBLIC_URL: is needed"), "{message}");
        assert!(message.contains("/v1/session/callback"), "{message}");
    }
    // What isn't right is said once.
    let message = refused(&["--public-url=files.example.org"]);
    assert_eq!(message.matches("  PUBLIC_URL:").count(), 1, "{message}");
    assert!(judge(&[&AWS[..], &["--public-url=https://files.example.org"]].concat()).is_ok());
    // Nobody is led to an issuer, or the one process knows the hosts that are its own.
    assert!(judge(&[&AWS[..], &["--access=open"]].concat()).is_ok());
    assert!(judge(&[&AWS[1..], &["--mode=local"]].concat()).is_ok());
}
