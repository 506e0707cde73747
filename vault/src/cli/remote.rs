//! Where Vitrine is, for the program's own calls.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Error, Result, Words};
use crate::people::sessions::Token;

/// Where Vitrine is, for programs.
pub(super) struct Remote {
    url: String,
    http: reqwest::Client,
}

impl Remote {
    /// A client of `url`.
    pub(super) fn new(url: &str) -> Result<Remote> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        Ok(Remote {
            url: url.trim_end_matches('/').to_owned(),
            http,
        })
    }

    /// The address that was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// One call; a problem document becomes the refusal it is.
    pub(super) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        auth: &Auth<'_>,
        body: Option<Value>,
    ) -> Result<Value> {
        let mut request = self
            .http
            .request(method, format!("{}/api/v1{path}", self.url));
        request = match auth {
            Auth::None => request,
            Auth::Poll(secret) => {
                request.header(crate::requests::poll::HEADER, secret.expose().as_str())
            }
            Auth::Session(token) => request.bearer_auth(token.as_str()),
        };
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|e| self.unreachable(&e))?;
        let (status, text) = (
            answer.status(),
            answer.text().await.map_err(|e| self.unreachable(&e))?,
        );
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let part = |name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let words = Words::new(part("title"), part("detail"), part("next"));
        Err(match status.as_u16() {
            401 if matches!(auth, Auth::Session(_)) => Error::forbidden(
                "Not done.",
                "This terminal is signed in no more.",
                "Run `vitrine login`.",
            ),
            401 => Error::SignIn,
            404 => Error::Missing(words),
            503 => Error::Down(words, String::new()),
            _ => Error::Conflict(words),
        })
    }

    fn unreachable(&self, e: &reqwest::Error) -> Error {
        Error::Down(
            Words::new(
                "Not asked.",
                format!("{} does not answer.", self.url),
                "Check the address (--url or VITRINE_URL), or start it with `vitrine serve`.",
            ),
            e.to_string(),
        )
    }
}

/// How a call says who it is.
pub(super) enum Auth<'a> {
    /// Nobody.
    None,
    /// The terminal that filed.
    Poll(&'a Token),
    /// A signed-in terminal.
    Session(&'a Zeroizing<String>),
}
