// The SHA-256 of a file, where the browser can tell it.
//
// Web Crypto needs a secure context: https, or this machine. It also takes the content as a whole,
// which is why one file is hashed at a time; the service's limit on sizes bounds what that takes.

let turn = Promise.resolve();

// 64 hex digits, or null where there is no Web Crypto: then the service measures the bytes itself.
// Rejects if the file can't be read.
export function sha256(file) {
  const result = turn.then(async () => {
    if (!globalThis.crypto?.subtle) {
      return null;
    }
    const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  });
  turn = result.catch(() => {});
  return result;
}
