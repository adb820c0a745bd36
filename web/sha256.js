// SHA-256 (FIPS 180-4) without Web Crypto, which browsers have on https and on this machine only.
//
// Invariant: takes the content piece by piece, so that no file is held whole. It is some ten times as slow
// as Web Crypto: a third of a second for 20 MiB.

const BLOCK_BYTES = 64;
const ROUNDS = 64;

// The first 32 bits of the fractional parts of roots of the first primes: square roots for the state
// (section 5.3.3), cube roots for the rounds (section 4.2.2).
const [FIRST_STATE, ROUND_CONSTANTS] = constants();

export class Sha256 {
  #state = Int32Array.from(FIRST_STATE);
  #block = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  #length = 0;
  #schedule = new Int32Array(ROUNDS);

  update(bytes) {
    this.#length += bytes.length;
    let at = 0;
    while (at < bytes.length) {
      const part = bytes.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === BLOCK_BYTES) {
        this.#compress();
        this.#filled = 0;
      }
    }
    return this;
  }

  // 64 hex digits. Nothing can be added after that.
  hex() {
    const bits = BigInt(this.#length) * 8n;
    const zeros = (BLOCK_BYTES * 2 - 9 - this.#filled) % BLOCK_BYTES;
    const padding = new Uint8Array(1 + zeros + 8);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(1 + zeros, bits);
    this.update(padding);
    return [...this.#state].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #compress() {
    const w = this.#schedule;
    const block = new DataView(this.#block.buffer);
    for (let t = 0; t < 16; t += 1) {
      w[t] = block.getInt32(t * 4);
    }
    for (let t = 16; t < ROUNDS; t += 1) {
      const s0 = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ (w[t - 15] >>> 3);
      const s1 = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ (w[t - 2] >>> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = this.#state;
    for (let t = 0; t < ROUNDS; t += 1) {
      const s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[t] + w[t]) | 0;
      const s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, at) => (this.#state[at] += word));
  }
}

function rotated(word, by) {
  return (word >>> by) | (word << (32 - by));
}

function constants() {
  const primes = [];
  for (let n = 2; primes.length < ROUNDS; n += 1) {
    if (primes.every((prime) => n % prime !== 0)) {
      primes.push(n);
    }
  }
  // floor(root * 2^32), by whole numbers, modulo 2^32.
  const fraction = (prime, power) => Number(root(BigInt(prime) << BigInt(32 * power), power) & 0xffffffffn) | 0;
  return [primes.slice(0, 8).map((prime) => fraction(prime, 2)), primes.map((prime) => fraction(prime, 3))];
}

// The largest whole number whose power is at most `value`.
function root(value, power) {
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (middle ** BigInt(power) <= value) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}
