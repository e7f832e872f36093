//! Signatures of access tokens, checked by the same library as those of TLS: a second collection of ciphers for tokens alone would
//! be a second thing to keep current, and the tenth part of the program's build. It must not know what a token says.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use ring::signature as schemes;
use ring::signature::{
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// Only signatures by a key pair: with a shared secret, whoever checks could sign. RSA keys have 2,048 to 8,192 bits.
pub(super) const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: |algorithm, key| {
        let scheme = Scheme::of(*algorithm).ok_or(ErrorKind::UnsupportedAlgorithm)?;
        if key.family() != algorithm.family() {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Ok(Box::new(Check {
            algorithm: *algorithm,
            scheme,
            key: key.clone(),
        }))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes `jsonwebtoken` check signatures so, in the whole process; once is enough.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if PROVIDER.install_default().is_err() {
            tracing::debug!("signatures of tokens are checked by another library");
        }
    });
}

/// How a signature is to be checked.
enum Scheme {
    Rsa(&'static RsaParameters),
    Curve(&'static dyn VerificationAlgorithm),
}

impl Scheme {
    fn of(algorithm: Algorithm) -> Option<Self> {
        Some(match algorithm {
            Algorithm::RS256 => Self::Rsa(&schemes::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => Self::Rsa(&schemes::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => Self::Rsa(&schemes::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => Self::Rsa(&schemes::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => Self::Rsa(&schemes::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => Self::Rsa(&schemes::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => Self::Curve(&schemes::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => Self::Curve(&schemes::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => Self::Curve(&schemes::ED25519),
            _ => return None,
        })
    }
}

struct Check {
    algorithm: Algorithm,
    scheme: Scheme,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let held = match (&self.scheme, self.key.kind()) {
            (Scheme::Rsa(scheme), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(scheme, message, signature)
            }
            (Scheme::Curve(scheme), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(*scheme, point).verify(message, signature)
            }
            _ => return Err(Error::new()),
        };
        // It says no more than that.
        held.map_err(|ring::error::Unspecified| Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::EncodingKey;
    use jsonwebtoken::crypto::rust_crypto;

    use super::*;

    // Key pairs made for this test (PKCS #1 of 2,048 and 1,024 bits, PKCS #8), and the public halves as issuers publish them.
    const RSA_2048: &str = "MIIEpAIBAAKCAQEAuOCLWrZ8TIbtHOyQTqhBV2iWqvgzNEUp0A18iLhXSzqLrAtpRV4UMwb/+EUSwz7MVHKfxoJ4AFyK82fpofC1/mYpPQg0\
        WzXxZo9vocvx89FlokGQqzFeoVnwxNE3lw9XAvZoskC7mMZ0W3o9I8geYNTm0c0lymAPolZlqsUAX4uN94lMkbgKWrRGkhn3Z4Qsu4e917a3\
        pR7i7plYKsYv2R+jggkC3zTK6PNwUyv4vcMvdl0te3mN0hPUaDD5ZqMlRiQhZUYVedaiAu+C7thUSJRuq/lXH8P9l0pt323wbGA0h2BQm3J1\
        9KPtdELyvBEBUObGcebM3sV18ep+rJnqwQIDAQABAoIBAA0jfBPWyy+fGSPIlhrY70fYeXiuCemJjsan5rVKsH16rCluaC1TWckkkrVgp0wz\
        3s6TlNJFPGT+LqvMszhchHqPZRfeyOXAiCbbQ7oyZcAHnhrxYOghqpF59FfwbGxyXSMrQtaELjDVzbggkE7GLo6AIuU/GJPwzruhOzlvJa8k\
        e2UAaI7v8424ps28NUDwWw2QApWQmtUBL7xdnR5iG4TQ3TJCVCD2E/11ljJQQxRqoyF//8IguZb7/qP+FcLsRYfMUPrapxwHMQes6NuPtWo8\
        6rDrY6Wp96iS/FF43bwqd46mX1rNtk6bfERssOmrEffy9UYLb0VyGWQAfAGc10kCgYEA3l11eBGeqcR3Ypse3yHbkKXyfSdd//3fZxP1hPKz\
        Pt39s5fOwXKAeyuXnNf5N3zL3SSGpO/6mnjS8OobtM7ipAzbfs2uvI0m7YtiNaFlYMJ0sFfIdSccdc6JDatInLHGsLhacHnlCVYQMrH0gZiI\
        PxwF5bU5RKKtLq4AxoH5dU0CgYEA1Nd08zv/L9nOYbstm72WJFHgU7PhpCJ6jt5+6rd/h8Emm8i5lqHRFqD+ExTT+TLM9+T//Yf6ozm58UMQ\
        zUNZ6jsUGcZN43REy2wYVZqWwyhV1UIhaAc9yYw0EQBUwCVUr7EgNBuq4SfICSTqhjnEvtpFwQyrCpdRCfI21cKIAUUCgYEAsX/09wVJm8ai\
        benZONA0DkEJUfIMzP2ASS3bfGanwnU9wRBbEHwwJyHjAmY8H5jUuxAfEqYlaw0rhPe7ahcDP2SsCYpyAzzBaDktChZtcFGJCALqlunDhB57\
        tJeXfM1EB2kBeGs08sDqaS04OgLiL05VPsnsjuc0SuDG6a5yzLkCgYEAqy1tXYJPRkjB90/26l6btjIzXJ47RyqDrwu6v0M9Sg1J49iXilIy\
        OyTXsrj5kl4NAwIl793A8i2nIiZyCOO2GO/Sxrf6RIhqG8CgAZkGz4ZNIerBu0y3oLUl2taNUsuzRGoMIFxwHg1EkDYkeDdVyLj7iLuLhEUW\
        ZA1tlJWTlJECgYAldoUyGcCyw/kWDBvshj6xoj2xrCF60CGeoeWFu9yuEu4eeDIiUm60mYKqLGVrk5zoTOz5tLUcwVgCWfNG+Ln9b/p+y9Jq\
        3ykRAdnkba1nrrID2xf3GHbaTW2/ul1LE3U7KmtvDxK5MvJfgbug/nGWc5wozcYUnwuLRWz6RvDthw==";
    const MODULUS_2048: &str = "uOCLWrZ8TIbtHOyQTqhBV2iWqvgzNEUp0A18iLhXSzqLrAtpRV4UMwb_-EUSwz7MVHKfxoJ4AFyK82fpofC1_mYpPQg0WzXxZo9vocvx89Fl\
        okGQqzFeoVnwxNE3lw9XAvZoskC7mMZ0W3o9I8geYNTm0c0lymAPolZlqsUAX4uN94lMkbgKWrRGkhn3Z4Qsu4e917a3pR7i7plYKsYv2R-\
        jggkC3zTK6PNwUyv4vcMvdl0te3mN0hPUaDD5ZqMlRiQhZUYVedaiAu-\
        C7thUSJRuq_lXH8P9l0pt323wbGA0h2BQm3J19KPtdELyvBEBUObGcebM3sV18ep-rJnqwQ";
    const RSA_1024: &str = "MIICXAIBAAKBgQC6aaG+suR5G9TFi40CNnbNTPeU7W5IMrC9zep8A+3GpfE0WMP+Si8waSJB7vD/sA5AWDYgHKQR2E8PbMbIFcn3y9OD/wjn\
        bBVY4d9oFhp+PR1sMuOwYLwaTlN13jy3W60VvhJWwPg1nzO/3eZbW7f69ys7mMJlnM4KYl4HSJkASQIDAQABAoGAZ7h4n7PH/j7nD5eLOOz3\
        A1pM85d8Yj2aK7HUQ3aoKXyRje/J9cZvJT+KKSd6/rmF5HVwgEOPYsJ5kvqSTCgbfInKKrsenS0ilWS+M0q5juEIe/c4lnO31v/Z/AugAawy\
        wFXq4er8tCTXU2FFzCvAbFLwmijg1Eb6WhsyZQo+NlUCQQDv3BsKzUwoSpq5/sj5ZCokDVRvHAv1fBKB5AJzSfCKpBxzo4mSr+HNUtqljOzW\
        ILhmTsPKsLF2RXxLKsH8wOKXAkEAxvTUb1AG4DASbT38aglKreocwFfNVPVMyl8YDn71X+XYydojVFQys11J8e7kwY4iB9gO9yq1mugcCjV+\
        l7DwHwJAZh9hiBzWgwUYkX4wFTaXVpgyTcg0M0WrH5BzlqBxgKXU00tapJCr496V5wx0Pcral/yLEf5e4Es/W0WOKE37awJBAKTa+avCg+//\
        5UTft+elC1xQQMKf/mQHXjnR0f0w9eEgcyHOvreBjQFSq5LsgGBhhZE6Viw4F4LkEVfkO6E128ECQF1tAOrgNkKxxecHtIYnXmSHpCjpabTz\
        0ykBAgoRma7UCV85NgwtsSqY/h5sBBAOqIlkgUB3N9h0noNjFpxeiwE=";
    const MODULUS_1024: &str = "ummhvrLkeRvUxYuNAjZ2zUz3lO1uSDKwvc3qfAPtxqXxNFjD_kovMGkiQe7w_7AOQFg2IBykEdhPD2zGyBXJ98vTg_8I52wVWOHfaBYafj0d\
        bDLjsGC8Gk5Tdd48t1utFb4SVsD4NZ8zv93mW1u3-vcrO5jCZZzOCmJeB0iZAEk";
    const P256: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrFYYpQnYKnj8lFaZHXErOGtv5kQU/VNEVJmwOeh4M22hRANCAATUjlzKgDfL\
        3VenJYazbv1QYRy+v4uFlhFvcQA6NIlOMgZ0ePNOF5NqGO5nGF12LY+VaFhqRh8pIjAOXIwWKmmH";
    const P256_X: &str = "1I5cyoA3y91XpyWGs279UGEcvr-LhZYRb3EAOjSJTjI";
    const P256_Y: &str = "BnR4804Xk2oY7mcYXXYtj5VoWGpGHykiMA5cjBYqaYc";
    const P384: &str = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDC0QQAkO0O5tYc++eBQv1EbwniFGJsVrvFU8OJVfDVfT7k7bortoLxVUj2Lr7vI\
        9yuhZANiAASPFHz1Z5gUqgYljfm+0HKbzgAIg/4YBysRAWe5bUQEE+yj1SPq/9p5UEw1oJuoX4umG9Oo56HLbLuFxF58hNa8YLUa2N1+ySy0\
        HmcGcaQwmPwjtQl0s+FaK3nBV8OZGDU=";
    const P384_X: &str = "jxR89WeYFKoGJY35vtBym84ACIP-GAcrEQFnuW1EBBPso9Uj6v_aeVBMNaCbqF-L";
    const P384_Y: &str = "phvTqOehy2y7hcRefITWvGC1GtjdfskstB5nBnGkMJj8I7UJdLPhWit5wVfDmRg1";
    const ED25519: &str = "MC4CAQAwBQYDK2VwBCIEIGw23IwJ/yfEQbr/hfDNJmvr751Ye2qQjesZ4r468Q4u";
    const ED25519_X: &str = "FPdgjEZrE4sWlVdbxKzTBlWs6jz-rqrI4rhq1rFxhuY";

    fn bytes(text: &str) -> Vec<u8> {
        STANDARD.decode(text).unwrap()
    }

    fn rsa(private: &str, modulus: &str) -> (EncodingKey, DecodingKey) {
        (
            EncodingKey::from_rsa_der(&bytes(private)),
            DecodingKey::from_rsa_components(modulus, "AQAB").unwrap(),
        )
    }

    /// What another library signs by this algorithm, and whether it holds here; of the text itself, of another one, and with a
    /// changed signature.
    fn held(algorithm: Algorithm, signing: &EncodingKey, known: &DecodingKey) -> [bool; 3] {
        let signer = (rust_crypto::DEFAULT_PROVIDER.signer_factory)(&algorithm, signing).unwrap();
        let signature = signer.try_sign(b"header.claims").unwrap();
        let mut changed = signature.clone();
        changed[5] ^= 1;
        let check = (PROVIDER.verifier_factory)(&algorithm, known).unwrap();
        assert_eq!(check.algorithm(), algorithm);
        [
            check.verify(b"header.claims", &signature).is_ok(),
            check.verify(b"header.claim5", &signature).is_ok(),
            check.verify(b"header.claims", &changed).is_ok(),
        ]
    }

    #[test]
    fn what_the_issuer_signed_holds_and_nothing_else() {
        let of_rsa = rsa(RSA_2048, MODULUS_2048);
        let point = |x: &str, y: &str| DecodingKey::from_ec_components(x, y).unwrap();
        let p256 = (
            EncodingKey::from_ec_der(&bytes(P256)),
            point(P256_X, P256_Y),
        );
        let p384 = (
            EncodingKey::from_ec_der(&bytes(P384)),
            point(P384_X, P384_Y),
        );
        let ed25519 = (
            EncodingKey::from_ed_der(&bytes(ED25519)),
            DecodingKey::from_ed_components(ED25519_X).unwrap(),
        );
        for algorithm in ALGORITHMS {
            let (signing, known) = match algorithm {
                Algorithm::ES256 => &p256,
                Algorithm::ES384 => &p384,
                Algorithm::EdDSA => &ed25519,
                _ => &of_rsa,
            };
            assert_eq!(
                held(*algorithm, signing, known),
                [true, false, false],
                "{algorithm:?}"
            );
        }
    }

    #[test]
    fn a_key_of_another_kind_or_too_short_checks_nothing() {
        let (signing, known) = rsa(RSA_1024, MODULUS_1024);
        assert_eq!(held(Algorithm::RS256, &signing, &known), [false; 3]);
        for algorithm in [Algorithm::ES256, Algorithm::EdDSA, Algorithm::HS256] {
            assert!(
                (PROVIDER.verifier_factory)(&algorithm, &known).is_err(),
                "{algorithm:?}"
            );
        }
        let secret = DecodingKey::from_secret(&URL_SAFE_NO_PAD.decode(MODULUS_2048).unwrap());
        for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256] {
            assert!(
                (PROVIDER.verifier_factory)(&algorithm, &secret).is_err(),
                "{algorithm:?}"
            );
        }
    }
}
