// Answers that neither the service nor the store gave: those of a proxy, a gateway or a sign-in before it.
//
// Invariant: pure. The service answers with JSON or a receipt, and with a `code` where it refuses; the store with S3's
// XML. What has neither form says nothing about a file, whatever its status is.

// The person's session is over, as far as one can tell: a redirect that no call of ours leads to, 401, or a
// page instead of an answer with 403.
const SIGN_IN = 401;
// The service itself refuses for the same reason. Which of the two it is decides where somebody signs in.
const SIGN_IN_CODE = 'sign_in_required';
const FORBIDDEN = 403;
// Trying again changes nothing until the operator has changed something.
const FOR_GOOD = new Set([413, 421]);
// Refusals of the service whose cause is that the proxy doesn't pass the Host header on.
const HOST_CODES = new Set(['misdirected_request', 'origin_not_allowed']);

// The media type of receipts.
export const JOSE = 'application/jose';

// What the service's own word comes to that somebody has to sign in.
export const SIGN_IN_REQUIRED = { code: 'signedOut', status: SIGN_IN, by: 'service' };

// Null if the service gave this answer or there is none, else {code: signedOut | intermediary, status}. That
// somebody has to sign in is one outcome, whoever says so; `by: 'service'` if it is the service.
export function notFromService({ status, isRedirect, mediaType, json }) {
  const isProblem = mediaType === 'application/problem+json' && typeof json.code === 'string';
  if (status === SIGN_IN && isProblem && json.code === SIGN_IN_CODE) {
    return SIGN_IN_REQUIRED;
  }
  if (isRedirect || status === SIGN_IN) {
    return { code: 'signedOut', status: isRedirect ? 'redirect' : status };
  }
  const isSuccess = status >= 200 && status < 300;
  const isOurs =
    status === 0 ||
    status === 204 ||
    (isSuccess && (mediaType === 'application/json' || mediaType === JOSE)) ||
    isProblem;
  if (isOurs) {
    return null;
  }
  const isPage = status === FORBIDDEN && mediaType === 'text/html';
  return { code: isPage ? 'signedOut' : 'intermediary', status };
}

// The same of an answer to a PUT. Whether somebody is signed in, the service's answers say.
export function notFromStore({ status, mediaType, s3Code }) {
  const isSuccess = status >= 200 && status < 300;
  const isStores = status === 0 || s3Code !== null || ((isSuccess || status === 412) && mediaType !== 'text/html');
  return isStores ? null : { code: 'intermediary', status };
}

// What it comes to for whoever asked: `refused`, or `lost` with its cause.
export function outcomeOf(problem, retryAfterMs) {
  return FOR_GOOD.has(problem.status) ? { type: 'refused', problem } : { type: 'lost', cause: problem, retryAfterMs };
}

// Whether the service refused because it was told another host than the page's.
export function isAboutHost(code) {
  return HOST_CODES.has(code);
}

// The media type of a Content-Type header, without its parameters.
export function mediaTypeOf(header) {
  return (header ?? '').split(';')[0].trim().toLowerCase();
}
