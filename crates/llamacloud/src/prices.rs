//! The vendor's prices: a table of ours, dated and with its sources, that an operator may replace.

use domain::cost::Price;
use serde::Deserialize;

/// The table that this build carries: `config/llamacloud-prices.json`.
const BUILT_IN: &str = include_str!("../../../config/llamacloud-prices.json");

/// A price table.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub struct Prices {
    as_of: String,
    dollars_per_1000_credits: f64,
    pipelines: Row,
    directories: Row,
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
struct Row {
    credits_per_page: f64,
    pages_per_document: f64,
    basis: String,
}

impl Row {
    fn is_sound(&self) -> bool {
        [self.credits_per_page, self.pages_per_document]
            .iter()
            .all(|number| number.is_finite() && *number >= 0.0)
    }
}

impl Prices {
    /// Reads a table in the form of `config/llamacloud-prices.json`.
    ///
    /// # Errors
    /// In words, when it is not in that form.
    pub fn read(text: &str) -> Result<Self, String> {
        let prices: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let dollars = prices.dollars_per_1000_credits;
        let sound = dollars.is_finite()
            && dollars >= 0.0
            && prices.pipelines.is_sound()
            && prices.directories.is_sound();
        if sound {
            Ok(prices)
        } else {
            Err("prices must be numbers from 0".to_owned())
        }
    }

    /// The table that this build carries.
    #[must_use]
    pub fn built_in() -> Self {
        Self::read(BUILT_IN).unwrap_or_else(|_| unreachable!("a test reads the table"))
    }

    fn price(&self, product: &str, row: &Row) -> Price {
        Price {
            product: product.to_owned(),
            credits_per_document: row.credits_per_page * row.pages_per_document,
            dollars_per_credit: self.dollars_per_1000_credits / 1000.0,
            as_of: self.as_of.clone(),
            basis: row.basis.clone(),
        }
    }

    pub(crate) fn of_pipelines(&self, product: &str) -> Price {
        self.price(product, &self.pipelines)
    }

    pub(crate) fn of_directories(&self, product: &str) -> Price {
        self.price(product, &self.directories)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_table_is_read_and_a_bad_one_refused() {
        let prices = Prices::built_in();
        let v1 = prices.of_pipelines("v1");
        assert!((v1.credits_per_document - 1.0).abs() < f64::EPSILON);
        assert!((v1.dollars_per_credit - 0.00125).abs() < f64::EPSILON);
        assert!(prices.of_directories("v2").credits_per_document > v1.credits_per_document);
        for bad in ["", "{}", &BUILT_IN.replace("1.25", "-1.25")] {
            assert!(Prices::read(bad).is_err(), "{bad}");
        }
    }
}
