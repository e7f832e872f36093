use super::*;

const A: &str = "GET /a";
const B: &str = "GET /b";
const SECOND: Duration = Duration::from_secs(1);

fn gate(per_second: u32, ceiling: usize) -> Arc<RateGate> {
    RateGate::new(NonZeroU32::new(per_second).unwrap(), ceiling, 90 * SECOND)
}

/// Sends `count` requests that each take `takes`, and answers how long all of it took.
async fn send(gate: &Arc<RateGate>, count: usize, takes: Duration, outcome: Outcome) -> Duration {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let gate = Arc::clone(gate);
        tasks.spawn(async move {
            let permit = gate.enter(A).await.unwrap();
            tokio::time::sleep(takes).await;
            permit.ended(outcome);
        });
    }
    tasks.join_all().await;
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn the_quota_is_steady() {
    let gate = gate(10, 8);
    let took = send(&gate, 110, Duration::from_millis(40), Outcome::Answered).await;
    // Ten at once, then ten a second.
    assert!((9.9..10.6).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!(gate.health().requests, 110);
    assert_eq!(gate.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_limit_rises_while_all_goes_well_and_falls_once_a_round_trip() {
    let gate = gate(1000, 8);
    let start = gate.health().concurrency_limit;
    assert!((1..8).contains(&start), "starts low");
    send(&gate, 200, Duration::from_millis(100), Outcome::Answered).await;
    assert_eq!(gate.health().concurrency_limit, 8);
    send(&gate, 8, Duration::from_millis(100), Outcome::PushedBack).await;
    assert_eq!(
        gate.health().concurrency_limit,
        5,
        "eight failures of one window count once"
    );
    for _ in 0..30 {
        send(&gate, 1, SECOND, Outcome::PushedBack).await;
    }
    assert_eq!(gate.health().concurrency_limit, 1, "never below one");
}

#[tokio::test(start_paused = true)]
async fn slow_answers_of_an_endpoint_lower_the_limit() {
    let gate = gate(1000, 8);
    send(&gate, 200, Duration::from_millis(200), Outcome::Answered).await;
    let before = gate.health().concurrency_limit;
    send(&gate, 4, 3 * SECOND, Outcome::Answered).await;
    assert!(gate.health().concurrency_limit < before);
}

#[tokio::test(start_paused = true)]
async fn never_more_in_flight_than_the_limit() {
    let gate = gate(1000, 4);
    let highest = Arc::new(Mutex::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (gate, highest) = (Arc::clone(&gate), Arc::clone(&highest));
        tasks.spawn(async move {
            let permit = gate.enter(A).await.unwrap();
            {
                let mut highest = highest.lock().unwrap();
                *highest = (*highest).max(gate.health().in_flight);
            }
            tokio::time::sleep(Duration::from_millis(10 + n % 7)).await;
            // Some callers give up in the middle: their place must come back.
            if n % 5 == 0 {
                drop(permit)
            } else {
                permit.ended(Outcome::Answered)
            }
        });
    }
    tasks.join_all().await;
    assert!((2..=4).contains(&*highest.lock().unwrap()));
    assert_eq!(gate.health().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_common_pause_holds_everyone_and_only_grows() {
    let gate = gate(1000, 8);
    gate.pause(Scope::Everything, A, 30 * SECOND);
    gate.pause(Scope::Everything, A, 5 * SECOND);
    assert!(gate.health().paused_until.is_some());
    let began = Instant::now();
    let (a, b) = tokio::join!(gate.enter(A), gate.enter(B));
    assert!(a.is_ok() && b.is_ok());
    assert!((30.0..31.0).contains(&began.elapsed().as_secs_f64()));
    assert!(gate.health().paused_until.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_paused_endpoint_does_not_hold_the_others() {
    let gate = gate(1000, 8);
    gate.pause(Scope::Endpoint, A, 30 * SECOND);
    let began = Instant::now();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    drop(gate.enter(B).await.unwrap());
    assert!(began.elapsed() < SECOND);
    waiting.await.unwrap().unwrap();
    assert!(began.elapsed() >= 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_patience_is_told_at_once() {
    let gate = gate(1000, 8);
    gate.pause(Scope::Everything, A, 1800 * SECOND);
    let began = Instant::now();
    let TooLong(wait) = gate.enter(A).await.err().unwrap();
    assert!(wait > 1700 * SECOND && began.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_comes_up_while_waiting_holds_too() {
    let gate = gate(1, 8);
    drop(gate.enter(A).await.unwrap());
    let began = Instant::now();
    let waiting = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(A).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    gate.pause(Scope::Everything, B, 20 * SECOND);
    waiting.await.unwrap().unwrap();
    assert!(began.elapsed() >= 20 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served() {
    let gate = gate(1000, 1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let first = gate.enter(A).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
        tasks.spawn(async move {
            let _permit = gate.enter(if n % 2 == 0 { A } else { B }).await.unwrap();
            order.lock().unwrap().push(n);
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    tasks.join_all().await;
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_block_the_line() {
    let gate = gate(1000, 1);
    let held = gate.enter(A).await.unwrap();
    let gone = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    let next = tokio::spawn({
        let gate = Arc::clone(&gate);
        async move { gate.enter(A).await.map(drop) }
    });
    tokio::task::yield_now().await;
    gone.abort();
    drop(held);
    tokio::time::timeout(SECOND, next)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
