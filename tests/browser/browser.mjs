// The real browser, and what every page that it shows has to hold.
//
// Invariant: a visit fails if the page asked another host for anything, if its Content-Security-Policy
// had to stop something, or if a script failed, whatever else the test looked at.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// They lie below target/, where a plain import wouldn't look for them.
const require = createRequire(new URL('../../target/browser-tools/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A host name that isn't this machine's to the browser: no secure context.
  '--host-resolver-rules=MAP classroom 127.0.0.1',
];

// Generous, since a test machine has other things to do.
export const LIMIT_MS = 60_000;

export class Browser {
  #browser;
  #pictures;

  // Pictures for a person to look at go into target/browser-pictures/{mode}/.
  static async start(mode) {
    assert.ok(existsSync(CHROMIUM), `no browser at ${CHROMIUM}: run \`make test\`, or set CHROMIUM`);
    const browser = new Browser();
    browser.#pictures = fileURLToPath(new URL(`../../target/browser-pictures/${mode}/`, import.meta.url));
    mkdirSync(browser.#pictures, { recursive: true });
    browser.#browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
    return browser;
  }

  async stop() {
    await this.#browser?.close();
  }

  // A person's browser: `visit` gets a function that opens pages in it. With `folder` it keeps there what it keeps, as
  // people's do; else in memory, and forgets it.
  async visit({ origins, folder = null, flags = [], ...options }, use) {
    const wanted = {
      viewport: { width: 1100, height: 900 },
      permissions: ['clipboard-read', 'clipboard-write'],
      locale: 'en-GB',
      ...options,
    };
    const context =
      folder === null
        ? await this.#browser.newContext(wanted)
        : await chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, headless: true, args: [...FLAGS, ...flags], ...wanted });
    context.setDefaultTimeout(LIMIT_MS);
    const faults = [];
    await context.exposeFunction('tellOfViolation', (violation) => faults.push(`policy: ${violation}`));
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) =>
        globalThis.tellOfViolation(`${event.violatedDirective} ${event.blockedURI}`),
      );
    });
    context.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && protocol !== 'blob:' && !origins.includes(origin)) {
        faults.push(`asked ${request.url()}`);
      }
    });
    context.on('weberror', (error) => faults.push(`script: ${error.error()}`));
    try {
      const open = async (url) => {
        const page = await context.newPage();
        await page.goto(url);
        return page;
      };
      await use(open, context);
      assert.deepEqual(faults, []);
    } finally {
      await context.close();
    }
  }

  async picture(page, name) {
    // As it is when everything that moves has come to rest.
    await page.screenshot({ path: path.join(this.#pictures, `${name}.png`), animations: 'disabled' });
  }
}

// Of the browser that keeps what it keeps in this folder: its own process and those of its pages, by their IDs.
function processesOf(folder) {
  const commands = new Map(
    readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((id) => {
      try {
        return [id, readFileSync(`/proc/${id}/cmdline`, 'utf8')];
      } catch {
        return [id, ''];
      }
    }),
  );
  const own = [...commands].filter(([, command]) => command.includes(`--user-data-dir=${folder}`));
  // Some write theirs anew, with blanks.
  const typeOf = (command) => /--type=([\w-]+)/.exec(command)?.[1] ?? 'browser';
  const [browser] = own.find(([, command]) => typeOf(command) === 'browser');
  const below = (id) => [id, ...[...commands.keys()].filter((one) => parentOf(one) === id).flatMap(below)];
  return below(browser).map((id) => ({ id, type: typeOf(commands.get(id)) }));
}

function parentOf(id) {
  try {
    return readFileSync(`/proc/${id}/stat`, 'utf8').replace(/^.*\) . /s, '').split(' ')[0];
  } catch {
    return null;
  }
}

// The most memory that the processes of that browser have taken since `forgetPeaks`, in bytes, by what they are.
export function peaksOf(folder) {
  const peaks = {};
  for (const { id, type } of processesOf(folder)) {
    const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, 'utf8')) ?? [null, 0];
    peaks[type] = Math.max(peaks[type] ?? 0, Number(kib) * 1024);
  }
  return peaks;
}

// What was taken up to now doesn't count. https://docs.kernel.org/filesystems/proc.html: 5 resets the peak.
export function forgetPeaks(folder) {
  processesOf(folder).forEach(({ id }) => writeFileSync(`/proc/${id}/clear_refs`, '5'));
}

// Nothing that keeps a person with a disability from using the page, or the part of it that a selector names.
export async function isAccessible(page, what, part = 'html') {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((selector) => globalThis.axe.run(selector), part);
  const found = violations.map(({ id, impact, nodes }) => `${impact}: ${id} at ${nodes.map((n) => n.target)}`);
  assert.deepEqual(found, [], what);
}

// Drags files or folders of this machine onto the page, as a person does with the mouse: to the middle of where they
// belong, or to another place.
export async function drop(page, paths, elsewhere = null) {
  const session = await page.context().newCDPSession(page);
  const place = elsewhere ?? middle(await page.locator('#drop').boundingBox());
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop']) {
    await session.send('Input.dispatchDragEvent', { type, ...place, data });
  }
  await session.detach();
}

// The chooser of files that a click or a key opens. The browser is told by a message of its own that somebody listens, and
// input may overtake it: then the chooser is the system's, and nobody hears of it. What is asked behind that message
// isn't answered before it.
export async function chooser(page, open) {
  const choosing = page.waitForEvent('filechooser');
  await page.evaluate(() => {});
  await open();
  return choosing;
}

function middle({ x, y, width, height }) {
  return { x: x + width / 2, y: y + height / 2 };
}

// Waits until `look` gives something true, and gives that.
export async function until(what, look) {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `it never came to this: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
