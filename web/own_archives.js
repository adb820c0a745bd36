// The archives that the browser has for this page alone while they are made and saved.
//
// Invariant: whoever makes one holds a lock with its name, from before it is there until it was saved, and no page removes
// what is held. What a page left behind, since it or the browser was closed, is removed by the next one: at once if it was
// never finished, else once the browser has certainly saved it.
//
// Absent on purpose: how an archive is made. Where a browser has no place of this kind, nothing is done and nothing fails.

// An archive, and what Chrome writes into before it is one: that stays behind where the browser was ended.
const NAME = /^(archive-\d+-[0-9a-z]+\.zip)(\.crswap)?$/;
// While the browser saves a finished one, it has to be there.
export const SAVED_WITHIN_MS = 10 * 60_000;
// Where there are no locks, one that nobody has touched for so long is nobody's.
export const FORGOTTEN_AFTER_MS = 24 * 60 * 60_000;

// The next page goes on.
const MOST_AT_A_TIME = 100;

const lockOf = (name) => `file-share ${name}`;

// What a page has of its browser for this; `folder` is null where there is none.
async function ofBrowser() {
  const { storage, locks = null } = globalThis.navigator ?? {};
  const folder = await Promise.resolve(storage?.getDirectory?.()).catch(() => null);
  return { folder: folder ?? null, locks, now: Date.now() };
}

export async function removeLeftOver(browser = ofBrowser()) {
  try {
    const { folder, locks, now } = await browser;
    if (folder === null) {
      return;
    }
    const names = [];
    for await (const name of folder.keys()) {
      if (NAME.test(name)) {
        names.push(name);
      }
    }
    // One by one, since two names may have one lock.
    for (const name of names.slice(0, MOST_AT_A_TIME)) {
      await removeOne(folder, name, locks, now);
    }
  } catch {
    // The next page looks again.
  }
}

async function removeOne(folder, name, locks, now) {
  const [, archive, swap] = NAME.exec(name);
  const remove = async (isOver) => {
    const { size, lastModified } = await (await folder.getFileHandle(name)).getFile();
    if (isOver({ size, age: now - lastModified })) {
      await folder.removeEntry(name);
    }
  };
  // One that another page has just removed, or still writes to where there are no locks, isn't given up by the browser.
  await (locks === null
    ? remove(({ age }) => age > FORGOTTEN_AFTER_MS)
    : // Whoever makes one holds its lock before it is there: so it isn't taken away between a look and a step.
      locks.request(lockOf(archive), { ifAvailable: true }, (lock) =>
        lock === null ? null : remove(({ size, age }) => swap !== undefined || size === 0 || age > SAVED_WITHIN_MS),
      )
  ).catch(() => {});
}

// A new one: {handle, remove}. It is held until it is removed, or the page goes. Rejects where the browser has no such.
export async function newArchive(browser = ofBrowser()) {
  const { folder, locks, now } = await browser;
  if (folder === null) {
    throw new Error('no folder');
  }
  const name = `archive-${now}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}.zip`;
  const release = locks === null ? () => {} : await held(locks, lockOf(name));
  const remove = async () => {
    await folder.removeEntry(name).catch(() => {});
    release();
  };
  try {
    return { handle: await folder.getFileHandle(name, { create: true }), remove };
  } catch (error) {
    release();
    throw error;
  }
}

// Resolves, once the lock is held, to what gives it up.
function held(locks, name) {
  return new Promise((resolve, reject) => {
    locks.request(name, () => new Promise((release) => resolve(release))).catch(reject);
  });
}
