// The web page as people use it: in real headless Chromium, against the real programs, in the mode that
// whoever starts this has set up. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { LIMIT_MS, chooser, drop, isAccessible, until } from './browser.mjs';
import {
  MIB,
  api,
  arrives,
  browser,
  bytesProxy,
  choose,
  create,
  digest,
  faultProxy,
  file,
  folder,
  hurried,
  isolated,
  listed,
  origins,
  page,
  recordOf,
  send,
  sending,
  setup,
  share,
  strict,
} from './fixture.mjs';
import { FaultProxy } from './fault_proxy.mjs';

const BUSY = {
  status: 503,
  headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '1' },
  body: JSON.stringify({ code: 'overloaded', detail: 'Too much at once' }),
};


page('an empty service says what to do', async (open) => {
  const tab = await open(faultProxy.base);
  await tab.getByText('Nothing here yet').waitFor();
  await isAccessible(tab, 'the empty page');
  await browser.picture(tab, '1-empty');
});

page('files and a folder are dropped, and become files with links', async (open) => {
  const notes = randomBytes(3000);
  const paths = [
    await file('Notes on graphs.pdf', notes),
    await file('week 1/intro.txt', 'a'),
    await file('week 1/more/deep.csv', 'b,c'),
    await file('week 1/.DS_Store', 'nobody’s'),
  ];
  const tab = await open(faultProxy.base);
  await drop(tab, [paths[0], path.join(folder, 'week 1')]);
  for (const name of ['Notes on graphs.pdf', 'week 1_intro.txt', 'week 1_more_deep.csv']) {
    await arrives(tab, name);
  }
  assert.equal(await tab.locator('#files-list .row').count(), 3);
  assert.equal((await recordOf('Notes_on_graphs.pdf')).sha256, digest(notes));
  // The browser hashed it, so the store checked the bytes.
  const put = bytesProxy().requests.find(({ method }) => method === 'PUT');
  assert.ok(put.headers['x-amz-checksum-sha256']);
  await tab.locator('#said', { hasText: '3 files arrived' }).waitFor();
});

page('files are chosen, empty and large ones too', async (open) => {
  const tab = await open(faultProxy.base);
  await choose(tab, [await file('empty.txt', ''), await file('largest.bin', Buffer.alloc(20 * MIB, 7))]);
  await arrives(tab, 'empty.txt');
  await arrives(tab, 'largest.bin');
  assert.equal((await recordOf('largest.bin')).sha256, digest(Buffer.alloc(20 * MIB, 7)));
  await tab.locator('#uploads').getByText('2 files arrived').waitFor();
});

page('a picture is pasted, and gets a name of its own', async (open) => {
  const tab = await open(faultProxy.base);
  await tab.evaluate(() => {
    const clipboard = new DataTransfer();
    clipboard.items.add(new File(['png'], 'image.png', { type: 'image/png' }));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboard, bubbles: true }));
  });
  await arrives(tab, 'pasted-');
});

page('progress shows bytes, speed and time left; leaving asks first; cancelling leaves nothing', async (open) => {
  const tab = await open(faultProxy.base);
  bytesProxy().next({ method: 'PUT' }, { bytesPerSecond: 2 * MIB });
  await choose(tab, [await file('slow.bin', Buffer.alloc(19 * MIB))]);
  const row = sending(tab, 'slow.bin');
  const detail = row.locator('.meta');
  await until('bytes, speed and time', async () =>
    /^[\d.,]+ (KB|MB) of 19 MB · [\d.,]+ (KB|MB)\/s · \d+ (s|min) left$/.test(await detail.textContent()),
  );
  const bar = row.getByRole('progressbar', { name: `Sending ${isolated('slow.bin')}` });
  const [value, max] = await bar.evaluate((element) => [element.value, element.max]);
  assert.ok(value > 0 && value < max && max === 19 * MIB, `${value} of ${max}`);
  await isAccessible(tab, 'while sending');
  await browser.picture(tab, '2-sending');

  await tab.mouse.click(5, 5);
  const asked = tab.waitForEvent('dialog');
  const leaving = tab.evaluate(() => location.reload());
  const dialog = await asked;
  assert.equal(dialog.type(), 'beforeunload');
  await dialog.dismiss();
  await leaving;

  const { id } = await recordOf('slow.bin');
  await row.getByRole('button', { name: `Cancel ${isolated('slow.bin')}` }).click();
  await row.getByText('Cancelled').waitFor();
  await until('the record is gone', async () => (await api('GET', `/v1/files/${id}/metadata`)).status === 404);
  await row.getByRole('button', { name: `Try again: ${isolated('slow.bin')}` }).click();
  await arrives(tab, 'slow.bin');
});

