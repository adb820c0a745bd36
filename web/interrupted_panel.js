// Puts together what remembers uploads, what goes on with those that were interrupted, and what shows them.
//
// Invariant: data goes one way, as everywhere in the page.

import { Interrupted } from './interrupted.js';
import { InterruptedView } from './interrupted_view.js';
import { KeptUploads } from './kept_uploads.js';
import { UploadStore } from './upload_store.js';

// `place` is the path of the service. ports: owner(), now(), after(ms, run), newName(), look(id), watch(id), sha256(file),
// resume(upload), held(), remove(record), onChange(). Gives what remembers, what was interrupted, and a function that
// shows it as it is now.
export function openInterrupted({ place, strings, format }, ports) {
  const { owner, now, after, onChange, remove } = ports;
  const kept = new KeptUploads(new UploadStore(), { place, owner, now, after, page: ports.newName() });
  const channel = new BroadcastChannel(`file-share uploads ${place}`);
  const interrupted = new Interrupted({ ...ports, kept, channel, held: () => [...ports.held(), kept.queueId] }, () => {
    show();
    onChange();
  });
  const view = new InterruptedView(
    { strings, format },
    {
      offer: (id, file) => interrupted.offer(id, file),
      forgetNotBegun: () => interrupted.forgetNotBegun(),
      remove: ({ id, name }) => remove({ id, filename: name }),
    },
  );
  const show = () => view.show(interrupted.items, interrupted.notBegun, now());
  return { kept, interrupted, show };
}
