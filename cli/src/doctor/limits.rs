//! What an honest client has left of the limits: how large a file may be, how much one may have, and how often one may
//! call.
//!
//! **Invariant:** it says what the service told, in this walk. What is scarce is a warning: everything works, and may
//! stop doing so in the next lesson.

use super::report::{CheckFailure, Passed};
use crate::api_client::ApiClient;
use crate::error::CliError;
use crate::output::human;
use crate::rates_seen::RateSeen;
use crate::sign_in_calls::{Quota, Session, Used};

/// Of a quota less than one of so many parts is little.
const LITTLE: u64 = 10;
const MAKE_ROOM: &str = "delete what isn't needed any more (fshare list, fshare delete), or have QUOTA_BYTES or QUOTA_FILES \
     of the service raised";
const SHARED_ADDRESS: &str = "others who come from the same address share it. Behind a proxy or load balancer that the service \
     doesn't know that is everybody: set TRUSTED_PROXIES of the service to its networks. If they do sit behind one \
     address, have them sign in, or raise";
const SHARED_PERSON: &str =
    "other programs of the same person share it: let them pause as Retry-After says, or raise";

/// What the walk knows besides.
pub(super) struct Walked {
    /// How large the test file is that was created, if one was.
    pub test_file: Option<u64>,
}

/// What is left, by the session and by what all answers so far said.
pub(super) async fn limits(
    service: &ApiClient,
    walked: &Walked,
) -> Result<Passed<()>, CheckFailure> {
    let session = match service.session().await {
        Ok(session) => session,
        // One from before there were callers, and limits for them.
        Err(CliError::Refused { status: 404, .. }) => Session::default(),
        Err(failure) => {
            return Err(CheckFailure::of(
                &failure,
                "it isn't said what is left",
                super::remedies::SEE_LOG,
            ));
        }
    };
    let rates = &service.rates;
    judged(&session, walked, &rates.scarce(), rates.calls())
}

fn judged(
    session: &Session,
    walked: &Walked,
    scarce: &[RateSeen],
    own_calls: u64,
) -> Result<Passed<()>, CheckFailure> {
    let quota = session.quota.unwrap_or_default().without(walked.test_file);
    let mut said = Vec::new();
    if let Some(largest) = walked.test_file {
        said.push(format!("files of up to {}", human(largest)));
    }
    said.push(in_words(quota));
    if let Some(rate) = scarce.iter().min_by_key(|rate| rate.left) {
        let RateSeen {
            name,
            most,
            left,
            whole_in,
        } = rate;
        said.push(format!(
            "{left} of {most} calls that the limit \"{name}\" allows at once, and all again in {whole_in} s"
        ));
        return Err(CheckFailure::Warning {
            said: said.join("; "),
            remedy: for_rate(rate, session, own_calls),
        });
    }
    if is_little(quota, walked.test_file.unwrap_or(0)) {
        return Err(CheckFailure::Warning {
            said: said.join("; "),
            remedy: MAKE_ROOM.to_owned(),
        });
    }
    said.push("calls aren't scarce".to_owned());
    Ok(Passed::that(said.join("; ")))
}

/// Who takes the calls that this walk didn't make, and what mends it.
fn for_rate(rate: &RateSeen, session: &Session, own_calls: u64) -> String {
    let setting = match rate.name.as_str() {
        "read" => "RATE_READ",
        "create" => "RATE_CREATE",
        _ => "that limit",
    };
    if rate.most - rate.left <= own_calls {
        return format!("this walk's own calls took them: raise {setting} of the service");
    }
    let is_person = session.principal.as_ref();
    let why = match is_person.is_some_and(|it| it.kind == "user" || it.kind == "token") {
        true => SHARED_PERSON,
        false => SHARED_ADDRESS,
    };
    format!("{why} {setting}")
}

impl Quota {
    /// What there is but for the test file, which goes again.
    fn without(self, test_file: Option<u64>) -> Self {
        let less = |used: Option<Used>, by| {
            used.map(|it| Used {
                used: it.used.saturating_sub(by),
                ..it
            })
        };
        Self {
            bytes: less(self.bytes, test_file.unwrap_or(0)),
            files: less(self.files, u64::from(test_file.is_some())),
        }
    }
}

