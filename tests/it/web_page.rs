//! The web page, in real headless Chromium: `tests/browser/page.test.mjs` is what it has to do, and `answers.test.mjs`
//! what it has to make of answers that it doesn't hope for, `batch.test.mjs` what it does with many files at a time,
//! `receipts.test.mjs` how people check files and receipts,
//! `long_list.test.mjs` with thousands that are there, `phone.test.mjs` how it fits small screens and large text,
//! `interrupted.test.mjs` how uploads go on that the page was closed over, `sign_in.test.mjs` how people get in where
//! the service asks for its key, `pairing.test.mjs` how they let programs in, `tokens.test.mjs` how they see what those
//! may do, `boxes.test.mjs` how others hand in and who sees that, `shared.test.mjs` what people see of a link, `looks.test.mjs` on which screens,
//! `issuer_sign_in.test.mjs` how they get in at an issuer, `quota.test.mjs` what they see of how much they may have,
//! `sign_in_places.test.mjs` how they do wherever they reach the
//! service, and `share.test.mjs` what they pass on to others. They are run here against the real programs in both modes;
//! those from `long_list` on in local mode.

use std::path::Path;

use serde_json::{Value, json};

use crate::issuer_sign_in;
use crate::support::issuer::Issuer;
use crate::support::ministack::{Deployment, MiniStack};
use crate::support::node_tests::{self, free_port};
use crate::support::program::{Program, built, data_dir};
use crate::support::reverse_proxy::ReverseProxy;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Settings under which upload URLs run out while somebody looks.
const HURRIED: [(&str, &str); 1] = [("UPLOAD_URL_TTL", "2s")];
/// Settings of a service that takes little, and looks soon after what arrived.
const STRICT: [(&str, &str); 4] = [
    ("MAX_UPLOAD_BYTES", "1000"),
    ("UPLOAD_URL_TTL", "5s"),
    ("UPLOAD_GRACE", "0s"),
    ("RECONCILE_INTERVAL", "200ms"),
];

/// What signs receipts in aws mode.
const RECEIPT_KEY: &str = "0123456789012345678901234567890123456789012";

/// Runs what a page has to do, with these programs.
fn browse(setup: &Value) {
    node_tests::run("page.test.mjs", setup, 22);
}

/// Runs what a page has to do when it gets other answers than it hopes for.
fn upset(setup: &Value) {
    node_tests::run("answers.test.mjs", setup, 11);
}

/// Runs what a page has to do with many files at a time.
fn fill(setup: &Value) {
    node_tests::run("batch.test.mjs", setup, 4);
}

#[test]
fn local_mode_has_a_page_to_send_and_fetch_files_with() {
    with_local_programs(browse);
}

#[test]
fn the_page_waits_for_what_it_does_not_know_and_passes_on_nothing_that_it_did_not_send() {
    with_local_programs(upset);
}

#[test]
fn many_files_at_a_time_have_one_figure_and_one_end_and_none_is_dropped() {
    with_local_programs(fill);
}

/// Runs what a page has to do with receipts, and with files that people check.
fn check(setup: &Value) {
    node_tests::run("receipts.test.mjs", setup, 8);
}