page('at most three files are in flight', async (open) => {
  const tab = await open(faultProxy.base);
  const names = Array.from({ length: 8 }, (_, at) => `one-of-eight-${at}.txt`);
  let release;
  const hold = new Promise((resolve) => (release = resolve));
  names.forEach(() => bytesProxy().next({ method: 'PUT' }, { hold }));
  await choose(tab, await Promise.all(names.map((name) => file(name, name))));
  await until('three are being sent', () => bytesProxy().count({ method: 'PUT' }) >= 3);
  assert.equal(await tab.locator('#uploads-list .row[data-phase="queued"]').count(), 5);
  release();
  for (const name of names) {
    await arrives(tab, name);
  }
  const most = bytesProxy().mostAtOnce('PUT');
  assert.ok(most >= 1 && most <= 3, `${most} at a time`);
});

page('a lost answer ends with one file, though the second try hears 412', async (open) => {
  const tab = await open(faultProxy.base);
  bytesProxy().next({ method: 'PUT' }, { loseAnswer: true });
  // As where the store's notification is late.
  faultProxy.next({ method: 'GET', path: /metadata/ }, { rewrite: (record) => ({ ...record, status: 'pending' }) });
  await choose(tab, [await file('lost-answer.txt', 'x')]);
  await arrives(tab, 'lost-answer.txt');
  assert.equal(await listed(tab, 'lost-answer.txt').count(), 1);
  assert.equal(bytesProxy().count({ method: 'PUT' }), 2);
  assert.equal(faultProxy.count({ method: 'POST', path: /^\/v1\/files$/ }), 1);
});

page('a creation whose answer was lost makes one file', async (open) => {
  const tab = await open(faultProxy.base);
  faultProxy.next({ method: 'POST', path: /^\/v1\/files$/ }, { loseAnswer: true });
  await choose(tab, [await file('created-once.txt', 'x')]);
  await arrives(tab, 'created-once.txt');
  assert.equal(faultProxy.count({ method: 'POST', path: /^\/v1\/files$/ }), 2);
  const { body } = await api('GET', '/v1/files?limit=100');
  assert.equal(body.files.filter(({ filename }) => filename === 'created-once.txt').length, 1);
});

page('broken connections and a busy service are tried again by themselves', async (open) => {
  const tab = await open(faultProxy.base);
  faultProxy.next({ method: 'POST', path: /^\/v1\/files$/ }, { drop: true });
  faultProxy.next({ method: 'POST', path: /^\/v1\/files$/ }, { answer: BUSY });
  bytesProxy().next({ method: 'PUT' }, { cutAfter: 100_000 });
  const content = randomBytes(3 * MIB);
  await choose(tab, [await file('broken.bin', content)]);
  await sending(tab, 'broken.bin').getByText('No connection').waitFor();
  await arrives(tab, 'broken.bin');
  assert.equal((await recordOf('broken.bin')).sha256, digest(content));
});

page('what was offline goes on when the network is back', async (open, context) => {
  const tab = await open(faultProxy.base);
  await context.setOffline(true);
  await choose(tab, [await file('offline.txt', 'x')]);
  await sending(tab, 'offline.txt').getByText('You are offline').waitFor();
  await browser.picture(tab, '3-offline');
  await context.setOffline(false);
  await arrives(tab, 'offline.txt');
});

page('an upload whose URL ran out gets a fresh one', async (open) => {
  const tab = await open(hurried.base);
  const later = new Promise((resolve) => setTimeout(resolve, 3500));
  bytesProxy(hurried).next({ method: 'PUT' }, { hold: later });
  await choose(tab, [await file('late.txt', 'x')]);
  await arrives(tab, 'late.txt');
  assert.ok(hurried.count({ method: 'POST', path: /\/upload$/ }) >= 1, 'a fresh URL was asked for');
  assert.ok(bytesProxy(hurried).count({ method: 'PUT' }) >= 2);
});

