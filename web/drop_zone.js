// Where files come in: a drop anywhere on the page, the two buttons, and the clipboard.
//
// Invariant: a drop that misses never makes the browser leave the page.

import { byId } from './dom.js';
import { fromClipboard, fromDrop, fromInput } from './collect_files.js';

// onFiles gets {files, isCut, unreadable}.
export function openDropZone({ max, pastedName, onFiles }) {
  choose(byId('choose-files'), byId('files-input'), max, onFiles);
  choose(byId('choose-folder'), byId('folder-input'), max, onFiles);
  watchDrags(async (transfer) => onFiles(await fromDrop(transfer, max)));
  document.addEventListener('paste', (event) => {
    const files = fromClipboard(event.clipboardData, pastedName());
    if (files.length > 0) {
      event.preventDefault();
      onFiles({ files: files.slice(0, max), isCut: files.length > max, unreadable: [] });
    }
  });
}

function choose(button, input, max, onFiles) {
  button.addEventListener('click', () => input.click());
  input.addEventListener('change', () => {
    const gathered = fromInput(input.files, max);
    // So that the same file can be chosen again.
    input.value = '';
    if (gathered.files.length > 0) {
      onFiles(gathered);
    }
  });
}

function watchDrags(onDrop) {
  const zone = byId('drop');
  // Enter and leave come for every element on the way: the drag is over when they are even.
  let depth = 0;
  const show = () => {
    zone.classList.toggle('is-over', depth > 0);
    byId('drop-veil').hidden = depth === 0;
  };
  const bringsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  document.addEventListener('dragenter', (event) => {
    if (bringsFiles(event)) {
      depth += 1;
      show();
    }
  });
  document.addEventListener('dragleave', (event) => {
    if (bringsFiles(event)) {
      depth = Math.max(0, depth - 1);
      show();
    }
  });
  document.addEventListener('dragover', (event) => {
    if (bringsFiles(event)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
    }
  });
  document.addEventListener('drop', (event) => {
    if (bringsFiles(event)) {
      event.preventDefault();
      depth = 0;
      show();
      void onDrop(event.dataTransfer);
    }
  });
}
