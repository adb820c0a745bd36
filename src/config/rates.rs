//! How often clients may call, and whose address counts.
//!
//! Invariant: each limit can be turned off by a word, and no proxy is believed that isn't named.

use std::time::Duration;

use clap::Args;

use super::Problems;
use crate::client_address::TrustedProxies;
use crate::rate_limits::Rate;

/// The highest number in a rate.
const MOST: u32 = 1_000_000;

/// The flags that bound how often clients may call, as text.
#[derive(Debug, Clone, Args)]
pub struct RateArgs {
    /// How often a caller may call, at each process: so many a second (s), minute (min) or hour (h), and behind a
    /// colon how many at once. A caller is a person, with all their tokens and sessions; everybody else is an address
    #[arg(
        long,
        env = "RATE_READ",
        default_value = "100/s:200",
        value_name = "RATE|off"
    )]
    pub rate_read: String,
    /// How often a caller may make something, such as a file or a link, besides
    #[arg(
        long,
        env = "RATE_CREATE",
        default_value = "20/s:100",
        value_name = "RATE|off"
    )]
    pub rate_create: String,
    /// How often an address may show a key, token or session that is none, or a password of one link or box that is wrong
    #[arg(
        long,
        env = "RATE_SECRET",
        default_value = "10/min",
        value_name = "RATE|off"
    )]
    pub rate_secret: String,
    /// The proxies and load balancers that are believed where a request comes from, by X-Forwarded-For: networks such
    /// as 10.0.0.0/8, separated by commas. Without them all clients behind a proxy have one address, the proxy's
    #[arg(
        long,
        env = "TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true,
        value_name = "NETWORKS"
    )]
    pub trusted_proxies: String,
}

/// How often clients may call, at each process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateSettings {
    /// What a caller may do; `None`: any number.
    pub read: Option<Rate>,
    /// What of it may make something.
    pub create: Option<Rate>,
    /// How often an address may be wrong about a secret.
    pub secret: Option<Rate>,
    /// Whose word counts on where a request comes from.
    pub trusted_proxies: TrustedProxies,
}

impl RateArgs {
    /// `None` if something isn't right; `problems` then says what.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<RateSettings> {
        let read = problems.judge("RATE_READ", &self.rate_read, rate);
        let create = problems.judge("RATE_CREATE", &self.rate_create, rate);
        let secret = problems.judge("RATE_SECRET", &self.rate_secret, rate);
        let proxies = &self.trusted_proxies;
        let proxies = problems.judge("TRUSTED_PROXIES", proxies, TrustedProxies::parse);
        Some(RateSettings {
            read: read?,
            create: create?,
            secret: secret?,
            trusted_proxies: proxies?,
        })
    }
}

fn rate(text: &str) -> Result<Option<Rate>, String> {
    if text == "off" {
        return Ok(None);
    }
    let rate = parts(text).map(|(count, period, burst)| Rate::new(count, period, burst));
    rate.map(Some).ok_or_else(|| {
        format!(
            "must be such as 100/s, 10/min or 20/s:100, which is 20 a second and 100 at once, with numbers from 1 to \
             {MOST}; or off"
        )
    })
}

fn parts(text: &str) -> Option<(u32, Duration, u32)> {
    let number = |text: &str| {
        let number = text.trim().parse().ok();
        number.filter(|it| (1..=MOST).contains(it))
    };
    let (rate, burst) = match text.split_once(':') {
        Some((rate, burst)) => (rate, Some(number(burst)?)),
        None => (text, None),
    };
    let (count, unit) = rate.split_once('/')?;
    let count = number(count)?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 60 * 60,
        _ => return None,
    };
    Some((count, Duration::from_secs(seconds), burst.unwrap_or(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_so_many_in_a_time_and_so_many_at_once() {
        let of = |count, seconds, burst| Rate::new(count, Duration::from_secs(seconds), burst);
        for (text, expected) in [
            ("100/s:200", of(100, 1, 200)),
            ("10/min", of(10, 60, 10)),
            ("10/m", of(10, 60, 10)),
            ("3 / h : 1", of(3, 3_600, 1)),
            ("1000000/s", of(1_000_000, 1, 1_000_000)),
        ] {
            assert_eq!(rate(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(rate("off"), Ok(None));
        for text in [
            "",
            "100",
            "0/s",
            "100/s:0",
            "100/s:",
            "/s",
            "1/d",
            "-1/s",
            "1/s:2:3",
            "1000001/s",
        ] {
            assert!(rate(text).unwrap_err().contains("20/s:100"), "{text}");
        }
    }
}
