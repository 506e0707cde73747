//! A call that was begun, for who waits without a thread.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_channel::oneshot;

use crate::error::HsmError;
use crate::pool::Shared;

/// A call that was begun: a future of its answer, for any runtime.
///
/// It has no clock of its own: whoever waits for it gives it [`crate::Token::deadline`], and takes [`HsmError::Deadline`] for its
/// answer then. If it is dropped, so is its answer when it comes, and wiped if it is a secret.
#[must_use = "the call is made, and its answer is lost"]
pub struct Call<T> {
    shared: Arc<Shared>,
    expires: Instant,
    answered: oneshot::Receiver<Result<T, HsmError>>,
}

impl<T> Call<T> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        expires: Instant,
        answered: oneshot::Receiver<Result<T, HsmError>>,
    ) -> Self {
        Self {
            shared,
            expires,
            answered,
        }
    }
}

impl<T> Future for Call<T> {
    type Output = Result<T, HsmError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = Pin::new(&mut self.answered).poll(cx);
        answered.map(|got| got.unwrap_or_else(|_| Err(self.shared.given_up(self.expires))))
    }
}