page('a rejected file says why, here and in the list', async (open) => {
  const tab = await open(strict.base);
  let release;
  bytesProxy(strict).next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
  const created = tab.waitForResponse((response) => response.status() === 201);
  await choose(tab, [await file('tampered.txt', 'as declared')]);
  const { id } = await (await created).json();
  await putIntoStore(id, 'not what was declared');
  release();
  const row = sending(tab, 'tampered.txt');
  await row.getByText('The service refused what arrived').waitFor();
  await browser.picture(tab, '4-rejected');
  await isAccessible(tab, 'a rejected upload');
  await row.getByRole('button', { name: `Remove ${isolated('tampered.txt')} from this list` }).click();
  const kept = listed(tab, 'tampered.txt');
  await kept.getByText('Refused', { exact: true }).waitFor();
  assert.match(await kept.textContent(), /What arrived was refused: .*(21|bytes)/);
  assert.equal(await kept.getByRole('link', { name: 'Download' }).count(), 0);
});

// Other bytes than those that are coming, as somebody with access to the store may write them.
async function putIntoStore(id, content) {
  const place = await file(`stored-${id}`, content);
  if (setup.store) {
    const { target, bucket, aws } = setup.store;
    const where = ['--bucket', bucket, '--key', `uploads/${id}`, '--body', place];
    await promisify(execFile)(aws, ['--endpoint-url', target, 's3api', 'put-object', ...where], {
      env: { ...process.env, AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' },
    });
  } else {
    await writeFile(path.join(setup.strictData, 'objects', id.slice(-2), id), content);
  }
}

page('what is too large or not allowed is said before anything is sent', async (open) => {
  const tab = await open(strict.base);
  await tab.getByText('up to 1,000 bytes each').first().waitFor();
  await choose(tab, [await file('large.txt', 'x'.repeat(1001))]);
  const row = sending(tab, 'large.txt');
  await row.getByText('It is too large: 1,001 bytes, and the limit is 1,000 bytes. Nothing was sent.').waitFor();
  assert.equal(await row.getByRole('button', { name: /Try again/ }).count(), 0);
  assert.equal(strict.count({ method: 'POST' }), 0);
  await browser.picture(tab, '5-too-large');
});

page('a name that is too long is said too', async (open) => {
  const tab = await open(faultProxy.base);
  await tab.evaluate(() => {
    const clipboard = new DataTransfer();
    clipboard.items.add(new File(['x'], `${'n'.repeat(300)}.txt`));
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboard, bubbles: true }));
  });
  await sending(tab, 'nnn').getByText('Its name is too long').waitFor();
  assert.equal(faultProxy.count({ method: 'POST' }), 0);
});

page('a file is deleted after a question, and stays if the answer is no', async (open) => {
  const kept = await share('neighbour.txt');
  const { id } = await share('unwanted.txt');
  const tab = await open(faultProxy.base);
  const button = listed(tab, 'unwanted.txt').getByRole('button', { name: `Delete ${isolated('unwanted.txt')}` });
  await button.click();
  await tab.getByRole('dialog').waitFor();
  await isAccessible(tab, 'the question');
  await browser.picture(tab, '6-delete');
  await tab.keyboard.press('Escape');
  await tab.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal((await api('GET', `/v1/files/${id}/metadata`)).status, 200);
  await button.click();
  await tab.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await listed(tab, 'unwanted.txt').waitFor({ state: 'detached' });
  assert.equal((await api('GET', `/v1/files/${id}/metadata`)).status, 404);
  assert.equal((await api('GET', `/v1/files/${kept.id}/metadata`)).status, 200);
});

