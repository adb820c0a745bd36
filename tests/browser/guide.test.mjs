// The guide, in real headless Chromium, and its recipes, run as they were copied from it. Started by tests/it/guide.rs,
// which says what there is in FILE_SHARE_BROWSER_TEST.
//
// Invariant: what runs is what the page's own button put into the clipboard; nothing in it is replaced.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Browser, LIMIT_MS, isAccessible } from './browser.mjs';

const PYTHON = fileURLToPath(new URL('../../target/test-tools/bin/python', import.meta.url));
// {mode, service, port, token?, modules, site, programs}: the port is that of the pages that the service allows; in the
// folder `modules` npm's package was unpacked, in `site` Python's was installed, and in `programs` there is fshare.
const setup = JSON.parse(process.env.FILE_SHARE_BROWSER_TEST);
const LIMIT = { timeout: 3 * LIMIT_MS };
// Of the page, compressed as it comes, without the script that copies.
const MAX_PAGE_BYTES = 16 * 1024;
const run = promisify(execFile);

// When whoever started this goes, nothing must be left running. It isn't waited for.
process.stdin.on('end', () => process.exit(1)).resume();
process.stdin.unref?.();

const origins = [setup.service, `http://127.0.0.1:${setup.port}`];
const guide = `${setup.service}/guide`;
const env = {
  ...process.env,
  PATH: `${setup.programs}:${process.env.PATH}`,
  PYTHONPATH: setup.site,
  FILE_SHARE_TOKEN: setup.token,
  FILE_SHARE_URL: undefined,
};
let browser;
let folder;
// What was copied, by the heading it stands below.
const copied = new Map();

before(async () => {
  browser = await Browser.start(setup.mode);
  folder = await mkdtemp(path.join(tmpdir(), 'file-share-guide-'));
  await symlink(setup.modules, path.join(folder, 'node_modules'));
});

after(async () => {
  await browser?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('every recipe is copied by a button, by mouse and by keyboard', LIMIT, async () => {
  await browser.visit({ origins }, async (open) => {
    const page = await open(guide);
    for (const recipe of await page.locator('.recipe').all()) {
      const heading = await recipe.getByRole('heading').textContent();
      const button = recipe.getByRole('button', { name: 'Copy' });
      if (copied.size % 2 === 0) {
        await button.click();
      } else {
        await button.focus();
        await page.keyboard.press('Enter');
      }
      await recipe.getByRole('button', { name: 'Copied' }).waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      assert.equal(text, await recipe.locator('code').last().textContent());
      assert.ok(text.includes(setup.service), heading);
      copied.set(heading, text);
    }
    assert.equal(copied.size, 7);
    assert.equal(await page.getByRole('status').textContent(), 'Copied');
    await page.getByRole('button', { name: 'Copy' }).nth(6).waitFor();
  });
});

test('each of them stands in the document as it stands here', async () => {
  const document = await readFile(new URL('../../docs/clients.md', import.meta.url), 'utf8');
  for (const [heading, program] of copied) {
    const section = document.split(`\n## ${heading}\n`)[1].split('\n## ')[0];
    assert.ok(section.includes(program.replaceAll(setup.service, 'http://127.0.0.1:8000')), heading);
  }
});

async function ends(heading, file, argumentsOf) {
  const place = path.join(folder, heading.replaceAll(/\W/g, '_'));
  await mkdir(place);
  await symlink(setup.modules, path.join(place, 'node_modules'));
  await writeFile(path.join(place, 'notes.txt'), 'some notes\n'.repeat(30_000));
  const { stdout } = await run(file, argumentsOf(copied.get(heading), place), { cwd: place, env, timeout: 2 * LIMIT_MS });
  assert.ok(stdout.endsWith('the same bytes\n'), `${heading}: ${stdout}`);
}

for (const heading of ['The command line', 'curl']) {
  test(`${heading}, as it was pasted`, LIMIT, () => ends(heading, 'sh', (text) => ['-c', `set -e\n${text}`]));
}

for (const heading of ['Python, with the package', 'Python']) {
  test(`${heading}, as it was pasted`, LIMIT, () => ends(heading, PYTHON, (text) => ['-c', text]));
}

for (const heading of ['JavaScript, with the package', 'JavaScript']) {
  test(`${heading}, as it was pasted`, LIMIT, async () => {
    await ends(heading, 'node', (text) => ['--input-type=module', '--eval', text]);
  });
}

test('An element for pages, as it was pasted', LIMIT, async () => {
  const given = setup.token ? `<script>globalThis.FILE_SHARE_TOKEN = ${JSON.stringify(setup.token)}</script>` : '';
  const pages = http.createServer(async (request, response) => {
    if (request.url.startsWith('/node_modules/')) {
      const content = await readFile(path.join(folder, request.url)).catch(() => null);
      response.writeHead(content ? 200 : 404, { 'Content-Type': 'text/javascript' }).end(content ?? '');
    } else {
      response.writeHead(200, { 'Content-Type': 'text/html' });
      response.end(`<!DOCTYPE html><link rel="icon" href="data:,">${given}${copied.get('An element for pages')}`);
    }
  });
  await new Promise((resolve, reject) => pages.once('error', reject).listen(setup.port, '127.0.0.1', resolve));
  try {
    await browser.visit({ origins }, async (open) => {
      const page = await open(`http://127.0.0.1:${setup.port}/`);
      const buffer = Buffer.from('some notes\n');
      await page.locator('input[type=file]').setInputFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer }]);
      const link = page.getByRole('link', { name: 'notes.txt' });
      await link.waitFor();
      assert.match(await link.getAttribute('href'), new RegExp(`^${setup.service}/f/`));
    });
  } finally {
    pages.closeAllConnections();
    pages.close();
  }
});

test('it is whole without scripts, accessible in both palettes, and fits a phone', LIMIT, async () => {
  await browser.visit({ origins, javaScriptEnabled: false, viewport: { width: 320, height: 640 } }, async (open) => {
    const page = await open(guide);
    assert.equal(await page.locator('pre').count(), 7);
    assert.equal(await page.getByRole('button').count(), 0, 'what can do nothing is not shown');
    await page.getByText(setup.token ? 'FILE_SHARE_TOKEN' : 'no token is needed').first().waitFor();
  });
  for (const colorScheme of ['light', 'dark']) {
    await browser.visit({ origins, colorScheme, viewport: { width: 320, height: 640 } }, async (open) => {
      const page = await open(guide);
      await isAccessible(page, colorScheme);
      const { scrollWidth } = await page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth }));
      assert.equal(scrollWidth, 320, 'only the programs scroll sideways');
      await browser.picture(page, `guide-${colorScheme}`);
    });
  }
});

test('it comes small, and the first page leads to it', LIMIT, async () => {
  const raw = await new Promise((resolve, reject) => {
    http
      .get(guide, { headers: { Accept: 'text/html', 'Accept-Encoding': 'br' } }, async (answer) => {
        resolve(Buffer.concat(await answer.toArray()).length);
      })
      .on('error', reject);
  });
  assert.ok(raw < MAX_PAGE_BYTES, `${raw} bytes`);
  if (!setup.token) {
    await browser.visit({ origins }, async (open) => {
      const page = await open(`${setup.service}/`);
      await page.getByRole('link', { name: 'Share files from programs' }).click();
      await page.getByRole('heading', { name: 'Share files from programs' }).waitFor();
    });
  }
});
