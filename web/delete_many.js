// Deletes many files after one question, and says what came of it.
//
// Invariant: what isn't deleted is named, and stays in the list.

import { ask } from './dialog.js';
import { forEach } from './for_each.js';
import { holdOf, keptUntil, nameOf } from './record.js';

// How many files are named in a question or an answer.
const MAX_NAMED = 3;

// ports: remove(id) → event of the API, gone(id) for each that is deleted, say(sentence), after(ms, run).
export async function deleteMany(records, { strings, format }, ports) {
  const { selection: words, keep } = strings;
  const count = format.count(records.length);
  const names = (some) => words.names(
    some.slice(0, MAX_NAMED).map(nameOf),
    some.length > MAX_NAMED ? strings.said.more(format.count(some.length - MAX_NAMED)) : null,
  );
  const isWanted = await ask({
    title: words.removeTitle(count),
    text: records.length === 1 ? strings.removeText(nameOf(records[0])) : words.removeText(names(records)),
    yes: words.removeYes(count),
    no: keep,
  });
  if (!isWanted) {
    return;
  }
  const byId = new Map(records.map((record) => [record.id, record]));
  const failed = await forEach([...byId.keys()], ports.remove, { done: 'deleted', after: ports.after, onDone: ports.gone });
  const deleted = format.count(records.length - failed.length);
  if (failed.length === 0) {
    ports.say(words.removed(deleted));
    return;
  }
  const left = failed.map((id) => byId.get(id));
  const isHeld = left.some((record) => holdOf(record));
  const said = words.notRemoved(deleted, format.count(left.length), names(left));
  const isKept = left.some((record) => keptUntil(record, Date.now()) !== null);
  ports.say([said, isHeld && words.someHeld, isKept && words.someKept].filter(Boolean).join(' '));
}
