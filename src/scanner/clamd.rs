//! clamd, the daemon of ClamAV: a file goes to it as a stream, and it answers in a line.
//!
//! The protocol is in clamd(8): `zINSTREAM`, then chunks that begin with their length in four bytes, then one of length
//! 0; the answer ends with a NUL. It knows neither who asks nor encryption, so it belongs on a Unix socket, or into a
//! network that nobody else is in.
//!
//! Invariant: clean is what was answered with `stream: OK` and its NUL after the last chunk, and nothing else is. An
//! answer is read also where clamd closes its end before it has all (a file that is larger than it takes), and never
//! more of it than 1 KiB.

mod answer;

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Scan, ScanFailure, Scanner, Verdict};
use crate::config::ClamdAddress;
use answer::{Answer, MAX_ANSWER_BYTES};

/// Starts a scan; the `z` says that command and answer end with a NUL.
const COMMAND: &[u8] = b"zINSTREAM\0";
/// The largest chunk. clamd takes any, up to the length of a stream.
const CHUNK: usize = 256 * 1024;

/// How long clamd may take for each step.
#[derive(Debug, Clone, Copy)]
pub struct ClamdLimits {
    /// To take a connection.
    pub connect: Duration,
    /// To take a chunk.
    pub chunk: Duration,
    /// To answer once it has the file. It gives up by itself after `MaxScanTime`, two minutes by default.
    pub answer: Duration,
}

impl Default for ClamdLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            chunk: Duration::from_secs(20),
            answer: Duration::from_secs(150),
        }
    }
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A clamd by its address. Each scan has a connection of its own.
#[derive(Debug, Clone)]
pub struct Clamd {
    address: ClamdAddress,
    limits: ClamdLimits,
}

impl Clamd {
    /// A clamd that is asked at this address.
    pub fn new(address: ClamdAddress) -> Self {
        Self::within(address, ClamdLimits::default())
    }

    /// The same with other limits.
    pub fn within(address: ClamdAddress, limits: ClamdLimits) -> Self {
        Self { address, limits }
    }

    async fn connect(&self) -> std::io::Result<Box<dyn Connection>> {
        match &self.address {
            #[cfg(unix)]
            ClamdAddress::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            #[cfg(not(unix))]
            ClamdAddress::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
            ClamdAddress::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

#[async_trait]
impl Scanner for Clamd {
    async fn begin(&self, _length: u64) -> Result<Box<dyn Scan>, ScanFailure> {
        let connection = match timeout(self.limits.connect, self.connect()).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                return Err(ScanFailure::new(format!(
                    "{} can't be reached: {error}",
                    self.address
                )));
            }
            Err(_) => {
                return Err(ScanFailure::new(format!(
                    "{} takes no connection in time",
                    self.address
                )));
            }
        };
        let (reader, writer) = split(connection);
        let mut scan = ClamdScan {
            reader,
            writer,
            limits: self.limits,
            answer: Answer::default(),
            is_cut_off: false,
        };
        scan.send(COMMAND).await?;
        Ok(Box::new(scan))
    }
}

struct ClamdScan {
    reader: ReadHalf<Box<dyn Connection>>,
    writer: WriteHalf<Box<dyn Connection>>,
    limits: ClamdLimits,
    answer: Answer,
    /// clamd takes no more of the file, though it hasn't got all of it. What it said to that is in `answer`.
    is_cut_off: bool,
}

impl ClamdScan {
    /// Sends bytes, unless clamd answered before.
    async fn send(&mut self, bytes: &[u8]) -> Result<(), ScanFailure> {
        if self.is_cut_off {
            return Ok(());
        }
        let sent = tokio::select! {
            biased;
            read = read_some(&mut self.reader, &mut self.answer) => {
                read?;
                None
            }
            sent = timeout(self.limits.chunk, self.writer.write_all(bytes)) => Some(sent),
        };
        match sent {
            Some(Ok(Ok(()))) => Ok(()),
            Some(Err(_)) => Err(ScanFailure::new("clamd takes no more bytes in time")),
            // It closed its end, and may have said why.
            Some(Ok(Err(_))) | None => {
                self.is_cut_off = true;
                self.read_answer(self.limits.chunk).await
            }
        }
    }

    /// Reads until the answer is whole.
    async fn read_answer(&mut self, limit: Duration) -> Result<(), ScanFailure> {
        let reading = async {
            while !self.answer.is_whole() {
                read_some(&mut self.reader, &mut self.answer).await?;
            }
            Ok(())
        };
        match timeout(limit, reading).await {
            Ok(read) => read,
            Err(_) => Err(ScanFailure::new("clamd doesn't answer in time")),
        }
    }
}

/// Reads what there is of the answer.
async fn read_some(
    reader: &mut (impl AsyncRead + Unpin),
    answer: &mut Answer,
) -> Result<(), ScanFailure> {
    let mut buffer = [0; MAX_ANSWER_BYTES];
    match reader.read(&mut buffer).await {
        Ok(0) => Err(ScanFailure::new("clamd closed the connection")),
        Ok(length) => answer.add(buffer.get(..length).unwrap_or_default()),
        Err(error) => Err(ScanFailure::new(format!(
            "the connection to clamd broke off: {error}"
        ))),
    }
}

#[async_trait]
impl Scan for ClamdScan {
    async fn add(&mut self, chunk: &[u8]) -> Result<(), ScanFailure> {
        for part in chunk.chunks(CHUNK) {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            self.send(&length.to_be_bytes()).await?;
            self.send(part).await?;
        }
        Ok(())
    }

    async fn verdict(mut self: Box<Self>) -> Result<Verdict, ScanFailure> {
        self.send(&0_u32.to_be_bytes()).await?;
        if !self.is_cut_off {
            self.read_answer(self.limits.answer).await?;
        }
        match self.answer.verdict()? {
            // Not the last word on a file that it hasn't seen to its end.
            Verdict::Clean if self.is_cut_off => Err(ScanFailure::new(
                "clamd called a file clean before it had all of it",
            )),
            verdict => Ok(verdict),
        }
    }
}

#[cfg(test)]
mod tests;
