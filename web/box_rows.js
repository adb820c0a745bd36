// The rows of a box's table: which of them count, which are shown, and who they are of.
//
// Invariant: pure. Somebody who signed in is told by their ID, and anybody else by the name that they typed, whatever its
// capitals. Nothing is left out of `all`.

// Who handed in, so that two rows of one person have the same.
export function whoOf({ submitter, submitterId = null }) {
  return submitterId === null ? `name ${submitter.normalize('NFC').toLowerCase()}` : `id ${submitterId}`;
}

// The IDs of what counts: with `all` whatever arrived; else of each person the newest that isn't late, or if all are, the
// newest.
export function countingOf(files, keep) {
  const arrived = files.filter(({ status }) => status === 'available');
  if (keep === 'all') {
    return new Set(arrived.map(({ id }) => id));
  }
  const best = new Map();
  for (const file of arrived) {
    const who = whoOf(file);
    const before = best.get(who);
    if (before === undefined || isBetter(file, before)) {
      best.set(who, file);
    }
  }
  return new Set([...best.values()].map(({ id }) => id));
}

function isBetter(one, other) {
  if (one.late !== other.late) {
    return !one.late;
  }
  const [a, b] = [one, other].map(({ uploadedAt }) => Date.parse(uploadedAt));
  return a === b ? one.id > other.id : a > b;
}

// Those that are to be seen, in their order. `show` is all, counting, late or open.
export function shownOf(files, { query, show, counting }) {
  const words = folded(query).split(/\s+/).filter(Boolean);
  const isLike = ({ submitter, displayName }) => {
    const text = `${folded(submitter)}\n${folded(displayName)}`;
    return words.every((word) => text.includes(word));
  };
  return files.filter((file) => isWanted(file, show, counting) && isLike(file));
}

function isWanted(file, show, counting) {
  switch (show) {
    case 'counting':
      return counting.has(file.id);
    case 'late':
      return file.late;
    case 'open':
      return file.status !== 'available';
    default:
      return true;
  }
}

// How many different people there are.
export function peopleOf(files) {
  return new Set(files.map(whoOf)).size;
}

// What a list has become by a page of what is newest now: a file that is known is what it is now.
export function merged(files, newer) {
  const isNewer = new Set(newer.map(({ id }) => id));
  return [...newer, ...files.filter(({ id }) => !isNewer.has(id))].sort((one, other) => (one.id < other.id ? 1 : -1));
}

// Without capitals and accents, since people look for names as they can type them.
function folded(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
