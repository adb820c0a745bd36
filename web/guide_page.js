// Copies the programs of the guide.
//
// Invariant: what is copied is what stands there, with nothing before or behind it.

import { copyText } from './copy.js';
import { byId, setText } from './dom.js';

const SHOWN_MS = 2000;

for (const button of document.querySelectorAll('.copy')) {
  const name = button.textContent;
  let timer;
  button.addEventListener('click', async () => {
    const program = button.closest('.program').querySelector('code').textContent;
    // Emptied before, since what stays the same isn't said again.
    byId('said').textContent = '';
    const said = (await copyText(program)) ? 'Copied' : 'Not copied';
    setText(button, said);
    byId('said').textContent = said;
    clearTimeout(timer);
    timer = setTimeout(() => setText(button, name), SHOWN_MS);
  });
}
