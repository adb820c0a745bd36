// What a page that sends files needs of the browser, whichever page it is.
//
// Invariant: bytes go where the page's own policy lets them go, and nowhere else.

// What the service says of itself in the page.
export function told(name) {
  return document.querySelector(`meta[name="${name}"]`).content;
}

export const now = () => Date.now();

export function after(ms, run) {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}

export function newName() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
}

// Why the page can't send to this URL, or null.
export function reach(url) {
  const { protocol, origin } = new URL(url);
  if (location.protocol === 'https:' && protocol === 'http:') {
    return { code: 'mixed', origin };
  }
  const reachable = [location.origin, told('store-origin')].filter(Boolean).map((one) => new URL(one).origin);
  return reachable.includes(origin) ? null : { code: 'elsewhere', origin };
}
