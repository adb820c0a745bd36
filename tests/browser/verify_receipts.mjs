// Verifies receipts as a program of somebody else's does, with npm's jose.
//
// Standard input has {keys: a JWK Set, receipts: {name: text}}; what is printed says of each name what the receipt
// says, or null if it is refused. tests/tools/verify_receipts.py does the same with Python's joserfc.

import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const require = createRequire(new URL('../../target/browser-tools/package.json', import.meta.url));
const { compactVerify, createLocalJWKSet, errors } = require('jose');

const { keys, receipts } = JSON.parse(await text(process.stdin));
const keySet = createLocalJWKSet(keys);

async function claimsOf(receipt) {
  try {
    const { payload, protectedHeader } = await compactVerify(receipt, keySet, { algorithms: ['Ed25519'] });
    return protectedHeader.typ === 'file-share-receipt+jwt' ? JSON.parse(new TextDecoder().decode(payload)) : null;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof SyntaxError) {
      return null;
    }
    throw error;
  }
}

const said = {};
for (const [name, receipt] of Object.entries(receipts)) {
  said[name] = await claimsOf(receipt);
}
process.stdout.write(JSON.stringify(said));
