//! What indexes are asked on a schedule, and what came of it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::evaluation::{Figures, KEPT_RESULTS};
use domain::ports::store::{AdminStore, EvaluationEnd};

use crate::bed::Bed;

fn figures(mrr: f64) -> Figures {
    Figures {
        mrr,
        ..Figures::of(&[])
    }
}

fn told(mrr: f64) -> EvaluationEnd {
    EvaluationEnd::Told {
        all: figures(mrr),
        kinds: BTreeMap::from([("k".to_owned(), figures(mrr / 2.0))]),
        unknown_pages: vec!["Gone".to_owned()],
        missed: vec!["q".to_owned()],
    }
}

#[tokio::test]
async fn results_are_kept_by_time_and_kind_and_the_newest_stay() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let schedule = "03:00 Europe/Berlin".parse().ok();
    assert!(bed.store.want_evaluation(index).await.is_err());
    bed.store
        .set_evaluation(index, "- q", schedule)
        .await
        .unwrap();
    let set = bed.store.evaluation(index).await.unwrap().unwrap();
    assert_eq!(
        (set.schedule, set.wanted_at, set.ran_at),
        (schedule, Some(bed.now()), None)
    );
    for n in 0..KEPT_RESULTS + 5 {
        bed.clock.advance(TimeDelta::hours(1));
        bed.store
            .end_evaluation(index, set.set_at, &told(n as f64))
            .await
            .unwrap();
    }
    let results = bed.store.evaluation_results(index, 1_000).await.unwrap();
    assert_eq!(results.len(), KEPT_RESULTS);
    assert_eq!(results[0].at, bed.now());
    let newest = (KEPT_RESULTS + 4) as f64;
    assert_eq!(
        (results[0].all.mrr, results[0].kinds["k"].mrr),
        (newest, newest / 2.0)
    );
    assert_eq!(
        bed.store.evaluation_results(index, 2).await.unwrap(),
        results[..2]
    );
    let now = bed.store.evaluation(index).await.unwrap().unwrap();
    assert_eq!((now.wanted_at, now.ran_at), (None, Some(bed.now())));
    assert_eq!(
        (now.unknown_pages, now.missed),
        (vec!["Gone".to_owned()], vec!["q".to_owned()])
    );

    // One that fails says why and leaves the history.
    bed.store.want_evaluation(index).await.unwrap();
    let failed = EvaluationEnd::Failed("down".to_owned());
    bed.store
        .end_evaluation(index, set.set_at, &failed)
        .await
        .unwrap();
    let now = bed.store.evaluation(index).await.unwrap().unwrap();
    assert_eq!(
        (now.wanted_at, now.error.as_deref(), now.missed.len()),
        (None, Some("down"), 0)
    );
    assert_eq!(
        bed.store
            .evaluation_results(index, 1_000)
            .await
            .unwrap()
            .len(),
        KEPT_RESULTS
    );
}

#[tokio::test]
async fn what_came_of_questions_that_were_replaced_meanwhile_is_not_told_of_the_new_ones() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    bed.store.set_evaluation(index, "- a", None).await.unwrap();
    let before = bed.now();
    bed.clock.advance(TimeDelta::minutes(1));
    bed.store.set_evaluation(index, "- b", None).await.unwrap();
    bed.store
        .end_evaluation(index, before, &told(1.0))
        .await
        .unwrap();
    let now = bed.store.evaluation(index).await.unwrap().unwrap();
    assert_eq!(
        (now.questions.as_str(), now.wanted_at),
        ("- b", Some(bed.now()))
    );
    assert_eq!(bed.store.evaluation_results(index, 9).await.unwrap(), []);
    assert_eq!(bed.store.evaluations().await.unwrap().len(), 1);
    bed.store.delete_index(index).await.unwrap();
    assert_eq!(bed.store.evaluations().await.unwrap(), []);
}
