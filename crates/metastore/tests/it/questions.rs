//! Questions that found little.

use chrono::TimeDelta;
use domain::ports::store::AdminStore;
use domain::questions::{Asked, FoundLittle, KEPT, Question};
use domain::{IndexId, Timestamp};

use crate::bed::Bed;

fn asked(index: IndexId, id: &str, times: i64, at: Timestamp) -> Asked {
    Asked {
        index,
        question: Question {
            id: id.to_owned(),
            question: format!("What is {id}, asked at {at}?"),
            times,
            first_asked_at: at,
            last_asked_at: at,
            found: FoundLittle::UnknownWords,
            unknown_words: vec![id.to_owned()],
        },
    }
}

#[tokio::test]
async fn a_question_that_comes_again_is_counted_and_keeps_its_wording() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let (first, later) = (bed.now(), bed.now() + TimeDelta::hours(1));
    let gone = IndexId::generate();
    let batch = [
        asked(index, "a", 2, first),
        asked(index, "b", 1, first),
        asked(gone, "a", 1, first),
    ];
    bed.store.note_questions(&batch).await.unwrap();
    let mut again = asked(index, "a", 3, later);
    again.question.found = FoundLittle::Nothing;
    again.question.unknown_words.clear();
    bed.store.note_questions(&[again.clone()]).await.unwrap();

    let listed = bed.store.questions(index, None, 1).await.unwrap();
    let expected = Question {
        question: batch[0].question.question.clone(),
        times: 5,
        first_asked_at: first,
        ..again.question
    };
    assert_eq!(listed.items, [expected]);
    let rest = bed
        .store
        .questions(index, listed.next_cursor.as_deref(), 9)
        .await
        .unwrap();
    assert_eq!(
        (rest.items, rest.next_cursor),
        (vec![batch[1].question.clone()], None)
    );
}

#[tokio::test]
async fn what_is_kept_is_bounded_by_number_and_age_and_goes_when_told() {
    let bed = Bed::new();
    let index = bed.index("agent").await.id;
    let other = bed.index("other").await.id;
    let count = async |index| {
        bed.store
            .questions(index, None, 500)
            .await
            .unwrap()
            .items
            .len()
    };
    let minute = |n: i64| bed.now() + TimeDelta::minutes(n);
    let kept = i64::try_from(KEPT).unwrap();
    for start in [0, kept] {
        let some: Vec<Asked> = (start..start + kept)
            .map(|n| asked(index, &format!("q{n}"), 1, minute(n)))
            .collect();
        bed.store.note_questions(&some).await.unwrap();
        assert_eq!(count(index).await, KEPT);
    }
    bed.store
        .note_questions(&[asked(other, "mine", 1, minute(0))])
        .await
        .unwrap();
    let newest = bed.store.questions(index, None, 1).await.unwrap().items;
    assert_eq!(newest[0].id, format!("q{}", 2 * kept - 1));

    bed.store
        .prune_questions(minute(2 * kept - 10))
        .await
        .unwrap();
    assert_eq!((count(index).await, count(other).await), (10, 0));
    bed.store
        .delete_questions(index, Some(&newest[0].id))
        .await
        .unwrap();
    assert!(
        bed.store
            .delete_questions(index, Some(&newest[0].id))
            .await
            .is_err()
    );
    assert_eq!(count(index).await, 9);
    bed.store.delete_questions(index, None).await.unwrap();
    assert_eq!(count(index).await, 0);
    // And with their index.
    bed.store
        .note_questions(&[asked(index, "q", 1, minute(0))])
        .await
        .unwrap();
    bed.store.delete_index(index).await.unwrap();
    assert_eq!(count(index).await, 0);
}
