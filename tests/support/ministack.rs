//! AWS for tests: MiniStack, an emulator that checks signatures and permissions, and the stack of
//! `deploy/stack.yaml` in it.
//!
//! One MiniStack serves a whole test process. A test that changes what others see, or counts
//! messages, deploys a stack of its own; all others use [`Deployment::shared`].
//!
//! Invariant: the programs under test never get the root credentials. They run with the key of a
//! user that has the template's policy for that program and nothing else.
//!
//! Absent on purpose: a reset. It would pull the infrastructure from under the tests that run at the
//! same time; a name of its own gives a test the same clean start.

#![allow(
    dead_code,
    reason = "a test support module: no single test binary uses all of it"
)]

use std::{
    env,
    fs::{self, File},
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::program::Program;

/// How long MiniStack may take until it answers. It needs half a second; the rest is for a machine
/// that is busy compiling.
const START_DEADLINE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A free port is found by letting go of it, so another process can take it first.
const START_ATTEMPTS: u32 = 3;

/// The longest name that [`MiniStack::deploy`] takes. With what is added to it, every name that is
/// made from it stays under the limit of 63 characters for a bucket.
const MAX_NAME_BYTES: usize = 30;

const REGION: &str = "us-east-1";

/// Runs the server until standard input ends, which the kernel sees to when the test process dies,
/// by SIGKILL too. The server has no children and keeps its state in memory, so nothing is lost or
/// left over by killing it. If the server ends first, so does the wrapper, with the same status.
///
/// Descriptor 3 is a copy of the pipe: a shell gives background commands an empty standard input.
const DIE_WITH_STDIN: &str = r#"
    exec 3<&0
    "$@" 3<&- &
    server=$!
    { cat <&3 >/dev/null; kill -9 "$server"; } 2>/dev/null &
    exec 3<&-
    wait "$server"
"#;

static SHARED: OnceCell<MiniStack> = OnceCell::const_new();
static SHARED_DEPLOYMENT: OnceCell<Deployment> = OnceCell::const_new();
static DEPLOYMENTS: AtomicU32 = AtomicU32::new(0);

/// A running emulator. It stops when this value is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct MiniStack {
    endpoint: String,
    /// The folder with `ministack`, `aws` and `python`: the virtual environment of the test tools.
    tools: PathBuf,
    /// Holds the write end of the pipe that keeps the emulator alive.
    _wrapper: Child,
}

/// The infrastructure of `deploy/stack.yaml`, with credentials for it.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    /// The base URL of all services: `http://127.0.0.1:PORT`. Buckets are addressed by path.
    pub endpoint: String,
    pub region: String,
    pub bucket: String,
    pub table: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    /// What the API may do, and no more.
    pub api: Credentials,
    /// What the worker may do, and no more.
    pub worker: Credentials,
    /// What the person who looks after the dead-letter queue may do, and no more.
    pub operator: Credentials,
    /// What starts the API may do, and no more.
    pub execution: Credentials,
    /// What starts the worker may do, and no more; `None` where there are no webhooks.
    pub worker_execution: Option<Credentials>,
    /// What the stack says of itself, by name.
    pub outputs: Value,
    /// Root: for a test's own preparations and checks, never for the code under test.
    pub admin: Credentials,
}

