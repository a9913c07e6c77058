//! Errors as problem bodies (RFC 9457), and the one table from codes to statuses.

use crate::error::{Error, ErrorCode};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// What went wrong, for programs (`code`) and people (`title`, `detail`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:auricle:problem:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A short line, the same for every problem of this code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What was attempted and what stood against it.
    pub detail: String,
    /// A stable word to translate and decide by.
    pub code: String,
    /// Fields of the request that are not acceptable, with `invalid`.
    pub errors: Vec<ProblemField>,
    /// Names this request in the service's log.
    pub request_id: String,
}

/// A field of the request that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// Path of the field, such as `hours[0].weekday`; empty for the body as a whole.
    pub field: String,
    /// `required`, `too_long`, `too_short`, `out_of_range`, `unknown`, `format`.
    pub code: String,
    /// In words, with the allowed range.
    pub detail: String,
}

/// The status of a code.
pub fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated | ErrorCode::WrongPassword | ErrorCode::BadSignature => StatusCode::UNAUTHORIZED,
        ErrorCode::PasswordChangeRequired | ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorCode::Conflict | ErrorCode::Taken | ErrorCode::SlotTaken | ErrorCode::OutboundRefused => {
            StatusCode::CONFLICT
        }
        ErrorCode::Stale => StatusCode::PRECONDITION_FAILED,
        ErrorCode::VersionRequired | ErrorCode::ReasonRequired => StatusCode::PRECONDITION_REQUIRED,
        ErrorCode::Locked | ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorCode::RangeNotSatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        ErrorCode::Unavailable | ErrorCode::CarrierSilent => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::DiskLow => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::NotConfigured => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::CarrierFailed => StatusCode::BAD_GATEWAY,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

tokio::task_local! {
    /// The id of the request that the running task answers; set by the outermost layer.
    pub(super) static REQUEST_ID: String;
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = status(self.code);
        let fields = self.fields.into_iter();
        let problem = Problem {
            kind: format!("urn:auricle:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code.as_str().to_owned(),
            errors: fields
                .map(|f| ProblemField { field: f.field, code: f.code.to_owned(), detail: f.detail })
                .collect(),
            request_id: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
