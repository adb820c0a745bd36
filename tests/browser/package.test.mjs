// The npm package, as `npm pack` made it: in Node, through the compiler, and in a page of another origin in real headless
// Chromium. Started by tests/it/packages.rs, which says what there is in FILE_SHARE_BROWSER_TEST.
//
// Invariant: nothing of the source tree is imported, only what is in the package.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Browser, LIMIT_MS, chooser, isAccessible, until } from './browser.mjs';
import { FaultProxy } from './fault_proxy.mjs';

const TSC = fileURLToPath(new URL('../../target/browser-tools/node_modules/.bin/tsc', import.meta.url));
// {mode, service, port, token, modules}: the port is that of the pages that the service allows, and in the folder
// `modules` the package was unpacked.
const setup = JSON.parse(process.env.FILE_SHARE_BROWSER_TEST);
const PACKAGE = path.join(setup.modules, 'file-share-client');
const LIMIT = { timeout: 3 * LIMIT_MS };
const run = promisify(execFile);
// Package and all that a page loads of it, unpacked.
const MAX_PACKAGE_BYTES = 110_000;

// When whoever started this goes, nothing must be left running. It isn't waited for.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdin.unref?.();

const origin = `http://127.0.0.1:${setup.port}`;
const { upload, createLink, UploadError } = await import(pathToFileURL(path.join(PACKAGE, 'index.js')));
const PUT = { method: 'PUT' };
const bytes = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, n) => (n * n) >> 7));
const digest = (content) => createHash('sha256').update(content).digest('hex');
let browser;
let faultProxy;
let folder;
let options;
let pages;

before(async () => {
  browser = await Browser.start(setup.mode);
  folder = await mkdtemp(path.join(tmpdir(), 'file-share-package-'));
  faultProxy = await FaultProxy.open(setup.service);
  options = { base: faultProxy.base, token: setup.token };
  pages = http.createServer((request, response) => void serve(request, response));
  await new Promise((resolve, reject) => pages.once('error', reject).listen(setup.port, '127.0.0.1', resolve));
});

after(async () => {
  await browser?.stop();
  pages?.closeAllConnections();
  pages?.close();
  faultProxy?.close();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => faultProxy.clear());

// A page of somebody else's, under a policy as strict as any.
async function serve(request, response) {
  if (request.url.startsWith('/file-share-client/')) {
    const content = await readFile(path.join(setup.modules, request.url)).catch(() => null);
    response.writeHead(content ? 200 : 404, { 'Content-Type': 'text/javascript' }).end(content ?? '');
    return;
  }
  const policy =
    "default-src 'none'; img-src data:; script-src 'self' 'nonce-page'; style-src 'nonce-page'; base-uri 'none'; " +
    `connect-src ${new URL(faultProxy.base).origin}; require-trusted-types-for 'script'; trusted-types 'none'`;
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy });
  response.end(`<!DOCTYPE html><html lang="en"><title>Homework</title><link rel="icon" href="data:,">
    <style nonce="page">:root { color-scheme: light dark } file-share-drop::part(zone) { border-color: rgb(1, 2, 3) }</style>
    <main><h1>Homework</h1><file-share-drop base="${faultProxy.base}" multiple>Drop your homework here, or</file-share-drop></main>
    <script type="module" nonce="page">
      import '/file-share-client/drop.js';
      globalThis.heard = [];
      const drop = document.querySelector('file-share-drop');
      drop.token = ${JSON.stringify(setup.token)};
      for (const type of ['file-share-uploaded', 'file-share-failed']) {
        document.addEventListener(type, ({ detail: { file, error, ...result } }) => {
          heard.push({ type, name: file.name, code: error?.code, message: error?.message, ...result });
        });
      }
    </script></html>`);
}

const heard = (page) => page.evaluate(() => globalThis.heard);

// What the page was told when it was told so often.
async function hears(page, count) {
  await until(`${count} events`, async () => (await heard(page)).length >= count);
  return heard(page);
}

function inPage(name, use, more = {}) {
  test(name, LIMIT, () =>
    browser.visit({ origins: [origin, new URL(faultProxy.base).origin], ...more }, async (open) => {
      const page = await open(`${origin}/`);
      await page.getByRole('button', { name: 'Choose files' }).waitFor();
      await use(page);
    }),
  );
}

const choose = (page, ...files) =>
  page
    .locator('file-share-drop input[type=file]')
    .setInputFiles(files.map(([name, buffer]) => ({ name, mimeType: 'text/plain', buffer })));