#[test]
fn receipts_are_shown_and_checked_on_the_page_of_a_file_and_so_are_files() {
    with_local_programs(check);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_receipts_are_shown_and_checked_on_the_page_of_a_file_too() {
    with_aws_programs("web-page-receipts", check).await;
}

#[test]
fn of_thousands_of_files_any_is_found_sorted_selected_and_deleted_quickly() {
    with_local_programs(|setup| node_tests::run("long_list.test.mjs", setup, 4));
}

#[test]
fn a_phone_has_low_rows_and_toasts_that_cover_nothing_and_large_text_stays_in_its_boxes() {
    with_local_programs(|setup| node_tests::run("phone.test.mjs", setup, 7));
}

#[test]
fn people_sign_in_with_the_key_by_link_or_by_hand_and_what_they_began_outlives_their_session() {
    with_a_service_that_asks("sign_in.test.mjs", 13);
}

#[test]
fn an_upload_that_the_page_was_closed_over_goes_on_with_the_same_bytes_under_its_link() {
    with_a_service_that_asks("interrupted.test.mjs", 6);
}

#[test]
fn whoever_is_signed_in_sees_what_programs_may_do_and_ends_their_tokens() {
    with_a_service_that_asks("tokens.test.mjs", 3);
}

#[test]
fn people_let_programs_in_by_the_code_that_they_type_and_by_no_link() {
    with_a_service_that_asks("pairing.test.mjs", 11);
}

#[test]
fn students_hand_in_on_the_page_of_a_box_and_its_owner_sees_who_what_and_when() {
    with_a_service_that_asks("boxes.test.mjs", 27);
}

#[test]
fn whoever_was_given_a_link_takes_all_of_its_files_as_one_archive_or_each_without_a_script() {
    with_a_service_that_asks("shared.test.mjs", 20);
}

#[test]
fn pages_that_are_passed_on_look_right_on_every_screen_in_light_and_dark_and_in_both_languages() {
    with_a_service_that_asks("looks.test.mjs", 8);
}

#[test]
fn links_name_an_address_that_others_reach_and_a_room_reads_them_from_the_wall() {
    let dirs = [data_dir(), data_dir()];
    let plain = Program::local(dirs[0].path(), &[]);
    let everywhere = Program::local(dirs[1].path(), &[("LISTEN", "0.0.0.0:0")]);
    let (_, port) = everywhere.base.rsplit_once(':').unwrap();
    let here = format!("http://127.0.0.1:{port}");
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "everywhere": {
            "here": format!("{here}/"),
            "others": format!("{}/", everywhere.base),
            "isInANetwork": everywhere.base != here,
        },
    });
    node_tests::run("share.test.mjs", &setup, 10);
}

#[test]
fn the_qr_codes_of_the_page_are_read_by_another_program_in_each_size() {
    node_tests::run("qr.test.mjs", &json!({}), 4);
}

fn with_a_service_that_asks(script: &str, at_least: u32) {
    let dirs = [data_dir(), data_dir()];
    let [plain_dir, asking_dir] = dirs.each_ref().map(|dir| dir.path());
    let plain = Program::local(plain_dir, &[]);
    let asking = Program::local(asking_dir, &[("ACCESS", "key")]);
    let key = std::fs::read_to_string(asking_dir.join("access-key")).unwrap();
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "asking": {"base": asking.base, "key": key.trim_end()},
    });
    node_tests::run(script, &setup, at_least);
    assert!(
        !asking.log().contains(key.trim_end()),
        "the key is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_at_an_issuer_and_the_page_shows_each_role_what_it_may_see() {
    let dirs = [data_dir(), data_dir()];
    let issuer = Issuer::start();
    let plain = Program::local(dirs[0].path(), &[]);
    let program = issuer_sign_in::service(dirs[1].path(), &issuer, &[]);
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "issuer": {"base": program.base, "issuer": issuer.url, "fshare": built("fshare")},
    });
    let run = move || node_tests::run("issuer_sign_in.test.mjs", &setup, 11);
    tokio::task::spawn_blocking(run).await.unwrap();
    assert!(!program.log().contains("code="), "{}", program.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_may_have_so_much_see_how_much_is_used_and_why_more_does_not_fit() {
    let dirs = [data_dir(), data_dir()];
    let issuer = Issuer::start();
    let plain = Program::local(dirs[0].path(), &[]);
    let quotas = [
        ("QUOTA_BYTES", "2MiB,admin=off"),
        ("QUOTA_FILES", "3,admin=off"),
    ];
    let program = issuer_sign_in::service(dirs[1].path(), &issuer, &quotas);
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "issuer": {"base": program.base, "issuer": issuer.url},
    });
    let run = move || node_tests::run("quota.test.mjs", &setup, 3);
    tokio::task::spawn_blocking(run).await.unwrap();
}