page('two tabs see what the other does, and so does another person', async (open, context) => {
  // These two would find out by themselves after a while. Without that, one has to tell the other.
  await context.addInitScript(() => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (run, ms) => (ms === 10_000 ? 0 : setTimeout(run, ms));
  });
  const [one, other] = [await open(faultProxy.base), await open(faultProxy.base)];
  await browser.visit({ origins }, async (openElsewhere) => {
    const elsewhere = await openElsewhere(faultProxy.base);
    await choose(one, [await file('from-one-tab.txt', 'x')]);
    await arrives(other, 'from-one-tab.txt');
    await arrives(elsewhere, 'from-one-tab.txt');
    await listed(other, 'from-one-tab.txt').getByRole('button', { name: /^Delete/ }).click();
    await other.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await listed(one, 'from-one-tab.txt').waitFor({ state: 'detached' });
  });
});

page('a file of somebody else goes from pending to available while one looks', async (open) => {
  const created = await create('live.txt', 5);
  const tab = await open(faultProxy.base);
  await listed(tab, 'live.txt').getByText(/^Waiting for its bytes since/).waitFor();
  await send(created, 'hello');
  await arrives(tab, 'live.txt');
});

page('a link that is copied leads to a page from which the file is fetched', async (open) => {
  const content = randomBytes(2000).toString('hex');
  const { id } = await share('passed on.txt', content);
  const tab = await open(faultProxy.base);
  await listed(tab, 'passed on.txt').getByRole('button', { name: `Copy link of ${isolated('passed on.txt')}` }).click();
  await tab.locator('.toast', { hasText: 'Link copied' }).waitFor();
  const link = await tab.evaluate(() => navigator.clipboard.readText());
  assert.match(link, /\/s\/[\w-]{43}$/);
  const { links } = (await api('GET', `/v1/files/${id}/links`)).body;
  // The service was asked at another address than the page was.
  const path = (url) => new URL(url).pathname;
  assert.deepEqual(
    links.map(({ url, hasPassword, maxDownloads, audience }) => [path(url), hasPassword, maxDownloads, audience]),
    [[path(link), false, null, 'anyone']],
  );
  // Copied again it is the same, after a reload too.
  await tab.reload();
  await listed(tab, 'passed on.txt').getByRole('button', { name: `Copy link of ${isolated('passed on.txt')}` }).click();
  await tab.locator('.toast', { hasText: 'Link copied' }).waitFor();
  assert.equal(await tab.evaluate(() => navigator.clipboard.readText()), link);

  // Whoever gets it sees a page without a script, and takes the file.
  const passed = await open(link);
  await passed.getByRole('heading', { name: 'passed on.txt' }).waitFor();
  assert.equal(await passed.locator('script').count(), 0);
  await isAccessible(passed, 'the page of a link');
  await browser.picture(passed, '7-link');
  const taking = passed.waitForEvent('download');
  await passed.getByRole('button', { name: `Download ${isolated('passed on.txt')}` }).click();
  const taken = await taking;
  assert.equal(await readFile(await taken.path(), 'utf8'), content);

  const shared = await open(`${faultProxy.base}f/${id}`);
  await shared.getByRole('heading', { name: 'passed on.txt' }).waitFor();
  await shared.getByText('Is it complete?').click();
  await shared.getByText(digest(content)).waitFor();
  await shared.getByText("sha256sum 'passed on.txt'").waitFor();
  await isAccessible(shared, 'the page of a file');
  await browser.picture(shared, '7-file');
  const downloading = shared.waitForEvent('download');
  await shared.getByRole('link', { name: 'Download' }).click();
  const download = await downloading;
  assert.equal(await readFile(await download.path(), 'utf8'), content);
  assert.equal(download.suggestedFilename(), 'passed on.txt');
});

page('the page of a file that is to be deleted says when, with its zone', async (open) => {
  const deleteAfter = '2099-12-04T10:00:00.000Z';
  const body = { filename: 'ends.txt', size: 5, deleteAfter };
  const created = (await api('POST', '/v1/files', body)).body;
  await send(created, 'hello');
  const tab = await open(`${faultProxy.base}f/${created.id}`);
  const time = tab.locator('#card time', { hasText: 'will be deleted on' });
  await time.waitFor();
  // The service has written it in UTC, and the page's script writes it as the reader does.
  const local = /^will be deleted on .*4.*2099.* (UTC|GMT|[A-Z]{3,4}|GMT[+-]\d+)$/;
  await until('the time is in the reader’s zone', async () => local.test(await time.textContent()));
  assert.equal(await time.getAttribute('datetime'), deleteAfter);
});

