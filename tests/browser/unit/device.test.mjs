// What a device has of its own: a screen that can be kept on.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { ScreenLock } from '../../../web/share.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));
let held = 0;
let asked = 0;
let refuses = false;

beforeEach(() => {
  [held, asked, refuses] = [0, 0, false];
  globalThis.document = { hidden: false };
  const request = async () => {
    asked += 1;
    if (refuses) {
      throw new Error('the battery is low');
    }
    held += 1;
    const lock = { released: false };
    lock.release = async () => {
      held -= Number(!lock.released);
      lock.released = true;
    };
    return lock;
  };
  Object.defineProperty(globalThis, 'navigator', { value: { wakeLock: { request } }, configurable: true });
});

test('the screen stays on while it is wanted, and is asked for once', async () => {
  const screen = new ScreenLock();
  for (const isWanted of [true, true, true]) {
    screen.want(isWanted);
  }
  await settle();
  assert.deepEqual([asked, held], [1, 1]);
  screen.want(false);
  await settle();
  assert.equal(held, 0);
});

test('what ends before the browser has answered leaves no screen on', async () => {
  const screen = new ScreenLock();
  screen.want(true);
  screen.want(false);
  await settle();
  assert.equal(held, 0);
});

test('a page that is seen again asks anew, and one that is hidden or refused goes on without', async () => {
  const screen = new ScreenLock();
  document.hidden = true;
  screen.want(true);
  await settle();
  assert.equal(asked, 0);
  document.hidden = false;
  refuses = true;
  await screen.renew();
  assert.deepEqual([asked, held], [1, 0]);
  refuses = false;
  await screen.renew();
  assert.deepEqual([asked, held], [2, 1]);
});
