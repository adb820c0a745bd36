// QR codes of texts (ISO/IEC 18004): bytes of UTF-8 with error correction M, in the smallest version that has room.
//
// Invariant: what is given out has every pattern in its place and the mask that readers find easiest. A text that is
// too long gives null, never a code of a part of it.
//
// Absent on purpose: the other modes and levels. A link has small letters, and M stands a seat at the side of the room.

const VERSIONS = 40;
// Of level M, by version: codewords that correct errors in each block, and blocks.
const CORRECTING = [
  10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26,
  26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28,
];
const BLOCKS = [
  1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16,
  17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49,
];
const BYTE_MODE = 0b0100;
const LEVEL_M = 0b00;
const PADDING = [0xec, 0x11];
// The polynomials of the field, of the format and of the version, and what keeps a format from being all light.
const FIELD = 0x11d;
const FORMAT = 0x537;
const FORMAT_MASK = 0x5412;
const VERSION = 0x1f25;

// Whether a mask turns the module in column x and row y.
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

const POWERS = [];
const LOGARITHMS = [];
for (let at = 0, value = 1; at < 255; at += 1) {
  POWERS[at] = value;
  LOGARITHMS[value] = at;
  value = (value << 1) ^ (value & 0x80 ? FIELD : 0);
}

// Rows of booleans, dark is true, without the light zone around them; null if the text is too long.
export function qrCode(text) {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  if (version === null) {
    return null;
  }
  const codewords = interleave(dataOf(bytes, version), version);
  const codes = MASKS.map((_, mask) => new Code(version).fill(codewords, mask));
  const penalties = codes.map((code) => code.penalty());
  return codes[penalties.indexOf(Math.min(...penalties))].rows();
}

// The path of an SVG that draws the dark modules, one run after the other, each module a unit wide, with the light
// zone of four modules before it.
export function qrPath(rows) {
  return rows
    .flatMap((row, y) => {
      const runs = [];
      for (let x = 0; x < row.length; ) {
        const start = x;
        while (x < row.length && row[x] === row[start]) {
          x += 1;
        }
        if (row[start]) {
          runs.push(`M${start + QUIET_ZONE} ${y + QUIET_ZONE}h${x - start}v1h${start - x}z`);
        }
      }
      return runs;
    })
    .join('');
}

export const QUIET_ZONE = 4;

function versionFor(length) {
  for (let version = 1; version <= VERSIONS; version += 1) {
    if (4 + countBits(version) + length * 8 <= dataCodewords(version) * 8) {
      return version;
    }
  }
  return null;
}

const countBits = (version) => (version < 10 ? 8 : 16);

function dataCodewords(version) {
  return allCodewords(version) - CORRECTING[version - 1] * BLOCKS[version - 1];
}

// What is left of the square without the patterns, in whole bytes.
function allCodewords(version) {
  const size = sizeOf(version);
  const finders = 3 * 64;
  const formats = 31;
  const timing = 2 * (size - 16);
  const count = alignments(version).length;
  // Those in the row and column of the timing patterns share five modules with them.
  const aligning = count === 0 ? 0 : (count * count - 3) * 25 - 2 * (count - 2) * 5;
  const versions = version < 7 ? 0 : 36;
  return (size * size - finders - formats - timing - aligning - versions) >> 3;
}

const sizeOf = (version) => version * 4 + 17;

// The columns, and rows, that the middles of alignment patterns are in: even steps back from the end, and 6.
function alignments(version) {
  if (version === 1) {
    return [];
  }
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  // The one version whose steps the standard rounds down.
  const step = version === 32 ? 26 : 2 * Math.ceil((last - 6) / (2 * (count - 1)));
  return Array.from({ length: count }, (_, at) => (at === 0 ? 6 : last - (count - 1 - at) * step));
}

// Mode, length, bytes and what fills the rest.
function dataOf(bytes, version) {
  const bits = [];
  const put = (value, length) => {
    for (let at = length - 1; at >= 0; at -= 1) {
      bits.push((value >> at) & 1);
    }
  };
  put(BYTE_MODE, 4);
  put(bytes.length, countBits(version));
  bytes.forEach((byte) => put(byte, 8));
  const wanted = dataCodewords(version);
  put(0, Math.min(4, wanted * 8 - bits.length));
  put(0, -bits.length & 7);
  for (let at = 0; bits.length < wanted * 8; at += 1) {
    put(PADDING[at % 2], 8);
  }
  return Array.from({ length: wanted }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((byte, bit) => byte * 2 + bit));
}

