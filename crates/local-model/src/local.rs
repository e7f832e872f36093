//! Threads that compute, and the port.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::embedding::{Embedded, Embedder, EmbedderHealth, EmbeddingError, Recipe};
use tokio::sync::oneshot;

use crate::folder::FolderError;
use crate::model::Model;

/// Questions that wait at most; the last of them is still answered in time.
const MOST_QUESTIONS: usize = 64;
/// Batches of passages that wait at most: the one that is asked for, and some that nobody waits for any more.
const MOST_BATCHES: usize = 8;
/// How long a question waits for its vector.
const QUESTION_DEADLINE: Duration = Duration::from_millis(1_500);
/// Passages that are given to the thread at a time.
const BATCH: usize = 32;

/// Which folder, and how the model was trained.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalModelConfig {
    /// The folder with `config.json`, `tokenizer.json`, `model.safetensors`, and what else sentence-transformers saves beside them.
    pub folder: PathBuf,
    /// How many numbers a vector must have; `None`: as many as the model gives.
    pub dimensions: Option<u32>,
    /// What is put before a question.
    pub question_prefix: String,
    /// What is put before a passage.
    pub passage_prefix: String,
}

impl LocalModelConfig {
    /// A folder whose model wants no prefixes.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            dimensions: None,
            question_prefix: String::new(),
            passage_prefix: String::new(),
        }
    }
}

/// A model with its threads, which end when it is dropped.
pub struct LocalModel {
    folder: PathBuf,
    recipe: Recipe,
    dimensions: usize,
    questions: SyncSender<Job>,
    passages: SyncSender<Job>,
    jobs: AtomicU64,
    trouble: Mutex<Option<String>>,
}

/// Texts, and where their vectors are waited for.
struct Job {
    texts: Vec<String>,
    answer: oneshot::Sender<Result<Vec<Embedded>, String>>,
}

impl LocalModel {
    /// Reads the model and starts its threads. Blocking: the file is read whole but for its table of words.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(config: &LocalModelConfig) -> Result<Self, FolderError> {
        let model = Model::read(&config.folder)?;
        if let Some(wanted) = config.dimensions
            && wanted as usize != model.dimensions
        {
            return Err(FolderError::new(
                &config.folder,
                format!(
                    "gives vectors of {} dimensions, while EMBEDDINGS_DIMENSIONS asks for {wanted}",
                    model.dimensions
                ),
                format!("leave it out, or write {}", model.dimensions),
            ));
        }
        let recipe = Recipe {
            model: model.name.clone(),
            // The model's own, whether that was checked or not.
            dimensions: None,
            question_prefix: config.question_prefix.clone(),
            passage_prefix: config.passage_prefix.clone(),
        };
        let (dimensions, model) = (model.dimensions, Arc::new(model));
        let start = |name: &str, waiting: usize, in_background: bool| {
            let (sender, receiver) = sync_channel(waiting);
            let model = model.clone();
            let computing = move || {
                if in_background {
                    yield_to_all_others();
                }
                compute(&model, &receiver);
            };
            let started = thread::Builder::new()
                .name(name.to_owned())
                .spawn(computing);
            started.map(|_| sender).map_err(|error| {
                let cause = format!("no thread can be started for the model: {error}");
                FolderError::new(&config.folder, cause, "raise the limit of threads")
            })
        };
        Ok(Self {
            questions: start("model-questions", MOST_QUESTIONS, false)?,
            passages: start("model-passages", MOST_BATCHES, true)?,
            folder: config.folder.clone(),
            recipe,
            dimensions,
            jobs: AtomicU64::new(0),
            trouble: Mutex::new(None),
        })
    }

    fn error(&self, detail: impl Into<String>) -> EmbeddingError {
        EmbeddingError::Model {
            folder: self.folder.display().to_string(),
            detail: detail.into(),
        }
    }

    /// Has texts embedded by a thread.
    async fn ask(
        &self,
        thread: &SyncSender<Job>,
        texts: Vec<String>,
    ) -> Result<Vec<Embedded>, EmbeddingError> {
        let (answer, answered) = oneshot::channel();
        thread
            .try_send(Job { texts, answer })
            .map_err(|error| match error {
                TrySendError::Full(_) => self.error("more texts wait than it can embed in time"),
                TrySendError::Disconnected(_) => {
                    self.error("its thread has ended; restart the service")
                }
            })?;
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let answered = answered.await;
        let ended = |_| self.error("its thread has ended; restart the service");
        answered
            .map_err(ended)?
            .map_err(|detail| self.error(detail))
    }

    /// One vector, in time.
    async fn one(
        &self,
        thread: &SyncSender<Job>,
        text: String,
        deadline: Duration,
    ) -> Result<Vec<f32>, EmbeddingError> {
        let asked = self.ask(thread, vec![text]);
        let late = |_| self.error(format!("no vector within {} ms", deadline.as_millis()));
        let mut vectors = tokio::time::timeout(deadline, asked)
            .await
            .map_err(late)??;
        match vectors.pop() {
            Some(Ok(vector)) => Ok(vector),
            Some(Err(why)) => Err(self.error(why)),
            None => Err(self.error("0 vectors for 1 text")),
        }
    }

    fn note<T>(&self, result: Result<T, EmbeddingError>) -> Result<T, EmbeddingError> {
        let trouble = result.as_ref().err().map(ToString::to_string);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        result
    }
}

/// Computes until the model is dropped. What nobody waits for any more is left out.
fn compute(model: &Model, jobs: &Receiver<Job>) {
    for Job { texts, answer } in jobs {
        let needed = texts.iter().take_while(|_| !answer.is_closed());
        let vectors = needed.map(|text| model.vector(text)).collect();
        // Whoever asked may have gone; ignore that.
        _ = answer.send(vectors);
    }
}

/// Gives this thread the lowest priority. On Linux alone a thread has one of its own (setpriority(2), notes).
fn yield_to_all_others() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "the thread that embeds passages keeps its priority");
    }
}

#[async_trait]
impl Embedder for LocalModel {
    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn batch(&self) -> u64 {
        BATCH as u64
    }

    async fn passages(&self, texts: &[String]) -> Result<Vec<Embedded>, EmbeddingError> {
        let prefix = &self.recipe.passage_prefix;
        let mut vectors = Vec::with_capacity(texts.len());
        for some in texts.chunks(BATCH) {
            let some = some.iter().map(|text| format!("{prefix}{text}")).collect();
            vectors.extend(self.note(self.ask(&self.passages, some).await)?);
        }
        Ok(vectors)
    }

    async fn question(&self, text: &str, recipe: &Recipe) -> Result<Vec<f32>, EmbeddingError> {
        if recipe.model != self.recipe.model {
            let detail = format!(
                "it is {}, while the passages still have the vectors of {}",
                self.recipe.model, recipe.model
            );
            return Err(self.error(detail));
        }
        let text = format!("{}{text}", recipe.question_prefix);
        self.note(self.one(&self.questions, text, QUESTION_DEADLINE).await)
    }

    async fn probe(&self) -> Result<String, EmbeddingError> {
        self.one(&self.questions, "test".to_owned(), QUESTION_DEADLINE)
            .await?;
        Ok(format!(
            "the model in {} ({}) answers in {} dimensions",
            self.folder.display(),
            self.recipe.model,
            self.dimensions
        ))
    }

    fn health(&self) -> EmbedderHealth {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        EmbedderHealth {
            requests: self.jobs.load(Ordering::Relaxed),
            trouble: trouble.clone(),
        }
    }
}
