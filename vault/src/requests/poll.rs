//! A terminal's right to follow and open its own request: the secret whose hash was in the filing link.

use actix_web::HttpRequest;

use crate::error::{Error, Result};
use crate::people::sessions::Token;

/// The header that carries the secret.
pub const HEADER: &str = "vitrine-poll";

/// The poll secret of a request, or `SignIn`.
pub fn of(req: &HttpRequest) -> Result<Token> {
    req.headers()
        .get(HEADER)
        .and_then(|v| v.to_str().ok())
        .and_then(Token::from_text)
        .ok_or(Error::SignIn)
}
