//! Export (FORMATS.md 6): `entries.jsonl`, `checkpoints.jsonl` and `checkpoint` in a directory of their own.
//!
//! Everything goes into a directory beside the asked one, is synced, and is renamed at the end: an export is whole or not there. Entries are
//! hashed as they pass, so that a checkpoint which does not cover exactly them is refused here and not first by an auditor.

use crate::chain;
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::json::Json;
use crate::read::Entry;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// The canonical entries, LF after each.
pub const ENTRIES: &str = "entries.jsonl";
/// Earlier checkpoints, a `{"note":".."}` a line, sizes growing.
pub const CHECKPOINTS: &str = "checkpoints.jsonl";
/// The signed note that covers exactly the entries.
pub const CHECKPOINT: &str = "checkpoint";

/// Entries are written in pieces of this many bytes.
const PIECE: usize = 256 * 1024;

/// Why there is no export. What was begun is removed.
#[derive(Debug)]
pub enum ExportError {
    /// The directory is there and has something in it, or is no directory.
    Occupied(PathBuf),
    /// The disk is full.
    DiskFull(PathBuf),
    /// Another error of the file system.
    Io(PathBuf, io::Error),
    /// Something that is no checkpoint.
    Checkpoint(CheckpointError),
    /// A checkpoint that is not larger than the one before it, or an earlier one that is not smaller than the last: its size.
    Order(u64),
    /// The last checkpoint covers another tree than the entries that were written: its size, and how many there are.
    OtherTree {
        /// What the checkpoint covers.
        covered: u64,
        /// What was written.
        written: u64,
    },
    /// An entry with a LF, which canonical bytes cannot have: its number.
    Entry(u64),
}

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Occupied(dir) => write!(f, "{} is not an empty directory", dir.display()),
            ExportError::DiskFull(path) => write!(
                f,
                "the disk is full: {} could not be written",
                path.display()
            ),
            ExportError::Io(path, error) => write!(f, "{}: {error}", path.display()),
            ExportError::Checkpoint(error) => error.fmt(f),
            ExportError::Order(size) => write!(f, "the checkpoint of size {size} is out of order"),
            ExportError::OtherTree { covered, written } => {
                write!(
                    f,
                    "the checkpoint covers another tree of {covered} entries; {written} were written"
                )
            }
            ExportError::Entry(seq) => write!(f, "entry {seq} is not canonical"),
        }
    }
}

impl std::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExportError::Io(_, error) => Some(error),
            ExportError::Checkpoint(error) => Some(error),
            _ => None,
        }
    }
}

impl ExportError {
    fn io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ExportError::DiskFull(path.to_owned())
            }
            _ => ExportError::Io(path.to_owned(), error),
        }
    }
}

/// One file of the export in the making.
struct Part {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Part {
    fn create(path: PathBuf) -> Result<Self, ExportError> {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Part {
                path,
                file: BufWriter::with_capacity(PIECE, file),
            }),
            Err(error) => Err(ExportError::io(&path, error)),
        }
    }

    fn write(&mut self, pieces: &[&[u8]]) -> Result<(), ExportError> {
        pieces
            .iter()
            .try_for_each(|piece| self.file.write_all(piece))
            .map_err(|error| ExportError::io(&self.path, error))
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all());
        // Dropping a buffer that could not be written would try again: take it apart instead.
        let (_, _) = self.file.into_parts();
        synced.map_err(|error| ExportError::io(&self.path, error))
    }
}

/// The directory in the making; removed unless it is renamed.
struct Workplace(Option<PathBuf>);

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Some(dir) = self.0.take() {
            // Best effort: the name says what it is, and a next export takes another.
            let _ = fs::remove_dir_all(dir);
        }
    }
}

/// An export in the making. Dropping it instead of finishing it leaves nothing behind.
pub struct Writer {
    dir: PathBuf,
    entries: Part,
    checkpoints: Part,
    edge: chain::Edge,
    last: u64,
    /// The name of entry 0, which every checkpoint must have.
    name: Option<String>,
    // Last, so that the files are closed before the directory goes.
    workplace: Workplace,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Writer({}, {} entries)",
            self.dir.display(),
            self.edge.size()
        )
    }
}

impl Writer {
    /// Begins an export into `dir`, which must not exist or be empty.
    ///
    /// # Errors
    /// [`ExportError::Occupied`], or what the file system says.
    pub fn create(dir: &Path) -> Result<Self, ExportError> {
        refuse_occupied(dir)?;
        let parent = parent(dir);
        let name = dir
            .file_name()
            .ok_or_else(|| ExportError::Occupied(dir.to_owned()))?
            .to_string_lossy();
        fs::create_dir_all(parent).map_err(|error| ExportError::io(parent, error))?;
        let workplace = unused(parent, &name)?;
        let inside = |file| workplace.0.as_deref().unwrap_or(dir).join(file);
        Ok(Writer {
            entries: Part::create(inside(ENTRIES))?,
            checkpoints: Part::create(inside(CHECKPOINTS))?,
            dir: dir.to_owned(),
            edge: chain::Edge::default(),
            last: 0,
            name: None,
            workplace,
        })
    }

