// Saves what a page has made, under a name.

// The browser has it by then; this is enough for any question that it asks first.
const KEPT_MS = 60_000;

export function saveAs(name, parts, type) {
  saveBlob(name, new Blob(parts, { type }));
}

export function saveBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
