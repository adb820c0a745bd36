//! What there is to upload: files, folders, standard input; read once for length and digest, and
//! noticed if it changes afterwards.
//!
//! **Invariant:** memory doesn't grow with a file, and folders that contain themselves end.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::service::MAX_FILE_BYTES;

/// More at once is a mistake in the command line rather than a wish.
const MAX_FILES: usize = 10_000;
const PIECE_BYTES: usize = 64 * 1024;

/// Something to upload, before it was looked at.
#[derive(Debug, Clone)]
pub struct Source {
    /// As the person called it.
    pub shown: String,
    /// As the record will call it.
    pub name: String,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub enum Origin {
    Path(PathBuf),
    StandardInput { declared_size: Option<u64> },
}

/// Bytes of known length and digest, which can be read again and again.
#[derive(Debug)]
pub struct Measured {
    pub size: u64,
    /// As 64 hex digits.
    pub sha256: String,
    pub file: Arc<File>,
    /// Of a file that others can write.
    watched: Option<(PathBuf, Stamp)>,
}

type Stamp = (u64, Option<SystemTime>);

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.len(), metadata.modified().ok())
}

/// Everything below `paths`, in their order. What can't be looked at is in the list too, and fails
/// when its turn comes.
///
/// # Errors
/// There are too many, or the options don't fit them.
pub fn find(
    paths: &[PathBuf],
    name: Option<&str>,
    size: Option<u64>,
) -> Result<Vec<Source>, Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    let mut found = Vec::new();
    let mut inputs = 0;
    for path in paths {
        if path.as_os_str() == "-" {
            inputs += 1;
            let Some(name) = name else {
                return usage("standard input has no name: say --name NAME");
            };
            found.push(Source {
                shown: "-".to_owned(),
                name: name.to_owned(),
                origin: Origin::StandardInput {
                    declared_size: size,
                },
            });
        } else {
            walk(path, &mut found)?;
        }
    }
    if inputs > 1 {
        return usage("standard input can be uploaded once");
    }
    if size.is_some() && inputs == 0 {
        return usage("--size is for standard input (-)");
    }
    if let Some(name) = name {
        match found.as_mut_slice() {
            [one] => one.name = name.to_owned(),
            [] => {}
            _ => return usage("--name is for one file alone"),
        }
    }
    if found.is_empty() {
        return usage("there is no file in these folders");
    }
    Ok(found)
}

fn walk(path: &Path, found: &mut Vec<Source>) -> Result<(), Failure> {
    if path.is_dir() {
        let mut children: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
            .map_err(|error| Failure::Here(format!("{}: {error}", path.display())))?;
        children.sort();
        for child in children {
            // A link to a folder may lead back here.
            if !(child.is_symlink() && child.is_dir()) {
                walk(&child, found)?;
            }
        }
        return Ok(());
    }
    if found.len() == MAX_FILES {
        return Err(Failure::Usage(format!(
            "these are more than {MAX_FILES} files; upload them in parts"
        )));
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    found.push(Source {
        shown: path.display().to_string(),
        name: name.to_string_lossy().into_owned(),
        origin: Origin::Path(path.to_owned()),
    });
    Ok(())
}

impl Source {
    /// Reads it once, to its end. Blocks.
    ///
    /// # Errors
    /// It can't be read, is too large, or has another length than was said.
    pub fn measure(&self) -> Result<Measured, Failure> {
        let here = |error: io::Error| Failure::Here(error.to_string());
        match &self.origin {
            Origin::Path(path) => {
                let metadata = std::fs::metadata(path).map_err(here)?;
                if !metadata.is_file() {
                    return Err(Failure::Here(
                        "it isn't a file; pipe it in with - and --name".to_owned(),
                    ));
                }
                fits(metadata.len())?;
                let mut file = File::open(path).map_err(here)?;
                let before = stamp(&file.metadata().map_err(here)?);
                let (size, sha256) = digest(&mut file, &mut io::sink()).map_err(here)?;
                let measured = Measured {
                    size,
                    sha256,
                    file: Arc::new(file),
                    watched: Some((path.clone(), before)),
                };
                if size != before.0 || measured.has_changed() {
                    return Err(changed());
                }
                Ok(measured)
            }
            Origin::StandardInput { declared_size } => {
                // Kept on disk, so that its length and digest are known first and it can be sent again.
                let mut kept = tempfile::tempfile().map_err(here)?;
                let mut input = io::stdin().lock().take(MAX_FILE_BYTES + 1);
                let (size, sha256) = digest(&mut input, &mut kept).map_err(here)?;
                fits(size)?;
                match declared_size {
                    Some(declared) if *declared != size => Err(Failure::Here(format!(
                        "--size says {declared} bytes, and {size} came; nothing was sent"
                    ))),
                    _ => Ok(Measured {
                        size,
                        sha256,
                        file: Arc::new(kept),
                        watched: None,
                    }),
                }
            }
        }
    }
}

impl Measured {
    /// Whether it isn't the file any more that was measured, as far as the file system tells.
    pub fn has_changed(&self) -> bool {
        self.watched.as_ref().is_some_and(|(path, before)| {
            std::fs::metadata(path).map_or(true, |now| stamp(&now) != *before)
        })
    }
}

pub fn changed() -> Failure {
    Failure::Here("it changed while it was being uploaded; upload it again".to_owned())
}

fn fits(size: u64) -> Result<(), Failure> {
    if size <= MAX_FILE_BYTES {
        return Ok(());
    }
    Err(Failure::Here(format!(
        "it is too large: a file may have {} ({MAX_FILE_BYTES} bytes); nothing was sent",
        indicatif::BinaryBytes(MAX_FILE_BYTES)
    )))
}

/// Length and SHA-256 of all that comes, which is also copied.
fn digest(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut size = 0;
    loop {
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            return Ok((size, hex::encode(hasher.finalize())));
        }
        hasher.update(&piece[..read]);
        to.write_all(&piece[..read])?;
        size += read as u64;
    }
}
