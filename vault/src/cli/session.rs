//! A signed-in terminal.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::held::runtime_dir;
use super::remote::{Auth, Remote};
use crate::error::{Error, Result};
use crate::people::sessions::Token;

/// Where a signed-in terminal keeps its session.
pub(super) fn session_file() -> Option<PathBuf> {
    runtime_dir().map(|d| d.join("session"))
}

/// The session of this terminal.
pub(super) fn session() -> Result<Zeroizing<String>> {
    let path = session_file().ok_or(Error::SignIn)?;
    std::fs::read_to_string(path)
        .map(|s| Zeroizing::new(s.trim().to_owned()))
        .map_err(|_| {
            Error::forbidden(
                "Not done.",
                "This terminal is not signed in.",
                "Run `vitrine login` first.",
            )
        })
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
    let about = remote
        .call(reqwest::Method::GET, "/ledger", &Auth::None, None)
        .await?;
    let origin = about
        .pointer("/origins/0")
        .and_then(Value::as_str)
        .unwrap_or(remote.url())
        .to_owned();
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
            let dir = path.parent().map(ToOwned::to_owned).unwrap_or_default();
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&dir)
                .map_err(Error::internal)?;
            let _ = std::fs::remove_file(&path);
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map_err(Error::internal)?;
            file.write_all(token.as_bytes()).map_err(Error::internal)?;
            let name = got.get("name").and_then(Value::as_str).unwrap_or_default();
            if as_json {
                println!("{}", json!({ "name": name }))
            } else {
                println!("Signed in as {name}, for 12 hours at most.")
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(750)).await;
    }
    Err(Error::conflict(
        "Not signed in.",
        "Nobody opened the link in five minutes.",
        "Run `vitrine login` again.",
    ))
}
