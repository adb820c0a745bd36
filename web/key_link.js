// The key in the address of the link that the service printed: `#key=fsk_…`.
//
// Invariant: runs as soon as it is there, before the rest of a page. When it has run, the key is in no address and
// no entry of the tab's history, and whoever asks for it here gets it once. It is kept nowhere else.

const FIELD = 'key';
const BEGINNING = `#${FIELD}=`;

let kept = null;
let use = (key) => {
  kept = key;
};

// The key in the fragment of an address, which may be an empty one; null if there is none.
export function keyIn(fragment) {
  const key = fragment.startsWith(BEGINNING) ? new URLSearchParams(fragment.slice(1)).get(FIELD) : null;
  return key === null ? null : key.trim();
}

// What somebody gives as the key: also the whole link, since that is what they have.
export function keyOf(text) {
  const at = text.indexOf(BEGINNING);
  return at < 0 ? text.trim() : keyIn(text.slice(at));
}

// Gives the key that the page was opened with, or null. `whoever` gets those with which it is opened again: then
// only the fragment changes, and the page stays.
export function takeKeys(whoever) {
  const first = kept;
  kept = null;
  use = whoever;
  return first;
}

function take() {
  const key = keyIn(location.hash);
  if (key !== null) {
    // Not by its path alone: behind `//` that would be another host's.
    history.replaceState(history.state, '', location.href.split('#')[0]);
    use(key);
  }
}

// Not in a test without a browser.
if (globalThis.location !== undefined) {
  take();
  window.addEventListener('hashchange', take);
}