page('whatever comes below them, the buttons of a file stay where they are', async (open) => {
  const { id } = await share('still.txt', 'still');
  let hear;
  const held = new Promise((resolve) => { hear = resolve; });
  faultProxy.always({ method: 'GET', path: /^\/v1\/session$/ }, { hold: held });
  const tab = await open(`${faultProxy.base}f/${id}`);
  const place = () => tab.getByRole('button', { name: 'Copy link' }).boundingBox();
  const before = await place();
  hear();
  await tab.getByText('Only this computer can open').waitFor();
  assert.deepEqual(await place(), before, 'a notice has come');
  await tab.getByText('Is it complete?').click();
  await tab.getByRole('button', { name: 'Check a file' }).waitFor();
  assert.deepEqual(await place(), before, 'the checks are open');
});

page('a file that was fetched is compared without a terminal', async (open) => {
  const { id } = await share('compared.txt', 'all of it');
  const tab = await open(`${faultProxy.base}f/${id}`);
  await tab.getByText('Is it complete?').click();
  const choosing = await chooser(tab, () => tab.getByRole('button', { name: 'Check a file' }).click());
  await choosing.setFiles([await file('half.txt', 'half of it')]);
  const verdict = tab.locator('#card .check [role="status"]');
  await verdict.getByText('That is another file, or not all of it.').waitFor();
  await tab.locator('#card input[type="file"]').first().setInputFiles([await file('whole.txt', 'all of it')]);
  await verdict.getByText('That is exactly this file.').waitFor();
  await isAccessible(tab, 'a file that was compared');
  await browser.picture(tab, '21-compared');
});

page('a link that is opened early waits, and then downloads', async (open) => {
  const created = await create('early.txt', 5);
  const tab = await open(`${faultProxy.base}f/${created.id}`);
  await tab.locator('#card').getByText('The download starts by itself').waitFor();
  await isAccessible(tab, 'a file on its way');
  await browser.picture(tab, '8-waiting');
  const downloading = tab.waitForEvent('download');
  await send(created, 'hello');
  assert.equal(await readFile(await (await downloading).path(), 'utf8'), 'hello');
  await tab.locator('#card').getByText('The download has started.').waitFor();
});

page('a link to nothing says so', async (open) => {
  for (const id of ['01a20c20-0000-7000-8000-000000000000', 'nonsense']) {
    const tab = await open(`${faultProxy.base}f/${id}`);
    await tab.locator('#card').getByText('There is no such file').waitFor();
  }
});

page('a keyboard alone is enough, and one sees where it is', async (open) => {
  await share('by-keyboard.txt');
  const tab = await open(faultProxy.base);
  await listed(tab, 'by-keyboard.txt').waitFor();
  const focused = () =>
    tab.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return {
        name: element.getAttribute('aria-label') ?? element.textContent,
        isSeen: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
      };
    });
  const tabTo = async (name) => {
    for (let presses = 0; presses < 30; presses += 1) {
      await tab.keyboard.press('Tab');
      const at = await focused();
      assert.ok(at.isSeen, `one doesn’t see that ${at.name} has the focus`);
      if (name.test(at.name)) {
        return;
      }
    }
    assert.fail(`the keyboard doesn’t get to ${name}`);
  };
  await tabTo(/^Skip to the files$/);
  await tabTo(/^Choose files$/);
  const choosing = await chooser(tab, () => tab.keyboard.press('Enter'));
  await choosing.setFiles([await file('typed.txt', 'x')]);
  await arrives(tab, 'typed.txt');
  await tabTo(/^Delete .typed\.txt.$/);
  await tab.keyboard.press('Enter');
  await tab.getByRole('dialog').waitFor();
  assert.equal((await focused()).name, 'Keep it', 'the harmless answer has the focus');
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Enter');
  await listed(tab, 'typed.txt').waitFor({ state: 'detached' });
  await until('the focus is in the list', async () =>
    tab.evaluate(() => document.querySelector('#files').contains(document.activeElement)),
  );
});

