// Asks for older files as the end of the list comes near.
//
// Invariant: one page after the other, with a pause after one that couldn't be had. Where the browser was too busy to
// tell of each change by itself, the last one counts.

// After older files couldn't be fetched.
const AGAIN_MS = 3000;
// How far above the end of the list the next page is asked for.
const AHEAD = '600px';

// `end` stands behind the last file. isWanted() is whether anything is to be asked for by itself; older() resolves to
// whether it is worth doing again at once.
export function getOlderAhead(end, { isWanted, older, after }) {
  const observer = new IntersectionObserver(
    async (entries) => {
      if (entries.at(-1).isIntersecting) {
        const goesOn = isWanted() && (await older());
        // The observer tells of changes only, and the end may be as near as before.
        after(goesOn ? 0 : AGAIN_MS, () => {
          observer.unobserve(end);
          observer.observe(end);
        });
      }
    },
    { rootMargin: AHEAD },
  );
  observer.observe(end);
}
