// An OpenID Connect issuer for tests: oidc-provider, an implementation that isn't ours, with some people.
//
// Invariant: it listens on loopback only, keeps everything in memory, and ends with whoever started it (its
// standard input). Its first line on standard output is its URL.
//
// What it offers: the code flow with PKCE for `files` (secret `files-secret`) and `files-public`, refresh tokens,
// client credentials for `program` (secret `program-secret`), access tokens that are JWTs for the resource
// `urn:file-share:ALGORITHM`, and the end of a session.
//
//   POST /control/rotate              a new key signs; those before it stay listed
//   POST /control/rotate {forget}     those before it are gone
//   POST /control/groups {person, groups}
//   POST /control/addresses {base}    `files-web` (secret `files-web-secret`) may send people back to a service there
//   POST /control/program {groups, first?, seconds?}
//                                     the program's groups, those in its next token, and how long its tokens live

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import { text } from 'node:stream/consumers';

const { Provider } = await import(
  new URL('../../target/browser-tools/node_modules/oidc-provider/lib/index.js', import.meta.url));

const RESOURCE = 'urn:file-share:';
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const people = new Map([
  ['alice', { name: 'Alice Adams', email: 'office@example.org', groups: ['admins'] }],
  ['bob', { name: 'Bob Brown', email: 'office@example.org', groups: ['members'] }],
  ['erin', { name: 'Erin Evans', email: 'erin@example.org', groups: ['members'] }],
  ['carol', { name: 'Carol Clark', email: 'carol@example.org', groups: ['guests'] }],
  ['dave', { name: 'Dave <b>Dunn</b>', email: 'dave@example.org', groups: ['others'] }],
]);

// What tokens of `program` have: no groups, unless they are given some.
let program = { seconds: 300 };

// Node 20 may wait for ever while it exports a key. Whoever starts this notices and starts another one, so all keys
// are made before its first line. Those of RSA take long and differ in their names alone.
const MAX_ROTATIONS = 2;
const key = (kind, options, algorithm) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig',
});
const named = (jwk) => ({ ...jwk, kid: `${jwk.alg}-${randomUUID()}` });
const rsa = ['RS256', 'PS256'].map((algorithm) => key('rsa', { modulusLength: 2048 }, algorithm));
const prepared = Array.from({ length: 1 + MAX_ROTATIONS }, () => [
  ...rsa, key('ec', { namedCurve: 'P-256' }, 'ES256'), key('ed25519', {}, 'EdDSA'),
].map(named));
const newKeys = () => prepared.pop();

// Of a native client any port of a loopback address is right, as it is for the services that tests start.
const signsPeopleIn = {
  application_type: 'native',
  redirect_uris: [
    'http://127.0.0.1/v1/session/callback', 'http://127.0.0.1/share/v1/session/callback',
    'https://files.example.org/v1/session/callback',
  ],
  post_logout_redirect_uris: ['http://127.0.0.1/', 'http://127.0.0.1/share/'],
  grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid profile email groups',
};

// Where those are that aren't on a loopback address: a client of another kind, to which each of them has to be known.
const addresses = ['https://files.example.org'];
const signsPeopleInElsewhere = () => ({
  ...signsPeopleIn,
  application_type: 'web',
  client_id: 'files-web',
  client_secret: 'files-web-secret',
  redirect_uris: addresses.map((base) => `${base}/v1/session/callback`),
  post_logout_redirect_uris: addresses.map((base) => `${base}/`),
});

const configuration = (keys) => ({
  jwks: { keys },
  cookies: { keys: ['of a test'] },
  clients: [
    { ...signsPeopleIn, client_id: 'files', client_secret: 'files-secret' },
    { ...signsPeopleIn, client_id: 'files-public', token_endpoint_auth_method: 'none' },
    signsPeopleInElsewhere(),
    {
      client_id: 'program', client_secret: 'program-secret', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    },
  ],
  claims: { openid: ['sub'], profile: ['name'], email: ['email'], groups: ['groups'] },
  // The service reads ID tokens and never asks for more.
  conformIdTokenClaims: false,
  findAccount: (_, id) => people.has(id) && { accountId: id, claims: () => ({ sub: id, ...people.get(id) }) },
  extraTokenClaims: (_, token) => (token.kind === 'ClientCredentials' ? claimsOfProgram()
    : people.get(token.accountId) && { ...people.get(token.accountId) }),
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  // Nobody is asked for their consent.
  loadExistingGrant: async ({ oidc }) => {
    const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
    grant.addOIDCScope(signsPeopleIn.scope);
    await grant.save();
    return grant;
  },
  interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
  ttl: {
    AccessToken: 300, AuthorizationCode: 60, ClientCredentials: () => program.seconds, Grant: 3600, IdToken: 300, Interaction: 600,
    RefreshToken: 3600, Session: 3600,
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    rpInitiatedLogout: {
      logoutSource: (ctx, form) => {
        ctx.body = `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`;
      },
      postLogoutSuccessSource: (ctx) => { ctx.body = 'Signed out'; },
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => `${RESOURCE}RS256`,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => {
        const algorithm = ALGORITHMS.find((it) => resource === RESOURCE + it);
        if (!algorithm) throw new Error(`no resource ${resource}`);
        return { scope: '', audience: 'file-share', accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } };
      },
    },
  },
});

function claimsOfProgram() {
  const groups = program.first ?? program.groups;
  program.first = undefined;
  return groups && { groups };
}

async function logIn(request, response) {
  if (request.method === 'POST') {
    const login = { accountId: new URLSearchParams(await text(request)).get('person') };
    // A native client's consent is asked for each time, so that each sign-in comes by here.
    await provider.interactionFinished(request, response, { login, consent: {} });
    return;
  }
  const buttons = [...people.keys()].map((it) => `<button name="person" value="${it}">${it}</button>`);
  response.setHeader('Content-Type', 'text/html');
  response.end(`<!DOCTYPE html><title>Sign in</title><form method="post">${buttons.join(' ')}</form>`);
}

async function control(request, response) {
  const said = JSON.parse(await text(request) || '{}');
  if (request.url === '/control/rotate') {
    keys = [...newKeys(), ...(said.forget ? [] : keys)];
    // What was begun goes on: all providers of a process share what is in memory.
    provider = new Provider(issuer, configuration(keys));
  } else if (request.url === '/control/addresses') {
    addresses.push(said.base);
    provider = new Provider(issuer, configuration(keys));
  } else if (request.url === '/control/program') {
    program = { seconds: 300, ...said };
  } else {
    people.get(said.person).groups = said.groups;
  }
  response.writeHead(204).end();
}

const server = http.createServer(async (request, response) => {
  try {
    if (request.url.startsWith('/login/')) return await logIn(request, response);
    if (request.url.startsWith('/control/')) return await control(request, response);
    return provider.callback()(request, response);
  } catch (error) {
    console.error(error);
    return response.writeHead(500).end();
  }
});
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;
let keys = newKeys();
let provider = new Provider(issuer, configuration(keys));
process.stdin.on('end', () => process.exit()).resume();
console.log(issuer);
