//! What those do who run the service: `hold`, `unhold` and `keep`, and what others then see of it.

use crate::support::Service;

#[test]
fn a_held_file_is_deleted_by_nobody_until_unhold() {
    let service = Service::start(&[]);
    let link = service.upload("evidence.txt", b"who knows");
    let held = service.run(&["hold", &link, "--reason", "case 4711"]);
    assert_eq!(held.code, 0, "{held:?}");
    let info = service.run(&["info", &link]);
    assert!(info.out.contains("case 4711"), "{info:?}");
    let refused = service.run(&["delete", "--yes", &link]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains("held"), "{refused:?}");
    let wrong = service.run(&["hold", &link, "--reason", "a\nb"]);
    assert!(wrong.err.contains("one line"), "{wrong:?}");
    let released = service.run(&["unhold", &link, "--json"]);
    assert_eq!(released.json()[0]["released"], true, "{released:?}");
    assert_eq!(service.run(&["delete", "--yes", &link]).code, 0);
    let gone = service.run(&["hold", &link, "--reason", "too late"]);
    assert_ne!(gone.code, 0, "{gone:?}");
}

#[test]
fn a_file_is_kept_for_as_long_as_is_said_and_the_doctors_own_for_as_long_as_all() {
    let service = Service::start(&[("RETENTION", "1h")]);
    let link = service.upload("minutes.txt", b"kept");
    let kept = service.run(&["keep", &link, "--until", "2h"]);
    assert_eq!(kept.code, 0, "{kept:?}");
    let sooner = service.run(&["keep", &link, "--until", "90m"]);
    assert!(sooner.err.contains("only moves forward"), "{sooner:?}");
    let refused = service.run(&["delete", "--yes", &link]);
    assert!(refused.err.contains("retained"), "{refused:?}");
    assert!(service.run(&["info", &link]).out.contains("kept to"));
    // Nothing is wrong with such a service.
    let doctor = service.run(&["doctor", "--json", "--check-limit", "120"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let lines = doctor.json();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["check"], &last["verdict"]),
        (&"delete".into(), &"warning".into())
    );
    assert!(
        last["mend"].as_str().unwrap().contains("RETENTION"),
        "{last}"
    );
}
