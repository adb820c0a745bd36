// How Lighthouse judges the pages, as a phone on a slow line: performance, accessibility, best practices, and what a
// search engine makes of them. `make lighthouse` runs it, on a quiet machine.
//
//   node tests/browser/lighthouse.mjs PROGRAM      ends with 1 if a page has less than AT_LEAST in anything
//
// Invariant: nothing leaves this machine: it reports to nobody, and the browser is shown the service alone.
//
// Absent on purpose: two audits of pages that are passed on. `is-crawlable`, since a link is to say `noindex`; and
// `robots-txt`, which a script in the page asks for, and the policy of a page without scripts forbids that.

import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { until } from './browser.mjs';

const require = createRequire(new URL('../../target/lighthouse/package.json', import.meta.url));
const { default: lighthouse } = await import(pathToFileURL(require.resolve('lighthouse')));

const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'];
const AT_LEAST = 95;
const OF_LINKS = ['is-crawlable', 'robots-txt'];
// Fonts and updates are asked for by the browser itself.
const FLAGS = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];

const [program] = process.argv.slice(2);
if (!program) {
  console.error('usage: node tests/browser/lighthouse.mjs PROGRAM');
  process.exit(2);
}

const folder = await mkdtemp(path.join(tmpdir(), 'file-share-lighthouse-'));
const children = [];
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    children.forEach((child) => child.kill());
    process.exit(1);
  });
}
try {
  const base = await startService();
  const port = await startBrowser();
  const { id, link } = await share(base);
  const pages = [
    ['/', `${base}/`, []],
    ['/f/{id}', `${base}/f/${id}`, OF_LINKS],
    ['/s/{token}', link, OF_LINKS],
    ['/guide', `${base}/guide`, []],
  ];
  for (const [name, url, skipAudits] of pages) {
    await judge(name, url, { port, skipAudits, onlyCategories: CATEGORIES, logLevel: 'silent' });
  }
} finally {
  await Promise.all(children.map(ended));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function judge(name, url, flags) {
  const { lhr } = await lighthouse(url, flags);
  if (lhr.runtimeError) {
    throw new Error(lhr.runtimeError.message);
  }
  const figures = Object.values(lhr.categories).map(({ id, score }) => `${id} ${Math.round(score * 100)}`);
  console.log(`${name}: ${figures.join(', ')}`);
  for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
    if (Math.round(score * 100) < AT_LEAST) {
      process.exitCode = 1;
      const lost = auditRefs.filter(({ id: audit, weight }) => weight > 0 && lhr.audits[audit].score < 1);
      console.log(`  ${id}: ${lost.map(({ id: audit }) => `${audit} ${lhr.audits[audit].displayValue ?? ''}`).join(', ')}`);
    }
  }
}

function start(command, parameters, options) {
  const child = spawn(command, parameters, options);
  children.push(child);
  return child;
}

function ended(child) {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
    } else {
      child.once('exit', resolve);
      child.kill();
    }
  });
}

async function startService() {
  const settings = { LISTEN: '127.0.0.1:0', ACCESS: 'open', RATE_READ: 'off', RATE_CREATE: 'off' };
  const env = { ...process.env, DATA_DIR: path.join(folder, 'data'), ...settings };
  const service = start(program, [], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: service.stdout })) {
    const [address] = line.match(/http:\/\/127\.0\.0\.1:\d+/) ?? [];
    if (address) {
      return address;
    }
  }
  throw new Error(`${program} said no address`);
}

async function startBrowser() {
  const own = path.join(folder, 'browser');
  const parameters = [...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${own}`, 'about:blank'];
  start(process.env.CHROMIUM ?? '/usr/bin/chromium', parameters, { stdio: 'ignore' });
  return until('the browser says its port', async () => {
    const text = await readFile(path.join(own, 'DevToolsActivePort'), 'utf8').catch(() => '');
    return Number(text.split('\n')[0]);
  });
}

async function share(base) {
  const post = async (where, body) => {
    const headers = { 'Content-Type': 'application/json' };
    return (await fetch(`${base}${where}`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
  };
  const { id, upload } = await post('/v1/files', { filename: 'notes.txt', size: 5 });
  await fetch(upload.url, { method: upload.method, headers: upload.headers, body: 'hello' });
  await fetch(`${base}/v1/files/${id}/metadata?wait=20`);
  const { url } = await post('/v1/links', { files: [id], title: 'Lecture 1' });
  return { id, link: url };
}
