// What somebody may have at a service that bounds it, in real headless Chromium: how much is used, and what is said where
// nothing more fits. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT_MS } from './browser.mjs';
import { MIB, PHONE, arrives, browser, choose, file, isolated, listed, looksRight, sending, setup } from './fixture.mjs';

// Members may have 2 MiB in three files, administrators as much as they like.
const { base, issuer } = setup.issuer;
const origins = [base, issuer].map((url) => new URL(url).origin);

function page(name, use, options = {}) {
  test(name, { timeout: 3 * LIMIT_MS }, async () => {
    await browser.visit({ origins, ...options }, use);
  });
}

const use = (tab) => tab.locator('#use');
const says = (tab, text) => use(tab).getByText(text, { exact: true }).waitFor();

async function signIn(tab, person, way = 'Sign in') {
  await tab.getByRole('region', { name: way }).getByRole('link', { name: way, exact: true }).click();
  await tab.getByRole('button', { name: person, exact: true }).click();
  await tab.locator('#files-empty, #files-list').locator('visible=true').first().waitFor();
}

page('a member sees how much is used, after uploads and deletions too, and reads why something doesn’t fit', async (open) => {
  const tab = await open(base);
  await signIn(tab, 'bob');
  await says(tab, '0 bytes of 2 MB used, 0 of 3 files');
  await choose(tab, [await file('half.bin', Buffer.alloc(MIB))]);
  await arrives(tab, 'half.bin');
  await says(tab, '1 MB of 2 MB used, 1 of 3 files');
  await looksRight(tab, 'a member who may have so much', '90-quota');
  // What doesn’t fit isn’t the service’s trouble, nor its operator’s alone.
  await choose(tab, [await file('too much.bin', Buffer.alloc(MIB + 1))]);
  const row = sending(tab, 'too much.bin');
  await row.getByText('It doesn’t fit into what you may have here. Delete files that nobody needs any more').waitFor();
  await looksRight(tab, 'a file that doesn’t fit', '90-quota-refused');
  // There is room once something is deleted: then it can be tried again.
  await listed(tab, 'half.bin').getByRole('button', { name: `Delete ${isolated('half.bin')}` }).click();
  await tab.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await says(tab, '0 bytes of 2 MB used, 0 of 3 files');
  await row.getByRole('button', { name: `Try again: ${isolated('too much.bin')}` }).click();
  await arrives(tab, 'too much.bin');
  await says(tab, '1 MB of 2 MB used, 1 of 3 files');
  const full = await Promise.all(['1.txt', '2.txt'].map((name) => file(name, 'x')));
  await choose(tab, full);
  await says(tab, '1 MB of 2 MB used, 3 of 3 files');
  await tab.locator('#use.is-full').waitFor();
  await looksRight(tab, 'a member who may have nothing more', '90-quota-full');
});

page('whoever may have as much as they like is told of no bound, and nothing is loaded for it', async (open) => {
  const tab = await open(base);
  const asked = [];
  tab.on('request', (request) => asked.push(new URL(request.url()).pathname.split('/').at(-1)));
  const told = tab.waitForResponse((answer) => answer.url().endsWith('/v1/session') && answer.request().method() === 'GET');
  await signIn(tab, 'alice');
  await told;
  await choose(tab, [await file('hers.txt', 'hello')]);
  await arrives(tab, 'hers.txt');
  assert.ok(await use(tab).isHidden());
  assert.ok(asked.includes('app.js') && !asked.includes('use_line.js'), asked.join());
});

page(
  'on a phone it is one line, in German too',
  async (open) => {
    const tab = await open(base);
    await signIn(tab, 'erin', 'Anmelden');
    await choose(tab, [await file('klein.bin', Buffer.alloc(MIB / 2))]);
    await arrives(tab, 'klein.bin');
    await says(tab, '512 KB von 2 MB belegt, 1 von 3 Dateien');
    const { height } = await use(tab).boundingBox();
    assert.ok(height < 30, `${height} pixels high`);
    await looksRight(tab, 'how much is used, on a phone', '91-quota-phone');
  },
  { locale: 'de-DE', colorScheme: 'dark', ...PHONE },
);