fn in_words(quota: Quota) -> String {
    let bytes = quota
        .bytes
        .map(|it| format!("{} of {} used", human(it.used), human(it.limit)));
    let files = quota
        .files
        .map(|it| format!("{} of {} files used", it.used, it.limit));
    match (bytes, files) {
        (None, None) => "no quota".to_owned(),
        (bytes, files) => {
            let both: Vec<String> = bytes.into_iter().chain(files).collect();
            both.join(", ")
        }
    }
}

/// Whether the largest file doesn't fit any more, or soon nothing does.
fn is_little(quota: Quota, largest: u64) -> bool {
    let left = |used: Used| used.limit.saturating_sub(used.used);
    let is_little = |used: Used| left(used) < used.limit.div_ceil(LITTLE);
    quota
        .bytes
        .is_some_and(|it| left(it) < largest || is_little(it))
        || quota.files.is_some_and(is_little)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_in_calls::Principal;

    const MIB: u64 = 1024 * 1024;

    fn session(kind: &str, bytes: Option<(u64, u64)>, files: Option<(u64, u64)>) -> Session {
        let used = |(used, limit)| Used { used, limit };
        Session {
            principal: Some(Principal {
                kind: kind.to_owned(),
                ..Principal::default()
            }),
            quota: Some(Quota {
                bytes: bytes.map(used),
                files: files.map(used),
            }),
            ..Session::default()
        }
    }

    fn of(session: &Session, scarce: &[RateSeen]) -> (bool, String, String) {
        let walked = Walked {
            test_file: Some(20 * MIB),
        };
        match judged(session, &walked, scarce, 10) {
            Ok(passed) => (true, passed.said, String::new()),
            Err(CheckFailure::Warning { said, remedy }) => (false, said, remedy),
            Err(_) => panic!("it is no failure"),
        }
    }

    fn rate(name: &str, most: u64, left: u64) -> RateSeen {
        RateSeen {
            name: name.to_owned(),
            most,
            left,
            whole_in: 2,
        }
    }

    #[test]
    fn what_is_left_is_said_without_the_test_file_and_warned_of_where_it_is_little() {
        let (is_well, said, _) = of(&Session::default(), &[]);
        assert!(
            is_well && said.contains("20.00 MiB; no quota; calls aren't scarce"),
            "{said}"
        );
        let most = session("user", Some((40 * MIB, 100 * MIB)), Some((3, 50)));
        let (is_well, said, _) = of(&most, &[]);
        assert!(is_well, "{said}");
        assert!(
            said.contains("20.00 MiB of 100.00 MiB used, 2 of 50 files used"),
            "{said}"
        );
        for (bytes, files) in [
            // The largest file doesn't fit any more.
            (Some((105 * MIB, 104 * MIB)), None),
            (None, Some((47, 50))),
            (Some((2000 * MIB, 2000 * MIB)), Some((1, 50))),
        ] {
            let (is_well, said, remedy) = of(&session("user", bytes, files), &[]);
            assert!(!is_well && remedy.contains("QUOTA_BYTES"), "{said}");
        }
    }

    #[test]
    fn scarce_calls_are_warned_of_with_who_takes_them() {
        let nobody = Session::default();
        let (is_well, said, remedy) = of(&nobody, &[rate("read", 200, 3)]);
        assert!(!is_well && said.contains("3 of 200 calls"), "{said}");
        assert!(
            remedy.contains("TRUSTED_PROXIES") && remedy.contains("RATE_READ"),
            "{remedy}"
        );
        let person = session("token", None, None);
        let (_, _, remedy) = of(&person, &[rate("create", 100, 0)]);
        assert!(
            remedy.contains("same person") && remedy.ends_with("RATE_CREATE"),
            "{remedy}"
        );
        let (_, _, remedy) = of(&nobody, &[rate("create", 1, 0)]);
        assert!(
            remedy.contains("own calls") && remedy.contains("RATE_CREATE"),
            "{remedy}"
        );
        // The scarcest is told of.
        let (_, said, _) = of(&nobody, &[rate("read", 200, 3), rate("create", 100, 1)]);
        assert!(said.contains("\"create\""), "{said}");
    }
}
