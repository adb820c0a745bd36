//! What there is to upload: files, folders, standard input; read once for length and digest, and
//! noticed if it changes afterwards.
//!
//! **Invariant:** memory doesn't grow with a file. Nothing goes out of a folder but what lies in it: links in
//! it are skipped, also those that take a file's place later. A link that is named is followed.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::api_client::MAX_FILE_BYTES;
use crate::error::CliError;
use crate::platform::is_same_file;

/// More at once is a mistake in the command line rather than a wish.
const MAX_FILES: usize = 10_000;
/// How deep a folder is gone into, as the web page does.
const MAX_DEPTH: usize = 32;
/// What the service keeps of a name, in bytes of UTF-8.
const MAX_NAME_BYTES: usize = 255;
/// What operating systems leave in folders.
const NOBODYS: [&str; 3] = [".DS_Store", "Thumbs.db", "desktop.ini"];
const PIECE_BYTES: usize = 64 * 1024;

/// Something to upload, before it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    /// As the person called it.
    pub shown: String,
    /// As the record will call it.
    pub name: String,
    pub origin: Origin,
}

#[derive(Debug, Clone)]
pub(crate) enum Origin {
    Path {
        path: PathBuf,
        /// The folder that it must lie in, without links in its path.
        within: Option<PathBuf>,
    },
    /// A folder that can't be gone into, and why.
    Unreadable(String),
    StandardInput {
        declared_size: Option<u64>,
    },
}

/// Bytes of known length and digest, which can be read again and again.
#[derive(Debug)]
pub(crate) struct Measured {
    pub size: u64,
    /// As 64 hex digits.
    pub sha256: String,
    pub file: Arc<File>,
    /// Of a file that others can write.
    watched: Option<(PathBuf, SizeAndTime)>,
}

type SizeAndTime = (u64, Option<SystemTime>);

fn size_and_time(metadata: &Metadata) -> SizeAndTime {
    (metadata.len(), metadata.modified().ok())
}

/// What is to be uploaded, and the links in folders that aren't followed.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub inputs: Vec<Input>,
    pub links: Vec<PathBuf>,
}

/// Everything below `paths`, in their order. What can't be looked at is in the list too, and fails
/// when its turn comes.
///
/// # Errors
/// There are too many, or the options don't fit them.
pub(crate) fn find(
    paths: &[PathBuf],
    name: Option<&str>,
    size: Option<u64>,
) -> Result<Found, CliError> {
    let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
    let mut found = Found::default();
    let mut inputs = 0;
    for path in paths {
        if path.as_os_str() == "-" {
            inputs += 1;
            let Some(name) = name else {
                return usage("standard input has no name: say --name NAME");
            };
            found.inputs.push(Input {
                shown: "-".to_owned(),
                name: name.to_owned(),
                origin: Origin::StandardInput {
                    declared_size: size,
                },
            });
        } else {
            named(path, &mut found)?;
        }
    }
    if inputs > 1 {
        return usage("standard input can be uploaded once");
    }
    if size.is_some() && inputs == 0 {
        return usage("--size is for standard input (-)");
    }
    if let Some(name) = name {
        match found.inputs.as_mut_slice() {
            [one] => one.name = name.to_owned(),
            [] => {}
            _ => return usage("--name is for one file alone"),
        }
    }
    if found.inputs.is_empty() {
        return usage("there is no file in these folders");
    }
    Ok(found)
}

/// What a person named: a link is followed, since it is meant.
fn named(path: &Path, found: &mut Found) -> Result<(), CliError> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    if !path.is_dir() {
        let name = name.unwrap_or_else(|| path.display().to_string());
        return add(
            found,
            path,
            name,
            Origin::Path {
                path: path.to_owned(),
                within: None,
            },
        );
    }
    let root = match path.canonicalize() {
        Ok(root) => root,
        Err(error) => {
            let name = path.display().to_string();
            return add(found, path, name, Origin::Unreadable(error.to_string()));
        }
    };
    // `.` and `..` have a name too.
    let own = root
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let folder = Folder {
        root: &root,
        name: name.or(own).unwrap_or_default(),
        depth: 0,
    };
    folder.walk(path, found)
}

struct Folder<'a> {
    root: &'a Path,
    /// What the page of the web calls it: its path, from the folder that was named on.
    name: String,
    depth: usize,
}

