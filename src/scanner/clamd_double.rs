//! A program that speaks clamd's protocol, for tests that would be slow with a real one or want it to misbehave.
//!
//! Invariant: of the protocol it does what clamd does: an answer comes after the chunk of length 0, or at once where
//! the stream is longer than [`MAX_STREAM`], and then the connection is closed.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Verdict;
use super::double::judge;

/// The longest stream that is taken, as `StreamMaxLength` of Debian's clamd has it, in bytes.
pub const MAX_STREAM: usize = 25 * 1024 * 1024;

/// What it does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// What clamd does.
    Right,
    /// It answers this at the end, whatever came.
    Says(&'static [u8]),
    /// It answers this after the first bytes of a chunk, and reads on.
    SaysAtOnce(&'static [u8]),
    /// It closes the connection once it has the file.
    Closes,
    /// It reads all, and never answers.
    NeverAnswers,
    /// It reads the command and nothing more.
    NeverReads,
}

/// Serves one connection.
///
/// # Errors
/// As the connection's.
pub async fn serve<S>(mut stream: S, manner: Manner) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut command = [0; b"zINSTREAM\0".len()];
    stream.read_exact(&mut command).await?;
    if &command != b"zINSTREAM\0" {
        return stream.write_all(b"UNKNOWN COMMAND\0").await;
    }
    if manner == Manner::NeverReads {
        std::future::pending::<()>().await;
    }
    let mut file = Vec::new();
    let mut has_answered = false;
    loop {
        let length = stream.read_u32().await? as usize;
        if length == 0 {
            break;
        }
        if file.len() + length > MAX_STREAM {
            return stream
                .write_all(b"INSTREAM size limit exceeded. ERROR\0")
                .await;
        }
        let begin = file.len();
        file.resize(begin + length, 0);
        stream.read_exact(&mut file[begin..]).await?;
        if let Manner::SaysAtOnce(said) = manner
            && !has_answered
        {
            has_answered = true;
            stream.write_all(said).await?;
        }
    }
    let said = match manner {
        Manner::Right => said(&judge(&file)),
        Manner::Says(said) => said.to_vec(),
        Manner::SaysAtOnce(_) | Manner::Closes => return Ok(()),
        Manner::NeverAnswers | Manner::NeverReads => std::future::pending().await,
    };
    stream.write_all(&said).await?;
    stream.flush().await
}

fn said(verdict: &Verdict) -> Vec<u8> {
    let said = match verdict {
        Verdict::Clean => "stream: OK\0".to_owned(),
        Verdict::Infected(name) => format!("stream: {} FOUND\0", name.as_str()),
        Verdict::Unscannable(_) => "stream: Heuristics.Encrypted.Zip FOUND\0".to_owned(),
    };
    said.into_bytes()
}
