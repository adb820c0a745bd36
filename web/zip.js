// Writes an archive in the ZIP format, file by file (APPNOTE.TXT of PKWARE, version 6.3.10).
//
// Invariant: what was written once isn't touched again, so it can go straight to a disk; of what went before only a record a
// file is kept. Names are in UTF-8 and said to be so. Files are stored as they are: what people hand in is compressed
// already, mostly. Beyond 4 GiB and 65,535 files it goes on as ZIP64. Names have to be unlike each other and safe already.
//
// Absent on purpose: where it goes to, which is `write`, and where the files are from.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
// 2.0 for plain files, 4.5 for ZIP64 (4.4.3.2).
const PLAIN = 20;
const ZIP64 = 45;
// Names are in UTF-8 (4.4.4, bit 11).
const UTF8 = 0x0800;
const MADE_ON_UNIX = 3 << 8;
// -rw-r--r-- of an ordinary file, where attributes of Unix stand.
const ORDINARY = 0o100644 * 0x10000;
const EXTRA_ZIP64 = 0x0001;
// When it was changed, in seconds of Unix time: what the format has itself is local time without a zone.
const EXTRA_TIME = 0x5455;
const HAS_CHANGED = 1;
const MAX_32 = 0xffffffff;
const MAX_16 = 0xffff;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc;
});

export function crc32(bytes) {
  let crc = MAX_32;
  for (const byte of bytes) {
    crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff];
  }
  return ~crc >>> 0;
}

export class ZipWriter {
  #write;
  #largest;
  #offset = 0;
  // Of each file: {name, crc, size, offset, changed}.
  #files = [];

  // write(bytes) resolves when they are taken. `largest` is what fits in 32 bits, and less in tests only.
  constructor(write, { largest = MAX_32 } = {}) {
    this.#write = write;
    this.#largest = largest;
  }

  // How many bytes are written.
  get size() {
    return this.#offset;
  }

  // One file. `changedAt` is in milliseconds.
  async add(name, bytes, changedAt) {
    if (bytes.length >= MAX_32) {
      throw new RangeError(name);
    }
    const file = { name: new TextEncoder().encode(name), crc: crc32(bytes), size: bytes.length, offset: this.#offset, changedAt };
    await this.#put(localHeader(file));
    await this.#put(bytes);
    this.#files.push(file);
  }

  // The directory at the end, without which it is no archive.
  async finish() {
    const start = this.#offset;
    for (const file of this.#files) {
      await this.#put(centralHeader(file, file.offset >= this.#largest));
    }
    const size = this.#offset - start;
    const count = this.#files.length;
    if (count >= MAX_16 || start >= this.#largest || size >= this.#largest) {
      await this.#put(end64({ count, size, start, end: this.#offset }));
    }
    await this.#put(end({ count, size, start }, this.#largest));
  }

  async #put(bytes) {
    this.#offset += bytes.length;
    await this.#write(bytes);
  }
}

// Numbers in a row, the least significant byte first: [value, how many bytes].
function fields(...all) {
  const bytes = new Uint8Array(all.reduce((sum, [, width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [value, width] of all) {
    if (width === 8) {
      view.setBigUint64(at, BigInt(value), true);
    } else if (width === 4) {
      view.setUint32(at, value, true);
    } else {
      view.setUint16(at, value, true);
    }
    at += width;
  }
  return bytes;
}

function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function timeExtra({ changedAt }) {
  const seconds = Math.floor(changedAt / 1000) >>> 0;
  return joined(fields([EXTRA_TIME, 2], [5, 2]), Uint8Array.of(HAS_CHANGED), fields([seconds, 4]));
}

// Date and time as MS-DOS has them: local, in steps of two seconds, and from 1980 on (4.4.6).
function dosTime(changedAt) {
  const at = new Date(changedAt);
  const year = Math.min(127, Math.max(0, at.getFullYear() - 1980));
  const date = (year << 9) | ((at.getMonth() + 1) << 5) | at.getDate();
  const time = (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1);
  return [
    [time, 2],
    [date, 2],
  ];
}

function localHeader(file) {
  const { name, crc, size, changedAt } = file;
  const extra = timeExtra(file);
  const head = fields(
    [LOCAL, 4],
    [PLAIN, 2],
    [UTF8, 2],
    [0, 2],
    ...dosTime(changedAt),
    [crc, 4],
    [size, 4],
    [size, 4],
    [name.length, 2],
    [extra.length, 2],
  );
  return joined(head, name, extra);
}

function centralHeader(file, isFar) {
  const { name, crc, size, offset, changedAt } = file;
  const far = isFar ? fields([EXTRA_ZIP64, 2], [8, 2], [offset, 8]) : new Uint8Array(0);
  const extra = joined(far, timeExtra(file));
  const head = fields(
    [CENTRAL, 4],
    [MADE_ON_UNIX | ZIP64, 2],
    [isFar ? ZIP64 : PLAIN, 2],
    [UTF8, 2],
    [0, 2],
    ...dosTime(changedAt),
    [crc, 4],
    [size, 4],
    [size, 4],
    [name.length, 2],
    [extra.length, 2],
    [0, 2],
    [0, 2],
    [0, 2],
    [ORDINARY, 4],
    [isFar ? MAX_32 : offset, 4],
  );
  return joined(head, name, extra);
}

function end64({ count, size, start, end: at }) {
  const record = fields([END64, 4], [44, 8], [MADE_ON_UNIX | ZIP64, 2], [ZIP64, 2], [0, 4], [0, 4], [count, 8], [count, 8], [size, 8], [start, 8]);
  const locator = fields([LOCATOR64, 4], [0, 4], [at, 8], [1, 4]);
  return joined(record, locator);
}

function end({ count, size, start }, largest) {
  const files = Math.min(count, MAX_16);
  const fitting = (value) => (value >= largest ? MAX_32 : value);
  return fields([END, 4], [0, 2], [0, 2], [files, 2], [files, 2], [fitting(size), 4], [fitting(start), 4], [0, 2]);
}