impl Folder<'_> {
    fn walk(&self, path: &Path, found: &mut Found) -> Result<(), CliError> {
        let entries = std::fs::read_dir(path);
        let children = entries.and_then(|entries| {
            // More are too many in any case.
            let entries = entries.take(MAX_FILES + NOBODYS.len() + 1);
            let children: io::Result<Vec<_>> = entries.collect();
            children?
                .into_iter()
                .map(|child| Ok((child.path(), child.file_type()?)))
                .collect()
        });
        let mut children: Vec<(PathBuf, FileType)> = match children {
            Ok(children) => children,
            Err(error) => {
                let why = Origin::Unreadable(error.to_string());
                return add(found, path, self.name.clone(), why);
            }
        };
        children.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (child, kind) in children {
            let file_name = child
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let name = format!("{}/{file_name}", self.name);
            if kind.is_symlink() {
                found.links.push(child);
            } else if kind.is_dir() {
                self.below(name).walk_unless_too_deep(&child, found)?;
            } else if !NOBODYS.contains(&file_name.as_str()) {
                let name = if fits_as_name(&name) { name } else { file_name };
                let within = Some(self.root.to_owned());
                add(
                    found,
                    &child,
                    name,
                    Origin::Path {
                        path: child.clone(),
                        within,
                    },
                )?;
            }
        }
        Ok(())
    }

    fn below(&self, name: String) -> Folder<'_> {
        Folder {
            root: self.root,
            name,
            depth: self.depth + 1,
        }
    }

    fn walk_unless_too_deep(&self, path: &Path, found: &mut Found) -> Result<(), CliError> {
        if self.depth <= MAX_DEPTH {
            return self.walk(path, found);
        }
        let why = format!("it lies in more than {MAX_DEPTH} folders; name it on the command line");
        add(found, path, self.name.clone(), Origin::Unreadable(why))
    }
}

fn add(found: &mut Found, path: &Path, name: String, origin: Origin) -> Result<(), CliError> {
    if found.inputs.len() + found.links.len() >= MAX_FILES {
        return Err(CliError::Usage(format!(
            "these are more than {MAX_FILES} files; upload them in parts"
        )));
    }
    let shown = path.display().to_string();
    found.inputs.push(Input {
        shown,
        name,
        origin,
    });
    Ok(())
}

/// Whether the service would keep it whole. It keeps letters, marks and digits of any script and `_ - .`,
/// and has one byte for anything else.
fn fits_as_name(name: &str) -> bool {
    let is_kept = |c: char| {
        matches!(c, '_' | '-' | '.')
            || matches!(
                c.general_category_group(),
                GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
            )
            || c.general_category() == GeneralCategory::DecimalNumber
    };
    let kept = name
        .nfc()
        .map(|c| if is_kept(c) { c.len_utf8() } else { 1 });
    kept.sum::<usize>() <= MAX_NAME_BYTES
}

impl Input {
    /// Reads it once, to its end. Blocks.
    ///
    /// # Errors
    /// It can't be read, is too large, or has another length than was said.
    pub(crate) fn measure(&self) -> Result<Measured, CliError> {
        let here = |error: io::Error| CliError::Here(error.to_string());
        match &self.origin {
            Origin::Unreadable(why) => Err(CliError::Here(why.clone())),
            Origin::Path { path, within } => {
                let metadata = std::fs::metadata(path).map_err(here)?;
                if !metadata.is_file() {
                    return Err(CliError::Here(
                        "it isn't a file; pipe it in with - and --name".to_owned(),
                    ));
                }
                fits(metadata.len())?;
                let mut file = File::open(path).map_err(here)?;
                if let Some(root) = within
                    && !lies_within(&file, path, root).map_err(here)?
                {
                    return Err(CliError::Here(
                        "it was replaced by a link that leads out of the folder".to_owned(),
                    ));
                }
                let before = size_and_time(&file.metadata().map_err(here)?);
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
                    Some(declared) if *declared != size => Err(CliError::Here(format!(
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

/// Whether what was opened at `path` is a file below `root`, and not what a link leads to that was put in
/// its way, or in that of a folder above it.
fn lies_within(opened: &File, path: &Path, root: &Path) -> io::Result<bool> {
    let real = path.canonicalize()?;
    let there = std::fs::symlink_metadata(&real)?;
    Ok(real.starts_with(root) && is_same_file(&opened.metadata()?, &there))
}

impl Measured {
    /// Whether it isn't the file any more that was measured, as far as the file system tells.
    pub(crate) fn has_changed(&self) -> bool {
        self.watched.as_ref().is_some_and(|(path, before)| {
            std::fs::metadata(path).map_or(true, |now| size_and_time(&now) != *before)
        })
    }
}

pub(crate) fn changed() -> CliError {
    CliError::Here("it changed while it was being uploaded; upload it again".to_owned())
}

fn fits(size: u64) -> Result<(), CliError> {
    if size <= MAX_FILE_BYTES {
        return Ok(());
    }
    Err(CliError::Here(format!(
        "it is too large: a file may have {} ({MAX_FILE_BYTES} bytes); nothing was sent",
        indicatif::BinaryBytes(MAX_FILE_BYTES)
    )))
}

/// Length and SHA-256 of all that comes, which is also copied.
pub(crate) fn digest(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, String)> {
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
