// Leads to the other language, and has the browser remember that.

import { keepLanguage, strings } from './language.js';

// `button` says where it leads, in that language. A page that is loaded anew asks first if something would be lost.
export function openLanguageSwitch(button) {
  button.lang = strings.switchToTag;
  button.addEventListener('click', () => {
    keepLanguage(strings.switchToTag);
    location.reload();
  });
}
