// Links that others can open, and their QR codes, in real headless Chromium: of a service that this machine alone
// reaches, and of one that listens on all of its addresses. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time. Codes are read by another program
// from what the screen shows.

import assert from 'node:assert/strict';
import { arrives, browser, choose, create, faultProxy, file, listed, page, send, setup, share } from './fixture.mjs';
import { isAccessible, until } from './browser.mjs';
import { readPixels } from './qr_reader.mjs';

// `here` is where this machine reaches the service that listens on all addresses, `others` where others do.
const { here, others } = setup.everywhere;
const NOTICE = 'Only this computer can open these links.';
const everywhere = { origins: [new URL(here).origin] };

const notice = (tab) => tab.getByText(NOTICE).locator('visible=true');
const button = (tab, name) => tab.getByRole('button', { name });
const dialog = (tab) => tab.getByRole('dialog', { name: 'Scan to open' });
const copied = (tab) => tab.evaluate(() => navigator.clipboard.readText());

async function copiedBy(tab, press) {
  await tab.evaluate(() => navigator.clipboard.writeText(''));
  await press.click();
  await until('something is copied', async () => (await copied(tab)) !== '');
  return copied(tab);
}

// Links are the page's own until the service has said where others reach it.
async function knows(tab, press, link) {
  await until(`links are ${link}`, async () => (await copiedBy(tab, press)) === link);
}

// A file of the service that listens on all addresses.
async function shareEverywhere(name) {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ filename: name, size: 5 });
  const created = await (await fetch(new URL('/v1/files', here), { method: 'POST', headers, body })).json();
  await send(created, 'hello');
  await fetch(new URL(`/v1/files/${created.id}/metadata?wait=20`, here));
  return created;
}

// What a camera before the screen finds.
async function readFrom(tab) {
  const clip = await tab.locator('dialog').boundingBox();
  const png = (await tab.screenshot({ animations: 'disabled', clip })).toString('base64');
  // In a page of nobody's, whose policy lets pictures be made.
  const other = await tab.context().newPage();
  const { width, height, brightness } = await other.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let text = '';
    for (let at = 0; at < data.length; at += 4) {
      text += String.fromCharCode(data[at]);
    }
    return { width: bitmap.width, height: bitmap.height, brightness: btoa(text) };
  }, png);
  await other.close();
  const pixels = new Uint8ClampedArray(width * height * 4);
  Buffer.from(brightness, 'base64').forEach((value, at) => pixels.fill(value, at * 4, at * 4 + 4));
  return readPixels(pixels, width, height);
}

page('where nobody else can open a link the page says so once, and how to change it', async (open) => {
  const tab = await open(faultProxy.base);
  await tab.getByText('Nothing here yet').waitFor();
  assert.equal(await notice(tab).count(), 0, 'there is no link yet');
  await choose(tab, [await file('alone.txt', 'hello')]);
  const row = await arrives(tab, 'alone.txt');
  await notice(tab).waitFor();
  assert.equal(await notice(tab).count(), 1);
  await tab.locator('#share-notice summary').click();
  const how = tab.locator('#share-notice').getByText('LISTEN=0.0.0.0:');
  await how.waitFor();
  assert.match(await how.textContent(), new RegExp(`LISTEN=0\\.0\\.0\\.0:${faultProxy.port} .*PUBLIC_URL`));
  await isAccessible(tab, 'a list whose links nobody else can open');
  assert.ok((await copiedBy(tab, button(row, /^Copy link of/))).startsWith(`${faultProxy.base}s/`));

  const { id } = await share('alone too.txt');
  await tab.goto(`${faultProxy.base}f/${id}`);
  await notice(tab).waitFor();
  assert.equal(await notice(tab).count(), 1);
  await button(tab, 'QR code').click();
  await dialog(tab).getByText(NOTICE).waitFor();
});

page('on loopback links name the address that others reach, and what opens here stays here', async (open) => {
  // A list that is so short has no tools.
  for (const name of ['a.txt', 'b.txt', 'c.txt', 'd.txt', 'e.txt']) {
    await shareEverywhere(name);
  }
  const { id } = await shareEverywhere('for all.txt');
  const tab = await open(here);
  const row = listed(tab, 'for all.txt');
  await row.waitFor();
  const link = await copiedBy(tab, button(row, /^Copy link of/));
  assert.ok(link.startsWith(`${others}s/`), link);
  await tab.locator('#select').click();
  await row.getByRole('checkbox').check();
  assert.equal(await copiedBy(tab, tab.locator('#copy-selected')), link);
  await tab.locator('#end-selection').click();
  const own = await row.locator('a.name').getAttribute('href');
  assert.equal(new URL(own, here).href, `${here}f/${id}`);

  await choose(tab, [await file('sent.txt', 'hello')]);
  await arrives(tab, 'sent.txt');
  const end = tab.locator('#batch-end');
  const sent = await copiedBy(tab, button(end, 'Copy link'));
  assert.ok(sent.startsWith(`${others}s/`), sent);
  assert.ok((await copiedBy(tab, button(end, 'Copy receipt'))).includes(`${others}f/`));

  await tab.goto(`${here}f/${id}`);
  await knows(tab, button(tab, 'Copy link'), link);
  assert.equal(await notice(tab).count(), setup.everywhere.isInANetwork ? 0 : 1);
}, everywhere);

