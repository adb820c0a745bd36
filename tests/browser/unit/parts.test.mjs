// The smaller modules that need no browser.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { cleanName, mediaType, nameFor, refusal } from '../../../web/validation.js';
import { FileList } from '../../../web/file_list.js';
import { Format } from '../../../web/format.js';
import { chooseLanguage } from '../../../web/language.js';
import { Meter } from '../../../web/meter.js';
import { endOf, holdOf, keptUntil, nameOf } from '../../../web/record.js';
import { savedAs, shellWord } from '../../../web/saved_name.js';
import { putOutcome, retryAfterMs } from '../../../web/put_outcome.js';
import { Sha256 } from '../../../web/sha256.js';
import { strings } from '../../../web/strings.en.js';
import { readCode } from '../../../web/pairing_code.js';

const MIB = 1024 * 1024;
const format = new Format({ strings, locale: 'en-GB' });

test('sizes are read as people read them', () => {
  for (const [bytes, text] of [
    [0, '0 bytes'],
    [1, '1 byte'],
    [1023, '1,023 bytes'],
    [1024, '1 KB'],
    [1536, '1.5 KB'],
    [1024 * 1024 - 1, '1 MB'],
    [123 * 1024, '123 KB'],
    [20 * MIB, '20 MB'],
  ]) {
    assert.equal(format.size(bytes), text);
  }
  assert.deepEqual(format.sizes(20 * MIB + 1, 20 * MIB), ['20,971,521 bytes', '20,971,520 bytes']);
  assert.deepEqual(format.sizes(25 * MIB, 20 * MIB), ['25 MB', '20 MB']);
});

test('the time that is left is coarser the longer it is', () => {
  for (const [seconds, text] of [
    [0.2, '1 s left'],
    [7.5, '8 s left'],
    [12, '15 s left'],
    [56, '1 min left'],
    [61, '2 min left'],
    [3600, '1 h 0 min left'],
    [4000, '1 h 7 min left'],
  ]) {
    assert.equal(format.timeLeft(seconds), text);
  }
});

test('a moment is said from where the reader stands, also by a clock that is behind', () => {
  const now = Date.parse('2026-11-24T12:00:00Z');
  for (const [age, text] of [
    [-5000, 'just now'],
    [59_000, 'just now'],
    [5 * 60_000, '5 minutes ago'],
    [3 * 3_600_000, '3 hours ago'],
    [40 * 86_400_000, '15 Oct'],
    [400 * 86_400_000, '20 Oct 2025'],
  ]) {
    assert.equal(format.when(now - age, now), text);
  }
});

test('the language is the first of the reader’s that there is', () => {
  const de = { language: 'de' };
  const all = [strings, de];
  assert.deepEqual(chooseLanguage(['fr', 'de-AT', 'en'], all), { strings: de, locale: 'de-AT' });
  assert.deepEqual(chooseLanguage(['fr'], all), { strings, locale: 'en' });
  assert.equal(chooseLanguage(['en-US'], all).locale, 'en-US');
});

test('names become what the service makes of them', () => {
  for (const [name, clean] of [
    ['bad/name?.txt', 'bad_name_.txt'],
    ['résumé final.pdf', 'résumé_final.pdf'],
    ['re\u0301sume\u0301.txt', 'résumé.txt'],
    ['party 🎉.png', 'party__.png'],
    ['محاضرة ١.pdf', 'محاضرة_١.pdf'],
    ['in\u3164voice\ufe0f.pdf', 'invoice.pdf'],
    ['می\u200cخواهم\u200d.txt', 'می\u200cخواهم.txt'],
    ['क्\u200dष', 'क्\u200dष'],
    ['a\u200db', 'ab'],
    ['smile\ud83d.png', 'smile_.png'],
  ]) {
    assert.equal(cleanName(name), clean);
  }
});

test('what may not be sent is known before anything is', () => {
  const of = (name, size) => refusal({ name, size }, 100)?.code;
  assert.equal(of('a.txt', 100), undefined);
  assert.equal(of('a.txt', 101), 'tooLarge');
  assert.equal(of('', 1), 'noName');
  assert.equal(of('..', 1), 'noName');
  assert.equal(of('é'.repeat(256), 1), 'nameTooLong');
  assert.equal(of('é'.repeat(255), 1), undefined);
});

test('a file is called as its name was given, and as it is kept where nobody kept that', () => {
  assert.equal(nameOf({ displayName: 'a b?.txt', filename: 'a_b_.txt' }), 'a b?.txt');
  for (const displayName of [undefined, null, '', 5]) {
    assert.equal(nameOf({ displayName, filename: 'a_b_.txt' }), 'a_b_.txt');
  }
});

