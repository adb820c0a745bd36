//! What is wrong with settings, all of it at once.
//!
//! Invariant: a judgement that fails is remembered, and then nothing comes out of [`Problems::collected`]. What
//! [`Problems::judge`] refuses is repeated to whoever set it, so it judges no secrets; those have
//! [`Problems::refuse`]. What is right of a value is said where the setting is.

use std::fmt;

/// Everything that is wrong with the settings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Judges one value; `None` if it isn't right, which is then remembered.
    pub fn judge<T>(
        &mut self,
        name: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        parse(text.trim())
            .map_err(|why| self.0.push(format!("{name}: {why} (it is {text:?})")))
            .ok()
    }

    /// What `judge` makes of the settings, or everything that isn't right, at once.
    ///
    /// # Errors
    /// As said.
    pub fn collected<T>(judge: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, Self> {
        let mut problems = Self::default();
        let settings = judge(&mut problems);
        settings.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// Remembers what is wrong with a setting.
    pub fn refuse(&mut self, name: &str, why: &str) {
        self.0.push(format!("{name}: {why}"));
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the settings aren't right; --help explains each:")?;
        for problem in &self.0 {
            writeln!(f, "  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
