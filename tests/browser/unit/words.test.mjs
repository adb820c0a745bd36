// That everything which people read stands in one place.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

const folder = new URL('../../../web/', import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), 'utf8');
const names = readdirSync(folder);

const all = names.filter((name) => /^strings\.(?:\w+\.)?en\.js$/.test(name));
const strings = Object.assign({}, ...(await Promise.all(all.map(async (name) => (await import(new URL(name, folder))).strings))));

// What stands between double braces is filled in by the service.
test('the pages have no text of their own, besides their name and what is for browsers without scripts', () => {
  for (const name of names.filter((file) => file.endsWith('.html'))) {
    const text = read(name)
      .replace(/<!--.*?-->/gs, '')
      .replace(/<noscript>.*?<\/noscript>/s, '')
      .replace(/<title>.*?<\/title>/, '')
      .replace(/<[^>]*>|\{\{[a-z_]+\}\}/g, '')
      .trim();
    assert.equal(text, '', name);
  }
});

test('every place for a text has one', () => {
  for (const name of names.filter((file) => file.endsWith('.html'))) {
    for (const [, path] of read(name).matchAll(/data-(?:text|label)="([^"]+)"/g)) {
      const text = path.split('.').reduce((place, key) => place?.[key], strings);
      assert.equal(typeof text, 'string', `${name}: ${path}`);
    }
  }
});

test('every text is used', () => {
  const code = names.filter((file) => !file.startsWith('strings.') && !file.endsWith('.css')).map(read).join('\n');
  for (const key of Object.keys(strings)) {
    assert.match(code, new RegExp(`\\b${key}\\b`), `${key} is said nowhere`);
  }
});

test('no other module has sentences', () => {
  for (const name of names.filter((file) => file.endsWith('.js') && !file.startsWith('strings.'))) {
    const code = read(name).replace(/^\s*\/\/.*$/gm, '').replace(/ICONS = \{.*?\n\};/s, '').replace(/className: '[^']*'/g, '');
    for (const [literal] of code.matchAll(/'[^'\n]*'|`[^`\n]*`/g)) {
      // An error that only who changes the code can see.
      const isSentence = /[a-z]{2,} [a-z]{2,} [a-z]{2,}/i.test(literal) && !literal.includes('unknown work');
      assert.ok(!isSentence, `${name}: ${literal}`);
    }
  }
});
