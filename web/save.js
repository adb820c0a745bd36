// Saves what a page has made, under a name.

// The browser has it by then; this is enough for any question that it asks first.
const KEPT_MS = 60_000;

export function saveAs(name, parts, type) {
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
