//! Rendered content in place of dynamic macros.

use std::collections::HashMap;

use crate::model::Conversion;

/// Converted content of rendered macros, by what identifies them.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) by_id: HashMap<String, Conversion>,
    /// Macro name, and the n-th of that name on the page.
    pub(crate) by_ordinal: HashMap<(String, usize), Conversion>,
}

impl Rendered {
    pub(crate) fn find(
        &self,
        name: &str,
        macro_id: Option<&str>,
        local_id: Option<&str>,
        ordinal: usize,
    ) -> Option<&Conversion> {
        let by_id = macro_id
            .and_then(|id| self.by_id.get(id))
            .or_else(|| local_id.and_then(|id| self.by_id.get(id)));
        by_id
            .or_else(|| self.by_ordinal.get(&(name.to_string(), ordinal)))
            .filter(|c| c.words > 0)
    }
}