/// A long-lived access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl MiniStack {
    /// The emulator of this test process, started by the first caller.
    ///
    /// # Panics
    ///
    /// If the test tools aren't installed, or the emulator doesn't answer in time.
    pub(crate) async fn shared() -> &'static MiniStack {
        SHARED.get_or_init(MiniStack::start).await
    }

    /// The base URL of all services.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// An emulator of its own, for a test that stops it.
    ///
    /// # Panics
    ///
    /// As [`MiniStack::shared`].
    pub(crate) async fn start() -> MiniStack {
        MiniStack::start_with(&[]).await
    }

    /// The same with more in its environment.
    ///
    /// # Panics
    ///
    /// As [`MiniStack::shared`].
    pub(crate) async fn start_with(environment: &[(&str, &str)]) -> MiniStack {
        started(&[&executable()], environment).await
    }

    /// An emulator whose Cognito is an issuer at its own address: see `tests/tools/ministack_as_issuer.py`.
    ///
    /// # Panics
    ///
    /// As [`MiniStack::shared`].
    pub(crate) async fn start_as_issuer() -> MiniStack {
        let ministack = executable();
        let python = ministack.with_file_name("python");
        let script = project_root().join("tests/tools/ministack_as_issuer.py");
        // Its keys go there, which several emulators may share.
        let state = project_root().join("target/ministack-state");
        let state = state.to_str().expect("the project's path is text");
        started(&[&python, &script], &[("STATE_DIR", state)]).await
    }

    /// Deploys the stack under names made from `name`, which no other deployment of any process
    /// has, so that two tests may use the same one.
    ///
    /// # Panics
    ///
    /// If `name` isn't made of `a-z`, `0-9` and `-`, or the deployment fails.
    pub(crate) async fn deploy(&self, name: &str) -> Deployment {
        self.deploy_with(name, &[]).await
    }

    /// As [`MiniStack::deploy`], with settings of the script, such as `MAX_RECEIVE_COUNT`.
    ///
    /// # Panics
    ///
    /// As [`MiniStack::deploy`].
    pub(crate) async fn deploy_with(&self, name: &str, settings: &[(&str, &str)]) -> Deployment {
        assert!(
            (1..=MAX_NAME_BYTES).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')),
            "a deployment's name has 1 to {MAX_NAME_BYTES} of a-z, 0-9 and -, unlike {name:?}"
        );
        let number = DEPLOYMENTS.fetch_add(1, Ordering::Relaxed);
        // CloudFormation wants a letter first.
        let stack = format!("fs-{name}-{}-{number}", std::process::id());

        let mut deploy = self.deploy_command(&stack);
        deploy.envs(settings.iter().copied());
        run(deploy).await;
        let created = run(self.create_users_command(&stack)).await;
        let created: Value = serde_json::from_slice(&created)
            .expect("create_test_users.py prints one JSON object and nothing else");
        Deployment::new(&self.endpoint, &created)
    }

    /// Deploys the stack as it is now over what was deployed there before.
    ///
    /// # Panics
    ///
    /// If the deployment fails.
    pub(crate) async fn deploy_again(&self, deployment: &Deployment) {
        let stack = deployment.bucket.strip_suffix("-bucket");
        let stack = stack.expect("a bucket is named after its stack");
        run(self.deploy_command(stack)).await;
    }

    /// Makes people of a user pool, and tokens of one of them for another client; what
    /// `create_test_people.py` prints.
    ///
    /// # Panics
    ///
    /// If they can't be made.
    pub(crate) async fn create_people(&self, user_pool: &str) -> Value {
        let script = project_root().join("tests/tools/create_test_people.py");
        let mut command = self.tool_command(self.tools.join("python"));
        command.arg(script).arg(user_pool);
        let created = run(command).await;
        serde_json::from_slice(&created).expect("create_test_people.py prints one JSON object")
    }

    /// What the AWS command line answers to a user, or what it says instead.
    ///
    /// # Panics
    ///
    /// If it can't be run, or answers no JSON.
    pub(crate) async fn aws(
        &self,
        user: &Credentials,
        arguments: &[&str],
    ) -> Result<Value, String> {
        let mut command = self.tool_command(self.tools.join("aws"));
        command
            .args(arguments)
            .args(["--output", "json"])
            .env("AWS_ACCESS_KEY_ID", &user.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &user.secret_access_key);
        let (_, output) = finished(command).await;
        match output.status.success() {
            true => Ok(serde_json::from_slice(&output.stdout).expect("it answers JSON")),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Runs a script with the AWS command line as root, and gives what it said.
    ///
    /// # Panics
    ///
    /// If it fails.
    #[allow(dead_code, reason = "for the tests; the benchmarks share this module")]
    pub(crate) async fn sh(&self, script: &str) -> String {
        let mut command = self.tool_command("sh");
        command.args(["-c", script]).current_dir(project_root());
        String::from_utf8(run(command).await).expect("it says text")
    }

    /// Whether the stack would be deployed with these settings of the script; else why not.
    pub(crate) async fn refuses_to_deploy(&self, settings: &[(&str, &str)]) -> Option<String> {
        let number = DEPLOYMENTS.fetch_add(1, Ordering::Relaxed);
        let mut deploy = self.deploy_command(&format!("fs-refused-{number}"));
        deploy.envs(settings.iter().copied());
        let (_, output) = finished(deploy).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then_some(said)
    }

    /// The script that `make init` and the compose file run, so that every test exercises it.
    fn deploy_command(&self, stack: &str) -> Command {
        let script = project_root().join("localstack-init/ready.d/10-deploy-stack.sh");
        let mut command = self.tool_command("sh");
        command
            .arg(script)
            .env("STACK_NAME", stack)
            .env("BUCKET_NAME", format!("{stack}-bucket"))
            .env("TABLE_NAME", format!("{stack}-FileMetadata"))
            .env("QUEUE_NAME", format!("{stack}-uploads"));
        command
    }

    fn create_users_command(&self, stack: &str) -> Command {
        let script = project_root().join("tests/tools/create_test_users.py");
        let mut command = self.tool_command(self.tools.join("python"));
        command.arg(script).arg(stack);
        command
    }

    /// A command that sees the emulator and nothing of the developer's own AWS configuration.
    fn tool_command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut search_path = vec![self.tools.clone()];
        search_path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
        let admin = Credentials::admin();

        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        for setting_of_the_script in [
            "STACK_TEMPLATE",
            "STACK_READY_FILE",
            "BUCKET_ALLOWED_ORIGINS",
            "VISIBILITY_TIMEOUT_SECONDS",
            "MAX_RECEIVE_COUNT",
            "SIGN_IN",
            "PUBLIC_URL",
        ] {
            command.env_remove(setting_of_the_script);
        }
        command
            .env(
                "PATH",
                env::join_paths(search_path).expect("a folder from PATH can go back into it"),
            )
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", admin.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", admin.secret_access_key)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null());
        command
    }
}

