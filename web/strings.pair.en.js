// What the page says where somebody lets a program in, in English, beside strings.en.js.
//
// Invariant: texts only. Times come in already formatted.

export const strings = {
  language: 'en',

  pair: {
    title: 'Let a program in',
    hint: 'Type the code that your program shows, such as fshare in a terminal. Never type one that somebody gave you.',
    code: 'Code',
    next: 'Go on',
    question: 'Let this program in?',
    client: 'It calls itself',
    from: 'It asks from',
    fromUnknown: 'an address that isn’t known',
    began: 'It began',
    consequence: 'It can then see, fetch, send and delete files as you can, for 90 days or until its token is revoked.',
    warning: 'Only go on if you started it yourself, just now.',
    yes: 'Let it in',
    no: 'Don’t',
    done: 'It is let in',
    goBack: ' goes on by itself. You can close this page.',
    notForGuests:
      'As a guest you fetch what others pass on to you, and no program can act for you. Ask whoever runs this service.',
    notNeeded: 'This service asks nobody who they are, so programs need no token here.',
    why: {
      noCode: 'A code has eight letters, such as BCDF-GHJK. Compare it with what the program shows.',
      unknown: 'No program waits with this code. Compare it with what the program shows, or begin again there.',
      tooMany: (minutes) =>
        `Too many codes were wrong. ${minutes === 1 ? 'Try again in a minute.' : `Try again in ${minutes} minutes.`}`,
      unreachable: 'The service can’t be reached right now. Try again soon.',
    },
  },
};
