//! Numbers from `model.safetensors`: a header that says where each tensor stands, then their bytes.
//!
//! Whatever the header says is checked against the file and the expected shape before it is used.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use half::{bf16, f16};
use ndarray::{Array1, Array2};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::folder::{COPY_AGAIN, FolderError, OTHER_MODEL};

/// The longest header that is read, in bytes; those of small models have some ten thousand.
const MAX_HEADER_BYTES: u64 = 16 << 20;
/// Prefixes under which models keep the tensors of their encoder.
const PREFIXES: [&str; 4] = ["", "bert.", "roberta.", "0.auto_model."];

/// An open `model.safetensors`.
pub(crate) struct Weights {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the bytes of the tensors begin.
    begin: u64,
    length: u64,
    prefix: &'static str,
    /// Of everything that was read.
    hash: blake3::Hasher,
}

/// How a number stands in the file.
#[derive(Clone, Copy)]
enum Number {
    F32,
    F16,
    Bf16,
}

impl Number {
    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    fn read(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => {
                let four = bytes.chunks_exact(4);
                four.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect()
            }
            Self::F16 => {
                let two = bytes.chunks_exact(2);
                two.map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect()
            }
            Self::Bf16 => {
                let two = bytes.chunks_exact(2);
                two.map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect()
            }
        }
    }
}

impl Weights {
    /// Opens the file of a folder and reads its header.
    pub(crate) fn open(folder: &Path) -> Result<Self, FolderError> {
        let path = folder.join("model.safetensors");
        if !path.exists() {
            let others = ["model.onnx", "onnx/model.onnx", "pytorch_model.bin"];
            let cause = match others.iter().find(|name| folder.join(name).exists()) {
                Some(other) => format!("is missing ({other} cannot be used)"),
                None => "is missing".to_owned(),
            };
            let remedy = "copy this file of the model too; most models are published with it";
            return Err(FolderError::new(path, cause, remedy));
        }
        let damaged = |cause: String| FolderError::new(&path, cause, COPY_AGAIN);
        let unreadable = |error: std::io::Error| damaged(format!("cannot be read: {error}"));
        let mut file = File::open(&path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(unreadable)?;
        let size = u64::from_le_bytes(size);
        if size > MAX_HEADER_BYTES || size + 8 > length {
            return Err(damaged("is no file of tensors, or cut off".to_owned()));
        }
        let mut header = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        file.read_exact(&mut header).map_err(unreadable)?;
        let mut hash = blake3::Hasher::new();
        hash.update(&header);
        let header: Metadata = serde_json::from_slice(&header)
            .map_err(|error| damaged(format!("has a header that cannot be read: {error}")))?;
        let words = |prefix: &&str| {
            let name = format!("{prefix}embeddings.word_embeddings.weight");
            header.info(&name).is_some()
        };
        let Some(prefix) = PREFIXES.into_iter().find(words) else {
            let cause = "holds no table of words (embeddings.word_embeddings.weight)";
            return Err(FolderError::new(path, cause, OTHER_MODEL));
        };
        Ok(Self {
            path,
            file,
            header,
            begin: size + 8,
            length,
            prefix,
            hash,
        })
    }

    /// Where a tensor of this shape stands, and how its numbers are written.
    fn place(&self, name: &str, shape: &[usize]) -> Result<(u64, usize, Number), FolderError> {
        let name = format!("{}{name}", self.prefix);
        let damaged = |cause: String| FolderError::new(&self.path, cause, COPY_AGAIN);
        let info = self.header.info(&name);
        let info = info.ok_or_else(|| damaged(format!("holds no {name}")))?;
        if info.shape != shape {
            return Err(damaged(format!(
                "holds {name} of {:?} numbers, while config.json asks for {shape:?}",
                info.shape
            )));
        }
        let number = match info.dtype {
            Dtype::F32 => Number::F32,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            other => {
                let cause = format!(
                    "holds {name} in numbers of type {other:?}, while F32, F16 and BF16 can be used"
                );
                return Err(FolderError::new(&self.path, cause, OTHER_MODEL));
            }
        };
        let bytes = shape
            .iter()
            .try_fold(number.size(), |product, side| product.checked_mul(*side));
        let (from, to) = info.data_offsets;
        let is_whole = to.checked_sub(from) == bytes && self.begin + to as u64 <= self.length;
        match bytes {
            Some(bytes) if is_whole => Ok((self.begin + from as u64, bytes, number)),
            _ => Err(damaged(format!(
                "is cut off: {name} is not whole in its {} bytes",
                self.length
            ))),
        }
    }

    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, FolderError> {
        let (from, length, number) = self.place(name, shape)?;
        let mut bytes = vec![0; length];
        let read = self.file.seek(SeekFrom::Start(from));
        let read = read.and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| {
            FolderError::new(&self.path, format!("cannot be read: {error}"), COPY_AGAIN)
        })?;
        self.hash.update(&bytes);
        Ok(number.read(&bytes))
    }

    /// A vector of so many numbers.
    pub(crate) fn vector(&mut self, name: &str, length: usize) -> Result<Array1<f32>, FolderError> {
        Ok(Array1::from(self.numbers(name, &[length])?))
    }

    /// A matrix of so many rows and columns.
    pub(crate) fn matrix(
        &mut self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Array2<f32>, FolderError> {
        let numbers = self.numbers(name, &[rows, columns])?;
        Array2::from_shape_vec((rows, columns), numbers)
            .map_err(|error| FolderError::new(&self.path, error.to_string(), COPY_AGAIN))
    }

    /// The table of words stays in the file; with it what everything that was read is known again by.
    pub(crate) fn into_table(
        self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<(Table, blake3::Hasher), FolderError> {
        let (begin, _, number) = self.place(name, &[rows, columns])?;
        let written = written(&self.file);
        let table = Table {
            path: self.path,
            file: Mutex::new(self.file),
            length: self.length,
            written,
            begin,
            columns,
            rows,
            number,
        };
        Ok((table, self.hash))
    }
}

fn written(file: &File) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// A matrix in a file, of which single rows are read.
pub(crate) struct Table {
    path: PathBuf,
    file: Mutex<File>,
    length: u64,
    /// When the file was written last: numbers of two models do not go together.
    written: Option<SystemTime>,
    begin: u64,
    columns: usize,
    rows: usize,
    number: Number,
}

impl Table {
    /// Rows by their numbers, in this order. In words why they cannot be read.
    pub(crate) fn rows(&self, numbers: &[u32]) -> Result<Array2<f32>, String> {
        let mut rows = Array2::zeros((numbers.len(), self.columns));
        let size = self.columns * self.number.size();
        let mut bytes = vec![0; size];
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if length != self.length || written(&file) != self.written {
            return Err(format!(
                "{} was changed while it is in use; restart the service",
                self.path.display()
            ));
        }
        for (number, mut row) in numbers.iter().zip(rows.rows_mut()) {
            let number = *number as usize;
            if number >= self.rows {
                return Err(format!("the model knows no token {number}"));
            }
            let from = self.begin + (number * size) as u64;
            let read = file.seek(SeekFrom::Start(from));
            let read = read.and_then(|_| file.read_exact(&mut bytes));
            read.map_err(|error| format!("{} cannot be read: {error}", self.path.display()))?;
            row.assign(&Array1::from(self.number.read(&bytes)));
        }
        Ok(rows)
    }
}