async function fetched(url) {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${setup.token}` } });
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}

test('the package is small and has what it imports, its types, and its licence', LIMIT, async () => {
  const names = await readdir(PACKAGE, { recursive: true });
  const files = names.filter((name) => name.includes('.') || name === 'LICENSE');
  for (const wanted of ['package.json', 'README.md', 'LICENSE', 'index.js', 'index.d.ts', 'drop.js', 'drop.d.ts']) {
    assert.ok(files.includes(wanted), wanted);
  }
  let all = 0;
  for (const name of files) {
    all += (await stat(path.join(PACKAGE, name))).size;
    if (name.endsWith('.js')) {
      const text = await readFile(path.join(PACKAGE, name), 'utf8');
      for (const [, target] of text.matchAll(/^(?:import|export)\b(?:[^;'=]*?\bfrom)? '([^']+)';$/gm)) {
        assert.ok(files.includes(path.join(path.dirname(name), target)), `${name} imports ${target}`);
      }
    }
  }
  assert.ok(all < MAX_PACKAGE_BYTES, `${all} bytes`);
});

test('the types fit what is there, and a mistake is one to the compiler', LIMIT, async () => {
  await cp(setup.modules, path.join(folder, 'node_modules'), { recursive: true });
  const good = `
    import { upload, createLink, UploadError, type SharedFile } from 'file-share-client';
    import { FileShareDrop, WORDS } from 'file-share-client/drop.js';
    const controller = new AbortController();
    export async function send(file: File): Promise<string> {
      try {
        const shared: SharedFile = await upload(file, {
          base: 'https://share.example.org',
          token: async ({ isRefused }) => (isRefused ? undefined : 'fst_'),
          signal: controller.signal,
          onProgress: ({ loaded, total }) => console.log(loaded / total),
        });
        return (await createLink(shared.id, { title: 'Lecture', maxDownloads: 3 })).url;
      } catch (error) {
        return error instanceof UploadError && error.code === 'signedOut' ? error.message : '';
      }
    }
    const drop: FileShareDrop = document.createElement('file-share-drop');
    drop.words = { choose: 'Wählen', cancel: WORDS.cancel };
    drop.addEventListener('file-share-uploaded', ({ detail }) => console.log(detail.file.name, detail.url));
    drop.addEventListener('file-share-failed', ({ detail }) => console.log(detail.error.code));
  `;
  await writeFile(path.join(folder, 'good.ts'), good);
  const mistaken = good.replace("'signedOut'", "'signedout'").replace('detail.url', 'detail.link');
  await writeFile(path.join(folder, 'mistaken.ts'), mistaken);
  await writeFile(path.join(folder, 'package.json'), '{"type": "module"}');
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable'];
  const compiled = run(TSC, [...flags, '--module', 'nodenext', 'good.ts', 'mistaken.ts'], { cwd: folder });
  const { stdout } = await compiled.catch((failed) => failed);
  const complaints = stdout.split('\n').filter((line) => line.includes('error'));
  assert.equal(complaints.length, 2, stdout);
  assert.match(complaints[0], /^mistaken\.ts.*"signedout"/);
  assert.match(complaints[1], /^mistaken\.ts.*'link'/);
  const declared = await readFile(path.join(PACKAGE, 'index.d.ts'), 'utf8');
  const names = [...declared.matchAll(/^export (?:function|class) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(names.sort(), Object.keys(await import(pathToFileURL(path.join(PACKAGE, 'index.js')))).sort());
  const codes = declared.split('UploadProblem =')[1].split(';')[0].match(/'\w+'/g).map((code) => code.slice(1, -1));
  for (const code of codes.filter((one) => one !== 'problem')) {
    assert.notEqual(new UploadError({ code }).message, new UploadError({ code: 'no such code' }).message, code);
  }
});

test('in Node a file arrives as it was, and whoever asks is told how far it is', LIMIT, async () => {
  for (const size of [0, 1, 300_000]) {
    const content = bytes(size);
    const heardOf = [];
    const file = new File([content], `notes ${size}.txt`, { type: 'text/plain' });
    const shared = await upload(file, { ...options, onProgress: ({ loaded, total }) => heardOf.push([loaded, total]) });
    assert.equal(shared.sha256, digest(content));
    assert.equal(shared.url, `${faultProxy.base}f/${shared.id}`);
    assert.deepEqual([shared.filename, shared.displayName], [`notes_${size}.txt`, `notes ${size}.txt`]);
    assert.deepEqual(heardOf.at(-1), [size, size]);
    assert.ok((await fetched(shared.downloadUrl)).equals(content));
  }
  // The token is for the service alone.
  for (const { method, headers } of faultProxy.requests) {
    assert.equal(headers.authorization !== undefined, method !== 'PUT', method);
  }
});

test('in Node what breaks off is sent again, and what only lost its answer is not', LIMIT, async () => {
  const content = bytes(600_000);
  faultProxy.next(PUT, { cutAfter: 100_000 });
  await upload(new File([content], 'cut.txt'), options);
  assert.equal(faultProxy.count(PUT), 2);
  faultProxy.clear();
  faultProxy.next({ method: 'POST', path: /\/v1\/files$/ }, { loseAnswer: true });
  faultProxy.next(PUT, { loseAnswer: true });
  const { id } = await upload(new File([content], 'lost.txt'), options);
  assert.equal(faultProxy.count(PUT), 1);
  const list = JSON.parse(await fetched(`${faultProxy.base}v1/files?limit=100`));
  assert.equal(list.files.filter(({ filename }) => filename === 'lost.txt').length, 1);
  assert.equal(list.files.find(({ filename }) => filename === 'lost.txt').id, id);
});

test('a token that is refused ends it at once, unless there is another', LIMIT, async () => {
  const file = new File(['hello'], 'a.txt');
  const refused = await upload(file, { ...options, token: 'fst_wrong' }).catch((error) => error);
  assert.ok(refused instanceof UploadError, String(refused));
  assert.equal(refused.code, 'signedOut');
  const asked = [];
  const token = async ({ isRefused }) => {
    asked.push(isRefused);
    return isRefused ? setup.token : 'fst_wrong';
  };
  const { url } = await createLink((await upload(file, options)).id, { ...options, token, title: 'Lecture 1' });
  assert.match(url, /\/s\/[\w-]{43}$/);
  assert.deepEqual(asked, [false, true]);
  const page = await fetch(url, { headers: { Accept: '*/*' } });
  assert.equal(await page.text(), 'hello');
});

test('what is given up ends by the reason that was given, and leaves no record behind', LIMIT, async () => {
  const controller = new AbortController();
  faultProxy.next(PUT, { bytesPerSecond: 10_000 });
  const sending = upload(new File([bytes(600_000)], 'given-up.txt'), { ...options, signal: controller.signal });
  await until('the bytes are on their way', () => faultProxy.count(PUT) === 1);
  controller.abort(new Error('changed my mind'));
  await assert.rejects(sending, /changed my mind/);
  await until('the record is gone', () => faultProxy.count({ method: 'DELETE' }) === 1);
  await assert.rejects(upload(new File([], 'never.txt'), { ...options, signal: controller.signal }), /changed my mind/);
});

test('what the service refuses is said in its words', LIMIT, async () => {
  const large = await upload(new File([bytes(21 * 1024 * 1024)], 'large.bin'), options).catch((error) => error);
  assert.equal(large.code, 'problem');
  assert.match(large.message, /MiB|bytes/);
  await assert.rejects(upload('notes.txt', options), TypeError);
  await assert.rejects(upload(new File([], 'a'), { ...options, base: 'ftp://a.example' }), TypeError);
});

inPage('a file that is chosen by keyboard arrives, and the page is told where it is', async (page) => {
  await page.keyboard.press('Tab');
  assert.ok(await page.getByRole('button', { name: 'Choose files' }).evaluate((button) => button.matches(':focus-visible')));
  const choosing = await chooser(page, () => page.keyboard.press('Enter'));
  const content = bytes(300_000);
  await choosing.setFiles([{ name: 'keyboard.txt', mimeType: 'text/plain', buffer: content }]);
  const [{ type, name, id, sha256, url }] = await hears(page, 1);
  assert.deepEqual([type, name, sha256], ['file-share-uploaded', 'keyboard.txt', digest(content)]);
  assert.equal(url, `${faultProxy.base}f/${id}`);
  await page.getByRole('status').getByText('\u2068keyboard.txt\u2069 was uploaded.').waitFor({ state: 'attached' });
  // Taken off the list by keyboard, one is back at the button.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.getByRole('listitem').count(), 0);
  assert.ok(await page.getByRole('button', { name: 'Choose files' }).evaluate((button) => button.matches(':focus')));
});

inPage('an interrupted PUT is sent again, and what others see of it is the file', async (page) => {
  const content = bytes(2_000_000);
  faultProxy.next(PUT, { cutAfter: 400_000 });
  await choose(page, ['cut.bin', content]);
  const [{ type, downloadUrl, sha256 }] = await hears(page, 1);
  assert.deepEqual([type, sha256], ['file-share-uploaded', digest(content)]);
  assert.equal(faultProxy.count(PUT), 2);
  assert.ok((await fetched(downloadUrl)).equals(content));
});

inPage('several files are dropped, of which one is refused and sent again when somebody asks', async (page) => {
  const refusal = { status: 400, headers: {}, body: '<Error><Code>InvalidRequest</Code></Error>' };
  refusal.headers = { 'Content-Type': 'application/xml', 'Access-Control-Allow-Origin': origin };
  faultProxy.next(PUT, { answer: refusal });
  const data = await page.evaluateHandle(() => {
    const transfer = new DataTransfer();
    ['one.txt', 'two.txt', 'three.txt'].forEach((name) => transfer.items.add(new File([name], name)));
    return transfer;
  });
  const zone = page.locator('file-share-drop [part~=zone]');
  await zone.dispatchEvent('dragenter', { dataTransfer: data });
  assert.equal(await zone.getAttribute('part'), 'zone zone-over');
  await isAccessible(page, 'while something is dragged over it');
  await zone.dispatchEvent('drop', { dataTransfer: data });
  const told = await hears(page, 3);
  const [failed, ...others] = told.filter(({ type }) => type === 'file-share-failed');
  assert.deepEqual([failed.code, failed.message, others], ['store', 'The store refused the file.', []]);
  const row = page.getByRole('listitem').filter({ hasText: failed.name });
  assert.match(await row.textContent(), /The store refused the file\./);
  await isAccessible(page, 'with one that failed');
  await page.getByRole('button', { name: `Try again: \u2068${failed.name}\u2069` }).click();
  const [, , , again] = await hears(page, 4);
  assert.deepEqual([again.type, again.name], ['file-share-uploaded', failed.name]);
  await row.getByText('uploaded').waitFor();
});

inPage('it is accessible while it sends, in the dark too, and says how far it is', async (page) => {
  faultProxy.next(PUT, { bytesPerSecond: 200_000 });
  await isAccessible(page, 'empty');
  await choose(page, ['slow.bin', bytes(3_000_000)]);
  await page.getByRole('progressbar', { name: 'slow.bin' }).waitFor();
  await isAccessible(page, 'sending');
  await page.emulateMedia({ colorScheme: 'dark' });
  await isAccessible(page, 'sending, in the dark');
  await browser.picture(page, 'element');
  await page.getByRole('button', { name: 'Cancel: \u2068slow.bin\u2069' }).click();
  await until('the record is gone', () => faultProxy.count({ method: 'DELETE' }) === 1);
  // Whoever gave it up isn't told that it failed.
  assert.deepEqual(await heard(page), []);
});

inPage('the page around it says what it looks like and what it says', async (page) => {
  const zone = page.locator('file-share-drop [part~=zone]');
  assert.equal(await zone.evaluate((element) => getComputedStyle(element).borderColor), 'rgb(1, 2, 3)');
  await page.getByText('Drop your homework here, or').waitFor();
  await page.evaluate(() => {
    document.querySelector('file-share-drop').words = { choose: 'Dateien wählen', done: 'da' };
  });
  await page.getByRole('button', { name: 'Dateien wählen' }).waitFor();
  await choose(page, ['deutsch.txt', bytes(5)]);
  await page.getByRole('listitem').getByText('da', { exact: true }).waitFor();
  await page.evaluate(() => (document.querySelector('file-share-drop').disabled = true));
  assert.ok(await page.getByRole('button', { name: 'Dateien wählen' }).isDisabled());
});

inPage('without a token it says so, and an element that is taken away gives up what is not through', async (page) => {
  await page.evaluate(() => (document.querySelector('file-share-drop').token = undefined));
  await choose(page, ['refused.txt', bytes(5)]);
  const [{ type, code }] = await hears(page, 1);
  assert.deepEqual([type, code], ['file-share-failed', 'signedOut']);
  await page.evaluate((token) => (document.querySelector('file-share-drop').token = token), setup.token);
  faultProxy.next(PUT, { bytesPerSecond: 10_000 });
  await choose(page, ['taken-away.bin', bytes(600_000)]);
  await until('the bytes are on their way', () => faultProxy.count(PUT) === 1);
  // Moving it is nothing.
  await page.evaluate(() => document.body.prepend(document.querySelector('file-share-drop')));
  assert.equal(faultProxy.count({ method: 'DELETE' }), 0);
  await page.evaluate(() => document.querySelector('file-share-drop').remove());
  await until('the record is gone', () => faultProxy.count({ method: 'DELETE' }) === 1);
});