// The blocks' first codewords, then their second ones, and so on, and likewise what corrects them. The last blocks
// are longer by one where they don't come out even.
function interleave(data, version) {
  const count = BLOCKS[version - 1];
  const short = Math.floor(data.length / count);
  const longFrom = count - (data.length % count);
  const blocks = [];
  for (let at = 0, from = 0; at < count; at += 1) {
    const length = short + (at >= longFrom ? 1 : 0);
    blocks.push(data.slice(from, from + length));
    from += length;
  }
  const divisor = generator(CORRECTING[version - 1]);
  const turns = (parts, length) => Array.from({ length }, (_, at) => parts.map((part) => part[at])).flat();
  const corrections = blocks.map((block) => remainder(block, divisor));
  return [...turns(blocks, short + 1), ...turns(corrections, divisor.length)].filter((word) => word !== undefined);
}

function times(one, other) {
  return one === 0 || other === 0 ? 0 : POWERS[(LOGARITHMS[one] + LOGARITHMS[other]) % 255];
}

// The product of (x - 2^0) … (x - 2^(degree-1)), without its leading 1.
function generator(degree) {
  let product = [1];
  for (let at = 0; at < degree; at += 1) {
    const shifted = [...product, 0];
    product = shifted.map((factor, place) => factor ^ times(product[place - 1] ?? 0, POWERS[at]));
  }
  return product.slice(1);
}

// What is left of the block, as a polynomial, behind the division (Reed and Solomon).
function remainder(block, divisor) {
  const left = new Array(divisor.length).fill(0);
  for (const word of block) {
    const factor = word ^ left.shift();
    left.push(0);
    divisor.forEach((part, at) => (left[at] ^= times(part, factor)));
  }
  return left;
}

// The value with what corrects it behind it (Bose, Chaudhuri and Hocquenghem).
function corrected(value, bits, polynomial) {
  const degree = 31 - Math.clz32(polynomial);
  let left = value << degree;
  for (let at = bits - 1; at >= 0; at -= 1) {
    if ((left >> (at + degree)) & 1) {
      left ^= polynomial << at;
    }
  }
  return (value << degree) | left;
}

class Code {
  #version;
  #size;
  #dark;
  // What belongs to a pattern, and is neither data nor masked.
  #fixed;

  constructor(version) {
    this.#version = version;
    this.#size = sizeOf(version);
    this.#dark = new Uint8Array(this.#size ** 2);
    this.#fixed = new Uint8Array(this.#size ** 2);
  }

  fill(codewords, mask) {
    this.#drawTiming();
    this.#drawFinders();
    this.#drawAlignments();
    this.#drawFormat(mask);
    this.#drawVersion();
    this.#drawData(codewords, MASKS[mask]);
    return this;
  }

  rows() {
    return Array.from({ length: this.#size }, (_, y) => Array.from({ length: this.#size }, (_, x) => this.#get(x, y) === 1));
  }

  #get(x, y) {
    return this.#dark[y * this.#size + x];
  }

  #fix(x, y, isDark) {
    this.#dark[y * this.#size + x] = isDark ? 1 : 0;
    this.#fixed[y * this.#size + x] = 1;
  }

