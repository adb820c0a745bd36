// The programs of docs/clients.md that are JavaScript or TypeScript: in Node, in a page of another origin in
// real headless Chromium, and through the compiler. Started by tests/it/clients.rs, which says what there is
// in FILE_SHARE_BROWSER_TEST.
//
// Invariant: what runs is what stands in the document; only the service's address is another.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Browser, LIMIT_MS, until } from './browser.mjs';

const TOOLS = fileURLToPath(new URL('../../target/browser-tools/', import.meta.url));
const require = createRequire(path.join(TOOLS, 'package.json'));
const esbuild = require('esbuild');

// {mode, service, port, store?, token?}: the port is that of the pages that the service allows.
const setup = JSON.parse(process.env.FILE_SHARE_BROWSER_TEST);
const LIMIT = { timeout: 5 * LIMIT_MS };
const run = promisify(execFile);

// When whoever started this goes, nothing must be left running. It isn't waited for.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdin.unref?.();

const origin = `http://127.0.0.1:${setup.port}`;
const origins = [origin, setup.service, setup.store].filter(Boolean);
// What the pages' server has: path to script.
const scripts = new Map();
// As a page's own backend gives it to its user.
const given = setup.token ? `<script>globalThis.FILE_SHARE_TOKEN = ${JSON.stringify(setup.token)}</script>` : '';
// The developer's own token is nobody's here; one that is undefined isn't set.
const env = { ...process.env, FILE_SHARE_TOKEN: setup.token };
let browser;
let folder;
let pages;

before(async () => {
  browser = await Browser.start(setup.mode);
  folder = await mkdtemp(path.join(tmpdir(), 'file-share-clients-'));
  await symlink(path.join(TOOLS, 'node_modules'), path.join(folder, 'node_modules'));
  pages = http.createServer((request, response) => {
    const script = scripts.get(request.url);
    if (request.url.endsWith('.js')) {
      response.writeHead(script ? 200 : 404, { 'Content-Type': 'text/javascript' }).end(script);
    } else {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      const script = `<script type="module" src="${request.url}.js"></script>`;
      response.end(`<!DOCTYPE html>${given}<input type="file" multiple>${script}`);
    }
  });
  await new Promise((resolve, reject) => pages.once('error', reject).listen(setup.port, '127.0.0.1', resolve));
});

after(async () => {
  await browser?.stop();
  pages?.close();
  await rm(folder, { recursive: true, force: true });
});

// The first block in this language below a heading.
async function recipe(heading, language) {
  const text = await readFile(new URL('../../docs/clients.md', import.meta.url), 'utf8');
  const below = text.split(`\n## ${heading}\n`)[1];
  const block = below.split(`\`\`\`${language}\n`)[1].split('```\n')[0];
  assert.ok(block.includes('http://127.0.0.1:8000'), block);
  return block.replaceAll('http://127.0.0.1:8000', setup.service);
}

async function bundled(contents, options) {
  const stdin = { contents, resolveDir: folder, loader: 'ts' };
  const built = await esbuild.build({ stdin, bundle: true, format: 'esm', write: false, ...options });
  return built.outputFiles[0].text;
}

async function inNode(name, code) {
  const place = path.join(folder, name);
  await writeFile(place, code);
  const { stdout } = await run('node', [place], { timeout: 2 * LIMIT_MS, env });
  assert.equal(stdout, 'the same bytes\n');
}

test('fetch, in Node', LIMIT, async () => {
  await inNode('fetch.mjs', await recipe('JavaScript', 'js'));
});

test('fetch, in a page of another origin', LIMIT, async () => {
  scripts.set('/fetch.js', await recipe('JavaScript', 'js'));
  await browser.visit({ origins }, async (open, context) => {
    const said = [];
    context.on('console', (message) => said.push(message.text()));
    await open(`${origin}/fetch`);
    await until(`the same bytes, but: ${said}`, () => said.includes('the same bytes'));
  });
});

test('Uppy, in a page of another origin', LIMIT, async () => {
  scripts.set('/uppy.js', await bundled(await recipe('Uppy', 'js'), { platform: 'browser' }));
  await browser.visit({ origins }, async (open) => {
    const page = await open(`${origin}/uppy`);
    const text = (name, size) => ({ name, mimeType: 'text/plain', buffer: Buffer.alloc(size, name) });
    const files = [text('one.txt', 11), text('two.txt', 3_000_000), text('nothing.txt', 0)];
    await page.locator('input').setInputFiles(files);
    for (const { name } of files) {
      await page.getByText(`${name}: available, the same bytes`).waitFor();
    }
    // Nor was anything sent twice: the service knows of these three.
    assert.equal(await page.locator('p').count(), files.length);
  });
});

test('TypeScript, with types from the contract', LIMIT, async () => {
  const bin = (name) => path.join(TOOLS, 'node_modules/.bin', name);
  const code = await recipe('TypeScript, with types from the contract', 'ts');
  const contract = `${setup.service}/openapi.json`;
  await run(bin('openapi-typescript'), [contract, '--output', path.join(folder, 'file-share.ts')]);
  await writeFile(path.join(folder, 'client.ts'), code);
  const mistaken = code.replace('sha256 };', 'sha265: sha256 };').replace('record.status', 'record.state');
  await writeFile(path.join(folder, 'mistaken.ts'), mistaken);
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler'];
  const compiled = run(bin('tsc'), [...options, '--skipLibCheck', 'client.ts', 'mistaken.ts'], { cwd: folder });
  const { stdout } = await compiled.catch((failed) => failed);
  // The program compiles, and what isn't in the contract doesn't.
  const complaints = stdout.trim().split('\n');
  assert.equal(complaints.length, 2, stdout);
  assert.match(complaints[0], /^mistaken\.ts.*'sha265'/);
  assert.match(complaints[1], /^mistaken\.ts.*'state'/);
  await inNode('client.mjs', await bundled(code, { platform: 'node' }));
});