page('whoever opened the page as others do passes on that address', async (open) => {
  const { id } = await shareEverywhere('as others.txt');
  const tab = await open(`${others}f/${id}`);
  await button(tab, 'QR code').click();
  await dialog(tab).getByText(`${others}f/${id}`, { exact: true }).waitFor();
  assert.equal(await readFrom(tab), `${others}f/${id}`);
}, { origins: [new URL(others).origin] });

page('a computer that comes into another network passes on its address there', async (open, context) => {
  const session = { method: 'GET', path: /^\/v1\/session$/ };
  let shareBase = 'http://192.168.1.7:8000';
  faultProxy.always(session, { rewrite: (json) => ({ ...json, shareBase }) });
  await share('moving.txt');
  const tab = await open(faultProxy.base);
  const press = button(listed(tab, 'moving.txt'), /^Copy link of/);
  const isCopied = (base) => until(base, async () => (await copiedBy(tab, press)).startsWith(`${base}/s/`));
  await isCopied('http://192.168.1.7:8000');
  shareBase = 'http://10.0.0.7:8000';
  await context.setOffline(true);
  await context.setOffline(false);
  await isCopied('http://10.0.0.7:8000');
});

page('the QR code of a file’s link is large, read from the screen, and at hand for keyboard and screen reader', async (open) => {
  const { id } = await shareEverywhere('on the wall.txt');
  const tab = await open(`${here}f/${id}`);
  await button(tab, 'QR code').focus();
  await tab.keyboard.press('Enter');
  await dialog(tab).waitFor();
  const link = `${others}f/${id}`;
  assert.equal(await readFrom(tab), link);
  await dialog(tab).getByText(link, { exact: true }).waitFor();
  const code = dialog(tab).getByRole('img', { name: 'QR code of the link below' });
  const { width, height } = await code.boundingBox();
  const { innerWidth, innerHeight } = await tab.evaluate(() => ({ innerWidth, innerHeight }));
  const least = 0.6 * Math.min(innerWidth, innerHeight);
  assert.ok(width >= least && height >= least, `${width} by ${height} of ${innerWidth} by ${innerHeight}`);
  await isAccessible(tab, 'a QR code');
  await browser.picture(tab, '9-qr');
  await tab.keyboard.press('Escape');
  await dialog(tab).waitFor({ state: 'hidden' });
  await until('the focus is back', () => button(tab, 'QR code').evaluate((element) => element === document.activeElement));
}, everywhere);

for (const [what, options] of [
  ['in the dark', { colorScheme: 'dark' }],
  ['on a phone', { viewport: { width: 360, height: 640 } }],
  ['with colours of the reader’s own', { forcedColors: 'active' }],
]) {
  page(`the QR code is dark on white ${what}, and all of it is seen`, async (open) => {
    const { id } = await shareEverywhere('in the dark.txt');
    const tab = await open(`${here}f/${id}`);
    await button(tab, 'QR code').click();
    await dialog(tab).waitFor();
    assert.equal(await readFrom(tab), `${others}f/${id}`);
    const isWide = await tab.evaluate(() => {
      const { scrollWidth, clientWidth } = document.querySelector('dialog');
      return scrollWidth > clientWidth;
    });
    assert.ok(!isWide, 'nothing is beside the screen');
    await button(dialog(tab), 'Close').click();
    await dialog(tab).waitFor({ state: 'hidden' });
  }, { ...everywhere, ...options });
}

page('after an upload the code of its link is offered, and of several there is none', async (open) => {
  const tab = await open(here);
  await choose(tab, [await file('one.txt', 'hello')]);
  await arrives(tab, 'one.txt');
  const offer = button(tab.locator('#batch-end'), 'QR code');
  await offer.click();
  await dialog(tab).waitFor();
  const link = await readFrom(tab);
  const shown = await dialog(tab).locator('.qr-link').textContent();
  assert.equal(link, shown);
  assert.ok(link.startsWith(`${others}f/`), link);
  await tab.keyboard.press('Escape');
  await choose(tab, [await file('two.txt', 'hello'), await file('three.txt', 'hello')]);
  await arrives(tab, 'two.txt');
  await arrives(tab, 'three.txt');
  await tab.locator('#uploads').getByText(/[23] files arrived/).waitFor();
  await offer.waitFor({ state: 'hidden' });
}, everywhere);

page('a file that is still on its way has a link, and no code before it is there', async (open) => {
  const created = await create('coming.txt', 5);
  const tab = await open(`${faultProxy.base}f/${created.id}`);
  await tab.getByText('On its way').waitFor();
  assert.equal(await button(tab, 'QR code').count(), 0);
  await send(created, 'hello');
  await button(tab, 'QR code').waitFor();
});
