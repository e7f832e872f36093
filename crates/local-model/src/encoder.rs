//! The computation of an encoder of the BERT family (Devlin et al., 2018), one text at a time: tokens in, a vector for each out.

use ndarray::{Array1, Array2, Axis, Slice};

use crate::folder::{FolderError, Shape};
use crate::weights::{Table, Weights};

/// An encoder. Only the table of words is not in memory.
pub(crate) struct Encoder {
    words: Table,
    /// What every token adds by its place; the type of the text is in it already, since there is only one.
    positions: Array2<f32>,
    first_position: usize,
    norm: Norm,
    layers: Vec<Layer>,
    heads: usize,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    widened: Linear,
    narrowed: Linear,
    norm: Norm,
}

struct Linear {
    /// A row for each input, while files have one for each output: multiplying reads along rows.
    weight: Array2<f32>,
    bias: Array1<f32>,
}

impl Linear {
    fn read(
        weights: &mut Weights,
        name: &str,
        inputs: usize,
        outputs: usize,
    ) -> Result<Self, FolderError> {
        let weight = weights.matrix(&format!("{name}.weight"), outputs, inputs)?;
        Ok(Self {
            weight: weight.t().as_standard_layout().into_owned(),
            bias: weights.vector(&format!("{name}.bias"), outputs)?,
        })
    }

    fn of(&self, x: &Array2<f32>) -> Array2<f32> {
        x.dot(&self.weight) + &self.bias
    }
}

struct Norm {
    weight: Array1<f32>,
    bias: Array1<f32>,
    epsilon: f32,
}

impl Norm {
    fn read(weights: &mut Weights, name: &str, shape: &Shape) -> Result<Self, FolderError> {
        Ok(Self {
            weight: weights.vector(&format!("{name}.weight"), shape.hidden)?,
            bias: weights.vector(&format!("{name}.bias"), shape.hidden)?,
            epsilon: shape.epsilon,
        })
    }

    fn of(&self, mut x: Array2<f32>) -> Array2<f32> {
        for mut row in x.rows_mut() {
            let mean = row.mean().unwrap_or(0.0);
            row -= mean;
            let variance = row.iter().map(|x| x * x).sum::<f32>() / row.len() as f32;
            row /= (variance + self.epsilon).sqrt();
            row *= &self.weight;
            row += &self.bias;
        }
        x
    }
}

impl Encoder {
    /// Reads an encoder; with it what its numbers are known again by.
    pub(crate) fn read(
        mut weights: Weights,
        shape: &Shape,
    ) -> Result<(Self, blake3::Hasher), FolderError> {
        let (hidden, inner) = (shape.hidden, shape.inner);
        let from = &mut weights;
        let mut positions = from.matrix(
            "embeddings.position_embeddings.weight",
            shape.positions,
            hidden,
        )?;
        let types = from.matrix(
            "embeddings.token_type_embeddings.weight",
            shape.types,
            hidden,
        )?;
        positions += &types.row(0);
        let norm = Norm::read(from, "embeddings.LayerNorm", shape)?;
        let mut layers = Vec::with_capacity(shape.layers);
        for layer in 0..shape.layers {
            let mut linear = |name: &str, inputs, outputs| {
                Linear::read(
                    from,
                    &format!("encoder.layer.{layer}.{name}"),
                    inputs,
                    outputs,
                )
            };
            let query = linear("attention.self.query", hidden, hidden)?;
            let key = linear("attention.self.key", hidden, hidden)?;
            let value = linear("attention.self.value", hidden, hidden)?;
            let attended = linear("attention.output.dense", hidden, hidden)?;
            let widened = linear("intermediate.dense", hidden, inner)?;
            let narrowed = linear("output.dense", inner, hidden)?;
            let mut norm =
                |name: &str| Norm::read(from, &format!("encoder.layer.{layer}.{name}"), shape);
            layers.push(Layer {
                query,
                key,
                value,
                attended,
                attended_norm: norm("attention.output.LayerNorm")?,
                widened,
                narrowed,
                norm: norm("output.LayerNorm")?,
            });
        }
        let (words, hash) =
            weights.into_table("embeddings.word_embeddings.weight", shape.words, hidden)?;
        let encoder = Self {
            words,
            positions,
            first_position: shape.first_position,
            norm,
            layers,
            heads: shape.heads,
        };
        Ok((encoder, hash))
    }

    /// A vector for each token. In words why there are none.
    pub(crate) fn of(&self, tokens: &[u32]) -> Result<Array2<f32>, String> {
        let (first, last) = (self.first_position, self.first_position + tokens.len());
        if tokens.is_empty() || last > self.positions.nrows() {
            return Err(format!("a text of {} tokens", tokens.len()));
        }
        let mut x = self.words.rows(tokens)?;
        x += &self.positions.slice_axis(Axis(0), Slice::from(first..last));
        let mut x = self.norm.of(x);
        for layer in &self.layers {
            let attended = layer.attended.of(&self.attention(layer, &x));
            x = layer.attended_norm.of(attended + &x);
            let mut widened = layer.widened.of(&x);
            widened.mapv_inplace(gelu);
            x = layer.norm.of(layer.narrowed.of(&widened) + &x);
        }
        Ok(x)
    }

    /// What each token takes from the others, each head by itself.
    fn attention(&self, layer: &Layer, x: &Array2<f32>) -> Array2<f32> {
        let mut query = layer.query.of(x);
        let (key, value) = (layer.key.of(x), layer.value.of(x));
        let size = x.ncols() / self.heads;
        query /= (size as f32).sqrt();
        let mut taken = Array2::zeros(x.dim());
        for head in 0..self.heads {
            let columns = Slice::from(head * size..(head + 1) * size);
            let mut weights = query
                .slice_axis(Axis(1), columns)
                .dot(&key.slice_axis(Axis(1), columns).t());
            for mut row in weights.axis_iter_mut(Axis(0)) {
                let most = row.fold(f32::NEG_INFINITY, |most, x| most.max(*x));
                row.mapv_inplace(|x| (x - most).exp());
                let sum = row.sum();
                row /= sum;
            }
            let of_head = weights.dot(&value.slice_axis(Axis(1), columns));
            taken.slice_axis_mut(Axis(1), columns).assign(&of_head);
        }
        taken
    }
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The error function as a quotient of polynomials, exact to some 1e-6, as Eigen has it (`generic_fast_erf_float`): compilers turn it into
/// instructions for many numbers at once, which a call of the C library is not.
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let polynomial = |coefficients: &[f32]| {
        coefficients
            .iter()
            .fold(0.0_f32, |sum, coefficient| sum * square + coefficient)
    };
    let above = polynomial(&[
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ]);
    let below = polynomial(&[
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329_2e-3,
        -1.426_473_9e-2,
    ]);
    x * above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 7.1.
        for (x, expected) in [
            (0.0, 0.0),
            (0.1, 0.112_462_916),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (1.5, 0.966_105_1),
            (2.0, 0.995_322_3),
            (5.0, 1.0),
        ] {
            assert!((erf(x) - expected).abs() < 2e-6, "{x}: {}", erf(x));
            assert!((erf(-x) + expected).abs() < 2e-6, "{x}: {}", erf(-x));
        }
    }
}
