//! Lists in pages: newest first unless told otherwise, with a cursor that says where the next page begins.

use crate::error::{Error, FieldError};
use auricle_storage::{Cursor, Page as StoredPage};
use serde::{Deserialize, Serialize};

/// Items of a page when nothing is asked.
pub const LIMIT_DEFAULT: u32 = 50;
/// Most items of a page.
pub const LIMIT_MAX: u32 = 200;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; null on the last page.
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// `next` of the page before; none for the first page.
    #[serde(default)]
    pub after: Option<String>,
    /// Items of a page, 1 to 200; 50 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl PageQuery {
    /// The number of items asked for.
    ///
    /// # Errors
    /// `invalid` outside of 1 to 200.
    pub fn limit(&self) -> Result<usize, Error> {
        limit_of(self.limit, LIMIT_DEFAULT, LIMIT_MAX)
    }
}

/// A limit within its range, or the default where none is given.
///
/// # Errors
/// `invalid` outside of 1 to `max`.
pub fn limit_of(asked: Option<u32>, default: u32, max: u32) -> Result<usize, Error> {
    match asked.unwrap_or(default) {
        limit if (1..=max).contains(&limit) => Ok(limit as usize),
        limit => Err(Error::field("limit", "out_of_range", format!("limit is {limit}, allowed are 1 to {max}"))),
    }
}

/// The cursor in a query.
///
/// # Errors
/// `invalid` when it is none of ours.
pub fn cursor_of(after: Option<&str>) -> Result<Option<Cursor>, Error> {
    let wrong = |_| Error::field("after", "format", "after is not the `next` of a page");
    after.map(|text| text.parse::<Cursor>().map_err(wrong)).transpose()
}

impl<T> Page<T> {
    /// A page of records as the API shows them.
    pub fn of<R>(page: StoredPage<R>, show: impl FnMut(R) -> T) -> Self {
        Self { items: page.items.into_iter().map(show).collect(), next: page.next.map(|next| next.to_string()) }
    }
}

/// The limits of a text field, in characters after trimming.
///
/// # Errors
/// A field error that names the field, its length and the range.
pub fn text_of(field: &str, text: &str, min: usize, max: usize) -> Result<String, FieldError> {
    let text = text.trim();
    let chars = text.chars().count();
    let code = match chars {
        0 if min > 0 => "required",
        _ if chars < min => "too_short",
        _ if chars > max => "too_long",
        _ => return Ok(text.to_owned()),
    };
    Err(FieldError {
        field: field.to_owned(),
        code,
        detail: format!("{field} has {chars} characters, allowed are {min} to {max}"),
    })
}

/// Collects what is wrong with an input, so that a client learns all of it at once.
#[derive(Debug, Default)]
pub struct Checks(Vec<FieldError>);

impl Checks {
    /// A text within its limits, trimmed; what is wrong with it is kept.
    pub fn text(&mut self, field: &str, text: &str, min: usize, max: usize) -> String {
        text_of(field, text, min, max).unwrap_or_else(|error| {
            self.0.push(error);
            String::new()
        })
    }

    /// Something that must hold; `detail` says what is allowed.
    pub fn require(&mut self, holds: bool, field: &str, code: &'static str, detail: impl FnOnce() -> String) {
        if !holds {
            self.0.push(FieldError { field: field.to_owned(), code, detail: detail() });
        }
    }

    /// Passes when nothing was wrong.
    ///
    /// # Errors
    /// `invalid` with every field at fault.
    pub fn done(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::fields(self.0)) }
    }
}
