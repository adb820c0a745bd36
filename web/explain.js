// What went wrong, in words: for whoever sees it, and folded away for whoever can change it.
//
// Invariant: every problem has a sentence. Decides nothing.

import { h } from './dom.js';
import { strings } from './language.js';

const FIRST_OF_SERVERS = 500;

// What one page alone has reasons for: a sentence, or a function of the problem, by the problem's code.
const OTHERS = new Map();

export function alsoExplain(reasons) {
  Object.entries(reasons).forEach(([code, reason]) => OTHERS.set(code, reason));
}

// → {text, operator}; the second is null where an operator can change nothing. `format` writes sizes.
export function explain(problem, format) {
  switch (problem?.code) {
    case undefined:
      return plain('');
    case 'intermediary':
      return ofIntermediary(problem.status);
    case 'signedOut':
      return problem.by === 'service' ? plain(strings.signedOut.text) : ofSignIn(problem.status);
    case 'misdirected':
      return { text: strings.misdirected.text, operator: strings.misdirected.operator(location.origin) };
    case 'elsewhere':
    case 'mixed': {
      const { text, operator } = strings[problem.code];
      return { text: text(problem.origin), operator: operator(location.origin) };
    }
    default:
      return plain(ownReason(problem, format));
  }
}

// A folded part for the operator, to be filled by `fillOperator`.
export function operatorPart() {
  return h('details', { className: 'operator', hidden: true }, h('summary', {}, strings.forOperator), h('p'));
}

export function fillOperator(part, operator) {
  part.hidden = operator === null;
  const text = operator ?? '';
  if (part.lastElementChild.textContent !== text) {
    part.lastElementChild.textContent = text;
    part.open = false;
  }
}

// What the service, the store or the page itself has against a file.
function ownReason(problem, format) {
  const { why } = strings;
  switch (problem.code) {
    case 'tooLarge':
      return why.tooLarge(...format.sizes(problem.size, problem.limit));
    case 'rejected':
      // What the virus scanner found has words of its own, by its code.
      return why[problem.reasonCode] ?? why.rejected(problem.reason ?? why.unsaid);
    case 'problem':
    case 'store':
      return why[problem.code](problem.detail);
    default: {
      const reason = OTHERS.get(problem.code) ?? why[problem.code];
      return typeof reason === 'function' ? reason(problem) : reason;
    }
  }
}

function ofIntermediary(status) {
  const words = strings.intermediary;
  const { text, operator } = words[status] ?? (status >= FIRST_OF_SERVERS ? words.away : words.other);
  return { text: text(status), operator: operator(status) };
}

function ofSignIn(status) {
  const { text, operator, redirect } = strings.signedOut;
  return { text, operator: operator(status === 'redirect' ? redirect : status) };
}

function plain(text) {
  return { text, operator: null };
}
