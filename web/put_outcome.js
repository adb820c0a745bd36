// What the object store's answer to a PUT means.
//
// Invariant: pure; gives an event for the upload's state machine. S3's codes:
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html

import { notFromStore, outcomeOf } from './intermediary.js';

const DAMAGED = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]);
const PATIENCE = new Set(['RequestTimeout', 'IncompleteBody', 'SlowDown', 'ConditionalRequestConflict']);

export function putOutcome({ status, body = '', mediaType = '', retryAfterMs: pause = 0 }) {
  const s3Code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(body)?.[1] ?? null;
  const problem = notFromStore({ status, mediaType, s3Code });
  if (problem) {
    return outcomeOf(problem, pause);
  }
  if (status >= 200 && status < 300) {
    return { type: 'stored' };
  }
  if (status === 412) {
    return { type: 'there' };
  }
  if (DAMAGED.has(s3Code)) {
    return { type: 'damaged' };
  }
  // Whatever made the signature useless, its age or the credentials behind it, a fresh one helps.
  if (status === 403 || s3Code === 'ExpiredToken') {
    return { type: 'expired' };
  }
  if (status === 507) {
    return { type: 'refused', problem: { code: 'full' } };
  }
  if ([0, 408, 409, 425, 429].includes(status) || status >= 500 || PATIENCE.has(s3Code)) {
    return { type: 'lost', retryAfterMs: pause };
  }
  return { type: 'refused', problem: { code: 'store', detail: s3Code } };
}

// A `Retry-After` in seconds, as milliseconds; the other form, a date, is as good as none here.
export function retryAfterMs(header) {
  return /^\d{1,6}$/.test(header ?? '') ? Number(header) * 1000 : 0;
}
