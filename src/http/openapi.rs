//! The machine-readable description of the API (API-02), made from the handlers and types themselves.
//!
//! Committed as `webui/openapi.json`; `tests/openapi.rs` keeps it current. The socket's messages are in it too.

use super::error::Problem;
use super::socket::{ClientMessage, ServerMessage};
use crate::app::App;
use auricle_domain::event::Event;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::{Arc, LazyLock};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::Ref;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{IntoParams, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The version a change is based on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "read by the document's generator only")]
pub struct IfMatchHeader {
    /// `"<version>"` as read from the record. 412 `stale` when it has changed since, 428 when missing.
    #[param(rename = "If-Match")]
    if_match: String,
}

/// The client's own name for a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "read by the document's generator only")]
pub struct IdempotencyHeader {
    /// 1 to 128 characters, new for each intent: the same key again brings the same reply instead of a second record.
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Auricle",
        description = "A clinic's telephone desk. Errors are `application/problem+json` with a stable `code`. Lists are newest first and go on at `?after=<next>`. Changes name the version they are based on in `If-Match`."
    ),
    components(schemas(Problem, ServerMessage, ClientMessage, Event))
)]
struct Base;

/// The API's description.
pub fn document() -> OpenApi {
    finish(super::routes().into_openapi())
}

/// The description's own route.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(describe))
}

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "api", security(()), responses((status = 200, description = "OpenAPI 3.1")))]
async fn describe() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// The router to which routes are added, with what the document says about all of them.
pub(super) fn base() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// Adds what holds for every operation: sessions, and problem bodies for everything that is not a success.
fn finish(mut document: OpenApi) -> OpenApi {
    let mut components = document.components.take().unwrap_or_default();
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(super::cookie::NAME)));
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    components.security_schemes.insert("cookie".to_owned(), RefOr::T(cookie));
    components.security_schemes.insert("bearer".to_owned(), RefOr::T(bearer));
    document.components = Some(components);
    let none: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("cookie", none), SecurityRequirement::new("bearer", none)]);
    let content = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let problem =
        ResponseBuilder::new().description("What went wrong").content("application/problem+json", content).build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
            operation.operation_id = operation.operation_id.take().map(|name| format!("{tag}_{name}"));
            operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.clone()));
        }
    }
    document
}
