// What a file's record says, as far as the pages act on it.
//
// Invariant: pure. A status or stage that isn't known here is one that isn't final: whoever meets it
// waits, and neither deletes the file nor sends it again.

const FINAL = new Set(['available', 'rejected', 'withdrawn', 'expired']);
const MAX_SHOWN_BYTES = Number.MAX_SAFE_INTEGER;

// Whether this is a record at all, so that nothing else gets to what shows one.
export function isRecord(json) {
  return (
    ['id', 'filename', 'status', 'createdAt'].every((field) => typeof json?.[field] === 'string') &&
    json.size >= 0 &&
    json.size <= MAX_SHOWN_BYTES &&
    !Number.isNaN(Date.parse(json.createdAt))
  );
}

// What people call the file: the name as it was given, where the service keeps it.
export function nameOf({ displayName, filename }) {
  return typeof displayName === 'string' && displayName !== '' ? displayName : filename;
}

// When the service deletes the file, in milliseconds; null if that wasn't said.
export function endOf({ deleteAfter }) {
  const at = Date.parse(deleteAfter ?? '');
  return Number.isNaN(at) ? null : at;
}

// That nobody can delete the file, and why as far as that is told: {reason}, else null.
export function holdOf({ hold }) {
  return typeof hold === 'object' && hold !== null ? { reason: typeof hold.reason === 'string' ? hold.reason : null } : null;
}

// Until when nobody can delete the file, in milliseconds; null if anybody may who may at all.
export function keptUntil({ status, keepUntil }, now) {
  const at = Date.parse(keepUntil ?? '');
  return status === 'available' && at > now ? at : null;
}

// What the bytes of a file that was rejected are, if it was for that its name says something else; else null.
export function otherContentOf({ reasonCode, detectedType }) {
  return reasonCode === 'content_mismatch' && typeof detectedType === 'string' ? detectedType : null;
}

// Whether nothing about the file changes any more, besides that it may be deleted.
export function isFinal(record) {
  return FINAL.has(record.status) && !hasStage(record);
}

// Whether the service is still waiting for bytes, and for nothing else.
export function awaitsBytes(record) {
  return record.status === 'pending' && !hasStage(record);
}

// What there is to show: a final status, `pending`, or `processing` for all that isn't known.
export function standing(record) {
  if (isFinal(record)) {
    return record.status;
  }
  return awaitsBytes(record) ? 'pending' : 'processing';
}

function hasStage({ stage }) {
  return stage !== undefined && stage !== null;
}
