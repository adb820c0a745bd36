//! What of the settings can't be in an AWS Lambda function.
//!
//! Invariant: as everywhere, a program starts with all its settings right or names all that aren't; what a function can't
//! do is refused, and not left out silently.

use super::{ApiSettings, CommonSettings, Mode, Problems};

impl CommonSettings {
    /// What a function of either program can't have.
    fn judge_as_function(&self, problems: &mut Problems) {
        if self.metrics_listen.is_some() {
            problems.refuse(
                "METRICS_LISTEN",
                "nobody can reach a Lambda function to scrape it: leave it off, and use Lambda's own metrics",
            );
        }
        if self.traces.is_some() {
            problems.refuse(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "traces are told beside the work, and a Lambda function stands still behind an answer: leave it off",
            );
        }
    }

    /// Judges what both programs know, for one that runs as a function.
    ///
    /// # Errors
    /// Everything that isn't right there, at once.
    pub fn fit_function(&self) -> Result<(), Problems> {
        Problems::collected(|problems| {
            self.judge_as_function(problems);
            Some(())
        })
    }
}

impl ApiSettings {
    /// Judges them for an API that runs as a function.
    ///
    /// # Errors
    /// Everything that isn't right there, at once.
    pub fn fit_function(&self) -> Result<(), Problems> {
        Problems::collected(|problems| {
            self.common.judge_as_function(problems);
            if matches!(self.mode, Mode::Local { .. }) {
                problems.refuse(
                    "MODE",
                    "a Lambda function keeps nothing on its disk: set MODE=aws, with BUCKET_NAME and TABLE_NAME",
                );
            }
            // Else links would name whatever host and scheme the program sees, which isn't what clients see.
            if self.public_url.is_none() {
                problems.refuse(
                    "PUBLIC_URL",
                    "is needed in a Lambda function: where clients reach the HTTP API before it, such as \
                     https://files.example.org",
                );
            }
            Some(())
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::config::ApiArgs;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ApiArgs,
    }

    fn fit(flags: &[&str]) -> Result<(), String> {
        let flags = std::iter::once(&"file-share").chain(flags);
        let settings = Cli::parse_from(flags).args.judge().unwrap();
        settings
            .fit_function()
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn local_mode_and_what_nobody_could_reach_is_refused_with_words() {
        let refused = fit(&[
            "--metrics-listen=127.0.0.1:9464",
            "--otel-exporter-otlp-endpoint=https://collector.example.org",
        ]);
        let refused = refused.unwrap_err();
        for name in [
            "MODE",
            "PUBLIC_URL",
            "METRICS_LISTEN",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ] {
            assert!(refused.contains(&format!("\n  {name}: ")), "{refused}");
        }
        let secret = format!("--link-secret={}", "s".repeat(32));
        let aws = ["--mode=aws", "--access=open", &secret];
        assert!(fit(&aws).unwrap_err().contains("PUBLIC_URL"));
        let with_url = [&aws[..], &["--public-url=https://files.example.org"]].concat();
        assert_eq!(fit(&with_url), Ok(()));
    }
}
