// The rules for the page's modules and for their tests.
//
// The tools lie below target/, where neither this file nor the tests would look for them.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../../target/browser-tools/package.json', import.meta.url));
const js = require('@eslint/js');
const globals = require('globals');

const rules = {
  ...js.configs.recommended.rules,
  eqeqeq: 'error',
  'no-var': 'error',
  'prefer-const': ['error', { destructuring: 'all' }],
  // Nothing makes HTML or code of a string: the pages' policy would refuse it, and so do we.
  'no-eval': 'error',
  'no-implied-eval': 'error',
  'no-restricted-properties': [
    'error',
    ...['innerHTML', 'outerHTML', 'insertAdjacentHTML'].map((property) => ({ property })),
  ],
};

export default [
  { files: ['web/*.js', 'packages/npm/src/*.js'], languageOptions: { globals: globals.browser }, rules },
  {
    files: ['tests/browser/**/*.mjs', 'tests/tools/*.mjs', 'packages/npm/*.mjs'],
    // What is evaluated in the page stands among the rest.
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
    rules,
  },
];