page(
  'it fits a phone, and everything can be hit with a thumb',
  async (open) => {
    const { id } = await share(`${'a-very-long-name-without-end-'.repeat(5)}.pdf`);
    for (const [url, name] of [
      [faultProxy.base, '9-phone'],
      [`${faultProxy.base}f/${id}`, '10-phone-file'],
    ]) {
      const tab = await open(url);
      await tab.getByText('a-very-long-name').first().waitFor();
      // Also where the list would cut it off, so that the page itself stays narrow.
      const sticksOut = await tab.locator('body *:visible').evaluateAll((elements) =>
        elements.filter((element) => element.getBoundingClientRect().right > 320.5).map(({ tagName, className }) => `${tagName} ${className}`),
      );
      assert.deepEqual(sticksOut, []);
      assert.ok((await tab.evaluate(() => document.documentElement.scrollWidth)) <= 320, 'it can’t be scrolled');
      const tooSmall = await tab.locator('button:visible, .button:visible').evaluateAll((targets) =>
        targets
          .map((target) => [target.getAttribute('aria-label') ?? target.textContent, target.getBoundingClientRect()])
          .filter(([, { width, height }]) => width < 40 || height < 40)
          .map(([name, { width, height }]) => `${name}: ${width} × ${height}`),
      );
      assert.deepEqual(tooSmall, []);
      await isAccessible(tab, name);
      await browser.picture(tab, name);
    }
  },
  { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
);

page(
  'it is dark for whoever wants it dark, and still',
  async (open) => {
    const { id } = await share('in the dark.pdf');
    const tab = await open(faultProxy.base);
    await listed(tab, 'in the dark.pdf').waitFor();
    const [red, green, blue] = await tab.evaluate(() =>
      getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number),
    );
    assert.ok(red + green + blue < 120, 'the background is dark');
    await isAccessible(tab, 'dark');
    await browser.picture(tab, '11-dark');
    const shared = await open(`${faultProxy.base}f/${id}`);
    await shared.getByRole('heading', { name: 'in the dark.pdf' }).waitFor();
    await isAccessible(shared, 'dark, a file');
    await browser.picture(shared, '12-dark-file');
    const moving = await tab.evaluate(() =>
      [...document.querySelectorAll('*')].filter((element) => {
        const { animationName, transitionDuration } = getComputedStyle(element);
        return animationName !== 'none' || parseFloat(transitionDuration) > 0;
      }).length,
    );
    assert.equal(moving, 0, 'nothing moves for whoever wants it still');
  },
  { colorScheme: 'dark', reducedMotion: 'reduce' },
);

page(
  'it fills a projector',
  async (open) => {
    const tab = await open(faultProxy.base);
    await tab.locator('#files-list .row').first().waitFor();
    const size = await tab.evaluate(() => parseFloat(getComputedStyle(document.body).fontSize));
    assert.ok(size >= 19, `the text is ${size} px high`);
    await browser.picture(tab, '13-projector');
  },
  { viewport: { width: 1920, height: 1080 } },
);

test('under any host name, without a secure context, the bytes have their digest all the same', { timeout: 3 * LIMIT_MS }, async () => {
  const host = `http://classroom:${faultProxy.port}`;
  await browser.visit({ origins: [host, ...origins] }, async (open) => {
    const tab = await open(host);
    assert.equal(await tab.evaluate(() => globalThis.isSecureContext), false);
    const content = randomBytes(1000);
    await choose(tab, [await file('plain-http.bin', content)]);
    const row = await arrives(tab, 'plain-http.bin');
    const put = bytesProxy().requests.find(({ method }) => method === 'PUT');
    const declared = Buffer.from(put.headers['x-amz-checksum-sha256'], 'base64').toString('hex');
    assert.equal(declared, digest(content));
    const record = await recordOf('plain-http.bin');
    assert.equal(record.sha256, digest(content));
    // Copying works the old way there.
    await row.getByRole('button', { name: /^Copy/ }).click();
    await tab.locator('.toast', { hasText: 'Link copied' }).waitFor();
    await tab.evaluate(() => document.body.append(document.createElement('textarea')));
    await tab.locator('textarea').focus();
    await tab.keyboard.press('Control+V');
    const [{ url }] = (await api('GET', `/v1/files/${record.id}/links`)).body.links;
    const token = url.split('/s/')[1];
    assert.equal(await tab.locator('textarea').inputValue(), `${host}/s/${token}`);
  });
});

