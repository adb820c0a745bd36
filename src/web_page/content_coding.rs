//! Which coding an answer has: Brotli, gzip or none.
//!
//! Invariant: a client gets a coding only if it accepts it, by its weights (RFC 9110, section 12.5.3); one that says
//! nothing gets none.

use std::io::Write;

use bytes::Bytes;
use poem::http::{HeaderMap, HeaderValue, header};

use super::words::weighted;

/// For what is compressed once and sent often: the best that is quick enough for a first reader to wait for it.
pub(super) const OFTEN: Effort = Effort { brotli: 9, gzip: 9 };
/// For what is compressed for one reader.
pub(super) const ONCE: Effort = Effort { brotli: 4, gzip: 4 };
/// For what is large, compressed once and sent rarely.
pub(super) const LARGE: Effort = Effort { brotli: 5, gzip: 6 };

/// Brotli's window, as a power of two of bytes: 4 MiB, above everything that is sent here.
const BROTLI_WINDOW: u32 = 22;
/// What the encoder writes into, in bytes.
const BUFFER_BYTES: usize = 16 * 1024;

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// 0 to 11.
    brotli: u32,
    /// 0 to 9.
    gzip: u32,
}

/// What is done to an answer's content on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Brotli (RFC 7932).
    Brotli,
    /// gzip (RFC 1952).
    Gzip,
    /// Nothing.
    Identity,
}

impl Coding {
    /// The one to answer a request with: of those that it weighs the same, the smallest. Where it accepts none that
    /// there is, nothing is done, since that is what every client understands.
    pub(super) fn of_request(headers: &HeaderMap) -> Self {
        let accepted: Vec<(&str, f32)> = headers
            .get_all(header::ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|list| list.split(','))
            .map(weighted)
            .collect();
        let weight_of = |name: &str| {
            let named = |wanted: &str| {
                accepted
                    .iter()
                    .find(|(own, _)| own.eq_ignore_ascii_case(wanted))
            };
            named(name)
                .or_else(|| named("*"))
                .map(|(_, weight)| *weight)
        };
        // What isn't named is accepted if it is no coding at all.
        let identity = weight_of("identity").unwrap_or(f32::MIN_POSITIVE);
        let gzip = weight_of("gzip")
            .or_else(|| weight_of("x-gzip"))
            .unwrap_or(0.0);
        let brotli = weight_of("br").unwrap_or(0.0);
        let choices = [
            (Self::Brotli, brotli),
            (Self::Gzip, gzip),
            (Self::Identity, identity),
        ];
        let best = choices
            .iter()
            .map(|(_, weight)| *weight)
            .fold(0.0, f32::max);
        choices
            .into_iter()
            .find(|(_, weight)| *weight > 0.0 && *weight >= best)
            .map_or(Self::Identity, |(coding, _)| coding)
    }

    /// The value of `Content-Encoding`; `None` if there is nothing to say.
    pub(super) fn name(self) -> Option<HeaderValue> {
        match self {
            Self::Brotli => Some(HeaderValue::from_static("br")),
            Self::Gzip => Some(HeaderValue::from_static("gzip")),
            Self::Identity => None,
        }
    }

    /// `content` in this coding. Takes as long as its length and the effort make it: of large content, milliseconds.
    pub(super) fn encode(self, content: &[u8], effort: Effort) -> std::io::Result<Bytes> {
        // Most of it is text that comes down to a quarter.
        let mut encoded = Vec::with_capacity(content.len() / 4);
        match self {
            Self::Brotli => {
                let mut encoder = brotli::CompressorWriter::new(
                    &mut encoded,
                    BUFFER_BYTES,
                    effort.brotli,
                    BROTLI_WINDOW,
                );
                encoder.write_all(content)?;
                encoder.flush()?;
                drop(encoder);
            }
            Self::Gzip => {
                let level = flate2::Compression::new(effort.gzip);
                let mut encoder = flate2::write::GzEncoder::new(&mut encoded, level);
                encoder.write_all(content)?;
                encoder.finish()?;
            }
            Self::Identity => encoded.extend_from_slice(content),
        }
        Ok(encoded.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accepted: &[&'static str]) -> Coding {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
        }
        Coding::of_request(&headers)
    }

    #[test]
    fn a_client_gets_what_it_weighs_most_and_never_what_it_refuses() {
        use Coding::{Brotli, Gzip, Identity};
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Brotli),
            ("gzip, deflate", Gzip),
            ("GZIP", Gzip),
            ("x-gzip", Gzip),
            ("deflate, zstd", Identity),
            ("", Identity),
            ("identity", Identity),
            ("br;q=0.5, gzip", Gzip),
            ("br;q=0, gzip;q=0", Identity),
            ("gzip;q=0", Identity),
            ("gzip;q=0, *", Brotli),
            ("*", Brotli),
            ("*;q=0", Identity),
            ("*;q=0, gzip", Gzip),
            ("identity;q=0", Identity),
            ("identity;q=0, gzip;q=0.001", Gzip),
            ("identity, gzip;q=0.5", Identity),
            ("br;q=0.001", Brotli),
            ("br;q=oops, gzip", Brotli),
        ] {
            assert_eq!(chosen(&[accepted]), expected, "{accepted}");
        }
        assert_eq!(chosen(&[]), Identity);
        assert_eq!(chosen(&["gzip", "br"]), Brotli);
    }

    #[test]
    fn what_is_encoded_can_be_decoded() {
        use std::io::Read;
        let content = "a text that comes again, ".repeat(4000).into_bytes();
        for effort in [OFTEN, ONCE, LARGE] {
            let gzip = Coding::Gzip.encode(&content, effort).unwrap();
            let mut decoded = Vec::new();
            flate2::read::GzDecoder::new(&gzip[..])
                .read_to_end(&mut decoded)
                .unwrap();
            assert_eq!(decoded, content);
            let brotli = Coding::Brotli.encode(&content, effort).unwrap();
            let mut decoded = Vec::new();
            brotli::Decompressor::new(&brotli[..], 4096)
                .read_to_end(&mut decoded)
                .unwrap();
            assert_eq!(decoded, content);
            assert!(gzip.len() < 1000 && brotli.len() < 1000);
        }
        assert_eq!(Coding::Identity.encode(b"a", OFTEN).unwrap(), "a");
    }
}
