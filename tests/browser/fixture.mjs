// What the tests of the web page share: the services in the mode that whoever starts them has set up, the ways
// to them, and what a person or a client does again and again. tests/it/web_page.rs says what there is in
// FILE_SHARE_BROWSER_TEST.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { Browser, LIMIT_MS, isAccessible, until } from './browser.mjs';
import { FaultProxy } from './fault_proxy.mjs';

// {mode, plain, hurried?, strict?, strictData?, asking?: {base, key}, places?: {issuer, all: [{name, base, key}]}, prefixed?: {target, port, prefix}, everywhere?: {here, others, isInANetwork},
// store?: {target, port, bucket, aws}}: services on the same stores in aws mode, on their own in local
// mode. The upload URLs of `hurried` run out after two seconds; `strict` takes 1,000 bytes at the most; `asking` asks
// for the key.
export const setup = JSON.parse(process.env.FILE_SHARE_BROWSER_TEST);
export const MIB = 1024 * 1024;

// When whoever started this goes, nothing must be left running. It isn't waited for.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdin.unref?.();

export let browser;
export let folder;
export let faultProxy;
export let hurried;
export let strict;
export let asking;
export let store;
export let origins;

before(async () => {
  browser = await Browser.start(setup.mode);
  folder = await mkdtemp(path.join(tmpdir(), 'file-share-page-'));
  faultProxy = await FaultProxy.open(setup.plain);
  hurried = setup.hurried ? await FaultProxy.open(setup.hurried) : null;
  strict = setup.strict ? await FaultProxy.open(setup.strict) : null;
  asking = setup.asking ? await FaultProxy.open(setup.asking.base) : null;
  store = setup.store ? await FaultProxy.open(setup.store.target, { port: setup.store.port, overrides: true }) : null;
  origins = [faultProxy, hurried, strict, asking, store].filter(Boolean).map(({ port }) => `http://127.0.0.1:${port}`);
});

after(async () => {
  await browser?.stop();
  [faultProxy, hurried, strict, asking, store].forEach((one) => one?.close());
  await rm(folder, { recursive: true, force: true });
});

beforeEach(() => [faultProxy, hurried, strict, asking, store].forEach((one) => one?.clear()));

// A test of one page at a time; `options` are the browser's.
export function page(name, use, options = {}) {
  test(name, { timeout: 3 * LIMIT_MS }, async () => {
    await browser.visit({ origins, ...options }, use);
  });
}

// Where the bytes go: to the store, or in local mode to the service itself.
export const bytesProxy = (of = faultProxy) => store ?? of;

export async function file(name, content) {
  const place = path.join(folder, name);
  await mkdir(path.dirname(place), { recursive: true });
  await writeFile(place, content);
  return place;
}

// On a machine that is busy the service may have no time, or the connection may be one that it has just
// closed; then it is asked again, as the contract has it.
export async function api(method, where, body) {
  const key = randomBytes(16).toString('hex');
  return until(`${method} ${where}`, async () => {
    try {
      const response = await fetch(new URL(where, setup.plain), {
        method,
        headers: body ? { 'Content-Type': 'application/json', 'Idempotency-Key': key } : {},
        body: body && JSON.stringify(body),
      });
      const isBusy = response.status === 503;
      const json = response.status === 204 ? null : await response.json();
      return isBusy ? null : { status: response.status, body: json };
    } catch {
      return null;
    }
  });
}

export const create = async (name, size) => (await api('POST', '/v1/files', { filename: name, size })).body;

export async function send(created, content) {
  const { url, headers } = created.upload;
  const response = await fetch(url, { method: 'PUT', headers, body: content });
  assert.equal(response.status, 200);
}

export async function share(name, content = 'hello') {
  const created = await create(name, Buffer.byteLength(content));
  await send(created, content);
  const settled = await api('GET', `/v1/files/${created.id}/metadata?wait=20`);
  assert.equal(settled.body.status, 'available');
  return settled.body;
}

export const listed = (tab, name) => tab.locator('#files-list .row', { hasText: name });
export const sending = (tab, name) => tab.locator('#uploads-list .row', { hasText: name });
export const choose = (tab, paths) => tab.locator('#files-input').setInputFiles(paths);

export async function arrives(tab, name) {
  const row = listed(tab, name).and(tab.locator('[data-status="available"]'));
  await row.first().waitFor();
  return row.first();
}

// The record of the newest file with this name.
export async function recordOf(name) {
  const { body } = await api('GET', '/v1/files?limit=100');
  return body.files.find(({ filename }) => filename === name);
}

// A name as it stands in a sentence, where it is set apart.
export const isolated = (name) => `\u2068${name}\u2069`;

export const digest = (content) => createHash('sha256').update(content).digest('hex');

export const PHONE = { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

// Whether nothing sticks out of the window to the side.
const fits = (tab) =>
  tab.evaluate(() => {
    const out = [...document.querySelectorAll('main *')].filter((one) => {
      const { width, right, left } = one.getBoundingClientRect();
      return width > 1 && (right > innerWidth + 1 || left < -1) && !one.closest('.unseen, thead');
    });
    return out.map((one) => `${one.tagName}.${one.className}#${one.id}`);
  });

// The page as everybody can use it, and as a picture.
export async function looksRight(tab, what, picture) {
  assert.deepEqual(await fits(tab), [], what);
  await isAccessible(tab, what);
  await browser.picture(tab, picture);
}

// What Python's zipfile finds in an archive: of each file its name and its bytes as text.
const READER = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    print(json.dumps({name: archive.read(name).decode() for name in archive.namelist()}))
`;
export const unzipped = (place) => JSON.parse(execFileSync('python3', ['-c', READER, place], { encoding: 'utf8', maxBuffer: 64 * MIB }));
