//! The web app, embedded in the binary. Without it the API still works, and `/` says how to build it.

use crate::error::{Error, ErrorCode};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/webui/build"]
#[allow_missing = true]
struct Files;

/// The page that every address of the app begins with.
const INDEX: &str = "index.html";
/// Files below it have a hash of their content in their name.
const HASHED: &str = "_app/immutable/";
/// What is shown when the binary was built without the web app.
const NOT_BUILT: &str = "Auricle runs, but this binary was built without its web pages.\n\n\
    To build them: install Node 20 or newer, run `npm ci && npm run build` in the folder webui,\n\
    then `cargo build` again. `make demo` does all of it.\n\n\
    The API works all the same: its description is at /api/openapi.json\n";

/// Serves a file of the web app, or its first page for addresses of its own.
pub async fn serve(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Error::not_found("path of the API").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Error::new(ErrorCode::MethodNotAllowed, "Pages can only be read").into_response();
    }
    let known = |path: &str| Files::get(path).map(|file| (path.to_owned(), file));
    match known(path) {
        Some((path, found)) => file(&request, &path, found),
        // A file that is not there is an error; any other address is one of the app's own pages.
        None if path.starts_with(HASHED) || path.rsplit('/').next().is_some_and(|name| name.contains('.')) => {
            Error::not_found("file").into_response()
        }
        None => known(INDEX).map_or_else(not_built, |(path, found)| file(&request, &path, found)),
    }
}

fn file(request: &Request, path: &str, file: EmbeddedFile) -> Response {
    let tag = format!("\"{}\"", STANDARD.encode(file.metadata.sha256_hash()));
    let (Ok(tag), Ok(kind)) = (HeaderValue::try_from(tag), HeaderValue::from_str(kind(path))) else {
        return Error::internal("serve a file", &"its headers cannot be written").into_response();
    };
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static(cache)), (ETAG, tag.clone())];
    if request.headers().get(IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, Body::from(file.data)).into_response()
}

fn not_built() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], NOT_BUILT).into_response()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

/// SHA-256, in base64, of every script that stands in the first page itself.
pub(super) fn inline_script_hashes() -> Vec<String> {
    let Some(page) = Files::get(INDEX) else { return Vec::new() };
    scripts_in(&String::from_utf8_lossy(&page.data))
        .map(|script| STANDARD.encode(Sha256::digest(script.as_bytes())))
        .collect()
}

/// The texts of `<script>` elements without a `src`.
fn scripts_in(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_in_the_page_are_found_and_files_are_not() {
        let page =
            "<script src=\"a.js\"></script><script>one()</script><p>x</p><script type=\"module\">\n two()\n</script>";
        assert_eq!(scripts_in(page).collect::<Vec<_>>(), ["one()", "\n two()\n"]);
    }
}
