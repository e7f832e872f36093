//! Lists: `{"items": […], "next_cursor": null}`.

use domain::ports::store::{Listed, StoreResult};
use serde::Serialize;

use super::problem::{ApiError, ApiResult};

/// A page of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that has no more.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }

    /// The same list of something else.
    #[must_use]
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> List<U> {
        List {
            items: self.items.into_iter().map(change).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

impl<T> From<Listed<T>> for List<T> {
    fn from(listed: Listed<T>) -> Self {
        Self {
            items: listed.items,
            next_cursor: listed.next_cursor,
        }
    }
}

/// What a list answered; a cursor that is none of ours is the caller's fault.
pub fn at_cursor<T>(listed: StoreResult<T>) -> ApiResult<T> {
    listed.map_err(|error| {
        if metastore::is_bad_cursor(&error) {
            ApiError::fields(vec![domain::problem::FieldError {
                field: "cursor".to_owned(),
                message: "is not a next_cursor of this list".to_owned(),
            }])
        } else {
            error.into()
        }
    })
}
