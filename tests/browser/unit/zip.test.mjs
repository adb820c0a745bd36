// Archives that the page makes: read back by another program, and with names that are safe everywhere.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ZipWriter, crc32 } from '../../../web/zip.js';
import { Refused, gather, refusedBy, refusedByStore } from '../../../web/zip_files.js';
import { ZipNames, safeName } from '../../../web/zip_names.js';

// What Python's zipfile finds in these bytes: that nothing is broken, and of each file its name, digest, time and method.
const READER = `
import hashlib, io, json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps([
        [i.filename, hashlib.sha256(archive.read(i)).hexdigest(), list(i.date_time), i.compress_type, i.flag_bits]
        for i in archive.infolist()
    ]))
`;

function readBack(bytes) {
  const folder = mkdtempSync(path.join(tmpdir(), 'file-share-zip-'));
  try {
    const place = path.join(folder, 'a.zip');
    writeFileSync(place, bytes);
    return JSON.parse(execFileSync('python3', ['-c', READER, place], { encoding: 'utf8', maxBuffer: 2 ** 26 }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
const CHANGED = new Date(2027, 1, 3, 4, 5, 6).getTime();

async function zipped(files, options) {
  const parts = [];
  const zip = new ZipWriter(async (part) => parts.push(Uint8Array.from(part)), options);
  for (const [name, bytes] of files) {
    await zip.add(name, bytes, CHANGED);
  }
  await zip.finish();
  const all = Buffer.concat(parts);
  assert.equal(zip.size, all.length);
  return all;
}

test('the checksum is that of the standard', () => {
  assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  assert.equal(crc32(new Uint8Array(0)), 0);
});

test('another program reads what was written: names of any script, bytes, times', async () => {
  const files = [
    ['Blatt 3/Ada – résumé 🎉.pdf', randomBytes(70_000)],
    ['Blatt 3/שלום.txt', new Uint8Array(0)],
    ['plain.bin', randomBytes(1)],
  ];
  const found = readBack(await zipped(files));
  const expected = files.map(([name, bytes]) => [name, digest(bytes), [2027, 2, 3, 4, 5, 6], 0, 0x800]);
  assert.deepEqual(found, expected);
  assert.deepEqual(readBack(await zipped([])), []);
});

test('what is far from its beginning, and more files than fit in 16 bits, are read too', async () => {
  const files = Array.from({ length: 5 }, (_, at) => [`${at}.txt`, randomBytes(100)]);
  const found = readBack(await zipped(files, { largest: 250 }));
  assert.deepEqual(found.map(([name, sha256]) => [name, sha256]), files.map(([name, bytes]) => [name, digest(bytes)]));
  const many = Array.from({ length: 65_536 }, (_, at) => [String(at), Uint8Array.of(at & 255)]);
  assert.equal(readBack(await zipped(many)).length, 65_536);
});

test('a name is that of one file in one folder, on every system', () => {
  for (const [text, expected] of [
    ['../../etc/passwd', '.._.._etc_passwd'],
    ['..\\boot.ini', '.._boot.ini'],
    ['CON', '_CON'],
    ['com1.txt', '_com1.txt'],
    ['nul .txt', '_nul .txt'],
    ['console.txt', 'console.txt'],
    ['a:b*c?"<>|.pdf', 'a_b_c_____.pdf'],
    ['trailing. .', 'trailing___'],
    ['..', '__'],
    ['  ', '_'],
    ['', '_'],
    ['a\u202efdp.exe', 'afdp.exe'],
    ['a\u0000b\nc', 'a_b_c'],
    ['ame\u0301lie', 'am\u00e9lie'],
  ]) {
    assert.equal(safeName(text), expected, JSON.stringify(text));
  }
  const long = safeName(`${'ü'.repeat(300)}.docx`);
  assert.ok(new TextEncoder().encode(long).length <= 200 && long.endsWith('….docx'), long);
});

test('no two files have the same name, whatever a file system takes for the same', () => {
  const names = new ZipNames('Sheet: 3');
  const of = (submitter, displayName) => names.of({ submitter, displayName });
  assert.equal(names.own('table.csv'), 'Sheet_ 3/table.csv');
  assert.equal(of('Ada', 'a.tar.gz'), 'Sheet_ 3/Ada – a.tar.gz');
  assert.equal(of('ADA', 'A.tar.gz'), 'Sheet_ 3/ADA – A.tar (2).gz');
  assert.equal(of('Ada', 'a.tar (2).gz'), 'Sheet_ 3/Ada – a.tar (2) (2).gz');
  assert.equal(of('Ame\u0301', 'x'), 'Sheet_ 3/Am\u00e9 – x');
  assert.equal(of('Am\u00e9', 'x'), 'Sheet_ 3/Am\u00e9 – x (2)');
  const long = 'y'.repeat(400);
  assert.notEqual(of('Ada', long), of('Ada', `${long}z`));
});

// Pieces of an answer, which may end in an error.
async function* of(...pieces) {
  for (const piece of pieces) {
    if (piece instanceof Error) {
      throw piece;
    }
    yield piece;
  }
}

// Files in a store, of which some come only after so many tries, or never.
function storeOf(contents, { failing = {}, refusing = {} } = {}) {
  const left = new Map(Object.entries(failing));
  const asked = [];
  const parts = [];
  return {
    asked,
    parts,
    ports: {
      get: async ({ id }) => {
        asked.push(id);
        if (refusing[id] !== undefined) {
          throw refusing[id];
        }
        const tries = left.get(id) ?? 0;
        if (tries > 0) {
          left.set(id, tries - 1);
          return { from: 0, pieces: of(Uint8Array.from([...contents[id].slice(1), 0])) };
        }
        return { from: 0, pieces: of(Uint8Array.from(contents[id])) };
      },
      digest: async (bytes) => digest(bytes),
      write: async (part) => parts.push(Uint8Array.from(part)),
      after: (_, run) => setImmediate(run),
      now: () => CHANGED,
      onProgress() {},
    },
  };
}

const listed = (contents) =>
  Object.entries(contents).map(([id, bytes]) => ({
    id,
    submitter: 'Ada',
    displayName: 'a.txt',
    size: bytes.length,
    sha256: digest(bytes),
    uploadedAt: new Date(CHANGED).toISOString(),
  }));

const numbered = (count) => Object.fromEntries(Array.from({ length: count }, (_, at) => [at + 1, randomBytes(9)]));

test('what isn’t what the service shows is fetched again, and what never is, is named as missing', async () => {
  const contents = { 1: randomBytes(9), 2: randomBytes(9), 3: randomBytes(9) };
  const store = storeOf(contents, { failing: { 2: 3, 3: 99 } });
  const { signal } = new AbortController();
  const also = [{ name: 'table.csv', text: 'Who' }];
  const missing = await gather('Sheet', listed(contents), { also, missingName: 'missing.txt', signal }, store.ports);
  assert.deepEqual(missing.map(({ id }) => id), ['3']);
  assert.equal(store.asked.join(''), '122223333');
  const found = readBack(Buffer.concat(store.parts));
  assert.deepEqual(found.map(([name]) => name), ['Sheet/table.csv', 'Sheet/Ada – a.txt', 'Sheet/Ada – a (2).txt', 'Sheet/missing.txt']);
  assert.deepEqual(found.slice(1, 3).map(([, sha256]) => sha256), [digest(contents[1]), digest(contents[2])]);
});

const BROKE_OFF = new TypeError('network error');

// A store of one file: answers.shift()(from) is what comes. → {asked, archive, missing}
async function gathered(content, answers, also = {}) {
  const asked = [];
  const store = storeOf({ 1: content });
  const get = async (_, from) => {
    asked.push(from);
    return (answers.shift() ?? (() => Promise.reject(BROKE_OFF)))(from);
  };
  const { signal } = new AbortController();
  const missing = await gather('Sheet', listed({ 1: content }), { missingName: 'm', signal }, { ...store.ports, get, ...also });
  return { asked, missing, found: readBack(Buffer.concat(store.parts)) };
}

test('a file that broke off goes on where it did, however often, and what was there isn’t fetched again', async () => {
  const content = randomBytes(1000);
  const upTo = (end) => (from) => ({ from, pieces: of(content.subarray(from, end - 1), content.subarray(end - 1, end), BROKE_OFF) });
  const { asked, missing, found } = await gathered(content, [200, 300, 500, 501, 700, 1000].map(upTo));
  // The last one broke off behind its end.
  assert.deepEqual(asked, [0, 200, 300, 500, 501, 700]);
  assert.deepEqual(missing, []);
  assert.equal(found[0][1], digest(content));
});

test('where it can’t go on it begins anew, and bytes of two files aren’t taken for one', async () => {
  const content = randomBytes(1000);
  const whole = () => ({ from: 0, pieces: of(content) });
  const half = (from) => ({ from, pieces: of(content.subarray(from, 500), BROKE_OFF) });
  const refused = () => Promise.reject(new Refused('failed'));
  // Ranges are refused; the store gives all of it; what comes is of something else; there is more than there should be.
  const wrong = (from) => ({ from, pieces: of(randomBytes(500)) });
  const more = (from) => ({ from, pieces: of(content.subarray(from), randomBytes(1)) });
  for (const [answers, expected] of [
    [[half, refused, whole], [0, 500, 0]],
    [[half, whole], [0, 500]],
    [[half, wrong, whole], [0, 500, 0]],
    [[half, more, whole], [0, 500, 0]],
  ]) {
    const { asked, missing, found } = await gathered(content, answers);
    assert.deepEqual([asked, missing], [expected, []]);
    assert.equal(found[0][1], digest(content));
  }
});

test('a file that always breaks off is given up, and whoever asks for a pause gets it', async () => {
  const content = randomBytes(1000);
  const one = (from) => ({ from, pieces: of(content.subarray(from, from + 1), BROKE_OFF) });
  const slow = await gathered(content, Array.from({ length: 900 }, () => one));
  assert.equal(slow.asked.length, 40);
  assert.deepEqual(slow.missing.map(({ id }) => id), ['1']);
  const pauses = [];
  const after = (ms, run) => {
    pauses.push(ms);
    setImmediate(run);
  };
  const busy = () => Promise.reject(new Refused('failed', 7000));
  const ages = () => Promise.reject(new Refused('failed', 3_600_000));
  await gathered(content, [busy, ages, () => ({ from: 0, pieces: of(content) })], { after });
  assert.deepEqual(pauses, [7000, 30_000]);
});

test('a wrong password, and a link that is over, end it at once', async () => {
  for (const code of ['wrongPassword', 'linkGone']) {
    const contents = numbered(3);
    const store = storeOf(contents, { refusing: { 1: new Refused(code) } });
    const { signal } = new AbortController();
    const gathering = gather('Sheet', listed(contents), { missingName: 'm', signal }, store.ports);
    await assert.rejects(gathering, (error) => error.code === code);
    assert.equal(store.asked.join(''), '1');
  }
});

test('what nobody handed in has its own name alone, and the time of the archive', async () => {
  const contents = { 1: randomBytes(9), 2: randomBytes(9), 3: randomBytes(9) };
  const store = storeOf(contents, { refusing: { 3: new Refused('gone') } });
  const files = listed(contents).map(({ id, displayName, size, sha256 }) => ({ id, displayName, size, sha256 }));
  await gather('Course', files, { missingName: 'm.txt', signal: new AbortController().signal }, store.ports);
  const found = readBack(Buffer.concat(store.parts));
  assert.deepEqual(found.map(([name, , time]) => [name, time[0]]), [['Course/a.txt', 2027], ['Course/a (2).txt', 2027], ['Course/m.txt', 2027]]);
  assert.match(Buffer.concat(store.parts).toString(), /a\.txt \(3\)\r\n/);
});

test('a stop ends it, and leaves no archive that looks whole', async () => {
  const contents = { 1: randomBytes(9), 2: randomBytes(9) };
  const store = storeOf(contents);
  const controller = new AbortController();
  const ports = { ...store.ports, onProgress: () => controller.abort() };
  await assert.rejects(gather('Sheet', listed(contents), { missingName: 'm', signal: controller.signal }, ports));
  assert.equal(store.asked.join(''), '1');
  assert.throws(() => readBack(Buffer.concat(store.parts)));
});

test('a disk that is full ends it', async () => {
  const contents = { 1: randomBytes(9) };
  const ports = {
    ...storeOf(contents).ports,
    write: async () => {
      throw new Error('full');
    },
  };
  const { signal } = new AbortController();
  await assert.rejects(gather('Sheet', listed(contents), { missingName: 'm', signal }, ports), /full/);
});

const NO_ANSWER = new TypeError('failed to fetch');

test('where the session has ended nothing more is asked for, and there is no archive', async () => {
  const contents = numbered(3);
  const store = storeOf(contents, { refusing: { 2: new Refused('signedOut') } });
  const { signal } = new AbortController();
  const gathering = gather('Sheet', listed(contents), { missingName: 'm', signal }, store.ports);
  await assert.rejects(gathering, ({ code }) => code === 'signedOut');
  assert.equal(store.asked.join(''), '12');
  assert.throws(() => readBack(Buffer.concat(store.parts)));
});

test('what was deleted is asked for once, and isn’t counted as being in the archive', async () => {
  const contents = numbered(8);
  const gone = Object.fromEntries([2, 3, 4, 5, 6, 7].map((id) => [id, new Refused('gone')]));
  const store = storeOf(contents, { refusing: gone });
  const said = [];
  const ports = { ...store.ports, onProgress: (done) => said.push(done) };
  const { signal } = new AbortController();
  const missing = await gather('Sheet', listed(contents), { missingName: 'm', signal }, ports);
  assert.deepEqual(missing.map(({ why }) => why), Array(6).fill('gone'));
  assert.equal(store.asked.join(''), '12345678');
  assert.deepEqual(said, [1, 1, 1, 1, 1, 1, 1, 2]);
});

test('what may not be taken again is asked for once, and what the store lets nobody have by a fresh URL once more', async () => {
  const contents = numbered(5);
  const { signal } = new AbortController();
  const store = storeOf(contents, { refusing: { 2: new Refused('taken'), 4: new Refused('stale') } });
  let isStale = true;
  const get = async (file) => {
    const answer = store.ports.get(file);
    if (file.id === '5' && isStale) {
      isStale = false;
      throw new Refused('stale');
    }
    return answer;
  };
  const missing = await gather('Sheet', listed(contents), { missingName: 'm', signal }, { ...store.ports, get });
  assert.deepEqual(missing.map(({ id, why }) => [id, why]), [['2', 'taken'], ['4', 'failed']]);
  assert.equal(store.asked.join(''), '1234455');
  assert.equal(readBack(Buffer.concat(store.parts)).length, 4);
});

test('a URL that ran out in the middle of a file is asked for anew, and the file goes on where it was', async () => {
  const content = randomBytes(1000);
  const half = (from) => ({ from, pieces: of(content.subarray(from, 500), BROKE_OFF) });
  const stale = () => Promise.reject(new Refused('stale'));
  const rest = (from) => ({ from, pieces: of(content.subarray(from)) });
  const { asked, missing, found } = await gathered(content, [half, stale, rest]);
  assert.deepEqual([asked, missing], [[0, 500, 500], []]);
  assert.equal(found[0][1], digest(content));
});

test('after some files in a row that gave no answer it ends, and not after as many with others between', async () => {
  const contents = numbered(9);
  const { signal } = new AbortController();
  const silent = (ids) => storeOf(contents, { refusing: Object.fromEntries(ids.map((id) => [id, NO_ANSWER])) });
  const away = silent([2, 3, 4, 5, 6, 7, 8]);
  await assert.rejects(gather('Sheet', listed(contents), { missingName: 'm', signal }, away.ports), ({ code }) => code === 'away');
  assert.equal(away.asked.at(-1), '6');
  const holes = silent([1, 2, 3, 5, 6, 7, 8]);
  const missing = await gather('Sheet', listed(contents), { missingName: 'm', signal }, holes.ports);
  assert.equal(missing.length, 7);
});

test('why a file isn’t had is told by who says so', () => {
  for (const [status, redirected, code] of [
    [401, false, 'signedOut'],
    [403, false, 'signedOut'],
    // The store has no sessions.
    [403, true, 'failed'],
    [404, false, 'gone'],
    [404, true, 'gone'],
    [410, false, 'gone'],
    [503, false, 'failed'],
  ]) {
    assert.equal(refusedBy({ status, redirected }).code, code, `${status} ${redirected}`);
  }
  // A presigned URL is the store's alone, without a redirect too.
  for (const [status, code] of [
    [401, 'stale'],
    [403, 'stale'],
    [404, 'gone'],
    [410, 'gone'],
    [503, 'failed'],
  ]) {
    assert.equal(refusedByStore({ status }).code, code, `${status}`);
  }
});
