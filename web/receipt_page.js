// The page at `/receipt`, where whoever was given a receipt checks it, and the file that it is about.
//
// Invariant: neither the receipt nor the file leaves this computer. What a receipt says is shown only once its signature was
// verified by the keys of this service.

import { Api } from './api.js';
import { fileCheck } from './check_file.js';
import { byId, fillIn } from './dom.js';
import { Format } from './format.js';
import { locale, strings } from './language.js';
import { openLanguageSwitch } from './language_switch.js';
import { facts, receiptCheck } from './receipt.js';

const base = new URL(`${document.documentElement.dataset.base}/`, location.href);
const format = new Format({ strings, locale });
const api = new Api(base);

function show(claims) {
  byId('claims').hidden = claims === null;
  byId('facts').replaceChildren(...(claims === null ? [] : [facts(claims, { strings, format })]));
  byId('file').replaceChildren(...(claims === null ? [] : fileCheck(claims, { strings })));
}

fillIn(strings);
openLanguageSwitch(byId('language'));
document.title = strings.title(strings.receiptView.check);
const server = base.href.replace(/\/$/, '');
const [, ...parts] = receiptCheck(null, { strings, format, keys: () => api.receiptKeys(), server, onClaims: show });
byId('receipt').append(...parts);
