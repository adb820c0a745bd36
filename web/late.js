// Modules that are fetched when somebody asks for what they do.
//
// Invariant: one that couldn't be had is asked for again, under another address: browsers remember a failure.

const failures = new Map();

export async function fetchModule(name) {
  const failed = failures.get(name) ?? 0;
  try {
    return await import(failed === 0 ? `./${name}` : `./${name}?again=${failed}`);
  } catch (error) {
    failures.set(name, failed + 1);
    throw error;
  }
}
