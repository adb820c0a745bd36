//! What a request shows of who sends it: a token in a header, a session in a cookie, a proxy's traces.
//!
//! Invariant: what is there twice counts as not there, since nobody knows which one was meant.
//!
//! Absent on purpose: whether it holds; the gate decides.

use std::time::Duration;

use poem::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::access::oidc::SignInTag;
use crate::access::{Proof, SessionId, SessionRef};

/// What the names of most headers begin with that proxies add to a request that they pass on.
const FORWARDED: &str = "x-forwarded";
/// The others: each names a proxy, or the client that it acts for.
const FORWARDED_BY: [HeaderName; 7] = [
    header::FORWARDED,
    header::VIA,
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
];

/// How the cookies of sessions and sign-ins are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCookie {
    /// The session's. With `__Host-` browsers take it only from this very host, over https.
    name: String,
    /// Says which session there is, where that can't be shown.
    reference_name: String,
    /// What the name of a sign-in under way begins with.
    sign_in_prefix: String,
    is_secure: bool,
}

impl SessionCookie {
    /// `is_secure`: whether browsers reach the service by https alone; over http a browser would drop a cookie
    /// that is only for https, without a word. `service`: tells it from others on the same host, for which a
    /// browser has one jar, whatever their ports and paths are.
    pub fn new(is_secure: bool, service: &str) -> Self {
        let prefix = if is_secure { "__Host-" } else { "" };
        let service: String = service
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let service = service.trim_matches('-');
        let named = |what: &str| match service {
            "" => format!("{prefix}{what}"),
            service => format!("{prefix}{what}-{service}"),
        };
        Self {
            name: named("session"),
            reference_name: named("session-ref"),
            sign_in_prefix: named("sign-in") + "-",
            is_secure,
        }
    }

    /// Sets it to `id` for `lifetime`.
    pub fn set(&self, id: &SessionId, lifetime: Duration) -> String {
        self.header(&self.name, id.expose(), lifetime.as_secs(), "Strict")
    }

    /// Has the browser forget it.
    pub fn clear(&self) -> String {
        self.header(&self.name, "", 0, "Strict")
    }

    /// Sets what says which session there is, and is no proof of it. Who signs in anew comes from the issuer's site,
    /// from where a browser brings no cookie that is strictly for ours: this one, so that the session before can be
    /// ended.
    pub fn set_reference(&self, id: &SessionId, lifetime: Duration) -> String {
        let reference = id.reference();
        self.header(
            &self.reference_name,
            &reference.to_string(),
            lifetime.as_secs(),
            "Lax",
        )
    }

    /// Has the browser forget it.
    pub fn clear_reference(&self) -> String {
        self.header(&self.reference_name, "", 0, "Lax")
    }

    /// Whether there is something to forget.
    pub fn has_reference(&self, headers: &HeaderMap) -> bool {
        cookies(headers).any(|(name, _)| name == self.reference_name)
    }

    /// Which session the browser has, or had, as far as the request says.
    pub fn reference(&self, headers: &HeaderMap) -> Option<SessionRef> {
        let shown = cookie(headers, &self.name).map(SessionRef::of);
        shown.or_else(|| SessionRef::parse(cookie(headers, &self.reference_name)?))
    }

    /// Has the browser keep what a sign-in needs when it is back. It comes from the issuer's site then, from where
    /// a browser brings no cookie that is strictly for ours.
    pub fn set_sign_in(&self, tag: &SignInTag, value: &str, lifetime: Duration) -> String {
        let name = format!("{}{}", self.sign_in_prefix, tag.as_str());
        self.header(&name, value, lifetime.as_secs(), "Lax")
    }

    /// Has the browser forget a sign-in.
    pub fn clear_sign_in(&self, tag: &SignInTag) -> String {
        self.set_sign_in(tag, "", Duration::ZERO)
    }

