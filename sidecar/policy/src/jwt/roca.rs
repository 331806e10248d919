//! Keys whose primes an Infineon chip chose (CVE-2017-15361, "ROCA"): whoever has the public key can factor it.
//!
//! Nemec, Sys, Svenda, Klinec, Matyas: The Return of Coppersmith's Attack (CCS 2017), section 4: such a modulus is a
//! power of 65537 modulo each small prime. Another modulus passes all of these with a negligible probability.

const GENERATOR: u32 = 65_537;

const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether an RSA modulus (big-endian) has the fingerprint.
pub(super) fn has_fingerprint(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| is_power_of_generator(residue(modulus, prime), prime))
}

fn residue(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime)
}

fn is_power_of_generator(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == residue {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_a_product_of_powers() {
        assert!(has_fingerprint(&[1]));
        assert!(has_fingerprint(&GENERATOR.to_be_bytes()));
        assert!(has_fingerprint(&(u64::from(GENERATOR) * u64::from(GENERATOR)).to_be_bytes()));
    }

    #[test]
    fn leaves_other_numbers_alone() {
        assert!(!has_fingerprint(&[2]));
        assert!(!has_fingerprint(&1_000_003_u32.to_be_bytes()));
        assert!(!has_fingerprint(&[0xff; 256]));
    }
}
