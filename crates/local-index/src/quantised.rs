//! Vectors in a byte a number, and how alike two of them are. Pure.

/// A vector of length 1: numbers of a byte, and what 1 of them stands for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Quantised {
    pub scale: f32,
    pub numbers: Vec<i8>,
}

impl Quantised {
    /// Of a vector of length 1; the largest number takes the whole byte.
    pub(crate) fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = largest.max(f32::MIN_POSITIVE) / 127.0;
        #[expect(clippy::cast_possible_truncation, reason = "from -127 to 127")]
        let numbers = vector.iter().map(|x| (x / scale).round() as i8).collect();
        Self { scale, numbers }
    }

    /// How alike the directions are, from -1 to 1; `numbers` are the bytes of the other one as they stand in the file.
    pub(crate) fn likeness(&self, scale: f32, numbers: &[u8]) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a measure of likeness")]
        let dot = dot(&self.numbers, numbers) as f32;
        dot * self.scale * scale
    }
}

/// Numbers that are multiplied and added up together.
const LANES: usize = 32;

/// In a form that compilers turn into the processor's instructions for many numbers at once.
fn dot(a: &[i8], b: &[u8]) -> i32 {
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: i32 = product(a.remainder(), b.remainder());
    rest + a.zip(b).map(|(a, b)| product(a, b)).sum::<i32>()
}

#[inline(always)]
fn product(a: &[i8], b: &[u8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| i32::from(*a) * i32::from(b.cast_signed()))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(seed: u32, dimensions: usize) -> Vec<f32> {
        let mut state = seed;
        let vector: Vec<f32> = (0..dimensions)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            })
            .collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    }

    fn bytes(quantised: &Quantised) -> Vec<u8> {
        quantised
            .numbers
            .iter()
            .map(|x| x.cast_unsigned())
            .collect()
    }

    #[test]
    fn a_byte_a_number_tells_directions_apart() {
        for dimensions in [1, 31, 96, 384, 1_000] {
            let (a, b) = (unit(1, dimensions), unit(2, dimensions));
            let exact: f32 = a.iter().zip(&b).map(|(x, y)| x * y).sum();
            let (a, b) = (Quantised::of(&a), Quantised::of(&b));
            let near = a.likeness(b.scale, &bytes(&b));
            assert!((near - exact).abs() < 0.01, "{dimensions}: {near} {exact}");
            assert!((a.likeness(a.scale, &bytes(&a)) - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn a_vector_of_nothing_breaks_nothing() {
        let zero = Quantised::of(&[0.0; 4]);
        assert_eq!(zero.numbers, [0; 4]);
        assert_eq!(zero.likeness(1.0, &[1; 4]), 0.0);
    }
}
