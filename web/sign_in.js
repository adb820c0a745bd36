// Puts together what both pages need to let people in: the session, what shows it, and the API that is asked only
// while somebody is in.
// The root element says what is shown to whom: `data-session`, and the role that an issuer gives in `data-role`.
//
// Invariant: what belongs to files is hidden as a whole, by the root element's `data-session`, as long as nobody is
// in. It stays as it is behind that, so that what is under way goes on.

import { Api } from './api.js';
import { byId, setText } from './dom.js';
import { openLanguageSwitch } from './language_switch.js';
import { IssuerPanel } from './issuer_panel.js';
import { takeKeys } from './key_link.js';
import { strings } from './language.js';
import { Session } from './session.js';
import { SessionNotice, sessionChannel } from './session_notice.js';
import { SignInPanel } from './sign_in_panel.js';

// `base` is the service's URL. wake() is called when what waits for a sign-in may go on. Gives the API, the session,
// a promise of the moment when the page may begin, and whose files these are then.
export function openSession({ base, liveRegion, wake }) {
  const root = document.documentElement;
  const isAtIssuer = root.dataset.signIn === 'oidc';
  const panel = isAtIssuer
    ? new IssuerPanel(byId('sign-in'), () => api.signInAt(location))
    : new SignInPanel(byId('sign-in'), (key) => session.signIn(key));
  const notice = new SessionNotice(byId('session'), (sentence) => liveRegion.say(sentence));
  let before = null;

  function show({ standing, who = null, ...why }) {
    root.dataset.session = standing;
    root.dataset.role = who?.role ?? '';
    setText(byId('who'), who?.name ?? '');
    if (standing === 'out') {
      before ??= putAside();
      panel.show(why);
    } else {
      panel.hide();
      if (before !== null) {
        bringBack(before);
        liveRegion.say(strings.signIn.done);
        before = null;
      }
    }
  }

  // The service may show a file with the page to somebody who is in, and is asked all the same.
  const standing = root.dataset.session === 'in' ? 'asking' : root.dataset.session;
  const session = new Session(standing, {
    channel: sessionChannel(base.pathname),
    now: () => performance.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    wake,
    show,
    showProxy: (problem) => notice.update(problem),
    startAnew: () => location.reload(),
  });
  const languageSwitch = byId('language');
  if (languageSwitch !== null) {
    openLanguageSwitch(languageSwitch);
  }
  byId('sign-out').addEventListener('click', async () => {
    if (!(await session.signOut())) {
      liveRegion.show(strings.signIn.signOutFailed);
    }
  });
  const api = new Api(base, session);
  const isIn = session.begin(api, takeKeys((key) => void session.signIn(key)));
  // Whoever sees only what others pass on has no list and uploads nothing.
  const isGuest = () => root.dataset.role === 'guest';
  return { api, session, isIn, isGuest, owner: () => session.owner };
}

// What would still show something of a file: its name in the tab's title, and a question about it.
function putAside() {
  const before = { title: document.title, focused: document.activeElement };
  document.title = strings.product;
  document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
  return before;
}

function bringBack({ title, focused }) {
  if (document.title === strings.product) {
    document.title = title;
  }
  // Not to the button that signs out, where one more press would do it again.
  if (focused?.isConnected && focused.id !== 'sign-out') {
    focused.focus();
  }
}
