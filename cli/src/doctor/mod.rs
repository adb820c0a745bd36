//! `fshare doctor`: the whole way that a file takes, walked with a file of its own, as large as any may be; what is wrong
//! on it, and how to mend it.
//!
//! **Invariant:** every check is one line and has a limit on its time; the test file is deleted again
//! however the walk ends; nobody else's file is touched.
//!
//! **Absent on purpose:** mending. What is wrong is said to whoever may change it.

mod addresses;
mod buffering;
mod cors;
mod greeting;
mod mend;
mod report;
mod setup_check;
mod store;
mod test_file;
mod way;

use std::time::Duration;

use crate::arguments;
use crate::failure::Failure;
use crate::output::Output;
use crate::service::Service;

use report::Report;
pub use test_file::TestFile;

/// # Errors
/// The command line is wrong, or nobody reads what is said any more.
pub async fn run(
    service: &Service,
    arguments: &arguments::Doctor,
    output: &Output,
    test_file: &TestFile,
) -> Result<u8, Failure> {
    let origin = match &arguments.origin {
        Some(origin) => cors::parse_origin(origin)?,
        None => service.origin(),
    };
    let limit = Duration::from_secs(arguments.check_limit);
    let way = way::Way {
        service,
        origin,
        limit,
        notification_limit: Duration::from_secs(arguments.notification_limit),
        test_file,
    };
    let mut report = Report::new(output);
    let walked = way.walk(&mut report).await;
    test_file.clean_up(output).await;
    walked?;
    if arguments.aws.aws {
        setup_check::look(&arguments.aws, limit, &mut report).await?;
    }
    Ok(report.exit_code())
}