test('a file has an end only if the service says when', () => {
  const at = '2026-12-04T10:00:00.000Z';
  assert.equal(endOf({ deleteAfter: at }), Date.parse(at));
  for (const deleteAfter of [undefined, null, '', 'soon']) {
    assert.equal(endOf({ deleteAfter }), null);
  }
});

test('a file is held if the service says so, and why only as far as it says', () => {
  assert.deepEqual(holdOf({ hold: { since: '2026-12-04T10:00:00.000Z', reason: 'case 4711' } }), { reason: 'case 4711' });
  assert.deepEqual(holdOf({ hold: { since: '2026-12-04T10:00:00.000Z' } }), { reason: null });
  for (const hold of [undefined, null, '', true]) {
    assert.equal(holdOf({ hold }), null);
  }
});

test('a file is kept until its time, once it is there', () => {
  const keepUntil = '2026-12-04T10:00:00.000Z';
  const at = Date.parse(keepUntil);
  assert.equal(keptUntil({ status: 'available', keepUntil }, at - 1), at);
  assert.equal(keptUntil({ status: 'available', keepUntil }, at), null);
  assert.equal(keptUntil({ status: 'pending', keepUntil }, at - 1), null);
  for (const not of [undefined, null, '', 'soon']) {
    assert.equal(keptUntil({ status: 'available', keepUntil: not }, 0), null);
  }
});

test('a command for a shell names the file as it was saved, and means nothing else', () => {
  for (const [name, word] of [
    ['notes.txt', 'notes.txt'],
    ['课程大纲.pdf', '课程大纲.pdf'],
    ['résumé final.pdf', "'résumé final.pdf'"],
    ['$(reboot) `id` "x".txt', "'$(reboot) `id` _x_.txt'"],
    ["it's; rm -rf ~ #!", "'it'\\''s; rm -rf ~ #!'"],
    ['-rf', '_rf'],
    ['what? . .', 'what_____'],
  ]) {
    assert.equal(shellWord(savedAs(name)), word);
  }
});

test('a file from a folder is named with its path, unless that is too long', () => {
  assert.equal(nameFor('week 1/intro.pdf', 'intro.pdf'), 'week 1/intro.pdf');
  assert.equal(nameFor('', 'intro.pdf'), 'intro.pdf');
  assert.equal(nameFor(`${'d'.repeat(250)}/intro.pdf`, 'intro.pdf'), 'intro.pdf');
});

test('a media type that is none is left to the service', () => {
  assert.equal(mediaType('image/svg+xml'), 'image/svg+xml');
  assert.equal(mediaType(''), undefined);
  assert.equal(mediaType('what'), undefined);
});

test('the store’s answers are told apart', () => {
  const error = (code) => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;
  for (const [status, body, type] of [
    [200, '', 'stored'],
    [412, error('PreconditionFailed'), 'there'],
    [403, error('AccessDenied'), 'expired'],
    [400, error('ExpiredToken'), 'expired'],
    [400, error('BadDigest'), 'damaged'],
    [400, error('XAmzContentChecksumMismatch'), 'damaged'],
    [400, error('RequestTimeout'), 'lost'],
    [400, error('IncompleteBody'), 'lost'],
    [409, error('ConditionalRequestConflict'), 'lost'],
    [503, error('SlowDown'), 'lost'],
    [500, error('InternalError'), 'lost'],
    [0, '', 'lost'],
    [507, error('InsufficientStorage'), 'refused'],
    [404, error('NoSuchBucket'), 'refused'],
  ]) {
    assert.equal(putOutcome({ status, body }).type, type, `${status} ${body}`);
  }
  assert.equal(putOutcome({ status: 404, body: error('NoSuchBucket') }).problem.detail, 'NoSuchBucket');
  assert.equal(putOutcome({ status: 503, retryAfterMs: 5000 }).retryAfterMs, 5000);
  assert.deepEqual([retryAfterMs('5'), retryAfterMs(null), retryAfterMs('Wed, 21 Oct')], [5000, 0, 0]);
});

test('what answers a PUT without being the store is named, and says nothing of the bytes', () => {
  const page = '<html><body><center><h1>413 Request Entity Too Large</h1></center><hr>nginx</body></html>';
  for (const [status, type] of [
    [413, 'refused'],
    [421, 'refused'],
    [200, 'lost'],
    [401, 'lost'],
    [403, 'lost'],
    [404, 'lost'],
    [412, 'lost'],
    [418, 'lost'],
    [502, 'lost'],
    [504, 'lost'],
  ]) {
    const outcome = putOutcome({ status, body: page, mediaType: 'text/html' });
    assert.equal(outcome.type, type, String(status));
    assert.deepEqual(outcome.problem ?? outcome.cause, { code: 'intermediary', status });
  }
});