    /// Adds the next entry: its canonical bytes as stored.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn entry(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        if bytes.contains(&b'\n') {
            return Err(ExportError::Entry(self.edge.size()));
        }
        if self.edge.size() == 0 {
            let founded = Entry::parse(bytes).map_err(|_| ExportError::Entry(0))?;
            let name = founded.data.get("name").and_then(|name| name.as_str());
            self.named(name.ok_or(ExportError::Entry(0))?)?;
        }
        self.edge.push(chain::leaf_hash(bytes), |_| {});
        self.entries.write(&[bytes, b"\n"])
    }

    /// Adds an earlier checkpoint: its signed note as stored. Sizes must grow.
    ///
    /// # Errors
    /// When it is none, is out of order, or cannot be written.
    pub fn checkpoint(&mut self, note: &str) -> Result<(), ExportError> {
        let checkpoint = self.read(note)?;
        if checkpoint.size <= self.last {
            return Err(ExportError::Order(checkpoint.size));
        }
        let mut json = Json::with_capacity(note.len() + 32);
        json.object(|o| o.member("note").note(note));
        let line = json
            .finish()
            .map_err(|_| ExportError::Checkpoint(CheckpointError::Malformed))?;
        self.last = checkpoint.size;
        self.checkpoints.write(&[&line, b"\n"])
    }

    /// Ends the export with the checkpoint that covers exactly its entries, makes it durable and gives it its name.
    ///
    /// # Errors
    /// When the checkpoint covers something else, or anything cannot be written. Nothing is left behind then.
    pub fn finish(mut self, note: &str) -> Result<Checkpoint, ExportError> {
        let covered = self.read(note)?;
        let Writer {
            dir,
            entries,
            checkpoints,
            edge,
            last,
            mut workplace,
            ..
        } = self;
        if covered.size != edge.size() || covered.root != edge.root() {
            return Err(ExportError::OtherTree {
                covered: covered.size,
                written: edge.size(),
            });
        }
        if last >= covered.size {
            return Err(ExportError::Order(last));
        }
        let made = workplace.0.clone().unwrap_or_default();
        let mut head = Part::create(made.join(CHECKPOINT))?;
        head.write(&[note.as_bytes()])?;
        for part in [entries, checkpoints, head] {
            part.finish()?;
        }
        sync_dir(&made)?;
        refuse_occupied(&dir)?;
        // Renaming onto an empty directory replaces it; onto one that was filled meanwhile it fails.
        fs::rename(&made, &dir).map_err(|error| ExportError::io(&dir, error))?;
        workplace.0 = None;
        sync_dir(parent(&dir))?;
        Ok(covered)
    }

    /// Entry 0 and all checkpoints have one name, whichever comes first.
    fn named(&mut self, name: &str) -> Result<(), ExportError> {
        match self.name.get_or_insert_with(|| name.to_owned()) == name {
            true => Ok(()),
            false => Err(ExportError::Checkpoint(CheckpointError::OtherName)),
        }
    }

    fn read(&mut self, note: &str) -> Result<Checkpoint, ExportError> {
        let (checkpoint, text) = checkpoint::read(note, None).map_err(ExportError::Checkpoint)?;
        self.named(text.lines().next().unwrap_or_default())?;
        Ok(checkpoint)
    }
}

fn parent(dir: &Path) -> &Path {
    dir.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn refuse_occupied(dir: &Path) -> Result<(), ExportError> {
    match fs::read_dir(dir) {
        Ok(inside) => match inside.count() {
            0 => Ok(()),
            _ => Err(ExportError::Occupied(dir.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(ExportError::Occupied(dir.to_owned()))
        }
        Err(error) => Err(ExportError::io(dir, error)),
    }
}

/// Makes a directory beside the asked one, under a name that nobody has.
fn unused(parent: &Path, name: &str) -> Result<Workplace, ExportError> {
    let mut tries = 0_u32;
    loop {
        let dir = parent.join(format!(".{name}.partial-{}-{tries}", std::process::id()));
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(Workplace(Some(dir))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 1000 => {
                tries += 1
            }
            Err(error) => return Err(ExportError::io(&dir, error)),
        }
    }
}

fn sync_dir(dir: &Path) -> Result<(), ExportError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| ExportError::io(dir, error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// Linux answers every write to this device with "no space left".
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_and_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("evidence");
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let entry = include_str!("../vectors/entries.jsonl")
            .lines()
            .next()
            .unwrap();

        let mut writer = Writer::create(&dir).unwrap();
        writer.entries.file = BufWriter::with_capacity(16, full());
        assert!(
            matches!(writer.entry(entry.as_bytes()), Err(ExportError::DiskFull(path)) if path.ends_with(ENTRIES))
        );
        drop(writer);

        let mut writer = Writer::create(&dir).unwrap();
        writer.entries.file = BufWriter::with_capacity(PIECE, full());
        writer.entry(entry.as_bytes()).unwrap();
        let body = checkpoint::body("vitrine.example/test", 1, &writer.edge.root());
        let note = format!(
            "{}\n\u{2014} vitrine.example/test AAAAAAA=\n",
            String::from_utf8(body).unwrap()
        );
        assert!(
            matches!(writer.finish(&note), Err(ExportError::DiskFull(path)) if path.ends_with(ENTRIES))
        );
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