impl Deployment {
    /// The deployment for tests that leave no trace which another test could mind.
    ///
    /// # Panics
    ///
    /// As [`MiniStack::shared`] and [`MiniStack::deploy`].
    pub(crate) async fn shared() -> &'static Deployment {
        SHARED_DEPLOYMENT
            .get_or_init(|| async {
                let deployment = MiniStack::shared().await.deploy("shared").await;
                // A first start marks bucket and table as belonging together. Tests of the stores write records without
                // objects, and beside those alone no program would start.
                let marked = deployment.clone();
                let start = move || Program::aws_api(&marked, &[]).terminate();
                let ended = tokio::task::spawn_blocking(start).await;
                assert!(ended.is_ok_and(|it| it.success()), "the API starts in it");
                deployment
            })
            .await
    }

    fn new(endpoint: &str, created: &Value) -> Deployment {
        let output = |name: &str| text(&created["outputs"][name], name);
        let credentials = |program: &str| Credentials {
            access_key_id: text(&created[program]["accessKeyId"], program),
            secret_access_key: text(&created[program]["secretAccessKey"], program),
        };
        Deployment {
            endpoint: endpoint.to_owned(),
            region: REGION.to_owned(),
            bucket: output("BucketName"),
            table: output("TableName"),
            queue_url: output("QueueUrl"),
            dead_letter_queue_url: output("DeadLetterQueueUrl"),
            api: credentials("api"),
            worker: credentials("worker"),
            operator: credentials("operator"),
            execution: credentials("execution"),
            worker_execution: created["workerExecution"]
                .is_object()
                .then(|| credentials("workerExecution")),
            outputs: created["outputs"].clone(),
            admin: Credentials::admin(),
        }
    }
}

impl Deployment {
    /// What the stack says of itself by this name.
    ///
    /// # Panics
    ///
    /// If it says nothing.
    pub(crate) fn output(&self, name: &str) -> &str {
        let output = self.outputs[name].as_str();
        output.unwrap_or_else(|| panic!("the stack has no output {name}"))
    }
}