/// Where people reach services, other than at an address of their own machine: by a name in the network over http, by
/// https, and below a path; each with an issuer and with a key.
#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_over_http_in_a_network_by_https_and_below_a_path_and_nobody_else_sees_anything()
 {
    let (issuer, folder) = (Issuer::start(), data_dir());
    let (mut places, mut behind, mut programs) = (Vec::new(), Vec::new(), Vec::new());
    let https = free_port();
    for (name, path) in [
        ("network", None),
        ("https", Some("")),
        ("path", Some("/share")),
        ("key-network", None),
        ("key-path", Some("/key")),
    ] {
        let public = path.map(|path| format!("https://localhost:{https}{path}"));
        let dir = data_dir();
        let mut settings: Vec<(&str, String)> = Vec::new();
        if name.starts_with("key") {
            settings.push(("ACCESS", "key".into()));
        } else {
            settings.extend(issuer_sign_in::settings(&issuer));
            settings.push(("OIDC_CLIENT_ID", "files-web".into()));
            settings.push(("OIDC_CLIENT_SECRET", "files-web-secret".into()));
        }
        match &public {
            Some(public) => settings.push(("PUBLIC_URL", public.clone())),
            None => settings.push(("LISTEN", "0.0.0.0:0".into())),
        }
        let settings: Vec<(&str, &str)> = settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let program = Program::local(dir.path(), &settings);
        let port = program.listening_at();
        let port = port.rsplit(':').next().unwrap();
        if let Some(path) = path {
            behind.push((path, format!("127.0.0.1:{port}")));
        }
        // A name that the browser finds at this machine, and takes for any other one's.
        let base = public.unwrap_or_else(|| format!("http://classroom:{port}"));
        issuer.add_address(&base).await;
        let key = std::fs::read_to_string(dir.path().join("access-key"));
        places.push(json!({
            "name": name,
            "base": base,
            "key": key.ok().map(|key| key.trim_end().to_owned()),
        }));
        programs.push((program, dir));
    }
    let _proxy = ReverseProxy::https(folder.path(), https, &behind);
    let plain_dir = data_dir();
    let plain = Program::local(plain_dir.path(), &[]);
    let setup = json!({
        "mode": "local",
        "plain": plain.base,
        "places": {"issuer": issuer.url, "all": places},
    });
    let run = move || node_tests::run("sign_in_places.test.mjs", &setup, 5);
    tokio::task::spawn_blocking(run).await.unwrap();
}

fn with_local_programs(run: fn(&Value)) {
    let dirs = [data_dir(), data_dir(), data_dir(), data_dir()];
    let [plain_dir, hurried_dir, strict_dir, prefixed_dir] = dirs.each_ref().map(|dir| dir.path());
    let port = free_port();
    let public_url = format!("http://127.0.0.1:{port}/share");
    let plain = Program::local(plain_dir, &[]);
    let hurried = Program::local(hurried_dir, &HURRIED);
    let strict = Program::local(strict_dir, &STRICT);
    // What it says is its public address; where it really is, the log has.
    let prefixed = Program::local(prefixed_dir, &[("PUBLIC_URL", &public_url)]);
    run(&json!({
        "mode": "local",
        "plain": plain.base,
        "hurried": hurried.base,
        "strict": strict.base,
        "strictData": strict_dir,
        "prefixed": {"target": prefixed.listening_at(), "port": port, "prefix": "/share"},
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_mode_has_the_same_page_and_the_browser_sends_straight_to_the_store() {
    with_aws_programs("web-page", browse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_it_waits_for_what_it_does_not_know_and_passes_on_nothing_that_it_did_not_send()
{
    with_aws_programs("web-page-answers", upset).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_aws_mode_many_files_at_a_time_have_one_figure_and_one_end_and_none_is_dropped() {
    with_aws_programs("web-page-batch", fill).await;
}

async fn with_aws_programs(name: &str, run: fn(&Value)) {
    let deployment = MiniStack::shared().await.deploy(name).await;
    tokio::task::spawn_blocking(move || run_in_aws(&deployment, run))
        .await
        .unwrap();
}

fn run_in_aws(deployment: &Deployment, run: fn(&Value)) {
    let port = free_port();
    let store = format!("http://127.0.0.1:{port}");
    let api = |settings: &[(&'static str, &'static str)]| {
        let mut settings: Vec<(&str, &str)> = settings.to_vec();
        settings.push(("S3_PUBLIC_ENDPOINT_URL", &store));
        settings.push(("RECEIPT_KEY", RECEIPT_KEY));
        Program::aws_api(deployment, &settings)
    };
    let (plain, hurried, strict) = (api(&[]), api(&HURRIED), api(&STRICT));
    let _worker = Program::worker(deployment, &[]);
    run(&json!({
        "mode": "aws",
        "plain": plain.base,
        "hurried": hurried.base,
        "strict": strict.base,
        "store": {
            "target": deployment.endpoint,
            "port": port,
            "bucket": deployment.bucket,
            "aws": Path::new(ROOT).join("target/test-tools/bin/aws"),
        },
    }));
}
