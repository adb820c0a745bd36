// That the languages say the same things, and who gets which.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { chooseLanguage, wantedLanguages } from '../../../web/language.js';

// What most pages say, and what one page or dialog alone does: each in both languages.
const folder = new URL('../../../web/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.startsWith('strings.'));
const read = async (name) => (await import(new URL(name, folder))).strings;
const ALL = await Promise.all(
  files.filter((name) => name.endsWith('en.js')).map((name) => Promise.all([name, name.replace('en.js', 'de.js')].map(read))),
);

// Every text, by its path.
function texts(node, path = '') {
  return typeof node === 'object'
    ? Object.entries(node).flatMap(([key, value]) => texts(value, path === '' ? key : `${path}.${key}`))
    : [[path, node]];
}

// What may be given for a parameter: a text, a number of one or of several, a list, or something with fields.
const KINDS = {
  texts: (at) => `\u27e6${at}\u27e7`,
  one: () => 1,
  several: () => 5,
  lists: (at) => [`\u27e6${at}a\u27e7`, `\u27e6${at}b\u27e7`],
  fields: () => new Proxy({}, { get: (_, key) => (typeof key === 'string' ? `\u27e6${key}\u27e7` : undefined) }),
};

// What of its parameters is in a text, in whatever order.
function shown(text, kind) {
  try {
    const said = text(...Array.from({ length: text.length }, (_, at) => KINDS[kind](at)));
    return [...new Set(String(said).match(/\u27e6[^\u27e7]*\u27e7|\d+|\u2068/g))].sort();
  } catch {
    return 'not for these';
  }
}

test('the languages have the same texts', () => {
  assert.equal(files.length, 2 * ALL.length);
  for (const pair of ALL) {
    const [english, german] = pair.map((strings) => texts(strings).map(([path]) => path).sort());
    assert.deepEqual(german, english);
  }
});

test('a text has the same parameters in each language, and shows the same of them', () => {
  const german = new Map(ALL.flatMap(([, one]) => texts(one)));
  let seen = 0;
  for (const [path, text] of ALL.flatMap(([one]) => texts(one))) {
    assert.equal(typeof german.get(path), typeof text, path);
    if (typeof text === 'function') {
      seen += 1;
      assert.equal(german.get(path).length, text.length, path);
      for (const kind of Object.keys(KINDS)) {
        assert.deepEqual(shown(german.get(path), kind), shown(text, kind), `${path} of ${kind}`);
      }
    } else {
      assert.notEqual(text.trim() === '', german.get(path).trim() !== '', path);
    }
  }
  assert.ok(seen > 40, `only ${seen} take parameters`);
});

// What is a name of somebody's choice, by the name of its parameter. A list of names is put together by a text of its own.
const NAMES = /^(?:name|label|who|folder)$/;
// A command is copied, and is shown by itself.
const COMMANDS = new Set(['file.checkCommand']);

test('a name in a sentence is set apart from it, since its direction may be another one', () => {
  let seen = 0;
  for (const [path, text] of ALL.flat().flatMap((one) => texts(one))) {
    const parameters = typeof text === 'function' ? (/^\(([^{)]*)\)/.exec(String(text))?.[1] ?? '').split(',') : [];
    parameters.forEach((parameter, at) => {
      if (NAMES.test(parameter.trim()) && !COMMANDS.has(path)) {
        seen += 1;
        const said = text(...parameters.map((_, place) => (place === at ? '\u27e6\u27e7' : '1')));
        assert.match(said, /\u2068\u27e6\u27e7\u2069/, path);
      }
    });
  }
  assert.ok(seen >= 50, `only ${seen} have a name`);
  for (const one of ALL.flat()) {
    const lists = texts(one).filter(([path]) => path.endsWith('.names'));
    lists.forEach(([path, text]) => assert.equal(text(['a', 'b'], 'c'), '\u2068a\u2069, \u2068b\u2069, c', path));
  }
});

test('a reader gets the first of their languages that there is, in their variety of it', () => {
  const got = (wanted) => {
    const { strings, locale } = chooseLanguage(wanted);
    return [strings.language, locale];
  };
  assert.deepEqual(got(['de-AT', 'en']), ['de', 'de-AT']);
  assert.deepEqual(got(['fr', 'en-GB', 'de']), ['en', 'en-GB']);
  assert.deepEqual(got(['fr']), ['en', 'en']);
  assert.deepEqual(got([]), ['en', 'en']);
});

test('what was chosen comes before what the browser says, and in its variety', () => {
  assert.deepEqual(wantedLanguages(null, ['en-GB']), ['en-GB']);
  assert.equal(chooseLanguage(wantedLanguages('de', ['en-GB', 'de-CH'])).locale, 'de-CH');
  assert.equal(chooseLanguage(wantedLanguages('de', ['en-GB'])).locale, 'de');
  // What was kept by a version that knew more languages.
  assert.equal(chooseLanguage(wantedLanguages('xx', ['en-GB'])).locale, 'en-GB');
});
