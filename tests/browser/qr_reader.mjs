// Reads QR codes with another program than the one that makes them.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../target/browser-tools/package.json', import.meta.url));
const { default: jsqr } = require('jsqr');

const PIXELS_A_MODULE = 4;
const LIGHT_MODULES = 4;

// What a reader finds in a picture of these rows of modules, true where they are dark.
export function readModules(rows) {
  const width = (rows.length + 2 * LIGHT_MODULES) * PIXELS_A_MODULE;
  const pixels = new Uint8ClampedArray(width * width * 4).fill(255);
  for (let at = 0; at < width * width; at += 1) {
    const [x, y] = [at % width, Math.floor(at / width)].map((pixel) => Math.floor(pixel / PIXELS_A_MODULE) - LIGHT_MODULES);
    if (rows[y]?.[x]) {
      pixels.fill(0, at * 4, at * 4 + 3);
    }
  }
  return readPixels(pixels, width, width);
}

// The same of pixels as a screen shows them; dark on light, as all readers know it.
export function readPixels(pixels, width, height) {
  const found = jsqr(pixels, width, height, { inversionAttempts: 'dontInvert' });
  assert.ok(found, 'there is a code');
  return found.data;
}
