//! Where Vitrine is, for the program's own calls.

use std::time::Duration;

use quorum::Hash;
use serde_json::Value;
use zeroize::Zeroizing;

use super::known::Known;
use super::refusal::{Refusal, Result};
use crate::error::{Error, Words};
use crate::people::sessions::Token;

/// Where Vitrine is, for programs.
pub(super) struct Remote {
    url: String,
    ledger: Option<Hash>,
    http: reqwest::Client,
}

impl Remote {
    /// A client of `url`, whose ledger somebody may have given.
    pub(super) fn new(url: &str, ledger: Option<Hash>) -> Result<Remote> {
        let wrong = |why: String| {
            Error::invalid(
                "Not asked.",
                why,
                "Give --url or VITRINE_URL the address that people type, such as https://vitrine.example.",
            )
        };
        let parsed = url::Url::parse(url)
            .map_err(|_| wrong(format!("{url} is no address of a Vitrine.")))?;
        let loopback = match parsed.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let mut http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none());
        match parsed.scheme() {
            "https" => {}
            // Without TLS nobody needs roots, and a bare machine has none.
            "http" if loopback => http = http.no_proxy().tls_certs_only([]),
            "http" => {
                return Err(wrong(format!("{url} is plain HTTP, and not this machine.")).into());
            }
            _ => return Err(wrong(format!("{url} is no address of a Vitrine.")).into()),
        }
        Ok(Remote {
            url: url.trim_end_matches('/').to_owned(),
            ledger,
            http: http.build().map_err(Error::internal)?,
        })
    }

    /// The address that was given.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The fingerprint that was given, of the ledger that has to be there.
    pub(super) fn ledger(&self) -> Option<Hash> {
        self.ledger
    }

    /// The address that people's keys are bound to, what a link begins with; and the ledger, which is the one known here.
    pub(super) async fn met(&self) -> Result<(String, Known)> {
        let about = match self
            .call(reqwest::Method::GET, "/ledger", &Auth::None, None)
            .await
        {
            Err(e) if e.is_missing() => return Err(self.no_vitrine(404).into()),
            about => about?,
        };
        let text = |at: &str| about.pointer(at).and_then(Value::as_str);
        let ledger = text("/ledger").and_then(|hash| hash.parse().ok());
        let ledger = ledger.ok_or_else(|| self.no_vitrine(200))?;
        let origin = text("/origins/0").unwrap_or(self.url()).to_owned();
        Ok((origin, Known::meet(self, ledger)?))
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
        let answer = request.send().await.map_err(|e| self.unreachable(e))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|e| self.unreachable(e))?;
        let value: Option<Value> = serde_json::from_str(&text).ok();
        match value {
            Some(value) if status.is_success() => Ok(value),
            Some(value) if value.get("title").is_some() => Err(told(status.as_u16(), auth, &value)),
            _ => Err(self.no_vitrine(status.as_u16()).into()),
        }
    }

    fn no_vitrine(&self, status: u16) -> Error {
        let words = Words::new(
            "Not asked.",
            format!(
                "{} answers, but not as a Vitrine does (HTTP {status}).",
                self.url
            ),
            "Check the address (--url or VITRINE_URL); where a proxy stands before it, whether Vitrine runs behind it.",
        );
        match status {
            // A proxy with nothing behind it, for now.
            502..=504 => Error::Down(words, String::new()),
            _ => Error::Invalid(words),
        }
    }

    fn unreachable(&self, e: reqwest::Error) -> Error {
        let e = e.without_url();
        let mut cause: &dyn std::error::Error = &e;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Error::Down(
            Words::new(
                "Not asked.",
                format!("{} does not answer.", self.url),
                "Check the address (--url or VITRINE_URL), or start it with `vitrine serve`.",
            ),
            cause.to_string(),
        )
    }
}

/// What a problem document says.
fn told(status: u16, auth: &Auth<'_>, value: &Value) -> Refusal {
    let part = |name: &str| {
        let text = value.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let words = Words::new(part("title"), part("detail"), part("next"));
    let error = match (status, part("type").as_str()) {
        (401, _) if matches!(auth, Auth::Session(_)) => Error::forbidden(
            "Not done.",
            "This terminal is signed in no more.",
            "Run `vitrine login`.",
        ),
        (401, _) => Error::SignIn,
        (400, _) => Error::Invalid(words),
        (403, _) => Error::Forbidden(words),
        (404, _) => Error::Missing(words),
        (503, "urn:vitrine:not-ready") => Error::NotReady(words),
        (500.., _) => Error::Down(words, String::new()),
        (_, "urn:vitrine:tampered") => Error::Tampered(words),
        _ => Error::Conflict(words),
    };
    Refusal::told(error, &part("reference"))
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
