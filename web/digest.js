// The SHA-256 of a file.
//
// Invariant: every file has one, in every context, so that a store takes no other bytes than those that were read
// here: also if the file changes while it is sent, which a browser needn't notice.
//
// Web Crypto needs a secure context: https, or this machine. It also takes the content as a whole,
// which is why one file is hashed at a time; the service's limit on sizes bounds what that takes.

import { Sha256 } from './sha256.js';

const PIECE_BYTES = 1024 * 1024;

let turn = Promise.resolve();

// 64 hex digits. Rejects if the file can't be read.
export function sha256(file) {
  return inTurn(() => (globalThis.crypto?.subtle ? byWebCrypto(file) : piecewise(file)));
}

function inTurn(work) {
  const result = turn.then(work);
  turn = result.catch(() => {});
  return result;
}

async function byWebCrypto(file) {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function piecewise(file) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE_BYTES) {
    hash.update(new Uint8Array(await file.slice(at, at + PIECE_BYTES).arrayBuffer()));
  }
  return hash.hex();
}
