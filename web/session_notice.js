// Says that a proxy has signed the person out, for as long as that is so, and leads back in.
//
// Invariant: the page stays as it is. Signing in happens in another tab, since leaving this one would lose
// what is under way. Decides nothing: session.js does.

import { explain, fillOperator, operatorPart } from './explain.js';
import { h } from './dom.js';
import { strings } from './language.js';

export class SessionNotice {
  #root;
  #say;
  // The page itself, anew: what asks for a sign-in lets nobody by without one.
  #again = h(
    'a',
    { className: 'button primary', href: location.href, target: '_blank', rel: 'noopener' },
    strings.signedOut.signIn,
  );
  #operator = operatorPart();

  // `root` is an empty place in the page; say(sentence) goes to a screen reader.
  constructor(root, say) {
    this.#root = root;
    this.#say = say;
    root.append(
      h('p', {}, strings.signedOut.text),
      this.#again,
      this.#operator,
    );
  }

  // With what shows that the person is signed out, or null.
  update(problem) {
    if (problem !== null) {
      // As it is now: on some pages the address changes.
      this.#again.href = location.href;
      fillOperator(this.#operator, explain(problem).operator);
      if (this.#root.hidden) {
        this.#say(strings.signedOut.text);
      }
    }
    this.#root.hidden = problem === null;
  }
}

// The channel on which the tabs of a service tell each other, by the path under which it is shown.
export function sessionChannel(path) {
  return new BroadcastChannel(`file-share session ${path}`);
}
