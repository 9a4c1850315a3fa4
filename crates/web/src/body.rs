//! Reading a body, whole and within limits.

use crate::problem::{Problem, WebResult};
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;
use tegata_core::Refusal;
use tegata_net::is_malformed_body;
use tokio::time::timeout;

/// The most that a request may send, in bytes.
pub const LIMIT: usize = 64 * 1024;

/// No honest client needs longer for 64 KiB.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole body, if it has at most `limit` bytes and arrives in 30 seconds.
pub async fn read(body: Body, limit: usize) -> WebResult<Bytes> {
    let collected = timeout(PATIENCE, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::RequestTooLarge.into()),
        Ok(Err(error)) if is_malformed_body(&*error) => {
            Err(Problem::with_detail(Refusal::RequestMalformed, "the chunks of the body cannot be read"))
        }
        Ok(Err(_)) => Err(Problem::with_detail(Refusal::RequestMalformed, "the body ended early")),
        Err(_) => Err(Problem::with_detail(Refusal::RequestMalformed, "the body took too long")),
    }
}