test('a file that changes while it is sent arrives in no mixture of both', { timeout: 3 * LIMIT_MS }, async () => {
  // Chromium goes on with what stands in the file by then.
  const host = `http://classroom:${faultProxy.port}`;
  await browser.visit({ origins: [host, ...origins] }, async (open) => {
    const tab = await open(host);
    const name = 'edited-meanwhile.bin';
    const place = await file(name, Buffer.alloc(16 * MIB, 'a'));
    bytesProxy().next({ method: 'PUT' }, { bytesPerSecond: 4 * MIB });
    await choose(tab, [place]);
    const detail = sending(tab, name).locator('.meta');
    await until('some of it is out', async () => /^[\d.,]+ (KB|MB) of 16 MB/.test(await detail.textContent()));
    await writeFile(place, Buffer.alloc(16 * MIB, 'b'));
    await sending(tab, name).getByText('it changed after it was chosen').waitFor();
    const { body } = await api('GET', '/v1/files?limit=100&status=available');
    assert.deepEqual(body.files.filter(({ filename }) => filename === name), []);
  });
});

if (setup.prefixed) {
  const { target, port, prefix } = setup.prefixed;
  test('behind a path prefix it is the same', { timeout: 3 * LIMIT_MS }, async () => {
    const proxy = await FaultProxy.open(target, { port, prefix });
    try {
      await browser.visit({ origins: [`http://127.0.0.1:${port}`] }, async (open) => {
        const tab = await open(proxy.base);
        await choose(tab, [await file('prefixed.txt', 'hello')]);
        const row = await arrives(tab, 'prefixed.txt');
        await row.getByRole('link', { name: 'prefixed.txt', exact: true }).click();
        await tab.waitForURL(new RegExp(`^${proxy.base}f/`));
        const downloading = tab.waitForEvent('download');
        await tab.getByRole('link', { name: 'Download' }).click();
        assert.equal(await readFile(await (await downloading).path(), 'utf8'), 'hello');
        await tab.getByRole('link', { name: 'All files' }).click();
        await tab.waitForURL(proxy.base);
        await tab.getByRole('link', { name: 'API' }).click();
        await tab.waitForURL(`${proxy.base}explorer`);
      });
    } finally {
      proxy.close();
    }
  });
}

// The last, since so many files would slow down what comes after.
page('hundreds of files come as one scrolls, newest first, each once', async (open) => {
  const names = Array.from({ length: 220 }, (_, at) => `many-${String(at).padStart(3, '0')}.txt`);
  for (let at = 0; at < names.length; at += 20) {
    // In their order, and not one by one.
    await Promise.all(names.slice(at, at + 20).map((name) => create(name, 1)));
  }
  const { body } = await api('GET', '/v1/files?limit=100');
  // A page that doesn't come the first time comes the next time.
  faultProxy.next({ method: 'GET', path: /cursor=/ }, { answer: { status: 503 } });
  const tab = await open(faultProxy.base);
  const rows = tab.locator('#files-list .row');
  await until('a part of the list', async () => (await rows.count()) >= 50);
  assert.ok((await rows.count()) < 220, 'not everything at once');
  await until('the end of the list', async () => {
    await tab.mouse.wheel(0, 20_000);
    return tab.locator('#files-more').isHidden();
  });
  assert.ok((await rows.count()) >= 220, `${await rows.count()} rows`);
  const links = await rows.locator('a.name').evaluateAll((all) => all.map((link) => link.href.split('/').pop()));
  assert.deepEqual(links, [...links].sort().reverse(), 'newest first');
  assert.equal(new Set(links).size, links.length, 'each once');
  assert.equal(links[0], body.files[0].id);
  // All those pending files are followed with two requests at a time.
  assert.ok(faultProxy.mostAtOnce('wait') <= 2, `${faultProxy.mostAtOnce('wait')} at a time`);
});