  #drawTiming() {
    for (let at = 0; at < this.#size; at += 1) {
      this.#fix(6, at, at % 2 === 0);
      this.#fix(at, 6, at % 2 === 0);
    }
  }

  // Three corners, each with a light line that sets it apart.
  #drawFinders() {
    const far = this.#size - 4;
    for (const [x, y] of [[3, 3], [far, 3], [3, far]]) {
      this.#drawRings(x, y, 4, (ring) => ring !== 2 && ring !== 4);
    }
  }

  #drawAlignments() {
    const places = alignments(this.#version);
    const last = places.length - 1;
    for (const [row, y] of places.entries()) {
      for (const [column, x] of places.entries()) {
        const isFinder = (row === 0 && (column === 0 || column === last)) || (row === last && column === 0);
        if (!isFinder) {
          this.#drawRings(x, y, 2, (ring) => ring !== 1);
        }
      }
    }
  }

  #drawRings(middleX, middleY, radius, isDark) {
    for (let dy = -radius; dy <= radius; dy += 1) {
      for (let dx = -radius; dx <= radius; dx += 1) {
        const [x, y] = [middleX + dx, middleY + dy];
        if (x >= 0 && y >= 0 && x < this.#size && y < this.#size) {
          this.#fix(x, y, isDark(Math.max(Math.abs(dx), Math.abs(dy))));
        }
      }
    }
  }

  // Twice: around the upper left corner, and along the two others.
  #drawFormat(mask) {
    const format = corrected((LEVEL_M << 3) | mask, 5, FORMAT) ^ FORMAT_MASK;
    const end = this.#size - 1;
    for (let at = 0; at < 15; at += 1) {
      const isDark = ((format >> at) & 1) === 1;
      // Past the timing pattern.
      const near = at < 6 ? at : at < 8 ? at + 1 : at === 8 ? 7 : 14 - at;
      if (at < 8) {
        this.#fix(8, near, isDark);
        this.#fix(end - at, 8, isDark);
      } else {
        this.#fix(near, 8, isDark);
        this.#fix(8, end - 14 + at, isDark);
      }
    }
    this.#fix(8, end - 7, true);
  }

  #drawVersion() {
    if (this.#version < 7) {
      return;
    }
    const bits = corrected(this.#version, 6, VERSION);
    for (let at = 0; at < 18; at += 1) {
      const isDark = ((bits >> at) & 1) === 1;
      const [far, near] = [this.#size - 11 + (at % 3), Math.floor(at / 3)];
      this.#fix(far, near, isDark);
      this.#fix(near, far, isDark);
    }
  }

  // Two columns at a time from the right, up and down by turns, with none in the column of the timing pattern.
  #drawData(codewords, turns) {
    let bit = 0;
    let isUpward = true;
    for (let right = this.#size - 1; right > 0; right -= 2) {
      right -= right === 6 ? 1 : 0;
      for (let step = 0; step < this.#size; step += 1) {
        const y = isUpward ? this.#size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (!this.#fixed[y * this.#size + x]) {
            // Some modules are left over, and light.
            const isDark = (codewords[bit >> 3] ?? 0) & (0x80 >> (bit & 7)) ? 1 : 0;
            this.#dark[y * this.#size + x] = isDark ^ (turns(x, y) ? 1 : 0);
            bit += 1;
          }
        }
      }
      isUpward = !isUpward;
    }
  }

  // How much a reader could stumble over.
  penalty() {
    const size = this.#size;
    let sum = 0;
    for (let at = 0; at < size; at += 1) {
      const line = (get) => Array.from({ length: size }, (_, along) => get(along)).join('');
      sum += penaltyOfLine(line((x) => this.#get(x, at))) + penaltyOfLine(line((y) => this.#get(at, y)));
    }
    return sum + this.#squares() * 3 + this.#imbalance() * 10;
  }

  // Of two by two modules of one colour.
  #squares() {
    let count = 0;
    for (let y = 1; y < this.#size; y += 1) {
      for (let x = 1; x < this.#size; x += 1) {
        const dark = this.#get(x, y) + this.#get(x - 1, y) + this.#get(x, y - 1) + this.#get(x - 1, y - 1);
        count += dark % 4 === 0 ? 1 : 0;
      }
    }
    return count;
  }

  // By how many steps of five per cent dark and light are apart from halves.
  #imbalance() {
    const share = this.#dark.reduce((sum, dark) => sum + dark, 0) / this.#dark.length;
    return Math.floor(Math.abs(share - 0.5) * 20);
  }
}

// Long runs of one colour, and what looks like the corner of a code.
function penaltyOfLine(line) {
  const runs = (line.match(/0{5,}|1{5,}/g) ?? []).reduce((sum, run) => sum + run.length - 2, 0);
  const corners = line.match(/(?=00001011101|10111010000)/g) ?? [];
  return runs + corners.length * 40;
}