    fn header(&self, name: &str, value: &str, seconds: u64, same_site: &str) -> String {
        let secure = match self.is_secure {
            true => "; Secure",
            false => "",
        };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}")
    }

    /// What the browser kept of this sign-in.
    pub fn sign_in<'a>(&self, headers: &'a HeaderMap, tag: &SignInTag) -> Option<&'a str> {
        cookie(headers, &format!("{}{}", self.sign_in_prefix, tag.as_str()))
    }

    /// What the browser kept of all sign-ins that are under way.
    pub fn sign_ins<'a>(&self, headers: &'a HeaderMap) -> Vec<(SignInTag, &'a str)> {
        let tagged = cookies(headers).filter_map(|(name, value)| {
            let tag = name.strip_prefix(self.sign_in_prefix.as_str())?;
            Some((SignInTag::parse(tag)?, value))
        });
        tagged.collect()
    }

    /// What the request's headers show.
    pub fn proof<'a>(&self, headers: &'a HeaderMap) -> Proof<'a> {
        Proof {
            bearer: bearer(headers),
            session: cookie(headers, &self.name),
            is_forwarded: headers.keys().any(is_a_proxys),
            address: None,
        }
    }
}

fn is_a_proxys(name: &HeaderName) -> bool {
    name.as_str().starts_with(FORWARDED) || FORWARDED_BY.contains(name)
}

/// The token of the one `Authorization: Bearer`. A password for a proxy may stand there too.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    const SCHEME: &str = "bearer ";
    let texts = headers.get_all(header::AUTHORIZATION).iter();
    one(texts.filter_map(|value| {
        // As wrong as any other text if it isn't ASCII, which `to_str` would look for in every character of a long one.
        let text = str::from_utf8(value.as_bytes()).ok()?;
        let (scheme, token) = text.split_at_checked(SCHEME.len())?;
        scheme.eq_ignore_ascii_case(SCHEME).then_some(token.trim())
    }))
}

/// The value of the one cookie of this name.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let named = cookies(headers).filter(|(own, _)| *own == name);
    one(named.map(|(_, value)| value))
}

/// Names and values.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let texts = headers.get_all(header::COOKIE).iter();
    let pairs = texts
        .filter_map(|value| HeaderValue::to_str(value).ok())
        .flat_map(|text| text.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('='))
}