impl Credentials {
    /// The emulator's root user, to which it allows everything.
    fn admin() -> Credentials {
        Credentials {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
        }
    }
}

/// The folder with the lock file: this module is also part of a member of the workspace.
pub(crate) fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists())
        .expect("the project has a lock file")
}

/// The installed emulator, or a panic that says how to install it.
fn executable() -> PathBuf {
    let executable = env::var_os("MINISTACK_BIN").map_or_else(
        || project_root().join("target/test-tools/bin/ministack"),
        PathBuf::from,
    );
    assert!(
        executable.is_file(),
        "no MiniStack at {}: run `make test`, which installs it from tests/tools/requirements.txt, \
         or set MINISTACK_BIN to the executable in a virtual environment with those packages",
        executable.display()
    );
    executable
}

/// Starts the emulator with this command and waits until it answers.
async fn started(command: &[&Path], environment: &[(&str, &str)]) -> MiniStack {
    let mut failure = String::new();
    for _ in 0..START_ATTEMPTS {
        match start_on(command, free_port(), environment).await {
            Ok(ministack) => return ministack,
            Err(reason) => failure = reason,
        }
    }
    panic!("MiniStack didn't start: {failure}");
}

/// The same on `port`.
async fn start_on(
    command: &[&Path],
    port: u16,
    environment: &[(&str, &str)],
) -> Result<MiniStack, String> {
    let endpoint = format!("http://127.0.0.1:{port}");
    let (log_path, log) = log_file(port).expect("target/ is writable");
    let errors = log.try_clone().expect("a file handle can be duplicated");
    let tools = command[0]
        .parent()
        .expect("an executable lies in a folder")
        .to_owned();

    let mut wrapper = Command::new("sh")
        .args(["-c", DIE_WITH_STDIN, "ministack"])
        .args(command)
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        // What it writes into queue URLs: `localhost` may be ::1, where it doesn't listen.
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("MINISTACK_REGION", REGION)
        // Where Lambda functions find it that it runs.
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("GATEWAY_PORT", port.to_string())
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("there is a shell");

    let health = format!("{endpoint}/_ministack/health");
    // No proxy: a developer's proxy settings must not reach for a server on this machine.
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a plain HTTP client needs nothing that could fail");
    let started_at = Instant::now();
    loop {
        if let Some(status) = wrapper.try_wait().expect("the wrapper is our child") {
            return Err(format!(
                "it ended with {status}; see {}",
                log_path.display()
            ));
        }
        let request = client.get(&health).timeout(Duration::from_secs(1));
        if let Ok(answer) = request.send().await
            && answer.status().is_success()
        {
            return Ok(MiniStack {
                endpoint,
                tools,
                _wrapper: wrapper,
            });
        }
        if started_at.elapsed() > START_DEADLINE {
            return Err(format!(
                "no answer from {health} in {START_DEADLINE:?}; see {}",
                log_path.display()
            ));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("the kernel has a free port on the loopback interface")
        .port()
}

/// The log of one emulator. The files of earlier runs are replaced as ports come up again.
fn log_file(port: u16) -> io::Result<(PathBuf, File)> {
    let folder = project_root().join("target/test-logs");
    fs::create_dir_all(&folder)?;
    let path = folder.join(format!("ministack-{port}.log"));
    let file = File::create(&path)?;
    Ok((path, file))
}

/// Runs a tool to its end and hands back its standard output.
async fn run(command: Command) -> Vec<u8> {
    let (command, output) = finished(command).await;
    assert!(
        output.status.success(),
        "{:?} ended with {}\n{}{}",
        command.get_args(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Runs a tool to its end, whatever that is.
async fn finished(mut command: Command) -> (Command, Output) {
    let (command, output) = tokio::task::spawn_blocking(move || {
        let output = command.output();
        (command, output)
    })
    .await
    .expect("nothing in the closure panics");
    let output = output.unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    (command, output)
}

fn text(value: &Value, name: &str) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("create_test_users.py left out {name}"))
        .to_owned()
}
