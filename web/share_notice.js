// Links for others in a page: what they name, and once a notice where nobody else can open them.
//
// Invariant: decides nothing; `share_address.js` does.

import { h } from './dom.js';
import { fillOperator, operatorPart } from './explain.js';
import { strings } from './language.js';
import { ShareAddress } from './share_address.js';

const HTTP_PORT = '80';

// `root` is an empty place in the page. isIn resolves when the service may be asked. onChange() is called when another
// address may be known, by what shows links; onSession(answer) with all that the service says of the session then.
export function openShareAddress({ base, api, isIn, root, onChange = () => {}, onSession = () => {} }) {
  const operator = operatorPart();
  fillOperator(operator, strings.onlyHere.operator(location.port || HTTP_PORT));
  root.append(h('p', {}, strings.onlyHere.text), operator);
  const ask = async () => {
    const answer = await api.session();
    onSession(answer);
    return answer;
  };
  const address = new ShareAddress(base, ask, () => {
    root.hidden = !address.isForNobodyElse;
    onChange();
  });
  const look = () => void isIn.then(() => address.look());
  window.addEventListener('online', look);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) {
      look();
    }
  });
  // After what the page shows first.
  setTimeout(look);
  return address;
}
