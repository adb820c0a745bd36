// What a form says that a box is to be, and back.
//
// Invariant: pure. Never stricter than the service, besides what a person can't have meant. Times are typed in the zone of
// the device, and sent in UTC. Of a box that there is, what wasn't changed isn't sent, so that it stays what others may
// have made of it meanwhile.

export const MIB = 1024 * 1024;
const MAX_TITLE = 100;
const MAX_COUNT = 10_000;
const MAX_PASSWORD = 128;
const ENDING = /^[a-z0-9]{1,16}$/;

// The texts of the form for a box, or for a new one.
export function fieldsOf(box) {
  const { title = '', dueAt = null, closesAt = null, types = [], maxFileBytes = null, maxFiles = null } = box ?? {};
  return {
    title,
    due: localOf(dueAt),
    after: afterOf(dueAt, closesAt),
    closes: localOf(closesAt),
    types: types.join(', '),
    size: maxFileBytes === null ? '' : String(maxFileBytes / MIB),
    count: maxFiles === null || maxFiles === MAX_COUNT ? '' : String(maxFiles),
    password: '',
    noPassword: false,
    submitter: box?.submitter ?? 'named',
    keep: box?.keep ?? 'latest',
  };
}

function afterOf(dueAt, closesAt) {
  if (closesAt === null) {
    return 'open';
  }
  return closesAt === dueAt ? 'none' : 'until';
}

// → {wanted, wrong}: what the service is told, with null for what isn't set, and the name and fault of each field that
// isn't right. `box` is what there is, or null; of it what differs from what the form was filled with.
// Of a new box a deadline before `now` is one that nobody can have meant.
export function wantedOf(fields, { maxBytes, box = null, now }) {
  const { wanted, wrong } = readBy(fields, { maxBytes, box });
  if (box === null) {
    const isPast = (at) => at !== null && Date.parse(at) <= now;
    if (isPast(wanted.dueAt)) {
      wrong.push(['due', 'past']);
    } else if (isPast(wanted.closesAt)) {
      wrong.push(['closes', 'past']);
    }
    return { wanted, wrong };
  }
  const given = readBy(fieldsOf(box), { maxBytes, box }).wanted;
  const isOther = ([name, value]) => JSON.stringify(value) !== JSON.stringify(given[name]);
  return { wanted: Object.fromEntries(Object.entries(wanted).filter(isOther)), wrong };
}

function readBy(fields, { maxBytes, box }) {
  const wrong = [];
  const title = fields.title.trim();
  if (title === '' || [...title].length > MAX_TITLE) {
    wrong.push(['title', title === '' ? 'noTitle' : 'longTitle']);
  }
  const dueAt = momentOf(fields.due, box?.dueAt);
  const closesAt = closingOf(fields, dueAt, box?.closesAt);
  if (fields.after === 'until' && closesAt === null) {
    wrong.push(['closes', 'noUntil']);
  } else if (dueAt !== null && closesAt !== null && Date.parse(closesAt) < Date.parse(dueAt)) {
    wrong.push(['closes', 'untilFirst']);
  }
  const types = fields.types.split(/[\s,;]+/).map((one) => one.replace(/^\*?\./, '').toLowerCase()).filter(Boolean);
  if (!types.every((one) => ENDING.test(one))) {
    wrong.push(['types', 'types']);
  }
  const maxFileBytes = fields.size.trim() === '' ? null : Math.round(numberOf(fields.size) * MIB);
  if (maxFileBytes !== null && !(maxFileBytes > 0 && maxFileBytes <= maxBytes)) {
    wrong.push(['size', 'size']);
  }
  const maxFiles = fields.count.trim() === '' ? null : numberOf(fields.count);
  if (maxFiles !== null && !(Number.isInteger(maxFiles) && maxFiles >= 1 && maxFiles <= MAX_COUNT)) {
    wrong.push(['count', 'count']);
  }
  if ([...fields.password].length > MAX_PASSWORD) {
    wrong.push(['password', 'password']);
  }
  const { submitter, keep } = fields;
  const password = passwordOf(fields);
  return { wanted: { title, dueAt, closesAt, types, maxFileBytes, maxFiles, submitter, keep, ...password }, wrong };
}

// The one that there is, nobody can see: what isn't typed anew stays.
function passwordOf({ password, noPassword }) {
  if (noPassword) {
    return { password: null };
  }
  return password === '' ? {} : { password };
}

function closingOf({ after, closes }, dueAt, before) {
  switch (after) {
    case 'none':
      return dueAt;
    case 'until':
      return momentOf(closes, before);
    default:
      return null;
  }
}

// A number as people write it, with a point or a comma.
function numberOf(text) {
  const plain = text.trim().replace(',', '.');
  return /^\d+(\.\d+)?$/.test(plain) ? Number(plain) : Number.NaN;
}

// What <input type="datetime-local"> gives, in UTC; null for none. `before` is what it was filled with.
function momentOf(text, before = null) {
  if (text === '') {
    return null;
  }
  return before !== null && localOf(before) === text ? before : new Date(text).toISOString();
}

// A moment as <input type="datetime-local"> takes it, in the zone of the device.
export function localOf(iso) {
  if (iso === null) {
    return '';
  }
  const at = new Date(iso);
  const two = (number) => String(number).padStart(2, '0');
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  const seconds = at.getSeconds() === 0 ? '' : `:${two(at.getSeconds())}`;
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}
