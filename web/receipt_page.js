// The page at `/receipt`, where whoever was given a receipt checks it, and the file that it is about.
//
// Invariant: neither the receipt nor the file leaves this computer. What a receipt says is shown only once its signature was
// verified by the keys of this service.

import { Api } from './api.js';
import { fileCheck } from './check_file.js';
import { byId, fillIn } from './dom.js';
import { Format } from './format.js';
import { locale, ofLanguage, strings } from './language.js';
import { openLanguageSwitch } from './language_switch.js';
import { facts, receiptCheck } from './receipt.js';
import { strings as de } from './strings.receipt.de.js';
import { strings as en } from './strings.receipt.en.js';

const base = new URL(`${document.documentElement.dataset.base}/`, location.href);
const words = ofLanguage([en, de]);
const format = new Format({ strings, locale });
const api = new Api(base);

function show(claims) {
  byId('claims').hidden = claims === null;
  byId('facts').replaceChildren(...(claims === null ? [] : [facts(claims, { strings, format })]));
  byId('file').replaceChildren(...(claims === null ? [] : fileCheck(claims, { strings })));
}

fillIn({ ...strings, ...words });
openLanguageSwitch(byId('language'));
document.title = strings.title(words.receiptView.check);
const server = base.href.replace(/\/$/, '');
const [, ...parts] = receiptCheck(null, { strings, format, keys: () => api.receiptKeys(), server, onClaims: show });
byId('receipt').append(...parts);
