// Where a box stands at a moment of the service's clock, and what comes next.
//
// Invariant: pure. The service decides; this says beforehand what it will say, so that nobody is surprised. Times are in
// milliseconds, and null where none is set.

// So long before the end of something it is said.
export const SOON_MS = 60 * 60 * 1000;

// The times of a box as the service writes them, in milliseconds.
export function timesOf({ opensAt, dueAt, closesAt, lastClosesAt }) {
  return { opensAt: momentOf(opensAt), dueAt: momentOf(dueAt), closesAt: momentOf(closesAt), lastClosesAt: momentOf(lastClosesAt) };
}

function momentOf(text) {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? null : at;
}

// `notYet`, `open`, `soon`, `late` for what is taken and marked, `extended` where only those hand in who have an extension,
// the last of which ends at `lastClosesAt`, or `closed`.
export function standingOf({ opensAt, dueAt, closesAt, lastClosesAt }, now) {
  if (opensAt !== null && now < opensAt) {
    return 'notYet';
  }
  if (closesAt !== null && now >= closesAt) {
    return lastClosesAt !== null && now < lastClosesAt ? 'extended' : 'closed';
  }
  if (dueAt !== null && now > dueAt) {
    return 'late';
  }
  const end = dueAt ?? closesAt;
  return end !== null && end - now <= SOON_MS ? 'soon' : 'open';
}

// What one waits for: {what, at} with `opens`, `due` or `closes`, or null if nothing is set.
export function nextOf({ opensAt, dueAt, closesAt }, now) {
  const marks = [
    ['opens', opensAt],
    ['due', dueAt],
    ['closes', closesAt],
  ];
  const [what, at] = marks.find(([, mark]) => mark !== null && mark > now) ?? [null, null];
  return what === null ? null : { what, at };
}

export function isTaking(standing) {
  return ['open', 'soon', 'late', 'extended'].includes(standing);
}

// The parts of a span that matter to a person, the largest first and two at the most: {days, hours}, {hours, minutes},
// {minutes, seconds} or {seconds}.
export function leftOf(ms) {
  const all = Math.max(0, Math.ceil(ms / 1000));
  const [days, hours, minutes, seconds] = [all / 86_400, (all / 3600) % 24, (all / 60) % 60, all % 60].map(Math.floor);
  if (days > 0) {
    return { days, hours };
  }
  if (hours > 0) {
    return { hours, minutes };
  }
  return minutes > 0 ? { minutes, seconds } : { seconds };
}

// Whether a file that the store had at `uploadedAt` is late.
export function isLate(uploadedAt, dueAt) {
  const [uploaded, due] = [momentOf(uploadedAt), momentOf(dueAt)];
  return uploaded !== null && due !== null && uploaded > due;
}
