// The address that leads to the issuer, and from there back to a page of the service.
//
// Invariant: pure. The way back is named from the service's own root, with what the page was asked for by, wherever in a
// host the service lies.

// `base` is the service's URL, with a slash at its end; `page` is a page's, such as `location`.
export function signInAt(base, page) {
  const returnTo = `/${page.pathname.slice(base.pathname.length)}${page.search}`;
  return new URL(`v1/session/start?${new URLSearchParams({ returnTo })}`, base).href;
}
