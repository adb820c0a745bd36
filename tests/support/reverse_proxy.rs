//! Reverse proxies before services of a test's, as browsers and programs of other machines reach them.
//!
//! Invariant: one runs with the rights and below the folder of its test, and ends with it.

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::ministack::project_root;

/// How long a start may take. Far more than it needs, for a busy machine.
pub(crate) const START: Duration = Duration::from_secs(30);
/// Nothing of the machine's is changed, and nobody else reaches it.
const GLOBAL: &str = "{
    admin off
    auto_https disable_redirects
    default_bind 127.0.0.1
    persist_config off
    skip_install_trust
}
";

/// The process of a proxy that has begun to listen.
pub(crate) struct ReverseProxy(Child);

impl ReverseProxy {
    /// # Panics
    /// If it doesn't listen at this port within [`START`]; with what it wrote to `log`.
    pub(crate) fn start(command: &mut Command, port: u16, log: &Path) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).expect("a log can be made"))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs it"));
        let mut proxy = Self(child);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = proxy.0.try_wait().expect("it can be waited for");
            let log = std::fs::read_to_string(log).unwrap_or_default();
            assert!(
                ended.is_none() && began.elapsed() < START,
                "{ended:?} {log}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    /// Caddy at `https://localhost:PORT`, with a certificate that it signs itself. What is asked for below one of these
    /// paths, such as `/share`, is passed to the service at that address; what isn't below any, to the one of the empty
    /// path.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub(crate) fn https(folder: &Path, port: u16, services: &[(&str, String)]) -> Self {
        let handle = |(path, address): &(&str, String)| match *path {
            "" => format!("    handle {{\n        reverse_proxy {address}\n    }}\n"),
            path => format!("    handle {path}/* {{\n        reverse_proxy {address}\n    }}\n"),
        };
        let handles: String = services.iter().map(handle).collect();
        let site = format!("https://localhost:{port} {{\n    tls internal\n{handles}}}\n");
        Self::start(&mut caddy(folder, &site), port, &folder.join("log"))
    }
}

impl Drop for ReverseProxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Caddy with these sites, which has all that is its own in `folder`.
pub(crate) fn caddy(folder: &Path, sites: &str) -> Command {
    let configuration = folder.join("Caddyfile");
    std::fs::write(&configuration, format!("{GLOBAL}{sites}")).expect("it can be written");
    let mut command = Command::new(project_root().join("target/caddy/bin/caddy"));
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(configuration)
        .env_clear()
        .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|name| (name, folder)));
    command
}
