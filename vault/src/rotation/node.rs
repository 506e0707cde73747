//! Which node this is, for the leases that it takes. Whoever was killed leaves leases behind: the next process of the same
//! node takes them back at once, where any other waits for their end.
//!
//! The file `node` in the data directory says the node's id and where that file lies: device, inode and the machine's boot.
//! Whoever has it locked is that node, so the process before it is dead. A second process on one data directory, and whatever
//! runs on a copy of one, is a node of its own while it lives.
//! Not trusted: whoever alters it can have a lease taken early, which costs a candidate and no password (see [`super`]).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use uuid::Uuid;

/// A node's name in leases.
#[derive(Debug)]
pub struct Node {
    id: Uuid,
    _locked: Option<File>,
}

impl Node {
    /// The node of this data directory, and whether a process before this one may have been it.
    pub fn of(data: &Path) -> (Node, bool) {
        match Node::locked(&data.join("node")) {
            Ok(Some(found)) => found,
            Ok(None) => (Node::passing(), false),
            Err(e) => {
                tracing::warn!(
                    "this node has no name that lasts, and will wait for its own leases after a crash: {e}"
                );
                (Node::passing(), false)
            }
        }
    }

    /// A node as long as this process lives.
    pub fn passing() -> Node {
        Node {
            id: Uuid::new_v4(),
            _locked: None,
        }
    }

    fn locked(path: &Path) -> io::Result<Option<(Node, bool)>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(e)) => return Err(e),
        }
        let here = place(&file)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let kept = text
            .trim_end()
            .split_once(' ')
            .filter(|(_, at)| *at == here)
            .and_then(|(id, _)| id.parse().ok());
        let id = kept.unwrap_or_else(Uuid::new_v4);
        if kept.is_none() {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{id} {here}")?;
        }
        let node = Node {
            id,
            _locked: Some(file),
        };
        Ok(Some((node, kept.is_some())))
    }

    /// A lease that nobody had before.
    pub fn lease(&self) -> String {
        format!("{}.{}", self.id, Uuid::now_v7())
    }

    /// What its leases begin with.
    pub fn prefix(&self) -> String {
        format!("{}.", self.id)
    }
}

fn place(file: &File) -> io::Result<String> {
    let at = file.metadata()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(format!("{}:{}:{}", at.dev(), at.ino(), boot.trim()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_itself_again_after_a_crash_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (first, known) = Node::of(dir.path());
        assert!(!known);
        // A second process beside it, and one on a copy of its data.
        let (beside, known) = Node::of(dir.path());
        assert!(!known && beside.id != first.id);
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join("node"), copy.path().join("node")).unwrap();
        let (copied, known) = Node::of(copy.path());
        assert!(!known && copied.id != first.id);
        let id = first.id;
        drop((first, beside));
        let (again, known) = Node::of(dir.path());
        assert!(known && again.id == id);
        assert!(again.lease().starts_with(&again.prefix()) && again.lease() != again.lease());
        drop(again);
        // A file that does not read names nobody, and a directory that is not there is no outage.
        std::fs::write(dir.path().join("node"), [0xff, 0]).unwrap();
        assert!(!Node::of(dir.path()).1);
        assert!(!Node::of(&dir.path().join("none")).1);
    }
}
