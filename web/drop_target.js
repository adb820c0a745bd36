// A part of a page that takes one file at a time.
//
// Invariant: a drop that misses never makes the browser leave the page.

const OVER = 'is-over';

let isGuarded = false;

export function takeDrops(element, onFile) {
  guardPage();
  element.addEventListener('dragover', (event) => {
    if (bringsFiles(event)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
      element.classList.add(OVER);
    }
  });
  element.addEventListener('dragleave', () => element.classList.remove(OVER));
  element.addEventListener('drop', (event) => {
    element.classList.remove(OVER);
    const [file] = event.dataTransfer.files;
    if (file) {
      event.preventDefault();
      void onFile(file);
    }
  });
}

function bringsFiles(event) {
  return [...event.dataTransfer.types].includes('Files');
}

function guardPage() {
  if (isGuarded) {
    return;
  }
  isGuarded = true;
  for (const type of ['dragover', 'drop']) {
    document.addEventListener(type, (event) => {
      if (bringsFiles(event) && !event.defaultPrevented) {
        event.preventDefault();
        event.dataTransfer.dropEffect = 'none';
      }
    });
  }
}