test('the digest that takes no Web Crypto is the same one', () => {
  for (const size of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_000]) {
    const content = randomBytes(size);
    const hash = new Sha256();
    for (let at = 0; at < size; at += 777) {
      hash.update(content.subarray(at, at + 777));
    }
    assert.equal(hash.hex(), createHash('sha256').update(content).digest('hex'), String(size));
  }
});

test('speed and time left follow the last seconds only', () => {
  const meter = new Meter();
  assert.equal(meter.speed(), null);
  meter.add(0, 0);
  assert.equal(meter.secondsLeft(100), null);
  for (let second = 1; second <= 10; second += 1) {
    meter.add(second * 100, second * 1000);
  }
  assert.equal(meter.speed(), 100);
  for (let second = 11; second <= 20; second += 1) {
    meter.add(1000 + (second - 10) * 1000, second * 1000);
  }
  assert.equal(meter.speed(), 1000);
  assert.equal(meter.secondsLeft(16_000), 5);
  // Sent anew from the beginning.
  meter.add(10, 21_000);
  assert.equal(meter.speed(), null);
});

const file = (n, status = 'available') => ({ id: `0${n}`.slice(-2), status });
const ids = (list) => list.records.map(({ id }) => Number(id));
const page = (numbers, nextCursor = null) => ({ files: numbers.map((n) => file(n)), nextCursor });

test('the list grows at both ends, and is newest first', () => {
  const list = new FileList();
  list.applyNewest(page([5, 4], 'c4'));
  assert.equal(list.cursor, 'c4');
  list.applyOlder(page([3, 2, 1]));
  assert.ok(list.isComplete);
  list.applyNewest(page([7, 6, 5], 'c5'));
  assert.deepEqual(ids(list), [7, 6, 5, 4, 3, 2, 1]);
  assert.ok(list.isComplete);
});

test('what is missing from a page that covers it was deleted', () => {
  const list = new FileList();
  list.applyNewest(page([5, 4, 3], 'c3'));
  list.applyOlder(page([2, 1]));
  list.applyNewest(page([5, 3, 2], 'c2'));
  assert.deepEqual(ids(list), [5, 3, 2, 1]);
  list.applyNewest(page([5]));
  assert.deepEqual(ids(list), [5]);
});

test('where more was added than a page holds, it begins anew instead of having a hole', () => {
  const list = new FileList();
  list.applyNewest(page([3, 2, 1]));
  list.applyNewest(page([9, 8], 'c8'));
  assert.deepEqual(ids(list), [9, 8]);
  assert.equal(list.cursor, 'c8');
  assert.ok(!list.isComplete);
});

test('an answer that was under way takes back nothing that was learnt since', () => {
  const list = new FileList();
  list.applyNewest({ files: [file(2, 'pending'), file(1)], nextCursor: null });
  const { moment } = list;
  list.upsert(file(2, 'available'));
  list.upsert(file(3));
  list.remove('01');
  list.applyNewest({ files: [file(2, 'pending'), file(1)], nextCursor: null }, moment);
  assert.deepEqual(ids(list), [3, 2]);
  assert.equal(list.get('02').status, 'available');
  // The next answer knows.
  list.applyNewest(page([2]), list.moment);
  assert.deepEqual(ids(list), [2]);
});

test('an empty page that is not the last one says nothing of the files that are there', () => {
  const list = new FileList();
  list.applyNewest(page([], 'c0'));
  assert.ok(list.isEmpty && !list.isComplete);
  assert.equal(list.cursor, 'c0');
  list.applyNewest(page([3, 2], 'c2'));
  list.applyNewest(page([], 'c9'));
  assert.deepEqual(ids(list), [3, 2]);
  list.applyOlder(page([], 'c1'));
  assert.equal(list.cursor, 'c1');
  assert.ok(!list.isComplete);
});

test('a record that was settled is not waited for again, whatever a late answer says', () => {
  const list = new FileList();
  list.upsert(file(1, 'quarantined'));
  list.upsert(file(1, 'pending'));
  assert.equal(list.get('01').status, 'pending');
  list.upsert(file(1, 'available'));
  list.upsert(file(1, 'quarantined'));
  assert.equal(list.get('01').status, 'available');
});

test('a code is read as people type it, and what can’t be one is none', () => {
  for (const typed of ['BCDF-GHJK', ' bcdfghjk', 'bcdf ghjk\n', 'B-c-d-f–g\u00a0h\tj—k']) {
    assert.equal(readCode(typed), 'BCDF-GHJK', typed);
  }
  for (const typed of ['', 'BCDF-GHJ', 'BCDF-GHJKL', 'ACDF-GHJK', 'YCDF-GHJK', 'BCDF-GHJ1', 'BCDF_GHJK', 'ßCDFGHJ']) {
    assert.equal(readCode(typed), null, typed);
  }
});
