// What <file-share-drop> looks like by itself: like the page around it.
//
// Invariant: colours are the page's own, or the two custom properties, so that whatever could be read stays readable,
// in the dark and in a forced palette too. Nothing moves.

const SHEET = `
  :host {
    display: block;
    --accent: var(--file-share-accent, currentColor);
    --radius: var(--file-share-radius, 0.75rem);
  }
  :host([hidden]), [hidden] { display: none !important }
  [part~='zone'] {
    display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; justify-content: center;
    padding: 1.5rem; border: 2px dashed var(--accent); border-radius: var(--radius);
  }
  [part~='zone-over'] { border-style: solid }
  p { margin: 0 }
  button {
    font: inherit; color: inherit; background: transparent; cursor: pointer;
    min-height: 2.75rem; padding: 0.25rem 1rem;
    border: 1.5px solid var(--accent); border-radius: calc(var(--radius) / 2);
  }
  button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
  button:disabled { cursor: not-allowed; opacity: 0.6 }
  [part~='list'] { list-style: none; margin: 0.75rem 0 0; padding: 0; display: grid; gap: 0.5rem }
  [part~='item'] { display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem; align-items: center }
  [part~='name'] { flex: 1 1 10rem; min-width: 0; overflow-wrap: anywhere }
  [part~='progress'] { flex: 1 1 6rem; accent-color: var(--file-share-accent, auto) }
  [part~='status'] {
    position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
  }
`;

let sheet;

export function dropStyle() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(SHEET);
  }
  return sheet;
}
