//! `fshare doctor`: the whole way that a file takes, walked with a file of its own, as large as any may be; what is wrong
//! on it, and how to mend it. If it is asked to, also that of a file which a virus scanner has to keep back.
//!
//! **Invariant:** every check is one line and has a limit on its time; the test file is deleted again
//! however the checks end; nobody else's file is touched.
//!
//! **Absent on purpose:** mending. What is wrong is said to whoever may change it.

mod addresses;
mod buffering;
mod checks;
mod cors;
mod limits;
mod remedies;
mod report;
mod server_check;
mod settlement;
mod setup_check;
mod sign_in;
mod store;
mod test_file;

use std::time::Duration;

use crate::api_client::ApiClient;
use crate::arguments;
use crate::error::CliError;
use crate::output::Output;

use report::Report;
pub(crate) use test_file::TestFile;

/// Makes all checks and takes the test file away again. Gives the exit code.
///
/// # Errors
/// The command line is wrong, or nobody reads what is said any more.
pub(crate) async fn run(
    service: &ApiClient,
    arguments: &arguments::Doctor,
    output: &Output,
    test_file: &TestFile,
) -> Result<u8, CliError> {
    let origin = match &arguments.origin {
        Some(origin) => cors::parse_origin(origin)?,
        None => service.origin(),
    };
    let limit = Duration::from_secs(arguments.check_limit);
    let checks = checks::Checks {
        service,
        origin,
        limit,
        notification_limit: Duration::from_secs(arguments.notification_limit),
        with_virus: arguments.scanner,
        test_file,
    };
    let mut report = Report::new(output);
    let ran = checks.run(&mut report).await;
    test_file.clean_up(output).await;
    ran?;
    if arguments.aws.aws {
        setup_check::look(&arguments.aws, limit, &mut report).await?;
    }
    Ok(report.exit_code())
}
