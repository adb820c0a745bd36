//! `file-share recount`: compares how much everybody has, as it is kept, with the records.
//!
//! Invariant: without `--mend` it changes nothing. A difference is one only if it is the same each time that is looked,
//! since records come and go meanwhile; it is mended by itself, not by what it would make the sum.

use std::process::ExitCode;

use crate::config::RecountSettings;
use crate::domain::Usage;
use crate::metadata_store::usage::{Recounted, UsageStore};
use crate::store_error::StoreError;
use crate::stores::{self, Access, StoreChoices};

/// What `file-share recount --help` says behind the flags.
pub const AFTER_HELP: &str = "\
In local mode it looks while the service runs; stop it for --mend. In aws mode it may run beside all of its programs;
it reads the whole table, which they may not (dynamodb:Scan).

Exit codes:
  0  what is kept is right, or was mended
  1  something is off, or a store doesn't answer
  2  the settings aren't right";

/// How often it is looked before a difference is believed.
const LOOKS: usize = 3;

/// Says what is off, and mends it if that is meant.
pub async fn run(settings: &RecountSettings) -> ExitCode {
    let choices = StoreChoices::of_mode(&settings.mode);
    let access = match settings.mend {
        true => Access::Write,
        false => Access::Read,
    };
    let opened = match stores::open(&choices, &settings.common, access).await {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("file-share recount can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match recount(&*opened.usage, settings.mend).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let error = error.chain();
            eprintln!("file-share recount isn't done: {error}. It can be called again");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing is off, or not any more.
async fn recount(store: &dyn UsageStore, mend: bool) -> Result<bool, StoreError> {
    if mend {
        let charged = store.charge_all().await?;
        if charged > 0 {
            println!("{charged} files were made while nobody had a quota, and count now.");
        }
    }
    let (people, off) = look(store).await?;
    for found in &off {
        println!("{}", told(found));
    }
    if off.is_empty() {
        println!("{people} people have files that count, and what is kept of them is right.");
        return Ok(true);
    }
    if !mend {
        println!("Nothing was changed. With --mend it is mended.");
        return Ok(false);
    }
    for found in &off {
        store.mend_usage(found).await?;
    }
    println!("Mended.");
    Ok(true)
}

/// How many people there are, and of whom each look finds the same difference.
async fn look(store: &dyn UsageStore) -> Result<(usize, Vec<Recounted>), StoreError> {
    let found = store.recount().await?;
    let people = found.len();
    let mut off: Vec<Recounted> = found.into_iter().filter(|it| !it.is_right()).collect();
    for _ in 1..LOOKS {
        if off.is_empty() {
            break;
        }
        let again = store.recount().await?;
        off.retain(|before| {
            let now = again.iter().find(|it| it.owner == before.owner);
            now.is_some_and(|now| !now.is_right() && difference(now) == difference(before))
        });
    }
    Ok((people, off))
}

/// By how much somebody is off; what isn't charged yet is for whoever mends.
fn difference(found: &Recounted) -> (i128, i128, u64) {
    let Recounted { kept, counted, .. } = found;
    let of = |counted: u64, kept: u64| i128::from(counted) - i128::from(kept);
    (
        of(counted.files, kept.files),
        of(counted.bytes, kept.bytes),
        found.uncharged,
    )
}

fn told(found: &Recounted) -> String {
    let words = |Usage { files, bytes }| format!("{files} files of {bytes} bytes");
    let Recounted {
        owner,
        kept,
        counted,
        uncharged,
    } = found;
    let mut told = format!(
        "{owner}: {} are kept, and there are {}",
        words(*kept),
        words(*counted)
    );
    if *uncharged > 0 {
        told.push_str(&format!(
            ", besides {uncharged} that were made while nobody had a quota"
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::domain::{Quota, UserId};
    use crate::metadata_store::usage::{ChargedInsert, NewRecord};

    /// Gives these answers, one a look, and remembers what was mended.
    struct Looked {
        answers: Mutex<Vec<Vec<Recounted>>>,
        mended: Mutex<Vec<Recounted>>,
    }

    #[async_trait]
    impl UsageStore for Looked {
        async fn insert_charged(
            &self,
            _: NewRecord<'_>,
            _: &Quota,
        ) -> Result<ChargedInsert, StoreError> {
            Err(StoreError::unavailable("a test", "nothing is added"))
        }

        async fn usage(&self, _: UserId) -> Result<Usage, StoreError> {
            Ok(Usage::default())
        }

        async fn recount(&self) -> Result<Vec<Recounted>, StoreError> {
            Ok(self.answers.lock().unwrap().remove(0))
        }

        async fn charge_all(&self) -> Result<u64, StoreError> {
            Ok(0)
        }

        async fn mend_usage(&self, found: &Recounted) -> Result<(), StoreError> {
            self.mended.lock().unwrap().push(*found);
            Ok(())
        }
    }

    fn found(person: &str, kept: u64, counted: u64) -> Recounted {
        let usage = |files| Usage { files, bytes: 0 };
        Recounted {
            owner: UserId::of("https://id.example.org", person),
            kept: usage(kept),
            counted: usage(counted),
            uncharged: 0,
        }
    }

    fn store(answers: &[&[Recounted]]) -> Looked {
        Looked {
            answers: Mutex::new(answers.iter().map(|it| it.to_vec()).collect()),
            mended: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn what_differs_while_somebody_works_is_no_difference() {
        // A file comes between the two reads of the first look, and of the second.
        let looks: [&[Recounted]; 2] = [&[found("ada", 3, 2)], &[found("ada", 4, 4)]];
        let store = store(&looks);
        assert!(recount(&store, true).await.unwrap());
        assert!(store.mended.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_off_each_time_is_mended_by_the_difference_if_that_is_meant() {
        let others = found("grace", 7, 7);
        let looks: [&[Recounted]; 3] = [
            &[found("ada", 3, 2), others],
            &[found("ada", 9, 8), others],
            &[found("ada", 3, 2), others],
        ];
        for (mend, is_right, mended) in [(false, false, vec![]), (true, true, vec![looks[0][0]])] {
            let store = store(&looks);
            assert_eq!(recount(&store, mend).await.unwrap(), is_right);
            assert_eq!(*store.mended.lock().unwrap(), mended);
        }
    }
}