fn one<T>(mut values: impl Iterator<Item = T>) -> Option<T> {
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> SessionCookie {
        SessionCookie::new(false, "")
    }

    fn secure() -> SessionCookie {
        SessionCookie::new(true, "")
    }

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_token_stands_behind_bearer_once() {
        let shown = |list: &[_]| plain().proof(&headers(list)).bearer.map(str::to_owned);
        assert_eq!(
            shown(&[("authorization", "Bearer abc")]),
            Some("abc".into())
        );
        assert_eq!(
            shown(&[("authorization", "bEARER  abc ")]),
            Some("abc".into())
        );
        for other in ["Basic YTpi", "Bearer", "abc", "Bearerabc", ""] {
            assert_eq!(shown(&[("authorization", other)]), None, "{other}");
        }
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
        assert_eq!(shown(&two), None);
        // A browser sends the password that a proxy asked for.
        let both = [
            ("authorization", "Basic YTpi"),
            ("authorization", "Bearer b"),
        ];
        assert_eq!(shown(&both), Some("b".into()));
    }

    #[test]
    fn a_session_is_in_the_one_cookie_of_its_name() {
        let shown = |list: &[_]| plain().proof(&headers(list)).session.map(str::to_owned);
        assert_eq!(
            shown(&[("cookie", "a=b; session=c; d=e")]),
            Some("c".into())
        );
        assert_eq!(
            shown(&[("cookie", "a=b"), ("cookie", "session=c")]),
            Some("c".into())
        );
        for none in [
            "",
            "session",
            "sessions=c",
            "xsession=c",
            "session=a; session=b",
        ] {
            assert_eq!(shown(&[("cookie", none)]), None, "{none}");
        }
        // One that a page over http could have set doesn't count where all is https.
        let over_http = headers(&[("cookie", "session=c")]);
        assert_eq!(secure().proof(&over_http).session, None);
    }

    #[test]
    fn whatever_a_proxy_adds_shows_that_it_is_there() {
        assert!(!plain().proof(&headers(&[("host", "a")])).is_forwarded);
        for name in [
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "x-forwarded-ssl",
            "x-real-ip",
            "x-client-ip",
            "cf-connecting-ip",
        ] {
            let sent = headers(&[(name, "")]);
            assert!(plain().proof(&sent).is_forwarded, "{name}");
        }
    }

    #[test]
    fn services_on_one_host_have_cookies_of_their_own() {
        let name = |secure, service| SessionCookie::new(secure, service).name;
        assert_eq!(name(false, "8000"), "session-8000");
        assert_eq!(name(true, "/course/2026"), "__Host-session-course-2026");
        assert_eq!(name(true, "/"), "__Host-session");
        let two = headers(&[("cookie", "session-8000=a; session-8001=b")]);
        let shown = SessionCookie::new(false, "8001")
            .proof(&two)
            .session
            .map(str::to_owned);
        assert_eq!(shown, Some("b".into()));
    }

    #[tokio::test]
    async fn a_cookie_is_for_this_host_and_no_script() {
        let items = std::sync::Arc::new(crate::item_store::memory::MemoryItemStore::default());
        let sessions = crate::access::Sessions::new(items);
        let now = crate::domain::Timestamp::UNIX_EPOCH;
        let begun = sessions.begin(&crate::access::Caller::Operator, None, None, now);
        let (id, _) = begun.await.unwrap();
        let set = secure().set(&id, Duration::from_secs(60));
        assert!(set.starts_with("__Host-session="), "{set}");
        for part in [
            "; Path=/",
            "; Max-Age=60",
            "; HttpOnly",
            "; SameSite=Strict",
            "; Secure",
        ] {
            assert!(set.contains(part), "{set}");
        }
        let set = plain().set(&id, Duration::from_secs(60));
        assert!(set.starts_with("session=") && !set.contains("Secure"));
        assert!(plain().clear().contains("session=; ") && plain().clear().contains("Max-Age=0"));
    }

    #[test]
    fn what_a_sign_in_needs_comes_along_from_the_issuers_site() {
        let tag = SignInTag::parse("0123456789abcdef").unwrap();
        let set = secure().set_sign_in(&tag, "abc.def", Duration::from_secs(600));
        assert!(
            set.starts_with("__Host-sign-in-0123456789abcdef=abc.def; "),
            "{set}"
        );
        assert!(
            set.contains("SameSite=Lax") && set.contains("HttpOnly"),
            "{set}"
        );
        let back = "sign-in-0123456789abcdef=abc; session=x; sign-in-8000-0123456789abcdef=d; \
                    sign-in-fedcba9876543210=e; sign-in-=f; sign-in=g";
        let back = headers(&[("cookie", back)]);
        assert_eq!(plain().sign_in(&back, &tag), Some("abc"));
        assert_eq!(secure().sign_in(&back, &tag), None);
        let of = |service: &str| {
            let found = SessionCookie::new(false, service);
            let found = found.sign_ins(&back).into_iter();
            found.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of(""), ["abc", "e"]);
        assert_eq!(of("8000"), ["d"]);
        assert!(plain().clear_sign_in(&tag).contains("Max-Age=0"));
    }

    #[test]
    fn which_session_there_is_is_said_by_itself_or_by_what_is_no_proof() {
        let digest = SessionRef::of("an id");
        let said = format!("session-ref={digest}");
        let reference = |cookies: &str| {
            let mut all = HeaderMap::new();
            all.append("cookie", HeaderValue::from_str(cookies).unwrap());
            assert_eq!(
                plain().proof(&all).session,
                all["cookie"].to_str().unwrap().strip_prefix("session=")
            );
            plain().reference(&all)
        };
        assert_eq!(reference(&said), Some(digest));
        assert_eq!(reference("session=an id"), Some(digest));
        for none in ["", "session-ref=", "session-ref=an id", "session-ref=../a"] {
            assert_eq!(reference(none), None, "{none}");
        }
    }
}
