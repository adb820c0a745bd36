// Says that the person has been signed out, for as long as that is so, and leads back in.
//
// Invariant: the page stays as it is. Signing in happens in another tab, since leaving this one would lose
// what is under way. The tab that gets in tells the others.

import { explain, fillOperator, operatorPart } from './explain.js';
import { h } from './dom.js';
import { strings } from './language.js';

export class SessionNotice {
  #root;
  #ports;
  #isIn = false;
  #operator = operatorPart();

  // `root` is an empty place in the page. ports: say(sentence) to a screen reader, channel {postMessage,
  // onmessage} to the other tabs, wake() for what waits for an answer.
  constructor(root, ports) {
    this.#root = root;
    this.#ports = ports;
    ports.channel.onmessage = () => {
      if (!root.hidden) {
        ports.wake();
      }
    };
    root.append(
      h('p', {}, strings.signedOut.text),
      // The page itself, anew: what asks for a sign-in lets nobody by without one.
      h('a', { className: 'button primary', href: location.href, target: '_blank', rel: 'noopener' }, strings.signedOut.signIn),
      this.#operator,
    );
  }

  // With what shows that the person is signed out, or null.
  update(problem) {
    if (problem !== null) {
      fillOperator(this.#operator, explain(problem).operator);
      if (this.#root.hidden) {
        this.#ports.say(strings.signedOut.text);
      }
    } else if (!this.#isIn) {
      this.#ports.channel.postMessage('in');
    }
    this.#isIn = problem === null;
    this.#root.hidden = this.#isIn;
  }
}

// The channel on which the tabs of a service tell each other, by the path under which it is shown.
export function sessionChannel(path) {
  return new BroadcastChannel(`file-share session ${path}`);
}
