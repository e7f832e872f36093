//! What storing documents costs, by a store's price list. An estimate: what a document is billed as is the store's affair.

use serde::{Deserialize, Serialize};

/// A store's price for taking in documents.
#[derive(Clone, PartialEq, Debug)]
pub struct Price {
    /// Which of the store's products this is the price of: `pipelines (v1)`.
    pub product: String,
    /// Credits for one document that is stored, at least.
    pub credits_per_document: f64,
    /// Dollars for one credit.
    pub dollars_per_credit: f64,
    /// The day of the price list.
    pub as_of: String,
    /// What the figure rests on, in words.
    pub basis: String,
}

/// What the changes that a dry run found would cost in the store.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CostEstimate {
    /// Which of the store's products this is the price of.
    pub product: String,
    /// Credits in all.
    pub credits: f64,
    /// Of these for pages that are added: the first upload.
    pub credits_add: f64,
    /// Of these for pages that are stored anew.
    pub credits_update: f64,
    /// The same in US dollars.
    pub dollars: f64,
    /// The day of the price list.
    pub prices_as_of: String,
    /// What the figure rests on, in words.
    pub basis: String,
}

/// What of a run's documents would have to be embedded, beyond what has its vectors already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmbeddingEstimate {
    /// The model.
    pub model: String,
    /// Passages without a vector; a text that stands in documents of several batches counts in each.
    pub passages: u64,
    /// Requests to the endpoint, or batches for the model in a folder, at least.
    pub requests: u64,
}

/// The cost of adding and replacing so many documents; removals cost nothing.
#[must_use]
pub fn estimate(price: &Price, add: i64, update: i64) -> CostEstimate {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let credits = |documents: i64| documents.max(0) as f64 * price.credits_per_document;
    let (credits_add, credits_update) = (credits(add), credits(update));
    let credits = credits_add + credits_update;
    CostEstimate {
        product: price.product.clone(),
        credits,
        credits_add,
        credits_update,
        dollars: (credits * price.dollars_per_credit * 1e4).round() / 1e4,
        prices_as_of: price.as_of.clone(),
        basis: price.basis.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_uploads_and_updates_cost_the_same_and_nothing_costs_nothing() {
        let price = Price {
            product: "p".to_owned(),
            credits_per_document: 3.0,
            dollars_per_credit: 0.00125,
            as_of: "2026-11-01".to_owned(),
            basis: "b".to_owned(),
        };
        let cost = estimate(&price, 10_000, 20);
        assert_eq!(
            (cost.credits, cost.credits_add, cost.credits_update),
            (30_060.0, 30_000.0, 60.0)
        );
        assert!((cost.dollars - 37.575).abs() < 1e-9, "{}", cost.dollars);
        let nothing = estimate(&price, 0, 0);
        assert_eq!((nothing.credits, nothing.dollars), (0.0, 0.0));
    }
}
