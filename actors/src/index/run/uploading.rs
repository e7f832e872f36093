//! The upload worker of a run, around the work that gives it rows.

use std::sync::Arc;
use std::time::Duration;

use domain::ObjectId;
use domain::index::{BackendKind, Remote};

use super::RunCtx;
use crate::EngineError;
use crate::stop::RunError;
use crate::uploader::{Upload, UploadJob, UploadReport};

/// How often the upload worker of a run is started after its uploader died.
const WORKERS: u32 = 3;

/// A store object that a run brings in line.
pub(super) struct Target<'a> {
    pub(super) backend: BackendKind,
    pub(super) object: ObjectId,
    pub(super) remote: &'a Remote,
    /// Whether it is the one that answers.
    pub(super) answers: bool,
}

/// Runs `work` while an upload worker brings the object in line, then waits for it to see everything to its end. The worker ends
/// with this scope, however that ends: with the request that it has in flight.
pub(super) async fn while_uploading(
    ctx: &RunCtx,
    target: Target<'_>,
    work: impl Future<Output = Result<(), RunError>>,
) -> Result<(), RunError> {
    let (stop, _ends_with_this) = ctx.stop.until_dropped();
    let job = UploadJob {
        index: ctx.index(),
        run: ctx.run.id,
        backend: target.backend,
        object: target.object,
        answers: target.answers,
        remote: target.remote.clone(),
        counters: Arc::clone(&ctx.counters),
        began: ctx.started_at,
        stop,
        signal: ctx.uploads.clone(),
    };
    let uploads = upload(ctx, job);
    let work = async move {
        let done = work.await;
        // Also after a failure: what is wanted goes out.
        ctx.uploads.close();
        done
    };
    tokio::pin!(uploads, work);
    tokio::select! {
        biased;
        report = &mut uploads => match report {
            UploadReport::Trouble(error) => Err(RunError::Fatal(error)),
            // What is in flight settles: the work ends by itself at its next request.
            UploadReport::Stopped => work.await.and(Err(RunError::Stopped)),
            // It ends by itself only after it was closed.
            UploadReport::Settled => work.await,
        },
        done = &mut work => {
            let report = uploads.await;
            done?;
            match report {
                UploadReport::Settled => Ok(()),
                UploadReport::Stopped => Err(RunError::Stopped),
                UploadReport::Trouble(error) => Err(RunError::Fatal(error)),
            }
        }
    }
}

/// Starts a worker, and another if its uploader dies.
async fn upload(ctx: &RunCtx, job: UploadJob) -> UploadReport {
    for _ in 0..WORKERS {
        let Some(uploader) = ctx.shared.uploader(job.backend) else {
            return UploadReport::Trouble(EngineError::BackendMissing {
                index: job.index,
                backend: job.backend,
            });
        };
        if let Ok(report) = uploader.send(Upload(job.clone())).await {
            return report;
        }
        tracing::error!(index = %job.index, "the uploader died; another worker is started");
        if ctx.stop.sleep(Duration::from_secs(1)).await.is_err() {
            return UploadReport::Stopped;
        }
    }
    UploadReport::Trouble(EngineError::Busy {
        detail: "the uploader died several times in this run; the log says where".to_owned(),
    })
}
