//! A signed-in terminal.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::held::runtime_dir;
use super::refusal::{Result, plain};
use super::remote::{Auth, Remote};
use crate::error::Error;
use crate::people::sessions::Token;

/// Where a signed-in terminal keeps its session.
pub(super) fn session_file() -> Option<PathBuf> {
    runtime_dir().map(|d| d.join("session"))
}

/// The session of this terminal.
pub(super) fn session() -> Result<Zeroizing<String>> {
    let kept = session_file().and_then(|path| std::fs::read_to_string(path).ok());
    match kept {
        Some(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        None => Err(Error::forbidden(
            "Not done.",
            "This terminal is not signed in.",
            "Run `vitrine login` first.",
        )
        .into()),
    }
}

/// Signs this terminal in through any browser.
pub(super) async fn login(remote: &Remote, as_json: bool) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let path = session_file().ok_or_else(|| {
        Error::invalid(
            "Not signed in.",
            "There is no $XDG_RUNTIME_DIR to keep a session in.",
            "Set it to a directory that only you can read.",
        )
    })?;
    // Before anybody touches a key for it.
    let dir = path.parent().map(ToOwned::to_owned).unwrap_or_default();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|e| cannot_keep(&dir, &e))?;
    let (origin, _) = remote.met().await?;
    let poll = Token::draw()?;
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let label: String =
        url::form_urlencoded::byte_serialize(format!("terminal on {}", host.trim()).as_bytes())
            .collect::<String>()
            .replace('+', "%20");
    eprintln!(
        "Open this in any browser where you can touch your key:\n  {origin}/you/terminal#p={}&l={label}",
        poll.digest("poll")
    );
    for _ in 0..400 {
        let got = remote
            .call(reqwest::Method::GET, "/terminals", &Auth::Poll(&poll), None)
            .await?;
        if let Some(token) = got.get("token").and_then(Value::as_str) {
            let _ = std::fs::remove_file(&path);
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .and_then(|mut file| file.write_all(token.as_bytes()))
                .map_err(|e| cannot_keep(&path, &e))?;
            let name = got.get("name").and_then(Value::as_str).unwrap_or_default();
            if as_json {
                println!("{}", json!({ "name": name }))
            } else {
                println!("Signed in as {}, for 12 hours at most.", plain(name))
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(750)).await;
    }
    Err(Error::conflict(
        "Not signed in.",
        "Nobody opened the link in five minutes.",
        "Run `vitrine login` again.",
    )
    .into())
}

fn cannot_keep(path: &Path, e: &std::io::Error) -> Error {
    Error::invalid(
        "Not signed in.",
        format!("The session cannot be kept in {}: {e}.", path.display()),
        "Set $XDG_RUNTIME_DIR to a directory that only you can read, and that you can write.",
    )
}
