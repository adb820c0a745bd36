//! Start checks: what a program looks at before it works with what it was pointed at, and what it then says.
//!
//! Invariant: a check changes nothing, so that it can be made beside programs that run. Whatever somebody
//! has to change ends a start, all of it in one message; a store that merely doesn't answer never does. A
//! program that ended for that would be down for longer than its stores are.
//!
//! Absent on purpose: what to look at. Each store knows that of itself.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

/// How long a start waits for the answers. Beyond that it goes on: a store that is this slow is away.
pub const START_CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What is wrong, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What is wrong.
    pub said: String,
    /// What to do about it; empty where nothing is to be said.
    pub remedy: String,
}

impl Flaw {
    /// A flaw by its two texts.
    pub fn new(said: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            said: said.into(),
            remedy: remedy.into(),
        }
    }

    /// Of a text whose first sentence says what is wrong, and whose others say what to do.
    pub fn of_sentences(text: &str) -> Self {
        let (said, remedy) = text.split_once(". ").unwrap_or((text, ""));
        Self::new(said, remedy)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)?;
        match self.remedy.as_str() {
            "" => Ok(()),
            remedy => write!(f, ". {remedy}"),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// All is well; what was seen.
    Fine(String),
    /// It stays wrong until somebody changes a setting, a permission or what was deployed. Ends a start.
    Wrong(Flaw),
    /// It is wrong, and right again without a start once it was mended. A start says so and goes on.
    WrongForNow(Flaw),
    /// A store doesn't answer. A start says so and goes on.
    Away(String),
    /// It can't be seen, because whoever looks lacks a permission: which, and how to get it.
    Hidden(Flaw),
}

/// Something that is looked at.
#[async_trait]
pub trait StartCheck: Send + Sync {
    /// A short name in lower case, such as `table`.
    fn name(&self) -> &'static str;

    /// What it looks at, such as `table FileMetadata`.
    fn subject(&self) -> String;

    /// How long a start waits for it.
    fn limit(&self) -> Duration {
        START_CHECK_LIMIT
    }

    /// Everything that isn't well; what was seen if all is. Never empty.
    async fn look(&self) -> Vec<Finding>;
}

/// A check whose finding is known already, such as of something that others depend on.
pub struct Known {
    /// What [`StartCheck::name`] says.
    pub name: &'static str,
    /// What [`StartCheck::subject`] says.
    pub subject: String,
    /// The one finding that every look gives.
    pub finding: Finding,
}

#[async_trait]
impl StartCheck for Known {
    fn name(&self) -> &'static str {
        self.name
    }

    fn subject(&self) -> String {
        self.subject.clone()
    }

    async fn look(&self) -> Vec<Finding> {
        vec![self.finding.clone()]
    }
}

/// Everything that is wrong, in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanNotWork {
    wrong: Vec<String>,
}

impl fmt::Display for CanNotWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it can't work with what it was pointed at")?;
        self.wrong
            .iter()
            .try_for_each(|wrong| write!(f, "\n  {wrong}"))
    }
}

impl std::error::Error for CanNotWork {}

/// Makes all checks at once, waits for each as long as it may take, and says in the log what doesn't answer. What is
/// in AWS is looked at by a start, and a scanner: what else is on this machine was opened before.
///
/// # Errors
/// Everything that is [`Finding::Wrong`], each once.
pub async fn judge_start(checks: &[Box<dyn StartCheck>]) -> Result<(), CanNotWork> {
    let looks = checks.iter().map(|check| async {
        let look = tokio::time::timeout(check.limit(), check.look()).await;
        look.unwrap_or_else(|_| {
            tracing::warn!(
                "{} doesn't answer in time; whether the settings are right shows when it does",
                check.subject()
            );
            Vec::new()
        })
    });
    let findings = join_all(looks).await;
    let mut wrong: Vec<String> = Vec::new();
    let mut away = Vec::new();
    for finding in findings.into_iter().flatten() {
        match finding {
            Finding::Fine(_) => {}
            Finding::Wrong(flaw) => {
                let what = flaw.to_string();
                if !wrong.contains(&what) {
                    wrong.push(what);
                }
            }
            Finding::WrongForNow(flaw) => tracing::error!("{flaw}"),
            Finding::Away(failure) => away.push(failure),
            Finding::Hidden(flaw) => tracing::warn!("not looked at: {flaw}"),
        }
    }
    if !wrong.is_empty() {
        // Which may be why others don't answer.
        return Err(CanNotWork { wrong });
    }
    for failure in away {
        tracing::warn!(%failure, "a store doesn't answer yet");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stuck;

    #[async_trait]
    impl StartCheck for Stuck {
        fn name(&self) -> &'static str {
            "stuck"
        }

        fn subject(&self) -> String {
            "nothing".into()
        }

        async fn look(&self) -> Vec<Finding> {
            std::future::pending().await
        }
    }

    fn known(finding: Finding) -> Box<dyn StartCheck> {
        Box::new(Known {
            name: "known",
            subject: "it".into(),
            finding,
        })
    }

    fn wrong(text: &str) -> Box<dyn StartCheck> {
        known(Finding::Wrong(Flaw::of_sentences(text)))
    }

    #[tokio::test(start_paused = true)]
    async fn everything_that_is_wrong_is_said_at_once_and_once() {
        let away = || known(Finding::Away("no answer".into()));
        let checks = [
            wrong("a. Mend it."),
            away(),
            wrong("b"),
            wrong("a. Mend it."),
        ];
        let message = judge_start(&checks).await.unwrap_err();
        let message = message.to_string();
        assert!(
            message.ends_with("pointed at\n  a. Mend it.\n  b"),
            "{message}"
        );
        let flaw = || Flaw::new("a", "b");
        for passes in [
            Finding::Away("x".into()),
            Finding::Fine("x".into()),
            Finding::WrongForNow(flaw()),
            Finding::Hidden(flaw()),
        ] {
            assert_eq!(judge_start(&[known(passes)]).await, Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_does_not_wait_for_ever() {
        let started = tokio::time::Instant::now();
        let checks: [Box<dyn StartCheck>; 1] = [Box::new(Stuck)];
        assert_eq!(judge_start(&checks).await, Ok(()));
        assert_eq!(started.elapsed(), START_CHECK_LIMIT);
    }
}
