// Receipts as JOSE writes them (RFC 7515), and whether one of the service's keys has signed them.
//
// Invariant: reading a receipt is no proof of anything; only `genuine` is. There is one algorithm, whatever a receipt
// says of itself, and the keys are those that the service gives and never those that a receipt names.

export const MAX_RECEIPT_CHARS = 16 * 1024;

const TYPE = 'file-share-receipt+jwt';
const ALGORITHM = 'Ed25519';
const SIGNATURE_BYTES = 64;

// → {text, keyId, claims, signed, signature}, or null: it is none.
export function readReceipt(text) {
  const bare = text.length <= MAX_RECEIPT_CHARS ? text.replace(/\s+/g, '') : '';
  const parts = bare.split('.');
  if (parts.length !== 3) {
    return null;
  }
  const [header, claims] = parts.slice(0, 2).map(objectOf);
  const signature = bytesOf(parts[2]);
  const isOne =
    header?.alg === ALGORITHM &&
    header.typ === TYPE &&
    header.crit === undefined &&
    typeof header.kid === 'string' &&
    signature?.length === SIGNATURE_BYTES &&
    areClaims(claims);
  const signed = new TextEncoder().encode(parts.slice(0, 2).join('.'));
  return isOne ? { text: bare, keyId: header.kid, claims, signed, signature } : null;
}

// → genuine | notGenuine | insecure: a page that came by plain http has no cryptography | unsupported: an older browser
export async function verify({ keyId, signed, signature }, keys, subtle = globalThis.crypto?.subtle) {
  if (!subtle) {
    return 'insecure';
  }
  for (const { kty, crv, x, kid } of keys) {
    if (kid !== keyId || kty !== 'OKP' || crv !== ALGORITHM) {
      continue;
    }
    try {
      const key = await subtle.importKey('jwk', { kty, crv, x }, { name: ALGORITHM }, false, ['verify']);
      if (await subtle.verify({ name: ALGORITHM }, key, signature, signed)) {
        return 'genuine';
      }
    } catch (error) {
      if (error.name === 'NotSupportedError') {
        return 'unsupported';
      }
    }
  }
  return 'notGenuine';
}

function areClaims(claims) {
  return (
    ['iss', 'jti', 'displayName', 'uploadedAt'].every((field) => typeof claims?.[field] === 'string') &&
    Number.isSafeInteger(claims.size) &&
    claims.size >= 0 &&
    Number.isSafeInteger(claims.iat) &&
    /^[0-9a-f]{64}$/.test(claims.sha256) &&
    !Number.isNaN(Date.parse(claims.uploadedAt))
  );
}

function objectOf(part) {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(part)));
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

// Of base64url; null if it is none.
function bytesOf(part) {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) {
    return null;
  }
  try {
    return Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
